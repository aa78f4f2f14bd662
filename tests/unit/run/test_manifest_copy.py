"""Copies of the manifest: when the listing of their destination is looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from bulkup.clock import SystemClock
from bulkup.events import Notice
from bulkup.manifest.manifest import Manifest
from bulkup.run.context import new_context
from bulkup.run.manifest_copy import copier_for
from bulkup.run.store_requests import requests_to
from bulkup.settings.copy_options import ManifestCopyOptions
from bulkup.settings.options import RunOptions
from bulkup.stores.open import open_store
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.faults.pushing import Pushing
from tests.servers.endpoint import Endpoint


async def test_the_listing_that_was_looked_at_early_is_not_asked_for_again(tmp_path: Path) -> None:
    with FakeS3(keep_bodies=True) as server:
        environ = Endpoint(server.url).environment
        pushing = Pushing(tmp_path, "s3://bucket/p", environ)
        pushing.write({"a.jpg": b"a"})
        assert (await pushing.push()).sent == 1
        with Manifest(pushing.manifest) as manifest:
            clock, random = SystemClock(), Random(1)
            context = new_context(
                manifest,
                clock=clock,
                random=random,
                emit=pushing.events.append,
                environ=environ,
                wants_files=False,
                manifest_copy=ManifestCopyOptions(),
            )
            destination = manifest.destinations.all()[0]
            store = open_store(destination.url, environ=environ, clock=clock)
            try:
                requests = requests_to(store, RunOptions(), clock, random)
                copier = copier_for(context, destination, requests)
                assert copier is not None
                before = server.count("ListObjectsV2")
                await copier.look_ahead()
                await copier.copy_if_due(has_changed=True)
                assert server.count("ListObjectsV2") == before + 1
                assert sum("/manifest/" in path for path in server.held) == 1
            finally:
                await store.close()


async def test_the_listing_is_looked_at_while_other_files_are_uploaded(tmp_path: Path) -> None:
    hold = Fault(op="PutObject", path="*/z.jpg", times=None, does="hold")
    with FakeS3(keep_bodies=True, faults=[hold]) as server:
        environ = Endpoint(server.url).environment
        pushing = Pushing(tmp_path, "s3://bucket/p", environ, manifest_copy=ManifestCopyOptions())
        pushing.options["layout"] = "mirror"
        pushing.write({"a.jpg": b"a", "b.jpg": b"b", "z.jpg": b"z"})
        going = asyncio.create_task(pushing.push())
        await asyncio.to_thread(server.wait_for, "ListObjectsV2", 2)  # the first is the check
        assert not going.done()
        server.release()
        assert (await going).sent == 3
        assert server.count("ListObjectsV2") == 2
        assert sum("/manifest/" in path for path in server.held) == 1


async def copied(folder: Path, refusal: Fault) -> tuple[FakeS3, list[str]]:
    """The server after seven pushes with a copy each, and what the last one said."""
    with FakeS3(keep_bodies=True, faults=[refusal]) as server:
        pushing = Pushing(
            folder,
            "s3://bucket/p",
            Endpoint(server.url).environment,
            manifest_copy=ManifestCopyOptions(every_seconds=0),
        )
        for number in range(7):
            pushing.events.clear()
            pushing.write({f"{number}.jpg": bytes([number])})
            assert (await pushing.push()).exit_code == 0
    return server, [event.message for event in pushing.events if isinstance(event, Notice)]


async def test_keys_that_may_not_delete_leave_older_copies_in_silence(tmp_path: Path) -> None:
    server, said = await copied(tmp_path, Fault(op="DeleteObject", times=None, status=403))
    assert sum("/manifest/" in path for path in server.held) == 7
    assert said == []


async def test_an_old_copy_that_cannot_be_removed_is_not_called_a_copy_that_was_not_made(
    tmp_path: Path,
) -> None:
    _, said = await copied(tmp_path, Fault(op="DeleteObject", times=None, status=400))
    assert len(said) == 1
    assert said[0].startswith("An old copy of the manifest was not removed from s3://bucket/p: ")
