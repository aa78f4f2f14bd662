"""The process stage with real workers, within a whole push."""

from __future__ import annotations

import asyncio
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.errors import StoreBusy, StoreFull, StoreRefused, StoreUnreachable
from bulkup.events import AttemptFailed
from bulkup.model import Stage
from bulkup.run.work import pictures as processing
from bulkup.settings.stage_options import ProcessOptions
from tests.e2e.pictures import asked, photo, sidecar, wrong_variants
from tests.e2e.trees import objects_in
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing
from tests.unit.run.dying import process_or_die

SMALL = VariantSpec("thumb", 64, Format.WEBP, 80)
MEANS = ProcessOptions(workers=1, seconds=20.0, variants=(SMALL,))
TWO = (Stage.UPLOAD, Stage.PROCESS)


@pytest.fixture
def pushing(tmp_path: Path, clock: FakeClock, store: ScriptedStore) -> Pushing:
    made = Pushing(
        tmp_path,
        str(tmp_path / "to"),
        clock=clock,
        store=store,
        options={"stages": TWO, "process": MEANS, "patience_seconds": 0.0},
    )
    made.root.mkdir()
    return made


def states(pushing: Pushing, stage: str = "process") -> dict[str, str]:
    """State by file name."""
    rows = asked(
        Path(pushing.manifest),
        "SELECT name, state FROM item JOIN asset USING (content_id) WHERE stage = ?",
        stage,
    )
    return dict(rows)


def asked_of(pushing: Pushing, query: str) -> list[object]:
    return asked(Path(pushing.manifest), query)


def variants(pushing: Pushing) -> list[str]:
    return [key for key in objects_in(Path(pushing.to)) if key.startswith(".bulkup/thumb")]


def replace_object(pushing: Pushing, key: str, body: bytes) -> None:
    """Behind bulkup's back."""
    (Path(pushing.to) / key).write_bytes(body)


def forget(pushing: Pushing) -> None:
    """The manifest is lost."""
    Path(pushing.manifest).unlink()


async def test_a_picture_that_always_kills_its_worker_is_dead_and_nothing_else(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "process", process_or_die)
    names = ["abort 1.jpg", "kill 2.jpg", "exit 3.jpg", *(f"fine {n}.jpg" for n in range(4, 8))]
    pushing.write({name: photo(n) for n, name in enumerate(names)})
    summary = await pushing.push()
    assert summary.exit_code == 3
    found = states(pushing)
    assert {name for name, state in found.items() if state == "dead"} == set(names[:3])
    assert {state for name, state in found.items() if "fine" in name} == {"done"}
    failures = asked_of(pushing, "SELECT error_class, error, attempts FROM failures")
    assert failures == [("resource", "took the worker down three times", 3)] * 3
    assert summary.dead == 3
    struck = asked_of(pushing, "SELECT strikes FROM item WHERE strikes > 0")
    assert struck == [3, 3, 3]
    said = {e.error for e in pushing.events if isinstance(e, AttemptFailed)}
    assert {
        "the worker process was killed by SIGABRT",
        "the worker process was killed by SIGKILL",
    } <= said
    assert wrong_variants(Path(pushing.manifest), objects_in(Path(pushing.to))) == []


async def test_an_endless_loop_and_a_glutton_wait_and_a_bug_is_the_items_own(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "process", process_or_die)
    names = ["loop 1.jpg", "memory 2.jpg", "raise 3.jpg", "fine 4.jpg"]
    pushing.write({name: photo(n) for n, name in enumerate(names)})
    summary = await pushing.push(process=replace(MEANS, seconds=2.0))
    assert summary.exit_code == 3
    assert states(pushing) == {
        "loop 1.jpg": "waiting",
        "memory 2.jpg": "waiting",
        "raise 3.jpg": "waiting",
        "fine 4.jpg": "done",
    }
    failures = asked_of(pushing, "SELECT error_class, error FROM failures ORDER BY path")
    assert failures == [
        ("resource", "not done after 2 s"),
        ("resource", "needs more than the 2048 MiB that a worker may have"),
        ("unknown", "ValueError: said by the job"),
    ]


async def test_a_picture_at_two_places_is_processed_once(pushing: Pushing) -> None:
    pushing.write({"a.jpg": photo(1), "b/a.jpg": photo(1)})
    summary = await pushing.push()
    assert (summary.processed, len(variants(pushing))) == (1, 1)
    assert asked_of(pushing, "SELECT path FROM pictures") == ["a.jpg", "b/a.jpg"]


async def test_of_two_places_the_one_that_still_holds_it_is_read(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"a.jpg": photo(1), "b/a.jpg": photo(1)})
    await pushing.push(stages=(Stage.UPLOAD,))
    (pushing.root / "a.jpg").write_bytes(b"something else")
    (Path(pushing.to) / "a.jpg").unlink()
    await pushing.push(stages=(Stage.PROCESS,))
    assert set(states(pushing).values()) == {"done"}


async def test_a_member_whose_archive_is_gone_is_read_from_its_object(pushing: Pushing) -> None:
    with zipfile.ZipFile(pushing.root / "a.zip", "w") as archive:
        archive.writestr("in/a.jpg", photo(1))
        archive.writestr("in/a.xmp", sidecar(rating=2))
    await pushing.push(stages=(Stage.UPLOAD,))
    (pushing.root / "a.zip").unlink()
    await pushing.push(stages=(Stage.PROCESS,))
    assert states(pushing) == {"in/a.jpg": "done", "in/a.xmp": "skipped"}
    assert asked_of(pushing, "SELECT rating FROM pictures WHERE rating NOT NULL") == [2]


async def test_a_member_has_its_archives_sidecar(pushing: Pushing) -> None:
    with zipfile.ZipFile(pushing.root / "a.zip", "w") as archive:
        archive.writestr("in/a.jpg", photo(1))
        archive.writestr("in/a.jpg.xmp", sidecar(rating=4))
        archive.writestr("a.jpg.xmp", sidecar(rating=1))
    await pushing.push()
    assert asked_of(pushing, "SELECT rating FROM pictures WHERE rating NOT NULL") == [4]


async def test_an_object_that_holds_other_bytes_is_no_source(pushing: Pushing) -> None:
    pushing.write({"a.jpg": photo(1)})
    await pushing.push(stages=(Stage.UPLOAD,))
    shutil.rmtree(pushing.root)
    (Path(pushing.to) / "a.jpg").write_bytes(photo(2))
    await pushing.push(stages=(Stage.PROCESS,))
    assert asked_of(pushing, "SELECT state, error_class, error FROM failures") == [
        ("waiting", "missing", "its file is gone, and the object a.jpg holds other bytes")
    ]


async def test_what_is_missing_runs_out_of_attempts(pushing: Pushing) -> None:
    pushing.write({"a.jpg": photo(1)})
    await pushing.push(stages=(Stage.UPLOAD,))
    shutil.rmtree(pushing.root)
    (Path(pushing.to) / "a.jpg").unlink()
    await pushing.push(stages=(Stage.PROCESS,), patience_seconds=7200.0)
    assert asked_of(pushing, "SELECT state, error_class, attempts FROM failures") == [
        ("dead", "missing", 3)
    ]


async def test_downloads_are_removed(pushing: Pushing, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = pushing.home / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    pushing.write({f"{n}.jpg": photo(n) for n in range(3)})
    await pushing.push(stages=(Stage.UPLOAD,))
    shutil.rmtree(pushing.root)
    await pushing.push(stages=(Stage.PROCESS,))
    assert set(states(pushing).values()) == {"done"}
    assert list(temporary.iterdir()) == []


async def test_a_large_object_is_not_fetched_to_be_refused(
    pushing: Pushing, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = photo(1, 1200, 900)
    video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(3 << 20)
    pushing.write({"a.jpg": body + bytes(3 << 20), "b.mp4": video, "c.jpg": photo(2)})
    await pushing.push(stages=(Stage.UPLOAD,))
    shutil.rmtree(pushing.root)
    read: list[int] = []
    original = ScriptedStore.open

    async def counted(self: ScriptedStore, key: str):  # type: ignore[no-untyped-def]
        async for chunk in original(self, key):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(ScriptedStore, "open", counted)
    options = replace(MEANS, max_bytes=1 << 20)
    await pushing.push(stages=(Stage.PROCESS,), process=options)
    assert states(pushing) == {"a.jpg": "dead", "b.mp4": "skipped", "c.jpg": "done"}
    assert sum(read) < 5 << 20, "a chunk of each, and not the rest"


async def test_a_throttled_variant_is_put_again(pushing: Pushing, store: ScriptedStore) -> None:
    pushing.write({"a.jpg": photo(1)})
    await pushing.push(stages=(Stage.UPLOAD,))
    store.fail("put", StoreBusy("slow down"), StoreBusy("slow down"))
    assert (await pushing.push()).exit_code == 0
    assert states(pushing) == {"a.jpg": "done"}


async def test_a_full_destination_ends_the_run_and_blames_no_picture(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({f"{n}.jpg": photo(n) for n in range(3)})
    await pushing.push(stages=(Stage.UPLOAD,))
    store.fail("put", StoreFull("no space left"), always=True)
    summary = await pushing.push()
    assert summary.exit_code == 4
    assert set(states(pushing).values()) == {"ready"}
    store.recover()
    assert (await pushing.push()).exit_code == 0


async def test_a_destination_that_goes_away_ends_the_run_and_blames_no_picture(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({f"{n}.jpg": photo(n) for n in range(3)})
    await pushing.push(stages=(Stage.UPLOAD,))
    gone = StoreUnreachable("reset")
    store.fail("put", gone, always=True)
    store.fail("check", gone, always=True)
    assert (await pushing.push()).exit_code == 4
    assert set(states(pushing).values()) == {"ready"}
    assert asked_of(
        pushing, "SELECT sum(attempts + strikes) FROM item WHERE stage = 'process'"
    ) == [0]


async def test_one_variant_that_is_refused_costs_one_picture(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({f"{n}.jpg": photo(n) for n in range(3)})
    await pushing.push(stages=(Stage.UPLOAD,))
    store.fail("put", StoreRefused("400"))
    assert (await pushing.push()).exit_code == 3
    assert sorted(states(pushing).values()) == ["dead", "done", "done"]


async def test_a_variant_larger_than_a_sidecar_is_found_with_its_own_digest(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"a.jpg": photo(1)})
    await pushing.push()
    (key,) = variants(pushing)
    replace_object(pushing, key, bytes(5 << 20))
    forget(pushing)
    await pushing.push()
    assert wrong_variants(Path(pushing.manifest), objects_in(Path(pushing.to))) == []


async def test_without_conditional_writes_variants_that_are_there_are_kept(
    tmp_path: Path, pushing: Pushing, clock: FakeClock
) -> None:
    pushing.write({"a.jpg": photo(1)})
    await pushing.push(stages=(Stage.UPLOAD,))
    pushing.store = ScriptedStore(pushing.to, clock=clock, conditional_writes=False)
    await pushing.push()
    (key,) = variants(pushing)
    replace_object(pushing, key, b"other")
    forget(pushing)
    pushing.store = ScriptedStore(pushing.to, clock=clock, conditional_writes=False)
    await pushing.push()
    assert objects_in(Path(pushing.to))[key] == b"other"
    assert wrong_variants(Path(pushing.manifest), objects_in(Path(pushing.to))) == []


async def test_a_push_does_not_wait_for_stages_that_nothing_comes_to(pushing: Pushing) -> None:
    (pushing.root / "empty").mkdir()
    summary = await asyncio.wait_for(pushing.push(), 20)
    assert summary.exit_code == 0
