"""The plan of a push: which files would be sent, under which keys; and who claims what."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkup.clock import SystemClock
from bulkup.content.digest import digest_of
from bulkup.events import Event, FilePlanned, FilesPlanned, Summary
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.runs import RunRow
from bulkup.manifest.scans import Folder, ScanScope
from bulkup.model import Stage
from bulkup.operations.dry_run import DryRun
from bulkup.operations.push import Push, resolve_target
from bulkup.run.liveness import here, process_started
from bulkup.walk.filters import Selection

CLOCK = SystemClock()


def push_of(tmp_path: Path, *roots: str) -> Push:
    return Push(
        roots=tuple(str(tmp_path / root) for root in roots),
        to=str(tmp_path / "store"),
        default_to=str(tmp_path / "default"),
        selection=Selection(all_files=True),
        stages=(Stage.UPLOAD,),
    )


def plan_of(push: Push, manifest: Path, prefix: str = "") -> tuple[Summary, list[FilePlanned]]:
    events: list[Event] = []
    with Reader(str(manifest)) as reader:
        to = resolve_target(push, reader.destinations)
        plan = DryRun(
            push, reader, to, prefix=prefix, clock=CLOCK, emit=events.append, wants_files=True
        )
        summary = plan.make()
    return summary, [f for e in events if isinstance(e, FilesPlanned) for f in e.files]


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


contents = st.dictionaries(
    st.sampled_from([f"{folder}{n}" for folder in ("", "x/", "x/y/", "z/") for n in range(4)]),
    st.binary(max_size=2),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=contents, two=contents)
def test_each_content_is_sent_once_under_a_key_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], two: dict[str, bytes]
) -> None:
    """Whatever the trees: sent and duplicates are all files, sent ones the distinct contents."""
    tmp_path = tmp_path_factory.mktemp("trees")
    for name, files in (("one", one), ("two", two)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, files)
    summary, files_planned = plan_of(push_of(tmp_path, "one", "two"), tmp_path / "none.db", "p/")
    distinct = {*one.values(), *two.values()}
    assert summary.files == summary.new == len(one) + len(two)
    assert summary.sent == len(distinct)
    assert summary.sent_bytes == sum(map(len, distinct))
    assert summary.sent + summary.duplicates == summary.files
    to_send = [file for file in files_planned if file.verdict == "send"]
    assert len({file.key for file in to_send}) == len(to_send)
    for file in to_send:
        assert file.key is not None
        assert file.key.startswith("p/")
        assert file.digest == digest_of(Path(file.path).read_bytes())
    assert not (tmp_path / "none.db").exists()


def test_the_second_of_two_contents_with_one_key_gets_the_spare_one(tmp_path: Path) -> None:
    write(tmp_path, {"one/a.jpg": b"1", "two/a.jpg": b"2"})
    _, planned = plan_of(push_of(tmp_path, "one", "two"), tmp_path / "none.db")
    assert [file.key for file in planned] == ["a.jpg", f"a~{digest_of(b'2')[:8]}.jpg"]


def test_limit_leaves_the_rest_unread(tmp_path: Path) -> None:
    """Duplicates do not count; what comes after the last content to be sent is not looked at."""
    write(tmp_path / "one", {"1": b"1", "2": b"1", "3": b"2", "4": b"3"})
    os.truncate(tmp_path / "one/4", 1 << 40)  # a hole: to read it would take many minutes
    push = replace(push_of(tmp_path, "one"), limit=2)
    summary, planned = plan_of(push, tmp_path / "none.db")
    assert (summary.sent, summary.duplicates, summary.ready) == (2, 1, 1)
    assert [file.verdict for file in planned] == ["send", "duplicate", "send", "over_limit"]


@pytest.mark.parametrize(("alive", "verdict"), [(True, "claimed"), (False, "send")])
def test_only_claims_of_runs_at_work_hold(tmp_path: Path, alive: bool, verdict: str) -> None:
    """A claim whose run is gone is void: the push would send the file."""
    write(tmp_path / "one", {"a": b"1"})
    found = os.stat(tmp_path / "one/a")
    push = push_of(tmp_path, "one")
    with Manifest(str(tmp_path / "manifest.db")) as manifest:
        now, started = CLOCK.now(), process_started(os.getpid())
        run = RunRow("r", "push", here().host, os.getpid(), started if alive else "x", now, now)
        manifest.runs.begin(run)
        to = manifest.destinations.add(str(push.to), endpoint_url="", region=None, profile=None)
        batch_id, [(root_id, _)] = manifest.batches.begin(
            "r", to.id, list(push.roots), options={}, now=now
        )
        row = ("a", found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)
        scope = ScanScope(root_id, push.roots[0], to.id, batch_id, "r")
        manifest.scans.record(
            scope, lambda: [Folder("", [row], [], [], [], [], [])], now=now, hand_over=1
        )
    summary, [planned] = plan_of(push, tmp_path / "manifest.db")
    assert planned.verdict == verdict
    assert (summary.unchanged, summary.claimed_elsewhere) == (1, int(alive))


def test_a_file_that_vanishes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed by the user, gone before it could be read: class missing, to be tried again."""
    write(tmp_path / "one", {"a": b"1", "b": b"2"})

    class Vanishing(DryRun):
        def _read(self, base, folder, file, digest=None):  # type: ignore[no-untyped-def]
            (tmp_path / "one/a").unlink(missing_ok=True)
            super()._read(base, folder, file, digest)

    events: list[Event] = []
    push = push_of(tmp_path, "one")
    with Reader(str(tmp_path / "none.db")) as reader:
        to = resolve_target(push, reader.destinations)
        plan = Vanishing(
            push, reader, to, prefix="", clock=CLOCK, emit=events.append, wants_files=True
        )
        summary = plan.make()
    assert (summary.sent, summary.waiting, summary.failures) == (1, 1, {"missing": 1})
