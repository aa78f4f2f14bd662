"""Many photos through a server that works on them, with trouble on every way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo, sidecar
from tests.e2e.serving import KEYS, MANY, Client, Serving, stored
from tests.fakes.faults import Fault
from tests.servers.process import wait_until

PHOTOS = int(os.environ.get("BULKUP_BROKER_PHOTOS", "24"))
"""2000 takes some minutes."""
SHARED = 10
"""Photos that both clients have."""

LIMITS = f"[serve]\nburst = {PHOTOS // 4}\nper_minute = {PHOTOS * 60}\n"
"""Both clients are throttled, for a second at most."""


EVERY = 20 if PHOTOS > 200 else 6
"""Uploads between two troubles of a kind."""


def faults(photos: int) -> list[Fault]:
    """Every kind of trouble, all along the way."""
    found = []
    for at in range(0, photos, EVERY):
        put = {"op": "PutObject", "path": "/bucket/p/[0-9]*", "after": at}
        found += [
            Fault(**put, status=403),
            Fault(**put, status=429, retry_after_seconds=0.1),
            Fault(**put, status=503, retry_after_seconds=0.1),
            Fault(**put, does="reset"),
            Fault(**put, does="lose"),
        ]
    return found


def write(client: Client, numbers: range) -> None:
    client.photos.mkdir(exist_ok=True)
    for number in numbers:
        (client.photos / f"{number}.jpg").write_bytes(photo(number, 160, 120))


@pytest.mark.timeout(180 + 2 * PHOTOS)
def test_all_are_done_once_and_through_all_stages(bulkup: Bulkup, fake_s3: Any) -> None:
    s3 = fake_s3(keep_bodies=True)
    bulkup.use_settings(f'[push]\nto = "s3://bucket/p"\n{LIMITS}')
    env = {"AWS_ENDPOINT_URL": s3.url, "AWS_REGION": "us-east-1", **KEYS}
    server = Serving(bulkup, ("--work",), env)
    server.start()
    half = (PHOTOS + SHARED) // 2
    clients = [server.client(name) for name in ("laptop", "phone")]
    write(clients[0], range(half))
    write(clients[1], range(half - SHARED, PHOTOS))
    s3.script(*faults(PHOTOS))

    running = [client.start_push() for client in clients]
    for client, process in zip(clients, running, strict=True):
        client.bulkup.finish(process, check=0, timeout_seconds=60 + PHOTOS)

    def is_worked_off() -> bool:
        done = "SELECT count(*) FROM item WHERE state = 'done'"
        return asked(bulkup.home / "manifest.db", done) == [3 * PHOTOS]

    wait_until(is_worked_off, timeout_seconds=90 + PHOTOS, what="all stages")
    originals = [key for key in stored(s3) if key.count("/") == 3]
    assert sorted(originals) == sorted(f"/bucket/p/{n}.jpg" for n in range(PHOTOS))
    assert server.status()["assets"]["total"] == PHOTOS + SHARED
    assert s3.count("PutObject", 403) >= PHOTOS // EVERY // 2
    for client in clients:
        assert client.bulkup("status", "--failed", "--json", env=client.env, check=0).json() == []


def test_sidecars_reach_their_pictures_whenever_they_are_uploaded(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """With the picture, and after it was processed."""
    bulkup.use_settings(f'[push]\nto = "{tmp_path / "store"}"\n{MANY}')
    server = Serving(bulkup, ("--work",), {})
    server.start()
    client = server.client("laptop")
    write(client, range(3))
    (client.photos / "0.jpg.xmp").write_bytes(sidecar(rating=4))
    client.push()

    def ratings(*expected: int | None) -> None:
        found = (
            "SELECT sidecar.rating FROM asset JOIN picture USING (content_id) "
            "LEFT JOIN sidecar ON asset_id = asset.id ORDER BY asset.name"
        )
        manifest = bulkup.home / "manifest.db"
        wait_until(
            lambda: asked(manifest, found) == list(expected),
            timeout_seconds=90,
            what=f"the ratings {expected}",
        )

    ratings(4, None, None)
    (client.photos / "1.xmp").write_bytes(sidecar(rating=2))
    assert client.push()["sent"] == 1
    ratings(4, 2, None)


def test_each_of_equal_pictures_has_the_facts_of_its_own_sidecar(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """Of pictures, and of sidecars, that are equal on one host; before and after the first is
    processed."""
    bulkup.use_settings(f'[push]\nto = "{tmp_path / "store"}"\n{MANY}')
    server = Serving(bulkup, ("--work",), {})
    server.start()
    client = server.client("laptop")
    client.photos.mkdir()

    def push(**rated: int) -> None:
        for name, rating in rated.items():
            (client.photos / f"{name}.jpg").write_bytes(photo(1, 160, 120))
            (client.photos / f"{name}.xmp").write_bytes(sidecar(rating=rating))
        client.push()

    def ratings(**expected: int) -> None:
        found = (
            "SELECT rtrim(asset.name, '.jpg'), sidecar.rating FROM asset "
            "JOIN picture USING (content_id) LEFT JOIN sidecar ON asset_id = asset.id "
            "ORDER BY asset.name"
        )
        manifest, rated = bulkup.home / "manifest.db", list(expected.items())
        wait_until(
            lambda: asked(manifest, found) == rated,
            timeout_seconds=90,
            what=f"the ratings {expected}",
        )

    push(a=4, b=2)
    ratings(a=4, b=2)
    push(c=5, d=4)
    ratings(a=4, b=2, c=5, d=4)
    assert client.push()["copied"] == 0
