"""The stores that must pass the suite: a directory, S3 on moto, S3 on a gateway.

BULKUP_TEST_S3_ENDPOINT names the gateway, BULKUP_TEST_S3_CA its certificate authority (a PEM
file), AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY its keys (default: test and testtest).
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

import pytest

from bulkup.clock import SystemClock
from bulkup.stores import Abilities, open_store
from bulkup.stores.s3.wire import Wire

# Read here, since the tests themselves see none of the user's environment
GATEWAY = os.environ.get("BULKUP_TEST_S3_ENDPOINT")
GATEWAY_CA = os.environ.get("BULKUP_TEST_S3_CA")
KEYS = {
    "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
    "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "testtest"),
}


@dataclass(frozen=True)
class Place:
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


@pytest.fixture(scope="session")
def moto_endpoint():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def make_bucket(endpoint_url, ca_bundle, environ):
    """A new empty bucket; its name."""
    name = f"bulkup-{uuid.uuid4().hex[:12]}"
    store = Place("", f"s3://{name}", endpoint_url, ca_bundle, environ).open()
    wire: Wire = store._wire
    await wire.send("PUT", None, {})
    await store.close()
    return name


@pytest.fixture(params=["directory", "moto", pytest.param("gateway", marks=pytest.mark.ceph)])
async def place(request, tmp_path):
    if request.param == "directory":
        return Place("directory", str(tmp_path / "store"))
    if request.param == "moto":
        endpoint, ca_bundle = request.getfixturevalue("moto_endpoint"), None
    else:
        endpoint, ca_bundle = GATEWAY, GATEWAY_CA
        if not endpoint:
            pytest.skip("BULKUP_TEST_S3_ENDPOINT names no gateway")
    pairs = tuple(KEYS.items())
    bucket = await make_bucket(endpoint, ca_bundle, pairs)
    return Place(request.param, f"s3://{bucket}/pre fix", endpoint, ca_bundle, pairs)


@pytest.fixture
async def store(place):
    """An open store over an empty place, its abilities known."""
    store = place.open()
    if place.kind != "directory":
        await store.close()
        store = place.open(abilities=Abilities(conditional_writes=True, checksums=None))
    await store.check()
    yield store
    await store.close()
