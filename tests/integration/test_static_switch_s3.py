# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""static_switch in a bucket of moto's S3 server, with its CloudFront beside it and a web server in front of it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import needs
import pytest
from sluice_lab.lab import free_ports

ROOT = Path(__file__).parents[2]

# moto's server, which also is what browsers ask: GET /<bucket>/<key> without a signature. Writes down in which order
# objects come; refuses what its file `refuse` names; and lets invalidations of a distribution hang that it names.
SERVER = """
import json, sys
from pathlib import Path
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

home = Path(sys.argv[2])
application = DomainDispatcherApplication(create_backend_app)

def server(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if "/shop/" in path and method != "GET":
        with (home / "log").open("a") as log:
            log.write(f"{method} {path.partition('/shop/')[2]} {environ.get('HTTP_X_AMZ_ACL', '')}\\n")
    refuse = (home / "refuse").read_text().split()
    if method == "PUT" and any(path.endswith(name) for name in refuse):
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
    if "/invalidation/" in path and "hang" in refuse:
        body = b"".join(application(environ, lambda status, headers, *more: None))
        body = body.replace(b"COMPLETED", b"InProgress")
        start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]
    if path.endswith("/invalidation") and "hang" in refuse:
        body = b"".join(application(environ, lambda status, headers, *more: None))
        body = body.replace(b"COMPLETED", b"InProgress")
        start_response("201 Created", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]
    return application(environ, start_response)

run_simple("127.0.0.1", int(sys.argv[1]), server, threaded=True)
"""

# Runs the module as Ansible would, in a Python that has boto3: one line of arguments in, one line of result out.
WORKER = """
import contextlib, functools, io, json, sys
sys.path += json.loads(sys.argv[1])
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules import static_switch
import boto3

# A session reads megabytes of descriptions of services, which a run of a module does once.
boto3.session.Session = functools.lru_cache(boto3.session.Session)
clients = {}
for line in sys.stdin:
    order = json.loads(line)
    said = io.StringIO()
    if "client" in order:
        options = {"region_name": "us-east-1", "aws_access_key_id": "k", "aws_secret_access_key": "s3cr3t-of-s3"}
        name = order["client"]
        if name not in clients:
            clients[name] = boto3.client(name, endpoint_url=order["url"], **options)
        answer = getattr(clients[name], order["call"])(**order["arguments"])
        print(json.dumps(answer, default=str), flush=True)
        continue
    with contextlib.redirect_stdout(said), patch_module_args(order), contextlib.suppress(SystemExit):
        static_switch.main()
    print(said.getvalue().strip().splitlines()[-1], flush=True)
"""

HASHES = {"1.0.0": "BvQ3kXy1", "1.1.0": "C7rT9pQ2", "1.2.0": "Dk4LmN83"}


@dataclass
class Shop:
    """A bucket and who publishes there."""

    home: Path
    endpoint: str
    worker: subprocess.Popen[str]
    server: Path
    """Directory of the server: what it has seen, and what it shall refuse."""

    def ask(self, **order: Any) -> dict[str, Any]:
        assert self.worker.stdin
        assert self.worker.stdout
        self.worker.stdin.write(json.dumps(order) + "\n")
        self.worker.stdin.flush()
        answer = self.worker.stdout.readline()
        assert answer, "the worker has ended"
        result: dict[str, Any] = json.loads(answer)
        return result

    def amazon(self, client: str, call: str, **arguments: Any) -> dict[str, Any]:
        return self.ask(client=client, url=self.endpoint, call=call, arguments=arguments)

    def make(self, version: str, **more: str) -> Path:
        release = self.home / "releases" / f"{version}-{HASHES[version].lower()}"
        files = {
            "index.html": f'<script src="/shop/assets/index-{HASHES[version]}.js"></script>',
            f"assets/index-{HASHES[version]}.js": f"console.log('{version}')",
            "sw.js": f"// {version}",
            "logo.svg": "<svg/>",
            **more,
        }
        for name, content in files.items():
            path = release / "dist" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return release

    def switch(self, version: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        (path,) = (self.home / "releases").glob(f"{version}-*")
        access = {"access_key": "k", "secret_key": "s3cr3t-of-s3", "region": "us-east-1"}
        s3 = {"bucket": "shop", "endpoint_url": self.endpoint, **access, **options.pop("s3", {})}
        ready = {"url": f"{self.endpoint}/shop/index.html", "version": version, "interval": 0.01, "timeout": 0.5}
        order = {
            "name": "shop",
            "release": path.name,
            "path": str(path),
            "target": "s3",
            "s3": s3,
            "ready": {**ready, **options.pop("ready", {})},
            "rules": {"base": "/shop/", "exclude": ["*.log"]},
            "_ansible_check_mode": check,
            **options,
        }
        result = self.ask(**order)
        assert "s3cr3t-of-s3" not in json.dumps({**result, "invocation": None})
        return result

    def objects(self) -> set[str]:
        found = self.amazon("s3", "list_objects_v2", Bucket="shop").get("Contents", [])
        return {one["Key"] for one in found}

    def head(self, name: str) -> dict[str, Any]:
        return self.amazon("s3", "head_object", Bucket="shop", Key=name)

    def get(self, name: str) -> str:
        with urllib.request.urlopen(f"{self.endpoint}/shop/{name}", timeout=5) as answer:
            content: bytes = answer.read()
            return content.decode()

    def log(self) -> list[str]:
        """What has come since it was asked last."""
        path = self.server / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return [line.strip() for line in lines]

    def refuse(self, *names: str) -> None:
        (self.server / "refuse").write_text(" ".join(names))

    def distribution(self) -> str:
        config = {
            "CallerReference": "test",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {"Id": "o", "DomainName": "shop.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
                ],
            },
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
        made = self.amazon("cloudfront", "create_distribution", DistributionConfig=config)
        distribution: str = made["Distribution"]["Id"]
        return distribution

    def invalidations(self, distribution: str) -> list[list[str]]:
        found = self.amazon("cloudfront", "list_invalidations", DistributionId=distribution)
        ids = [one["Id"] for one in found["InvalidationList"].get("Items", [])]
        answers = [
            self.amazon("cloudfront", "get_invalidation", DistributionId=distribution, Id=one)["Invalidation"]
            for one in ids
        ]
        return [answer["InvalidationBatch"]["Paths"]["Items"] for answer in answers]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, lack: Callable[[str], None]) -> Iterator[Shop]:
    try:
        python = needs.make_s3_venv()
    except needs.SetupError as error:
        lack(str(error))
    home = tmp_path_factory.mktemp("s3")
    (port,) = free_ports(1)
    (home / "refuse").touch()
    paths = [str(ROOT / "collections"), sysconfig.get_path("purelib")]
    moto = subprocess.Popen([python, "-c", SERVER, str(port), str(home)], stderr=subprocess.DEVNULL)
    command = [str(python), "-c", WORKER, json.dumps(paths)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
                break
            except OSError:
                assert moto.poll() is None
                assert time.monotonic() < deadline, "the S3 server does not answer"
                time.sleep(0.05)
        yield Shop(home, f"http://127.0.0.1:{port}", worker, home)
    finally:
        moto.terminate()
        worker.terminate()
        moto.wait()
        worker.wait()


@pytest.fixture
def shop(server: Shop, tmp_path: Path) -> Shop:
    """An empty bucket that anybody may read, as one that is a web site is."""
    reset = urllib.request.Request(f"{server.endpoint}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=5).close()
    server.refuse()
    server.log()
    server.amazon("s3", "create_bucket", Bucket="shop")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    server.amazon("s3", "put_bucket_policy", Bucket="shop", Policy=policy)
    return replace(server, home=tmp_path)


def test_check_do_repeat(shop: Shop) -> None:
    shop.make("1.0.0", **{"debug.log": "x"})
    checked = shop.switch("1.0.0", check=True)
    assert (checked["changed"], checked["files"]["published"]) == (True, 4)
    assert shop.objects() == set()
    shop.log()
    done = shop.switch("1.0.0")
    assert done.keys() == checked.keys()
    assert done["diff"] == checked["diff"]
    assert (done["previous"], done["current"], done["findings"]) == (None, "1.0.0-bvq3kxy1", [])
    assert done["instances"][0]["files"] == 3
    # No ACL, and in this order: what pages load, the pages, what stores pages.
    assert shop.log() == [
        "PUT .sluice/ledger.json",
        "PUT assets/index-BvQ3kXy1.js",
        "PUT logo.svg",
        "PUT index.html",
        "PUT sw.js",
        "PUT .sluice/ledger.json",
    ]
    again = shop.switch("1.0.0")
    assert (again["changed"], again["files"]["unchanged"]) == (False, 4)
    assert again["diff"]["before"] == again["diff"]["after"]
    assert shop.log() == []


def test_objects_say_how_long_and_as_what_they_may_be_kept(shop: Shop) -> None:
    shop.make("1.0.0")
    shop.switch("1.0.0", s3={"encryption": "AES256"})
    found = {name: shop.head(name) for name in ("assets/index-BvQ3kXy1.js", "index.html", "sw.js", "logo.svg")}
    assert {name: (head["CacheControl"], head["ContentType"]) for name, head in found.items()} == {
        "assets/index-BvQ3kXy1.js": ("public, max-age=31536000, immutable", "text/javascript; charset=utf-8"),
        "index.html": ("no-cache", "text/html; charset=utf-8"),
        "sw.js": ("no-cache", "text/javascript; charset=utf-8"),
        "logo.svg": ("no-cache", "image/svg+xml"),
    }
    assert {head["ServerSideEncryption"] for head in found.values()} == {"AES256"}
    # Other headers: all is uploaded again, though the content is there.
    done = shop.switch("1.0.0", s3={"cache_other": "no-store"})
    assert (done["changed"], done["files"]["published"]) == (True, 4)
    assert shop.head("index.html")["CacheControl"] == "no-store"
    assert shop.switch("1.0.0", s3={"cache_other": "no-store"})["changed"] is False


def test_files_of_an_old_version_stay_and_its_pages_go(shop: Shop) -> None:
    shop.make("1.0.0", **{"old.html": "old"})
    shop.make("1.1.0")
    shop.make("1.2.0")
    shop.switch("1.0.0")
    shop.amazon("s3", "put_object", Bucket="shop", Key="uploads/ours.pdf", Body="x")
    shop.log()
    done = shop.switch("1.1.0")
    assert done["files"] == {"published": 3, "unchanged": 1, "removed": 1, "bytes": 82}
    assert done["kept"] == ["1.0.0-bvq3kxy1"]
    assert "PUT logo.svg" not in shop.log()
    assert "old.html" not in shop.objects()
    assert shop.get("assets/index-BvQ3kXy1.js")
    # A rollback uploads no hashed file: they are there.
    back = shop.switch("1.0.0")
    assert [line for line in shop.log() if "assets" in line] == []
    assert back["previous"] == "1.1.0-c7rt9pq2"
    assert "BvQ3kXy1" in shop.get("index.html")
    assert shop.get("old.html") == "old"
    done = shop.switch("1.2.0", keep={"releases": 1, "days": 0})
    assert [one["release"] for one in done["retired"]] == ["1.1.0-c7rt9pq2"]
    # What was never ours is never removed.
    assert shop.objects() == {
        ".sluice/ledger.json",
        "assets/index-BvQ3kXy1.js",
        "assets/index-Dk4LmN83.js",
        "index.html",
        "logo.svg",
        "sw.js",
        "uploads/ours.pdf",
    }


@pytest.mark.parametrize(
    ("refused", "options", "said"),
    [
        ("sw.js", {}, "AccessDenied: Access Denied. Let these credentials do it"),
        ("index-C7rT9pQ2.js", {}, "Cannot upload s3://shop/assets/index-C7rT9pQ2.js"),
        ("", {"proof": {"urls": ["http://127.0.0.1:1/shop/"], "timeout": 0.1}}, "http://127.0.0.1:1/shop/ does not"),
    ],
)
def test_the_pages_go_back_when_it_fails(shop: Shop, refused: str, options: dict[str, Any], said: str) -> None:
    shop.make("1.0.0")
    shop.make("1.1.0", **{"logo.svg": "<svg>new</svg>", "new.html": "new"})
    shop.switch("1.0.0")
    before = {name: shop.head(name) for name in ("index.html", "sw.js", "logo.svg")}
    shop.refuse(*([refused] if refused else []))
    result = shop.switch("1.1.0", **options)
    assert said in result["msg"]
    assert (result["changed"], result["current"]) == (False, "1.0.0-bvq3kxy1")
    shop.refuse()
    assert "BvQ3kXy1" in shop.get("index.html")
    assert shop.get("sw.js") == "// 1.0.0"
    assert shop.get("logo.svg") == "<svg/>"
    same = ("CacheControl", "ContentType", "ETag", "Metadata")
    for name, head in before.items():
        assert {key: shop.head(name)[key] for key in same} == {key: head[key] for key in same}
    assert "new.html" not in shop.objects()
    assert shop.switch("1.0.0")["current"] == "1.0.0-bvq3kxy1"


def test_what_a_killed_run_has_left_is_finished(shop: Shop) -> None:
    shop.make("1.0.0")
    release = shop.make("1.1.0")
    shop.switch("1.0.0")
    assert shop.switch("1.1.0", state="staged")["files"]["published"] == 1
    assert shop.switch("1.1.0", state="staged")["changed"] is False
    assert "BvQ3kXy1" in shop.get("index.html")
    # It has uploaded a page and died.
    page = (release / "dist" / "index.html").read_text()
    shop.amazon("s3", "put_object", Bucket="shop", Key="index.html", Body=page)
    done = shop.switch("1.0.0")
    assert done["diff"]["after"]["files"] == ["index.html"]
    assert "BvQ3kXy1" in shop.get("index.html")
    assert shop.switch("1.1.0")["previous"] == "1.0.0-bvq3kxy1"


def test_a_hashed_name_with_another_content_is_refused(shop: Shop) -> None:
    shop.amazon("s3", "put_object", Bucket="shop", Key="assets/index-BvQ3kXy1.js", Body="other")
    shop.make("1.0.0")
    result = shop.switch("1.0.0")
    assert "assets/index-BvQ3kXy1.js is there with another content" in result["msg"]
    assert shop.objects() == {"assets/index-BvQ3kXy1.js"}


def test_the_distribution_forgets_what_keeps_its_name(shop: Shop) -> None:
    distribution = shop.distribution()
    shop.make("1.0.0", **{"about/index.html": "a"})
    shop.make("1.1.0", **{"about/index.html": "a"})
    front = {"distribution": distribution, "endpoint_url": shop.endpoint, "timeout": 0.2}
    shop.switch("1.0.0", cloudfront=front)
    done = shop.switch("1.1.0", cloudfront=front)
    assert done["invalidation"]["paths"] == ["/shop/", "/shop/index.html", "/shop/sw.js"]
    assert done["invalidation"]["paths"] in shop.invalidations(distribution)
    shop.refuse("hang")
    result = shop.switch("1.0.0", cloudfront=front)
    assert f"of distribution {distribution}: it is InProgress after 0 s" in result["msg"]
    assert "C7rT9pQ2" in shop.get("index.html")
    shop.refuse()
    nobody = {**front, "distribution": "ENOBODY"}
    assert "NoSuchDistribution" in shop.switch("1.0.0", cloudfront=nobody)["msg"]
    assert "C7rT9pQ2" in shop.get("index.html")


def test_nothing_is_served_and_nothing_is_left(shop: Shop) -> None:
    shop.make("1.0.0")
    shop.switch("1.0.0")
    stopped = shop.switch("1.0.0", state="stopped")
    assert (stopped["changed"], stopped["current"]) == (True, None)
    assert shop.objects() == {".sluice/ledger.json", "assets/index-BvQ3kXy1.js"}
    assert shop.switch("1.0.0", state="stopped")["changed"] is False
    shop.switch("1.0.0")
    assert shop.switch("1.0.0", state="absent")["changed"]
    assert shop.objects() == set()
    assert shop.switch("1.0.0", state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("s3", "said"),
    [
        ({"bucket": "nobody"}, "NoSuchBucket: The specified bucket does not exist. Make the bucket"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "See that the service can be reached"),
        ({"endpoint_url": "nowhere"}, "Correct the options of s3"),
        ({"profile": "nobody", "access_key": None, "secret_key": None}, "Correct the options of s3"),
    ],
)
def test_a_service_that_cannot_be_used_is_told(shop: Shop, s3: dict[str, Any], said: str) -> None:
    shop.make("1.0.0")
    assert said in shop.switch("1.0.0", s3=s3)["msg"]


def test_it_is_the_python_of_this_host_that_needs_boto3(run_module: Any, tmp_path: Path) -> None:
    from ansible_collections.sluice.release.plugins.modules import static_switch

    result = run_module(
        static_switch.main, name="shop", state="absent", target="s3", s3={"bucket": "shop", "region": "us-east-1"}
    )
    assert result["msg"].startswith("Cannot use s3 of Amazon: ")
    assert f"{sys.executable} of this host has no boto3" in result["msg"]
