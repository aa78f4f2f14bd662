"""Large files: sent in parts that survive the run, and never mixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.errors import ExitCode, StoreBroken, StoreUnreachable
from bulkup.manifest.manifest import Manifest
from bulkup.run.upload.loader import MAX_PARTS, part_bytes_for
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing, views
from tests.sql import sql
from tests.unit.manifest.recording import rows

MIB = 1 << 20
BIG = bytes(range(256)) * 4096 * 4 + b"the end"  # five parts
PARTS = {"part_threshold_bytes": MIB, "part_size_bytes": MIB, "patience_seconds": 0.0}


def held(pushing: Pushing, key: str = "big.jpg") -> bytes:
    return (Path(pushing.to) / key).read_bytes()


def open_uploads(pushing: Pushing) -> int:
    folder = Path(pushing.to) / ".bulkup" / "parts"
    return len(list(folder.iterdir())) if folder.exists() else 0


def again(pushing: Pushing) -> None:
    """What waits is due now."""
    sql(pushing.manifest, "UPDATE item SET due_at = 0 WHERE state = 'waiting'")


async def broken_after(pushing: Pushing, store: ScriptedStore, good: int) -> None:
    """A first run whose parts fail after the first `good` ones."""
    pushing.write({"big.jpg": BIG})
    part = store.put_part

    async def sometimes(*args: object, **kwargs: object) -> object:
        if len(store.part_numbers) >= good:
            raise StoreUnreachable("reset")
        return await part(*args, **kwargs)  # type: ignore[arg-type]

    store.put_part = sometimes  # type: ignore[method-assign, assignment]
    # Something else gets through, so that it is this file's trouble and not the network's.
    pushing.write({"a.jpg": b"a"})
    await pushing.push(**PARTS, concurrency=1)
    store.put_part = part  # type: ignore[method-assign]
    store.part_numbers.clear()
    again(pushing)


async def test_a_large_file_goes_in_parts_in_order(pushing: Pushing, store: ScriptedStore) -> None:
    pushing.write({"big.jpg": BIG})
    summary = await pushing.push(**PARTS, concurrency=1)
    assert (summary.exit_code, summary.sent) == (0, 1)
    assert sorted(store.part_numbers) == [1, 2, 3, 4, 5]
    assert held(pushing) == BIG
    assert open_uploads(pushing) == 0


@pytest.mark.parametrize("good", [0, 1, 3, 4])
async def test_only_missing_parts_are_sent_again(
    pushing: Pushing, store: ScriptedStore, good: int
) -> None:
    await broken_after(pushing, store, good)
    summary = await pushing.push(**PARTS)
    assert (summary.exit_code, summary.sent) == (0, 1)
    assert len(store.part_numbers) == 5 - good
    assert held(pushing) == BIG


async def test_parts_that_the_store_lost_are_sent_again(
    pushing: Pushing, store: ScriptedStore
) -> None:
    await broken_after(pushing, store, 3)
    (folder,) = (Path(pushing.to) / ".bulkup" / "parts").iterdir()
    next(folder.glob("00002-*")).unlink()
    assert (await pushing.push(**PARTS)).exit_code == 0
    assert sorted(store.part_numbers) == [2, 4, 5]
    assert held(pushing) == BIG


async def test_an_upload_that_the_store_forgot_is_begun_again(
    pushing: Pushing, store: ScriptedStore
) -> None:
    await broken_after(pushing, store, 3)
    (folder,) = (Path(pushing.to) / ".bulkup" / "parts").iterdir()
    folder.rename(folder.parent.parent / "gone")
    assert (await pushing.push(**PARTS)).exit_code == 0
    assert len(store.part_numbers) == 5
    assert held(pushing) == BIG


async def test_a_part_size_that_was_changed_holds_for_new_uploads_only(
    pushing: Pushing, store: ScriptedStore
) -> None:
    await broken_after(pushing, store, 3)
    await pushing.push(**{**PARTS, "part_size_bytes": 2 * MIB})
    assert sorted(store.part_numbers) == [4, 5]
    assert held(pushing) == BIG


async def test_a_file_that_changed_between_two_runs_is_never_mixed(
    pushing: Pushing, store: ScriptedStore
) -> None:
    await broken_after(pushing, store, 3)
    other = b"x" + BIG[1:]
    pushing.write({"big.jpg": other})
    assert (await pushing.push(**PARTS)).exit_code == 0
    assert held(pushing) == other
    with Manifest(pushing.manifest) as manifest:
        uploads = manifest.multipart_uploads.abandoned_uploads(1)
        assert len(uploads) == open_uploads(pushing), "what is left over is known, to be cleaned"


async def test_a_file_that_changes_while_its_parts_are_sent_is_tried_again(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"big.jpg": BIG})
    begin = store.begin_parts

    async def then_change(*args: object, **kwargs: object) -> str:
        (pushing.root / "big.jpg").write_bytes(b"y" + BIG[1:])
        return await begin(*args, **kwargs)  # type: ignore[arg-type]

    store.begin_parts = then_change  # type: ignore[method-assign]
    summary = await pushing.push(**PARTS)
    assert (summary.exit_code, summary.waiting) == (ExitCode.UNFINISHED, 1)
    assert [row[3] for row in views(pushing.manifest)["failures"]] == ["changed"]
    assert not (Path(pushing.to) / "big.jpg").exists()
    store.begin_parts = begin  # type: ignore[method-assign]
    again(pushing)
    assert (await pushing.push(**PARTS)).exit_code == 0
    assert held(pushing) == b"y" + BIG[1:]


async def test_a_file_that_shrinks_while_its_parts_are_sent_is_tried_again(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"big.jpg": BIG})
    begin = store.begin_parts

    async def then_cut(*args: object, **kwargs: object) -> str:
        (pushing.root / "big.jpg").write_bytes(BIG[: 2 * MIB])
        return await begin(*args, **kwargs)  # type: ignore[arg-type]

    store.begin_parts = then_cut  # type: ignore[method-assign]
    await pushing.push(**PARTS)
    assert [row[3] for row in views(pushing.manifest)["failures"]] == ["changed"]


async def test_an_object_whose_completion_got_no_answer_is_adopted(
    pushing: Pushing, store: ScriptedStore
) -> None:
    pushing.write({"big.jpg": BIG})
    complete = store.complete_parts

    async def lose_the_first(*args: object, **kwargs: object) -> object:
        result = await complete(*args, **kwargs)  # type: ignore[arg-type]
        if store.calls["complete_parts"] == 1:
            raise StoreBroken("no answer")
        return result

    store.complete_parts = lose_the_first  # type: ignore[method-assign, assignment]
    summary = await pushing.push(**PARTS)
    assert (summary.exit_code, summary.sent, summary.adopted) == (0, 0, 1)
    assert len(store.part_numbers) == 5
    with Manifest(pushing.manifest) as manifest:
        assert rows(manifest, "SELECT * FROM upload") == []
        assert rows(manifest, "SELECT * FROM part") == []


async def test_a_key_that_is_taken_meanwhile_by_another_content_costs_a_spare_key(
    pushing: Pushing, store: ScriptedStore
) -> None:
    """And the upload under the first key is not left open."""
    pushing.write({"big.jpg": BIG})
    complete = store.complete_parts

    async def too_late(*args: object, **kwargs: object) -> object:
        (Path(pushing.to) / "big.jpg").write_bytes(b"somebody else's")
        store.complete_parts = complete  # type: ignore[method-assign]
        return await complete(*args, **kwargs)  # type: ignore[arg-type]

    store.complete_parts = too_late  # type: ignore[method-assign, assignment]
    summary = await pushing.push(**PARTS)
    assert (summary.exit_code, summary.sent) == (0, 1)
    assert held(pushing) == b"somebody else's"
    (spare,) = (row[3] for row in views(pushing.manifest)["files"])
    assert str(spare).startswith("big~")
    assert held(pushing, str(spare)) == BIG
    assert open_uploads(pushing) == 0


@pytest.mark.parametrize("size_bytes", [1, MIB, 64 * MIB, 5 << 30, 5 << 40])
def test_ten_thousand_parts_suffice(size_bytes: int) -> None:
    part_bytes = part_bytes_for(size_bytes, 16 * MIB)
    assert part_bytes >= 16 * MIB
    assert -(-size_bytes // part_bytes) <= MAX_PARTS
