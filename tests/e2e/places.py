"""Destinations as others see them: objects read, replaced, deleted behind bulkup's back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.e2e.trees import objects_in
from tests.servers.endpoint import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Place(Protocol):
    """One destination. Keys are without its prefix."""

    url: str
    env: dict[str, str]

    def objects(self) -> dict[str, bytes]: ...
    def put(self, key: str, body: bytes) -> None: ...
    def delete(self, key: str) -> None: ...


@dataclass(slots=True)
class DirectoryPlace:
    """A directory."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:  # type: ignore[override]  # read only here
        return str(self.path)

    def objects(self) -> dict[str, bytes]:
        return objects_in(self.path)

    def put(self, key: str, body: bytes) -> None:
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def delete(self, key: str) -> None:
        (self.path / key).unlink()

    def flip(self, key: str) -> None:
        """Change one bit as a bad disk does: size and times stay."""
        path = self.path / key
        before = path.stat()
        body = bytearray(path.read_bytes())
        body[len(body) // 2] ^= 1
        path.write_bytes(body)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@dataclass(slots=True)
class BucketPlace:
    """A prefix in a bucket of its own."""

    endpoint: Endpoint
    bucket: str
    prefix: str = "photos/"

    @property
    def url(self) -> str:  # type: ignore[override]  # read only here
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def env(self) -> dict[str, str]:  # type: ignore[override]  # read only here
        return self.endpoint.environment

    def objects(self) -> dict[str, bytes]:
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix
        )
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {
            key.removeprefix(self.prefix): client.get_object(Bucket=self.bucket, Key=key)[
                "Body"
            ].read()
            for key in keys
        }

    def put(self, key: str, body: bytes) -> None:
        self._client().put_object(Bucket=self.bucket, Key=self.prefix + key, Body=body)

    def delete(self, key: str) -> None:
        self._client().delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def _client(self) -> S3Client:
        return self.endpoint.client(tries=3)
