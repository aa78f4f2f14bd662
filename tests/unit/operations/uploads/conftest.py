"""A broker over a scripted S3 server, and a client that obeys its URLs."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

import httpx
import pytest

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.uploads.rows import Reservation, StoredUpload
from bulkup.operations.uploads.broker import Broker
from bulkup.operations.uploads.completion import announce, complete
from bulkup.settings.load import load
from bulkup.stores.store import SignedURL
from tests.fakes.clock import FakeClock
from tests.fakes.s3_server import FakeS3


class Direct:
    """The manifest without threads."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    async def read(self, function: Callable[[Any], Any]) -> Any:
        with Reader(self.manifest.path) as reader:
            return function(reader)

    async def write(self, function: Callable[[Any], Any]) -> Any:
        return function(self.manifest)


@dataclass(slots=True)
class Clients:
    """What clients do, in one call each."""

    broker: Broker
    manifest: Manifest
    clock: FakeClock

    async def announce(
        self, body: bytes, name: str = "a.jpg", owner: str = "laptop", **fields: Any
    ) -> Reservation | StoredUpload:
        digest = sha256(body).hexdigest()
        document = {"name": name, "size_bytes": len(body), "sha256": digest, **fields}
        return await announce(self.broker, document, owner)

    async def begin(self, body: bytes, name: str = "a.jpg", **fields: Any) -> Reservation:
        found = await self.announce(body, name, **fields)
        assert isinstance(found, Reservation)
        return found

    async def put(self, signed: SignedURL, body: bytes) -> int:
        async with httpx.AsyncClient() as client:
            response = await client.request(
                signed.method, signed.url, headers=dict(signed.headers), content=body
            )
        return response.status_code

    async def send(self, one: Reservation, body: bytes) -> int:
        return await self.put(await self.broker.sign(one), body)

    async def complete(self, one: Reservation) -> StoredUpload:
        return await complete(self.broker, await self.broker.find(one.id, None), None)

    async def upload(self, body: bytes, name: str = "a.jpg", **fields: Any) -> StoredUpload:
        one = await self.begin(body, name, **fields)
        assert await self.send(one, body) == 200
        return await self.complete(one)


@pytest.fixture
def make(tmp_path: Any, fake_s3: Callable[..., FakeS3]) -> Callable[..., Any]:
    """Makes an S3 server and the clients of a broker over it."""

    async def made(
        url: str | None = None, bucket: str = "bucket", clock: Any = None, **options: Any
    ) -> Any:
        s3 = fake_s3(keep_bodies=True, **options)
        flags = {
            "manifest": str(tmp_path / "manifest.db"),
            "to": f"s3://{bucket}/p",
            "endpoint_url": url or s3.url,
            "region": "us-east-1",
        }
        settings = load(flags, {}, tmp_path, warn=print)
        manifest, clock, ids = Manifest(settings.manifest), clock or FakeClock(), itertools.count()
        broker = Broker(
            Direct(manifest),
            settings,
            {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest"},
            clock,
            Random(1),
            new_id=lambda: f"id{next(ids)}",
            secret=b"secret",
        )
        return s3, Clients(broker, manifest, clock)

    return made


@pytest.fixture
async def closing() -> AsyncIterator[list[Clients]]:
    """Clients to close at the end."""
    made: list[Clients] = []
    yield made
    for one in made:
        await one.broker.close()
        one.manifest.close()


@pytest.fixture
async def clients(make: Callable[..., Any], closing: list[Clients]) -> tuple[FakeS3, Clients]:
    s3, one = await make()
    closing.append(one)
    return s3, one
