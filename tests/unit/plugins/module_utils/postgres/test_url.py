# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a database URL, and never giving its password away."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

PASSWORD = "s3cret:of\\the@test"
QUOTED = "s3cret%3Aof%5Cthe%40test"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5433/d", {"host": "h", "port": "5433", "user": "u", "password": "p", "dbname": "d"}),
        ("postgres://u@h/d", {"host": "h", "user": "u", "dbname": "d"}),
        ("postgresql:///d", {"dbname": "d"}),
        ("postgresql:///d?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "d"}),
        ("postgresql://u:p@[::1]:5433/d", {"host": "::1", "port": "5433", "user": "u", "password": "p", "dbname": "d"}),
        ("postgresql://%75:a%40b@h/my%20d", {"host": "h", "user": "u", "password": "a@b", "dbname": "my d"}),
        ("postgresql://h/d?user=u&password=p", {"host": "h", "user": "u", "password": "p", "dbname": "d"}),
        ("postgresql://h/d?sslmode=verify-full", {"host": "h", "dbname": "d", "sslmode": "verify-full"}),
        # What only application drivers know is left out, and ssl said in libpq's words.
        ("postgresql://h/d?schema=public&connection_limit=5", {"host": "h", "dbname": "d"}),
        ("postgresql://h/d?ssl=true", {"host": "h", "dbname": "d", "sslmode": "require"}),
        ("postgresql://h/d?sslmode=no-verify", {"host": "h", "dbname": "d", "sslmode": "require"}),
    ],
)
def test_keywords(url: str, expected: dict[str, str]) -> None:
    always = {"connect_timeout": "10", "application_name": "test"}
    assert parse_url(url).keywords("test") == {**always, **expected}


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("mysql://u:s3cret@h/d", "it does not begin with postgresql://"),
        ("s3cret", "it does not begin with postgresql://"),
        ("postgresql://u:s3cret@h:port/d", "its port is not a number"),
        ("postgresql://u:s3cret@h", "it names no database"),
        ("postgresql://u:s3cret@a,b/d", "it names more than one host"),
        ("postgresql://u:s3cret#x@h/d", "not percent-encoded"),
        ("postgresql://u:s3/cret@h/d", "not percent-encoded"),
        ("postgresql://u:s3cret@[h/d", "it is not a URL"),
        ("postgresql://u:s3cret%0A@h/d", "its password contains a line break"),
    ],
)
def test_a_bad_url_is_refused_without_being_repeated(url: str, cause: str) -> None:
    with pytest.raises(SluiceError) as refused:
        parse_url(url)
    assert str(refused.value).startswith("Cannot read database_url: ")
    assert cause in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert "cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_password_is_in_no_text() -> None:
    url = parse_url(f"postgresql://u:{QUOTED}@h:1/d")
    assert url.password == PASSWORD
    assert url.secrets == (PASSWORD,)
    for text in (repr(url), str(url), url.shown, url.conninfo("test"), repr(url.with_database("e"))):
        assert "s3cret" not in text


def test_conninfo_is_quoted() -> None:
    url = parse_url("postgresql://h/it's")
    assert "dbname='it\\'s'" in url.conninfo("test")


def test_tools_find_the_password_in_a_private_file_that_goes_away() -> None:
    url = parse_url(f"postgresql://u:{QUOTED}@h:1/d")
    with url.tool_environment() as environment:
        path = Path(environment["PGPASSFILE"])
        assert path.read_text() == "*:*:*:*:s3cret\\:of\\\\the@test\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert not any("s3cret" in value for value in environment.values())
        # It would come before the file.
        assert environment["PGPASSWORD"] == ""
    assert not path.parent.exists()


def test_the_file_of_a_killed_run_goes_with_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = parse_url("postgresql://u:p@h/d")
    dead = tmp_path / "sluice-pg-dead"
    dead.mkdir()
    (dead / "pgpass").write_text("*:*:*:*:p\n")
    with url.tool_environment() as mine, url.tool_environment() as another:
        assert not dead.exists()
        assert Path(mine["PGPASSFILE"]).exists()
        assert Path(another["PGPASSFILE"]).exists()
    assert list(tmp_path.iterdir()) == []


def test_without_a_password_the_users_own_file_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with parse_url("postgresql://u@h/d").tool_environment() as environment:
        assert "PGPASSFILE" not in environment
        assert "PGPASSWORD" not in environment


@pytest.mark.parametrize(
    ("url", "local"),
    [("postgresql:///d", True), ("postgresql://127.0.0.1/d", True), ("postgresql://db.internal/d", False)],
)
def test_is_local(url: str, local: bool) -> None:
    assert parse_url(url).is_local is local


def test_the_option_is_named() -> None:
    with pytest.raises(SluiceError, match=r"^Cannot read admin_url: "):
        parse_url("/", "admin_url")
