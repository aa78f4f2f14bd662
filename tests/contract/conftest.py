"""The stores that must pass the suite: a directory, S3 on moto, S3 on a Ceph gateway, and as far as
it applies a `bulkup serve`."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bulkup.clock import SystemClock
from bulkup.errors import ExitCode
from bulkup.manifest.server import ServerManifest
from bulkup.serve.server import Server
from bulkup.serve.tokens import Role, add_token
from bulkup.settings.load import load
from bulkup.stores.open import Access, open_store
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
            Access(endpoint_url=self.endpoint_url, ca_bundle=self.ca_bundle),
            environ=dict(self.environ),
            clock=SystemClock(),
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


BROKER_CAN = frozenset((
    "test_bytes_are_read_as_they_were_stored",
    "test_large_objects_come_in_chunks",
    "test_of_many_exclusive_writers_one_wins",
    "test_exclusive_never_overwrites",
    "test_steps_through_the_path_are_refused",
    "test_wrong_digest_stores_nothing",
    "test_64_puts_at_once",
    "test_of_many_puts_at_once_each_has_its_own_end",
    "test_a_small_object_is_read_at_once",
    "test_a_range_of_an_object_is_read",
    "test_a_head_with_checksum_says_nothing_wrong",
))  # fmt: skip
"""Its clients replace, remove and copy nothing, choose no metadata, send no content twice, and name
the digest of a large object before its parts."""


def pytest_collection_modifyitems(items):
    """Leave out what does not apply to a `bulkup serve`."""
    items[:] = [
        item
        for item in items
        if "broker" not in getattr(getattr(item, "callspec", None), "params", {}).values()
        or item.originalname in BROKER_CAN
    ]


@pytest.fixture(
    params=["directory", "broker", "moto", pytest.param("gateway", marks=pytest.mark.ceph)]
)
async def place(request, tmp_path):
    if request.param == "broker":
        return request.getfixturevalue("served")
    if request.param == "directory":
        return Subtree("directory", str(tmp_path / "store"))
    server = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    pairs = (("AWS_ACCESS_KEY_ID", server.access_key), ("AWS_SECRET_ACCESS_KEY", server.secret_key))
    bucket = await make_bucket(server.url, server.ca, pairs)
    return Subtree(request.param, f"s3://{bucket}/pre fix", server.url, server.ca, pairs)


@pytest.fixture
def served(tmp_path):
    """A `bulkup serve` over an empty directory, in a thread of its own."""
    flags = {"manifest": str(tmp_path / "m.db"), "to": str(tmp_path / "store"), "port": 0}
    loaded = load(flags, {}, tmp_path, warn=print)
    options = replace(loaded.serve, burst=100_000)
    with ServerManifest(loaded.manifest) as manifest:
        token = add_token(
            manifest.tokens, "client", Role.UPLOADER, now=time.time(), expires_seconds=None
        )
    server = Server(replace(loaded, serve=options), {})
    runner = asyncio.Runner()
    loop = runner.get_loop()
    thread = threading.Thread(target=lambda: runner.run(server.run()))
    thread.start()
    environ = (("BULKUP_TOKEN", token),)
    yield Subtree("broker", server.url.rstrip("/"), environ=environ)
    loop.call_soon_threadsafe(server.stop, "the test is over", ExitCode.DONE)
    thread.join()
    runner.close()  # what the last response read is closed, too


@pytest.fixture
async def store(place):
    """An open store over an empty place, its abilities known."""
    store = place.open()
    if place.kind not in ("directory", "broker"):
        await store.close()
        store = place.open(capabilities=Capabilities(conditional_writes=True, checksums=None))
    await store.check()
    yield store
    await store.close()
