# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each source yields, in which order, and what it leaves out."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.sluice.release.plugins.module_utils.warm import _sources_common as common
from ansible_collections.sluice.release.plugins.module_utils.warm import _sources_openapi as openapi
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources import requests
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    AGAIN,
    READ_BEFORE,
    Door,
    Item,
    Notes,
    Source,
    SourceError,
    World,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_lists import (
    KeyFile,
    LineFile,
    UrlList,
    headers_of,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_log import (
    AccessLog,
    Counts,
    Entry,
    json_parser,
    parse_combined,
    regex_parser,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_sitemap import Reader, Sitemap

BASE = "https://shop.example.com"
DOOR = Door(BASE, (re.compile("^/private"),))


def read(source: Source, documents: Mapping[str, bytes] | None = None, **options: Any) -> tuple[list[str], Notes]:
    """The paths that a source yields, and what it said besides."""

    def fetch(path: str, limit: int) -> IO[bytes]:
        if path not in (documents or {}):
            raise SourceError("it answered 404")
        return io.BytesIO((documents or {})[path])

    notes = Notes(source.name)
    items = source.read(World(DOOR, fetch, **options), notes)
    return [item.path for item in items if isinstance(item, Request)], notes


# --- lists


def test_a_list() -> None:
    paths, notes = read(UrlList(["/b", " /a ", f"{BASE}/c", "https://x.example/", "/private/x", "/logout", "nonsense"]))
    assert paths == ["/b", "/a", "/c"]
    assert notes.left_out == {"elsewhere": 1, "excluded": 2, "bad": 1}
    assert notes.first[0] == {"source": "urls", "where": "entry 4", "text": "https://x.example/", "why": "elsewhere"}


def test_a_file_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(b"# a comment\r\n\r\n/a\r\n/b" + b" \n" + b"\xff\n" + b"/" + b"x" * 70_000 + b"\n/c")
    paths, notes = read(LineFile(str(file)))
    assert paths == ["/a", "/b", "/c"]
    assert [(one["where"], one["text"]) for one in notes.first] == [
        ("line 5", "too long, or no UTF-8"), ("line 6", "too long, or no UTF-8")
    ]  # fmt: skip
    assert LineFile(str(file)).size() == 6
    packed = tmp_path / "list.gz"
    packed.write_bytes(gzip.compress(b"/a\n/b\n"))
    assert read(LineFile(str(packed)))[0] == ["/a", "/b"]
    assert LineFile(str(packed)).size() is None


@pytest.mark.parametrize("content", [gzip.compress(b"/a\n" * 9)[:-4], b"\x1f\x8bnonsense"])
def test_a_file_that_is_torn(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(SourceError):
        read(LineFile(str(tmp_path / "x.gz")))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "list")
    for source in (LineFile, KeyFile):
        assert source(str(tmp_path / "list")).size() is None
        with pytest.raises(SourceError, match="it is no regular file"):
            read(source(str(tmp_path / "list")))
    with pytest.raises(SourceError, match="it is no regular file"):
        read(AccessLog(str(tmp_path / "list"), parse_combined, top=9))


def test_whoever_reads_without_finding_anything_comes_up_for_air(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("bad\n" * 1000)
    items = list(LineFile(str(tmp_path / "list")).read(World(DOOR, None), Notes("x")))
    assert items == [AGAIN] * 5


def test_a_recorded_set(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    lines: list[Any] = [
        {"path": "/a", "headers": {"Accept-Language": "de", "X-Number": 5}},
        {"path": "/a", "method": "get"},
        {"path": "/a", "method": "POST"},
        {"path": "/a", "headers": {"Host": "geheim"}},
        {"path": "/a", "headers": ["geheim"]},
        {"path": "/private/x"},
        {"headers": {}},
        [],
    ]
    file.write_text("\n".join(map(json.dumps, lines)) + "\n{geheim\n" + "[" * 60_000)
    notes = Notes("x")
    items = list(KeyFile(str(file)).read(World(DOOR, None), notes))
    assert items == [Request("/a", (("Accept-Language", "de"), ("X-Number", "5"))), Request("/a")]
    assert notes.left_out == {"bad": 7, "excluded": 1}
    assert "geheim" not in str(notes.first)


@pytest.mark.parametrize("headers", [{"a b": "c"}, {"a": "b\nc"}, {"a": "ü"}, {"Content-Length": "1"}, {1: "x"}])
def test_headers_that_cannot_be_sent(headers: dict[Any, Any]) -> None:
    with pytest.raises(ValueError, match="header"):
        headers_of(headers)


# --- access logs

LINE = '9.9.9.9 - {user} [22/Nov/2026:10:00:00 +0000] "{method} {path} HTTP/1.1" {status} 512{rest}'


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (LINE.format(user="-", method="GET", path="/a?b=1", status=200, rest=' "-" "x"'), Entry("GET", "/a?b=1", 200)),
        (LINE.format(user="a b", method="HEAD", path="/", status=304, rest=""), Entry("HEAD", "/", 304)),
        ('::1 - - [x] "GET /" 200 5', Entry("GET", "/", 200)),
        ('::1 - - [x] "\\x16\\x03\\x01" 400 0', None),
        ('::1 - - [x] "-" 400 0', None),
        ("", None),
        ("nonsense", None),
        ("a a [" * 9999, None),
    ],
)  # fmt: skip
def test_a_line_of_the_combined_format(line: str, entry: Entry | None) -> None:
    assert parse_combined(line) == entry


@given(st.text(max_size=200) | st.text(alphabet='[]" -/GET0123\\x', max_size=80))
def test_no_line_breaks_a_parser(line: str) -> None:
    for parse in (parse_combined, json_parser(), regex_parser(re.compile(r"(?P<method>\w+) (?P<path>\S+)"))):
        found = parse(line)
        assert found is None or (isinstance(found.path, str) and found.path and found.status >= 0)


@given(
    st.sampled_from(["GET", "POST", "HEAD"]),
    st.from_regex(r"/[a-z0-9/?=&%.-]{0,40}", fullmatch=True),
    st.integers(100, 599),
    st.from_regex(r"[A-Za-z0-9 ]{1,20}", fullmatch=True),
)
def test_a_line_comes_back_as_it_was_written(method: str, path: str, status: int, user: str) -> None:
    line = LINE.format(user=user, method=method, path=path, status=status, rest=' "ref [x] \\"" "agent"')
    assert parse_combined(line) == Entry(method, path, status)


@pytest.mark.parametrize(
    ("line", "fields", "entry"),
    [
        ({"request_method": "GET", "request_uri": "/a", "status": "200"}, None, Entry("GET", "/a", 200)),
        ({"method": "get", "url": "/a", "status": 200}, None, Entry("GET", "/a", 200)),
        ({"request": {"method": "GET", "uri": "/a"}, "status": 200}, None, Entry("GET", "/a", 200)),
        ({"request": "GET /a HTTP/1.1", "status": 200}, None, Entry("GET", "/a", 200)),
        ({"m": "GET", "r": {"p": "/a"}, "s": 2}, {"method": "m", "path": "r.p", "status": "s"}, Entry("GET", "/a", 2)),
        ({"method": "GET", "path": "/a"}, None, Entry("GET", "/a", 0)),
        ({"method": "GET"}, None, None),
        ({"method": "GET", "path": "/a", "status": "ok"}, None, None),
        ({"request": ""}, None, None),
        ([], None, None),
    ],
)  # fmt: skip
def test_a_line_of_json(line: Any, fields: dict[str, str] | None, entry: Entry | None) -> None:
    assert json_parser(fields)(json.dumps(line)) == entry


def test_a_line_by_an_expression() -> None:
    parse = regex_parser(re.compile(r"^(?P<status>\d+)? (?P<method>\w+) (?P<path>\S+)"))
    assert parse("200 GET /a") == Entry("GET", "/a", 200)
    assert parse(" GET /a") == Entry("GET", "/a", 0)
    assert parse("nonsense") is None


def log(*lines: tuple[str, str, int]) -> str:
    return "".join(
        LINE.format(user="-", method=method, path=path, status=status, rest="\n") for method, path, status in lines
    )


def test_what_was_asked_for_most_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text(
        log(
            ("GET", "/rare", 200), *[("GET", "/hot", 200)] * 5, *[("GET", "/mild", 304)] * 3,
            *[("GET", "/gone", 404)] * 9, *[("HEAD", "/rare", 200)] * 9, *[("POST", "/post", 201)] * 9,
            *[("GET", "/r?token=x", 200)] * 9, *[("GET", "/private/x", 200)] * 9, ("GET", "/found", 302),
        )
        + "nonsense\n"
    )  # fmt: skip
    paths, notes = read(AccessLog(str(file), parse_combined, top=3))
    assert paths == ["/hot", "/mild", "/found"]
    assert notes.left_out == {"status": 9, "method": 18, "secret": 9, "excluded": 9, "bad": 1}
    assert {one["why"] for one in notes.first} <= {"secret", "excluded", "bad"}
    assert notes.first[0]["text"] == "/r?token=********"


def test_a_log_and_its_rotated_ones(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(log(("GET", "/new", 200)))
    (tmp_path / "access.log.1").write_text(log(*[("GET", "/old?q=1", 200)] * 2))
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(log(*[("GET", "/old?q=2", 200)] * 3).encode()))
    pattern = str(tmp_path / "access.log*")
    assert read(AccessLog(pattern, parse_combined, top=9))[0] == ["/old?q=2", "/old?q=1", "/new"]
    assert read(AccessLog(pattern, parse_combined, top=9, keep_query=False))[0] == ["/old", "/new"]
    with pytest.raises(SourceError, match="there is no such file"):
        read(AccessLog(str(tmp_path / "other*"), parse_combined, top=9))


def test_a_log_is_read_for_a_part_of_the_time(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(log(*[("GET", "/a", 200)] * 1500))
    paths, notes = read(
        AccessLog(str(tmp_path / "access.log"), parse_combined, top=9), overdue=lambda part: part <= 0.25
    )
    assert paths == ["/a"]
    assert notes.cut == f"a quarter of the time was over before {tmp_path}/access.log was read"


def test_endpoints_count_with_all_their_requests() -> None:
    counts = Counts()
    for path in ["/deals/1", "/deals/2", "/deals/2", "/deals/3", "/about", "/about", "/about", "/news"]:
        counts.add(path)
    assert counts.top(9) == ["/about", "/deals/2", "/deals/1", "/deals/3", "/news"]
    assert counts.top(9, per_endpoint=2) == ["/deals/2", "/deals/1", "/about", "/news"]
    assert counts.top(2, per_endpoint=2) == ["/deals/2", "/deals/1"]


def test_counts_are_bounded_and_keep_what_is_frequent() -> None:
    counts = Counts(kept=100)
    for number in range(5000):
        counts.add(f"/rare/{number}")
        counts.add(f"/hot/{number % 10}")
    assert len(counts.by_path) <= 201
    assert counts.forgotten > 4000
    assert set(counts.top(10)) == {f"/hot/{number}" for number in range(10)}
    assert counts.by_path["/hot/0"] == 500


# --- sitemaps


def locations(*paths: str) -> bytes:
    return b"<urlset>" + b"".join(f"<url><loc>\n {path} </loc></url>".encode() for path in paths) + b"</urlset>"


def test_a_sitemap_may_come_in_pieces() -> None:
    content = (
        f'<?xml version="1.0"?><urlset xmlns:i="i"><url><loc>{BASE}/a&amp;b</loc>'
        "<i:image><i:loc>/no</i:loc></i:image></url>"
        f"<url><lastmod>2026</lastmod><loc><![CDATA[{BASE}/c]]></loc></url><loc>/no</loc></urlset>"
    ).encode()  # fmt: skip
    reader, found = Reader(), []
    for start in range(0, len(content), 7):
        found += reader.feed(content[start : start + 7])
    assert found + reader.feed(b"", last=True) == [f"{BASE}/a&b", f"{BASE}/c"]


def test_an_index_is_followed() -> None:
    documents = {
        "/sitemap.xml": b"<sitemapindex>" + b"".join(
            f"<sitemap><loc>{url}</loc></sitemap>".encode()
            for url in (f"{BASE}/1.xml", f"{BASE}/1.xml", f"{BASE}/none.xml", "https://x.example/2.xml", f"{BASE}/3.gz")
        ) + b"</sitemapindex>",
        "/1.xml": locations(f"{BASE}/a", "https://x.example/b", f"{BASE}/private/c", "/relative"),
        "/3.gz": gzip.compress(locations(f"{BASE}/d")),
    }  # fmt: skip
    paths, notes = read(Sitemap("/sitemap.xml"), documents)
    assert paths == ["/a", "/relative", "/d"]
    assert notes.left_out == {"elsewhere": 2, "excluded": 1, "bad": 1}
    assert notes.first[-1]["text"] == "it answered 404"


def test_indexes_that_name_each_other_end() -> None:
    def document(number: int) -> bytes:
        return f"<sitemapindex><sitemap><loc>{BASE}/{number + 1}</loc></sitemap></sitemapindex>".encode()

    documents = {f"/{number}": document(number) for number in range(9)}
    assert read(Sitemap("/0"), documents)[0] == []
    circle = {"/0": document(-1)}
    assert read(Sitemap("/0"), circle)[0] == []


def test_a_sitemap_elsewhere_is_not_asked_for() -> None:
    with pytest.raises(SourceError, match="another origin"):
        read(Sitemap("https://x.example/sitemap.xml"))


# --- OpenAPI


def api(parameters: list[Any], template: str = "/x/{id}", **more: Any) -> dict[str, Any]:
    return {"paths": {template: {"get": {"parameters": parameters}}}, **more}


def parameter(place: str = "path", name: str = "id", **more: Any) -> dict[str, Any]:
    return {"in": place, "name": name, "required": place == "path", **more}


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"paths": {"/a": {"get": {}, "post": {}}, "/b": {"post": {}}, "x-y": {"get": {}}}}, ["/a"]),
        (api([parameter(example=5)]), ["/x/5"]),
        (api([parameter(example="a/b ü")]), ["/x/a%2Fb%20%C3%BC"]),
        (api([parameter(schema={"example": False})]), ["/x/false"]),
        (api([parameter(examples={"a": {"value": 1}, "b": {"value": 2}})]), ["/x/1", "/x/2"]),
        (api([parameter(schema={"examples": [1, 2]})]), ["/x/1", "/x/2"]),
        (api([parameter(schema={"default": 7, "enum": [1]})]), ["/x/7"]),
        (api([parameter(schema={"enum": ["a", "b"]})]), ["/x/a", "/x/b"]),
        (api([parameter(example=1), parameter("query", "q", required=True, example="a b")]), ["/x/1?q=a+b"]),
        (api([parameter(example=1), parameter("query", "q")]), ["/x/1"]),
        (api([{"$ref": "#/known/id"}], known={"id": parameter(example=3)}), ["/x/3"]),
        (api([parameter(schema={"$ref": "#/definitions/a~1b"})], definitions={"a/b": {"enum": [4]}}), ["/x/4"]),
        ({"paths": {"/x/{id}": {"parameters": [parameter(example=1)], "get": {}}}}, ["/x/1"]),
        (api([parameter(example=1)], servers=[{"url": "https://x.example/v1"}, {"url": f"{BASE}/v2/"}]), ["/v2/x/1"]),
        (api([parameter(example=1)], servers=[{"url": "https://x.example/v1"}]), ["/v1/x/1"]),
        (api([parameter(example=1)], servers=[{"url": "https://{host}/{v}"}]), ["/x/1"]),
        (api([parameter(example=1)], basePath="/v1/"), ["/v1/x/1"]),
        ({"paths": {"/private/a": {"get": {}}}}, []),
    ],
)  # fmt: skip
def test_operations_with_examples(tmp_path: Path, document: dict[str, Any], paths: list[str]) -> None:
    (tmp_path / "api").write_text(json.dumps(document))
    assert read(openapi.OpenApi(str(tmp_path / "api"), is_remote=False))[0] == paths


@pytest.mark.parametrize(
    ("parameters", "missing"),
    [
        ([], "id is no parameter of it"),
        ([parameter()], "id has no example"),
        ([parameter(example={"a": 1})], "id has no example"),
        ([parameter(example="")], "id has no example"),
        ([parameter(example=1), parameter("query", "q", required=True)], "q has no example"),
        ([parameter(example=1), parameter("header", "X-Tenant", required=True)], "it requires X-Tenant in a header"),
        ([{"$ref": "#/nowhere"}], "id is no parameter of it"),
        ([{"$ref": "other.yaml#/x"}], "id is no parameter of it"),
    ],
)
def test_operations_that_say_too_little(parameters: list[Any], missing: str) -> None:
    document = api(parameters)
    assert list(openapi.operations(document)) == [("/x/{id}", missing)]


def test_references_in_a_circle_and_many_examples_end() -> None:
    circle = api([{"$ref": "#/a"}], a={"$ref": "#/a"})
    assert list(openapi.operations(circle)) == [("/x/{id}", "id is no parameter of it")]
    many = api(
        [parameter(schema={"enum": list(range(99))}), parameter("query", "q", required=True, schema={"enum": [1, 2]})]
    )
    ((_template, found),) = openapi.operations(many)
    assert len(found) == openapi.MOST_EACH


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it has no paths"), (b"[1]", "it has no paths"), (b"paths: [", "neither JSON nor YAML"),
        (b"\xff\xfe\x00", "it"),
        (b"paths: !!python/object/apply:os.system [id]", "neither JSON nor YAML"), (b"[" * 99_999, "too deep"),
        (b"- " * 9999, "too deep"), (b"{" * 99_999, "too deep"),
    ],
)  # fmt: skip
def test_no_openapi_document(content: bytes, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        openapi.parse(content)


def test_yaml_that_takes_too_long_is_not_read() -> None:
    with pytest.raises(SourceError, match="takes too long"):
        openapi.parse(b"paths: {/a: {get: {}}}", lambda: True)
    assert openapi.parse(b'{"paths": {}}', lambda: True) == {"paths": {}}


def test_yaml_whose_aliases_would_grow_does_not() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    assert list(openapi.operations(openapi.parse(f"{bomb}paths: {{/a: {{get: {{}}}}}}".encode()))) == [("/a", ["/a"])]


# --- all of them


class Given:
    """A source that yields what it is told to, and then fails."""

    is_remote = False

    def __init__(self, name: str, *items: Item, problem: str = "") -> None:
        self.name, self.items, self.problem = name, items, problem

    def size(self) -> int | None:
        return None

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        yield from self.items
        if self.problem:
            raise SourceError(self.problem)


def test_each_request_comes_once_in_the_order_of_the_sources() -> None:
    german = Request("/a", (("Accept-Language", "de"),))
    sources = [
        Given("1", Request("/a"), AGAIN, Request("/b"), problem="torn"),
        Given("2", Request("/b"), german, Request("/c")),
    ]
    notes = [Notes(source.name) for source in sources]
    found = list(requests(sources, World(DOOR, None), notes, 99))
    assert found == [Request("/a"), AGAIN, Request("/b"), READ_BEFORE, german, Request("/c")]
    assert [(note.urls, note.duplicates, note.problem) for note in notes] == [(2, 0, "torn"), (2, 1, None)]


def test_there_are_never_more_than_allowed() -> None:
    sources = [Given("1", *(Request(f"/{number}") for number in range(5))), Given("2", Request("/1"), Request("/x"))]
    notes = [Notes(source.name) for source in sources]
    assert len(list(requests(sources, World(DOOR, None), notes, 3))) == 3
    assert [(note.urls, note.duplicates, note.cut) for note in notes] == [
        (3, 0, "more than 3 URLs"), (0, 1, "more than 3 URLs")
    ]  # fmt: skip


def test_the_door_can_be_opened() -> None:
    assert Door(BASE, exclude_unsafe=False).admit("/logout") == "/logout"
    assert isinstance(DOOR.admit("/logout"), common.Refused)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (UrlList([]), "urls"),
        (LineFile("/a"), "file /a"),
        (KeyFile("/a"), "keys /a"),
        (Sitemap("/a"), "sitemap /a"),
        (AccessLog("/a", parse_combined, 1), "access_log /a"),
        (openapi.OpenApi("/a", is_remote=True), "openapi /a"),
        (openapi.OpenApi("/a", is_remote=False), "openapi_file /a"),
    ],
)
def test_names(source: Source, name: str) -> None:
    assert source.name == name
