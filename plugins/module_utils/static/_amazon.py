# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The services of Amazon, and those that speak like them: a bucket, and the caches in front of it.

One module does all of a release here, and not one task a file: what is uploaded when decides whether a browser meets a
page without its files, and on a failure all pages have to go back. Objects get no ACL: who may read them is the
bucket's business.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

from ansible_collections.sluice.release.plugins.module_utils import _libraries
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# Uploads side by side.
UPLOADS = 8
# Objects that one request can delete.
_DELETIONS = 1000
# Above so many paths an invalidation names everything: it counts as one, and hashed files are fetched again quickly.
_PATHS = 200
_POLL = 2.0
# Headers of an object that belong to its content.
KEPT_HEADERS = ("ContentType", "CacheControl", "ContentEncoding", "ContentDisposition", "ContentLanguage", "Metadata")

_REMEDIES = {
    "NoSuchBucket": "Make the bucket, or correct s3.bucket",
    "AccessDenied": "Let these credentials do it, by a policy of the user or of the bucket",
    "InvalidAccessKeyId": "Correct s3.access_key",
    "SignatureDoesNotMatch": "Correct s3.secret_key",
    "ExpiredToken": "Fetch new credentials",
    "NoSuchDistribution": "Correct cloudfront.distribution",
    "TooManyInvalidationsInProgress": "Wait until the others are done",
}


@dataclass(frozen=True)
class Access:
    """Where the services are, and who asks."""

    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    profile: str | None = None

    def client(self, service: str, endpoint_url: str | None) -> Any:
        """Return a client of boto3. SluiceError when there are no usable settings."""
        doing = f"use {service} of Amazon"
        _libraries.require(doing, ["boto3"])
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        # A name of another host per bucket is what other servers than Amazon's often lack.
        style = {"s3": {"addressing_style": "path"}} if endpoint_url else {}
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=UPLOADS,
            retries={"mode": "standard", "max_attempts": 4},
            **style,
        )
        try:
            session = boto3.session.Session(
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                aws_session_token=self.session_token,
                region_name=self.region,
                profile_name=self.profile,
            )
            return session.client(service, endpoint_url=endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise SluiceError(doing, str(error), "Correct the options of s3") from error


@contextlib.contextmanager
def speaking(doing: str) -> Iterator[None]:
    """Turn what a service refuses into the collection's error."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        said = f"{code}: {message}" if message and message != code else code or "it did not say why"
        raise SluiceError(doing, said, _REMEDIES.get(code, "")) from error
    except (BotoCoreError, OSError) as error:
        raise SluiceError(doing, str(error), "See that the service can be reached, and the credentials") from error


@dataclass(frozen=True)
class Object:
    """An object as a listing shows it. ``etag``: MD5 of the content, unless it was uploaded or encrypted otherwise."""

    size: int
    etag: str


@dataclass(frozen=True)
class Bucket:
    """Objects below a prefix; their names here are without it."""

    client: Any
    bucket: str
    prefix: str = ""

    @property
    def url(self) -> str:
        """Name the place, for a person."""
        return f"s3://{self.bucket}/{self.prefix}"

    def list(self) -> dict[str, Object]:
        """Return all objects by name."""
        found = {}
        with speaking(f"list {self.url}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
                for one in page.get("Contents", ()):
                    name = one["Key"][len(self.prefix) :]
                    found[name] = Object(one["Size"], one["ETag"].strip('"'))
        return found

    def head(self, name: str) -> dict[str, str]:
        """Return the metadata that we gave an object."""
        with speaking(f"look at {self.url}{name}"):
            answer = self.client.head_object(Bucket=self.bucket, Key=self.prefix + name)
        metadata: dict[str, str] = answer.get("Metadata", {})
        return metadata

    def put(self, name: str, body: BinaryIO | bytes, headers: Mapping[str, Any], md5: str | None = None) -> None:
        """Upload an object in one piece: a reader gets the old one or the new one, whole."""
        with speaking(f"upload {self.url}{name}"):
            answer = self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=body, **headers)
        etag = str(answer.get("ETag", "")).strip('"')
        encrypted = answer.get("ServerSideEncryption", "AES256") != "AES256"
        if md5 and len(etag) == len(md5) and not encrypted and etag != md5:
            raise SluiceError(f"upload {self.url}{name}", "what arrived has another checksum", "Run it again")

    def get(self, name: str, target: BinaryIO) -> dict[str, Any] | None:
        """Fetch an object into a file and return its headers; None when there is none."""
        from botocore.exceptions import ClientError

        with speaking(f"fetch {self.url}{name}"):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                    return None
                raise
            target.writelines(answer["Body"].iter_chunks(1 << 20))
        return {key: answer[key] for key in KEPT_HEADERS if answer.get(key)}

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects, as many at a time as a request can take."""
        for start in range(0, len(names), _DELETIONS):
            part = names[start : start + _DELETIONS]
            keys = [{"Key": self.prefix + name} for name in part]
            with speaking(f"delete {len(part)} objects of {self.url}"):
                answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})
            errors = answer.get("Errors") or []
            if errors:
                first = errors[0]
                raise SluiceError(
                    f"delete {len(errors)} objects of {self.url}",
                    f"{first.get('Key')}: {first.get('Code')}: {first.get('Message')}",
                    _REMEDIES.get(str(first.get("Code")), ""),
                )


# -- caches in front of it ---------------------------------------------------------------------------------------------


def invalidation_paths(names: Iterable[str], base: str) -> list[str]:
    """Return under which paths a CDN may have kept these files; an index is also known by its directory."""
    root = base if base.endswith("/") else f"{base}/"
    paths: dict[str, None] = {}
    for name in names:
        path = f"{root}{quote(name)}"
        if name == "index.html" or name.endswith("/index.html"):
            directory = path[: -len("index.html")]
            paths[directory] = None
            if directory != root:
                paths[directory.rstrip("/")] = None
        paths[path] = None
    return list(paths) if len(paths) <= _PATHS else [f"{root}*"]


@dataclass
class Distribution:
    """A CloudFront distribution. ``timeout``: seconds that an invalidation may take."""

    client: Any
    id: str
    base: str = "/"
    timeout: float = 600.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], object] = str

    def invalidate(self, names: Iterable[str]) -> dict[str, Any]:
        """Let all edges forget these files, and wait until they have. SluiceError when they do not in time."""
        paths = invalidation_paths(names, self.base)
        began = self.now()
        batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": f"sluice-{uuid.uuid4()}"}
        with speaking(f"invalidate {len(paths)} paths of distribution {self.id}"):
            made = self.client.create_invalidation(DistributionId=self.id, InvalidationBatch=batch)["Invalidation"]
        status = str(made["Status"])
        # Not boto3's waiter, which looks every 20 s and cannot say how far it was when it gives up.
        while status.casefold() != "completed":
            seconds = self.now() - began
            if seconds >= self.timeout:
                raise SluiceError(
                    f"wait for invalidation {made['Id']} of distribution {self.id}",
                    f"it is {status} after {seconds:.0f} s",
                    "Raise cloudfront.timeout if that is usual",
                )
            self.say(f"the edges forget {len(paths)} paths")
            self.sleep(min(_POLL, self.timeout - seconds))
            with speaking(f"look at invalidation {made['Id']} of distribution {self.id}"):
                answer = self.client.get_invalidation(DistributionId=self.id, Id=made["Id"])
            status = str(answer["Invalidation"]["Status"])
        return {"id": str(made["Id"]), "paths": paths, "seconds": round(self.now() - began, 3)}
