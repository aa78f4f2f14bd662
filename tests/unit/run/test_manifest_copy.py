"""Copies of the manifest: when the listing of their destination is looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from bulkup.clock import SystemClock
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
