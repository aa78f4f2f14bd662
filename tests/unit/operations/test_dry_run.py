"""The plan of a push is what the push then does, and making it leaves no trace."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkup.clock import SystemClock
from bulkup.content.digest import digest_of
from bulkup.events import Event, FileDone, FilesDone, Summary
from bulkup.manifest.files.scan_rows import Folder, ScanScope
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.rows import File
from bulkup.manifest.runs import RunRow
from bulkup.model import Stage
from bulkup.operations.dry_run import DryRun, DryRunContext
from bulkup.operations.push import Push, PushRun
from bulkup.plan_events import FilePlanned, FilesPlanned
from bulkup.run.context import new_context
from bulkup.run.heartbeat import here, process_started
from bulkup.settings.options import UploadOptions
from bulkup.stores.directory.store import PART_THRESHOLD_BYTES
from bulkup.walk.filters import Selection
from tests.faults.pushing import push_options

CLOCK = SystemClock()

COUNTED = (
    *("files", "new", "changed", "unchanged", "gone", "left_out", "sent", "sent_bytes"),
    *("duplicates", "duplicate_bytes", "copied", "waiting", "dead", "ready", "failures"),
)


def push_of(folder: Path, *roots: str, **options: Any) -> Push:
    return Push(
        roots=tuple(str(folder / root) for root in roots),
        **push_options(
            {"selection": Selection(all_files=True), "stages": (Stage.UPLOAD,), **options},
            to=str(folder / "store"),
            default_to=str(folder / "default"),
        ),
    )


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


@dataclass
class Planned:
    """What a dry run said."""

    summary: Summary
    files: list[FilePlanned]

    def of(self, verdict: str) -> set[tuple[str, str | None, str | None]]:
        return {(f.path, f.key, f.digest) for f in self.files if f.verdict == verdict}


async def plan_of(
    push: Push, manifest: Path, *, emit: Callable[[Event], None] = lambda _: None
) -> Planned:
    events: list[Event] = []

    def emit_both(event: Event) -> None:
        events.append(event)
        emit(event)

    with Reader(str(manifest)) as reader:
        context = DryRunContext({}, CLOCK, Random(1), emit_both, wants_files=True)
        summary = await DryRun(push, reader, context).run()
    return Planned(summary, [f for e in events if isinstance(e, FilesPlanned) for f in e.files])


async def done_by(push: Push, manifest: Path) -> tuple[Summary, list[FileDone]]:
    """Push for real."""
    events: list[Event] = []
    with Manifest(str(manifest)) as opened:
        context = new_context(
            opened,
            clock=CLOCK,
            random=Random(1),
            emit=events.append,
            environ={},
            wants_files=True,
        )
        run = PushRun(push, context)
        summary = await run.run()
    return summary, [f for e in events if isinstance(e, FilesDone) for f in e.files]


# The property ------------------------------------------------------------------------------------

NAMES = tuple(f"{root}/{name}" for root in ("one", "two") for name in ("a", "b", "x/a", "x/y/c"))
CONTENTS = (b"", b"1", b"22", b"333")

names, contents = st.sampled_from(NAMES), st.sampled_from(CONTENTS)
members = st.dictionaries(st.sampled_from(["m", "x/n"]), contents, max_size=2)
changes = st.one_of(
    st.tuples(st.just("write"), names, contents),
    st.tuples(st.just("delete"), names, st.none()),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("zip"), st.sampled_from(["one/z.zip", "two/x/z.zip"]), members | st.none()),
)


class Step(NamedTuple):
    """Changes of the tree, and how it is then pushed."""

    changes: list[tuple[str, str, Any]]
    options: dict[str, Any]


steps = st.builds(
    Step,
    st.lists(changes, min_size=1, max_size=6),
    st.fixed_dictionaries(
        {
            "layout": st.sampled_from(["path", "content"]),
            "on_duplicate": st.sampled_from(["skip", "copy"]),
            "limit": st.sampled_from([None, None, 1, 2]),
            "selection": st.sampled_from(
                [Selection(all_files=True), Selection(all_files=True, exclude=("y/", "b"))]
            ),
        }
    ),
)


def apply(folder: Path, step: Step) -> None:
    for kind, name, what in step.changes:
        path = folder / name
        if kind == "delete":
            path.unlink(missing_ok=True)
        elif kind == "rename" and path.exists():
            (folder / what).parent.mkdir(parents=True, exist_ok=True)
            path.rename(folder / what)
        elif kind == "write" or what is None:  # an archive that is none
            write(folder, {name: what if kind == "write" else b"no archive"})
        elif kind == "zip":
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(path, "w") as archive:
                for member, content in what.items():
                    archive.writestr(member, content)


def of_kind(files: Iterable[FileDone], *kinds: str) -> list[FileDone]:
    return [file for file in files if file.how in kinds]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=3))
def test_the_plan_is_what_the_push_then_does(
    tmp_path_factory: pytest.TempPathFactory, history: list[Step]
) -> None:
    """Duplicates, renames, changes, archives, filters and limits, in both layouts, after earlier
    pushes: the same files, keys and numbers."""
    folder = tmp_path_factory.mktemp("trees")
    manifest = folder / "manifest.db"
    for root in ("one", "two"):
        (folder / root).mkdir()
    for step in history:
        apply(folder, step)
        push = push_of(folder, "one", "two", **step.options)
        before = sorted(folder.rglob("*"))
        planned = asyncio.run(plan_of(push, manifest))
        assert [p for p in sorted(folder.rglob("*")) if "manifest.db-" not in p.name] == [
            p for p in before if "manifest.db-" not in p.name
        ]
        summary, files = asyncio.run(done_by(push, manifest))
        assert {name: getattr(planned.summary, name) for name in COUNTED} == {
            name: getattr(summary, name) for name in COUNTED
        }
        assert planned.of("send") == {(f.path, f.key, f.digest) for f in of_kind(files, "sent")}
        copied = {(f.path, f.key) for f in of_kind(files, "copied")}
        assert {(path, key) for path, key, _ in planned.of("copy")} == copied
        duplicates = {f.path for f in of_kind(files, "duplicate")} - {path for path, _ in copied}
        assert {path for path, *_ in planned.of("duplicate")} == duplicates


# What files get ----------------------------------------------------------------------------------


async def test_the_second_of_two_contents_with_one_key_gets_the_spare_one(tmp_path: Path) -> None:
    write(tmp_path, {"one/a.jpg": b"1", "two/a.jpg": b"2"})
    planned = await plan_of(push_of(tmp_path, "one", "two"), tmp_path / "none.db")
    assert [file.key for file in planned.files] == ["a.jpg", f"a~{digest_of(b'2')[:8]}.jpg"]
    assert not (tmp_path / "none.db").exists()


async def test_limit_leaves_the_rest_unread(tmp_path: Path) -> None:
    """Duplicates do not count; what comes after the last content to be sent is not read."""
    write(tmp_path / "one", {"1": b"1", "2": b"1", "3": b"2", "4": b"3"})
    os.truncate(tmp_path / "one/4", 1 << 40)  # a hole: to read it would take many minutes
    planned = await plan_of(push_of(tmp_path, "one", limit=2), tmp_path / "none.db")
    summary = planned.summary
    assert (summary.sent, summary.duplicates, summary.ready) == (2, 1, 1)
    verdicts = {file.path[-1]: file.verdict for file in planned.files}
    assert verdicts == {"1": "send", "2": "duplicate", "3": "send", "4": "over_limit"}


async def test_a_copy_is_named_with_the_digest_of_its_original(tmp_path: Path) -> None:
    write(tmp_path / "one", {"a.jpg": b"1", "b.jpg": b"1"})
    push = push_of(tmp_path, "one", on_duplicate="copy")
    planned = await plan_of(push, tmp_path / "none.db")
    assert planned.of("copy") == {(str(tmp_path / "one/b.jpg"), "b.jpg", digest_of(b"1"))}
    assert [file.verdict for file in planned.files] == ["send", "copy"]


async def test_a_duplicate_is_named_with_the_key_that_holds_its_content(tmp_path: Path) -> None:
    """Only where the destination has it already: a key that is planned may still change."""
    write(tmp_path / "one", {"a.jpg": b"1"})
    push, manifest = push_of(tmp_path, "one"), tmp_path / "manifest.db"
    await done_by(push, manifest)
    write(tmp_path / "one", {"b.jpg": b"1", "c.jpg": b"2", "d.jpg": b"2"})
    planned = await plan_of(push, manifest)
    keys = {path[-5:]: key for path, key, _ in planned.of("duplicate")}
    assert keys == {"b.jpg": "a.jpg", "d.jpg": None}


async def test_a_large_file_is_read_once(tmp_path: Path) -> None:
    """A push reads what it sends in parts twice: to hash it, and to send it."""
    write(tmp_path / "one", {"big.mov": b"", "small.jpg": b"1"})
    os.truncate(tmp_path / "one/big.mov", PART_THRESHOLD_BYTES)
    planned = await plan_of(push_of(tmp_path, "one"), tmp_path / "none.db")
    summary = planned.summary
    assert (summary.sent, summary.adopted, summary.sent_bytes) == (2, 0, PART_THRESHOLD_BYTES + 1)
    assert {path[-7:] for path, *_ in planned.of("send")} == {"big.mov", "all.jpg"}


@pytest.mark.parametrize(("alive", "verdict"), [(True, "claimed"), (False, "send")])
async def test_only_claims_of_runs_at_work_hold(tmp_path: Path, alive: bool, verdict: str) -> None:
    """A claim whose run is gone is void: the push would send the file."""
    write(tmp_path / "one", {"a": b"1"})
    found = os.stat(tmp_path / "one/a")
    push = push_of(tmp_path, "one")
    with Manifest(str(tmp_path / "manifest.db")) as manifest:
        now, started = CLOCK.now(), process_started(os.getpid())
        run = RunRow("r", "push", here().host, os.getpid(), started if alive else "x", now, now)
        manifest.runs.begin(run)
        to = manifest.destinations.add(
            str(push.upload.to), endpoint_url="", region=None, profile=None
        )
        batch_id, [(root_id, _)] = manifest.batches.begin(
            "r", to.id, list(push.roots), options={}, now=now
        )
        row = File("a", found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)
        scope = ScanScope(root_id, push.roots[0], to.id, batch_id, "r")
        manifest.scans.record(
            scope, lambda: [Folder("", [row], [], [], [], [], [])], now=now, hand_over=1
        )
    planned = await plan_of(push, tmp_path / "manifest.db")
    assert [file.verdict for file in planned.files] == [verdict]
    summary = planned.summary
    assert (summary.unchanged, summary.claimed_elsewhere) == (1, int(alive))


async def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    """Found by the walk, gone before it could be read: class missing, to be tried again."""
    write(tmp_path / "one", {"a": b"1", "b": b"2", "left out": b""})
    push = push_of(tmp_path, "one", selection=Selection(all_files=True, exclude=("left*",)))

    def emit(event: Event) -> None:
        if event.kind == "left_out":  # said before the files of the folder are read
            (tmp_path / "one/a").unlink()

    planned = await plan_of(push, tmp_path / "none.db", emit=emit)
    summary = planned.summary
    assert (summary.sent, summary.waiting, summary.failures) == (1, 1, {"missing": 1})
    unreadable = FilePlanned(
        str(tmp_path / "one/a"), "unreadable", None, None, size_bytes=1, reason="a is gone"
    )
    assert [file for file in planned.files if file.verdict != "send"] == [unreadable]


async def test_a_push_that_uploads_nothing_plans_nothing(tmp_path: Path) -> None:
    write(tmp_path / "one", {"a.jpg": b"1"})
    push = push_of(tmp_path, "one", stages=(Stage.PROCESS,))
    planned = await plan_of(push, tmp_path / "none.db")
    assert (planned.summary.files, planned.summary.sent, planned.files) == (0, 0, [])


async def test_the_directory_of_the_local_store_is_not_made(tmp_path: Path) -> None:
    write(tmp_path / "one", {"a.jpg": b"1"})
    upload = UploadOptions(stages=(Stage.UPLOAD,), default_to=str(tmp_path / "home/store"))
    push = replace(push_of(tmp_path, "one"), upload=upload)
    await plan_of(push, tmp_path / "home/manifest.db")
    assert not (tmp_path / "home").exists()
