"""Killed after each durable step of a push that also processes, and started again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.manifest.runs import STRIKES
from bulkup.model import Stage
from bulkup.settings.stage_options import ProcessOptions
from tests.e2e.pictures import asked, photo, sidecar, wrong_variants
from tests.e2e.trees import objects_in
from tests.faults.pushing import Pushing
from tests.faults.test_crash import push

TREE = {"a.jpg": photo(1), "b.jpg": photo(2), "b.xmp": sidecar(rating=3)}
STRUCK = "SELECT stage, strikes FROM item WHERE strikes > 0"
MEANS = ProcessOptions(workers=1, variants=(VariantSpec("thumb", 64, Format.WEBP, 80),))

VIEWS = (
    "SELECT path, key, upload, process FROM files ORDER BY path",
    "SELECT path, stage, state, error_class FROM failures ORDER BY path",
    "SELECT stage, state, items, bytes FROM progress ORDER BY stage, state",
    "SELECT path, width_px, format, rating, perceptual_hash FROM pictures ORDER BY path",
    "SELECT kind, key, size_bytes, hex(variant_digest) FROM object ORDER BY key",
)


def begun(home: Path, tree: Mapping[str, bytes] = TREE) -> Pushing:
    home.mkdir()
    options: dict[str, object] = {
        "stages": (Stage.UPLOAD, Stage.PROCESS),
        "process": MEANS,
        "concurrency": 1,
    }
    pushing = Pushing(home, str(home / "to"), options=options)
    pushing.write(tree)
    return pushing


def comparable(pushing: Pushing) -> list[list[object]]:
    return [asked(Path(pushing.manifest), query) for query in VIEWS]


def strikes(pushing: Pushing) -> list[object]:
    return asked(Path(pushing.manifest), STRUCK)


async def test_a_push_that_processes_survives_the_end_of_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = begun(tmp_path / "whole")
    steps = await push(whole, monkeypatch)
    assert {
        "mark_in_worker",
        "unmark_in_worker",
        "enqueue_next_stage",
        "settle",
        "skip",
        "put",
    } <= set(steps)
    expected, held = comparable(whole), objects_in(Path(whole.to))
    assert len(held) == len(TREE) + 2
    assert strikes(whole) == []
    struck = 0
    for last in count(1):
        broken = begun(tmp_path / str(last))
        first = await push(broken, monkeypatch, last=last)
        if len(first) < last:
            break
        await push(broken, monkeypatch)
        assert comparable(broken) == expected, f"after {first}"
        assert objects_in(Path(broken.to)) == held, f"after {first}"
        found = strikes(broken)
        assert found in ([], [("process", 1)]), f"after {first}"
        struck += len(found)
        if found:  # nothing but what one worker had: it was handed over, and not taken back
            assert first.count("mark_in_worker") == first.count("unmark_in_worker") + 1, (
                f"after {first}"
            )
    assert struck, "some of these ends found an item in the worker's hands"
    assert wrong_variants(Path(whole.manifest), held) == []


async def test_a_run_that_is_killed_again_and_again_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time one step further, over all of two stages; nothing is dead of it."""
    pushing = begun(tmp_path / "home")
    for last in range(4, 60, 5):
        if len(await push(pushing, monkeypatch, last=last)) < last:
            break
    await push(pushing, monkeypatch)
    found = asked(Path(pushing.manifest), "SELECT DISTINCT upload, process FROM files")
    assert sorted(found) == [("done", "done"), ("done", "skipped")]


async def test_however_often_runs_are_killed_over_one_picture_a_quiet_run_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing = begun(tmp_path / "home", {"a.jpg": TREE["a.jpg"]})
    for _ in range(STRIKES + 1):
        assert "mark_in_worker" in await push(pushing, monkeypatch, last="mark_in_worker")
    assert strikes(pushing) == [("process", STRIKES)]  # the last one comes with the next run
    await push(pushing, monkeypatch)
    assert asked(Path(pushing.manifest), "SELECT upload, process FROM files") == [("done", "done")]
