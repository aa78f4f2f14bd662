"""The stores that must pass the suite: a directory, S3 on moto, S3 on a Ceph gateway."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from bulkup.clock import SystemClock
from bulkup.stores.open import open_store
from bulkup.stores.s3.credentials import find_credentials
from bulkup.stores.s3.transport import S3Transport
from bulkup.stores.store import Capabilities


@dataclass(frozen=True)
class Subtree:
    """Where a store under test keeps its objects, and what is known to be lacking there."""

    kind: str
    url: str
    endpoint_url: str | None = None
    ca_bundle: str | None = None
    environ: tuple[tuple[str, str], ...] = ()

    def open(self, **options):
        return open_store(
            self.url,
            environ=dict(self.environ),
            clock=SystemClock(),
            endpoint_url=self.endpoint_url,
            ca_bundle=self.ca_bundle,
            **options,
        )


async def make_bucket(endpoint_url, ca_bundle, environ):
    """A new empty bucket; its name."""
    name = f"bulkup-{uuid.uuid4().hex[:12]}"
    credentials = find_credentials(
        dict(environ), profile=None, region=None, endpoint_url=endpoint_url
    )
    ca_pem = await asyncio.to_thread(Path(ca_bundle).read_bytes) if ca_bundle else None
    transport = S3Transport(name, credentials, ca_pem=ca_pem, clock=SystemClock())
    await transport.send("PUT", None, {})
    await transport.close()
    return name


@pytest.fixture(params=["directory", "moto", pytest.param("gateway", marks=pytest.mark.ceph)])
async def place(request, tmp_path):
    if request.param == "directory":
        return Subtree("directory", str(tmp_path / "store"))
    server = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    pairs = (("AWS_ACCESS_KEY_ID", server.access_key), ("AWS_SECRET_ACCESS_KEY", server.secret_key))
    bucket = await make_bucket(server.url, server.ca, pairs)
    return Subtree(request.param, f"s3://{bucket}/pre fix", server.url, server.ca, pairs)


@pytest.fixture
async def store(place):
    """An open store over an empty place, its abilities known."""
    store = place.open()
    if place.kind != "directory":
        await store.close()
        store = place.open(capabilities=Capabilities(conditional_writes=True, checksums=None))
    await store.check()
    yield store
    await store.close()
