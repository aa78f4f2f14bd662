"""Killed after each durable step, and started again: as if nothing had happened.

The steps are the calls into the manifest and the writes to the store. After the chosen one the
process is as good as dead: nothing more of either happens. What a real kill -9 does to a process
is tested end to end; here it is made sure that no step was left out.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bulkup.clock import SystemClock
from bulkup.manifest.manifest import Manifest
from bulkup.run.async_manifest import AsyncManifest
from bulkup.stores.open import open_store
from tests.fakes.s3_server import FakeS3
from tests.faults.pushing import Pushing, views
from tests.servers.endpoint import Endpoint

WRITES = ("put", "copy", "begin_parts", "put_part", "complete_parts", "abort_parts")
PUTS = ("put", "complete_parts")

TREE = {
    "a.jpg": b"the first",
    "b/again.jpg": b"the first",
    "b/c.jpg": b"another",
    "b/empty.jpg": b"",
    "big.jpg": bytes(range(256)) * 9000,  # three parts
}
CONTENTS = len(set(TREE.values()))


class Killed(BaseException):
    """Nothing of this process happens any more."""


class Killer:
    """Counts durable steps; after the one with number `last`, or with that name, nothing is done
    any more."""

    def __init__(self, last: int | str | None) -> None:
        self.last = last
        self.steps: list[str] = []

    @property
    def is_dead(self) -> bool:
        if isinstance(self.last, str):
            return self.last in self.steps
        return self.last is not None and len(self.steps) >= self.last

    def before(self) -> None:
        if self.is_dead:
            raise Killed

    def after(self, name: str) -> None:
        self.before()  # others were at work at the same time
        self.steps.append(name)
        self.before()


@contextmanager
def under(killer: Killer, store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Count every durable step."""
    call: Callable[..., Any] = AsyncManifest.call

    async def counted_call(self: AsyncManifest, function: Any, *args: Any, **kwargs: Any) -> Any:
        killer.before()
        result = await call(self, function, *args, **kwargs)
        killer.after(function.__name__)
        return result

    def counted(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        async def method(*args: Any, **kwargs: Any) -> Any:
            killer.before()
            result = await write(*args, **kwargs)
            killer.after(name)
            return result

        return method

    with monkeypatch.context() as patch:
        patch.setattr(AsyncManifest, "call", counted_call)
        for name in WRITES:
            patch.setattr(store, name, counted(name, getattr(store, name)))
        yield


def reap_dead_runs(path: str) -> None:
    """The test's own process is alive; the run that was killed in it is not."""
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE run SET process_started = 'killed' WHERE ended_at IS NULL")
    db.close()


async def push(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch, *, last: int | str | None = None
) -> list[str]:
    """One run that ends after the step with number or name `last`; the names of its steps.

    There are fewer when it got to its end first: how many rows one step records varies.
    """
    pushing.store = open_store(pushing.to, environ=pushing.environ, clock=SystemClock())
    killer = Killer(last)
    with under(killer, pushing.store, monkeypatch), Manifest(pushing.manifest) as manifest:
        run = pushing.begin(manifest, part_threshold_bytes=1 << 20, part_size_bytes=1 << 20)
        if last is None:
            summary = await asyncio.wait_for(run.run(), 30)
            assert summary.exit_code == 0, [str(event) for event in pushing.events]
        else:
            with suppress(Killed):
                await asyncio.wait_for(run.run(), 30)
    reap_dead_runs(pushing.manifest)
    return killer.steps


def objects_of(pushing: Pushing) -> dict[str, str]:
    """SHA-256 by key, of what the directory holds."""
    to = Path(pushing.to)
    files = (path for path in to.rglob("*") if path.is_file())
    found = {str(path.relative_to(to)): sha256(path.read_bytes()).hexdigest() for path in files}
    return {key: digest for key, digest in found.items() if not key.startswith(".bulkup/")}


def to_directory(home: Path) -> Pushing:
    home.mkdir()
    pushing = Pushing(home, str(home / "to"), options={"on_duplicate": "copy", "concurrency": 2})
    pushing.write(TREE)
    return pushing


def comparable(pushing: Pushing) -> object:
    found = views(pushing.manifest)
    return {name: [_without(row, pushing.to) for row in rows] for name, rows in found.items()}


def _without(row: tuple[object, ...], to: str) -> tuple[object, ...]:
    return tuple("the destination" if value == to else value for value in row)


async def test_a_push_to_a_directory_survives_the_end_of_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = to_directory(tmp_path / "whole")
    steps = await push(whole, monkeypatch)
    assert {"put", "put_part", "complete_parts", "copy", "record_part", "end"} <= set(steps)
    expected, held = comparable(whole), objects_of(whole)
    assert set(held) == set(TREE)
    for last in count(1):
        broken = to_directory(tmp_path / str(last))
        first = await push(broken, monkeypatch, last=last)
        if len(first) < last:
            break
        second = await push(broken, monkeypatch)
        assert comparable(broken) == expected, f"after {first}"
        assert objects_of(broken) == held, f"after {first}"
        puts = sum(step in PUTS for step in first + second)
        assert puts <= CONTENTS + 1, f"{first} and then {second}"


async def test_a_push_to_s3_survives_the_end_of_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_s3(server: FakeS3, home: Path) -> Pushing:
        home.mkdir()
        pushing = Pushing(
            home,
            "s3://bucket/prefix",
            Endpoint(server.url).environment,
            options={"on_duplicate": "copy", "concurrency": 2},
        )
        pushing.write(TREE)
        return pushing

    with FakeS3(keep_bodies=True) as server:
        whole = to_s3(server, tmp_path / "whole")
        await push(whole, monkeypatch)
        expected, held = comparable(whole), server.digests
    assert len(held) == len(TREE)
    for last in count(1):
        with FakeS3(keep_bodies=True) as server:
            broken = to_s3(server, tmp_path / str(last))
            first = await push(broken, monkeypatch, last=last)
            if len(first) < last:
                break
            second = await push(broken, monkeypatch)
            assert comparable(broken) == expected, f"after {first}"
            assert server.digests == held, f"after {first}"
            sent = server.count("PutObject", 200) + server.count("CompleteMultipartUpload", 200)
            assert sent - server.count("CopyObject", 200) <= CONTENTS + 1, f"{first}, {second}"


async def test_a_run_that_was_killed_leaves_what_it_did_for_a_third(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again, one step further each time, a push still comes to its end."""
    pushing = to_directory(tmp_path / "home")
    for last in range(2, 60, 3):
        steps = await push(pushing, monkeypatch, last=last)
        if len(steps) < last:
            break
    await push(pushing, monkeypatch)
    assert set(objects_of(pushing)) == set(TREE)
    assert {row[4] for row in views(pushing.manifest)["files"]} == {"done"}
