"""Two clients push through a server to a real gateway whose URLs end too early now and then."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo
from tests.e2e.serving import Client, Serving
from tests.servers.endpoint import Endpoint
from tests.servers.front import Faults, Front
from tests.servers.process import wait_until

PHOTOS = int(os.environ.get("BULKUP_BROKER_PHOTOS", "40"))
SHARED = 10
"""Photos that both clients have."""
LIMITS = "[serve]\nburst = 5\nper_minute = 30\n"

pytestmark = [pytest.mark.ceph, pytest.mark.nginx, pytest.mark.timeout(180 + 2 * PHOTOS)]


def use_up(client: Client) -> None:
    """Take all that the client's token may ask for, until it is told to wait."""
    headers = {"Authorization": f"Bearer {client.env['BULKUP_TOKEN']}"}
    request = urllib.request.Request(f"{client.url}/api/v1/uploads", b"{}", headers)
    for _ in range(100):
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 429:
                    return
    raise AssertionError("nothing is limited")


def test_late_urls_and_throttled_calls_cost_no_file(
    bulkup: Bulkup, ceph: Endpoint, front: Callable[..., Front]
) -> None:
    """All are done, each once, through three stages; nothing counts as failed."""
    bucket = ceph.make_bucket()
    before = front(upstream=ceph, faults=Faults(late_percent=10, seed=1))
    bulkup.use_settings(f'[push]\nto = "s3://{bucket}/p"\n{LIMITS}')
    server = Serving(bulkup, ("--work",), dict(before.endpoint.environment))
    server.start()
    half = (PHOTOS + SHARED) // 2
    clients = [server.client(name) for name in ("laptop", "phone")]
    for client, numbers in zip(clients, (range(half), range(half - SHARED, PHOTOS)), strict=True):
        client.photos.mkdir()
        for number in numbers:
            (client.photos / f"{number}.jpg").write_bytes(photo(number, 160, 120))
        use_up(client)

    running = [client.start_push() for client in clients]
    for client, process in zip(clients, running, strict=True):
        client.bulkup.finish(process, check=0, timeout_seconds=60 + PHOTOS)

    done = "SELECT count(*) FROM item WHERE state = 'done'"
    wait_until(
        lambda: asked(bulkup.home / "manifest.db", done) == [3 * PHOTOS],
        timeout_seconds=90 + PHOTOS,
        what="all stages",
    )
    pages = (
        ceph.client()
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Prefix="p/", Delimiter="/")
    )
    keys = sorted(one["Key"] for page in pages for one in page["Contents"])
    assert keys == sorted(f"p/{n}.jpg" for n in range(PHOTOS))
    assert before.stats()["by_status"]["PUT"]["403"] > 0
    assert server.status()["assets"]["total"] == PHOTOS + SHARED
    for one, env in ((bulkup, {}), *((client.bulkup, client.env) for client in clients)):
        assert one("status", "--failed", "--json", env=env, check=0).json() == []
