"""Items of the stages after the upload: made, claimed, handed over, settled, struck."""

from __future__ import annotations

import pytest

from bulkup.errors import ErrorClass
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import FailedItem, SkippedItem, WorkItem
from bulkup.manifest.runs import RUN_STRIKES
from bulkup.model import Stage
from tests.sql import sql
from tests.unit.manifest.recording import (
    NOW,
    Pusher,
    file,
    folder,
    recount_differs,
    rows,
    run_row,
)


def pushed(manifest: Manifest, *names: str, run_id: str = "push") -> StageScope:
    """Uploaded files of an ended push; the scope of their destination's process items."""
    pusher = Pusher.begin(manifest, run_id)
    pusher.push(*names)
    pusher.end()
    return StageScope(pusher.scope.destination_id, Stage.PROCESS)


def followed(manifest: Manifest, *names: str) -> StageScope:
    scope = pushed(manifest, *names)
    assert manifest.stage_queue.enqueue_next_stage(
        scope.destination_id, Stage.PROCESS, now=NOW + 1
    ) == len(names)
    return scope


def claim(
    manifest: Manifest, scope: StageScope, run_id: str = "a", **more: float
) -> list[WorkItem]:
    found = rows(manifest, "SELECT 1 FROM run WHERE id = ?", run_id)
    if not found:
        manifest.runs.begin(run_row(run_id))
    limit = int(more.get("limit", 100))
    return manifest.stage_queue.claim(scope, run_id=run_id, limit=limit, now=more.get("now", NOW))


def fail(
    manifest: Manifest,
    item: WorkItem,
    run_id: str = "a",
    *,
    due_at: float | None = None,
    is_strike: bool = False,
) -> None:
    missed = FailedItem(item, ErrorClass.RESOURCE, "SIGKILL", None, due_at, 0.1, is_strike)
    manifest.stage_queue.fail([missed], run_id=run_id, now=NOW)


def state_of(manifest: Manifest, item: WorkItem) -> tuple[object, ...]:
    (row,) = rows(
        manifest,
        "SELECT state, attempts, strikes, priority, in_hand, error_class FROM item WHERE id = ?",
        item.item_id,
    )
    return row


def test_what_is_uploaded_follows_once(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg")
    assert (
        manifest.stage_queue.enqueue_next_stage(scope.destination_id, Stage.PROCESS, now=NOW + 2)
        == 0
    )
    assert manifest.stage_queue.counts(scope.destination_id, Stage.PROCESS) == {"ready": 2}
    assert manifest.stage_queue.open_destinations(Stage.PROCESS) == [scope.destination_id]
    assert manifest.stage_queue.open_destinations(Stage.EMBED) == []
    assert not recount_differs(manifest)


def test_what_is_not_uploaded_does_not_follow(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "push")
    (work,) = pusher.record(folder(new=[file("a.jpg")]))
    pusher.failed(work)
    pusher.end()
    assert (
        manifest.stage_queue.enqueue_next_stage(pusher.scope.destination_id, Stage.PROCESS, now=NOW)
        == 0
    )


def test_items_are_claimed_by_one_run_with_a_file_and_the_key(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg")
    first = claim(manifest, scope, limit=1)
    second = claim(manifest, scope, "b")
    assert [(one.path, one.key, one.strikes) for one in first + second] == [
        ("/root/a.jpg", "a.jpg", 0),
        ("/root/b.jpg", "b.jpg", 0),
    ]
    assert claim(manifest, scope, "c") == []
    left = manifest.stage_queue.left([Stage.PROCESS], "a")
    assert (left.ready, left.claimed, left.claimed_by) == (0, 1, (("b", 1),))


def test_of_a_batch_only_its_own_items_are_claimed(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg")
    (item,) = claim(manifest, scope, limit=1)
    fail(manifest, item)
    manifest.retry_queue.requeue([item.item_id], batch_id=77, attempts=10)
    batch = StageScope(scope.destination_id, Stage.PROCESS, 77)
    assert [one.item_id for one in claim(manifest, batch)] == [item.item_id]
    assert manifest.stage_queue.count_left(batch) == 0
    assert manifest.stage_queue.count_left(scope) == 1


def test_urgent_items_come_first_and_struck_ones_last(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg", "c.jpg")
    struck, plain, urgent = claim(manifest, scope)
    fail(manifest, struck, is_strike=True)
    fail(manifest, urgent)
    manifest.stage_queue.release([plain], run_id="a")
    manifest.retry_queue.requeue([urgent.item_id], batch_id=1, attempts=10)
    order = [one.item_id for one in claim(manifest, scope, "b")]
    assert order == [urgent.item_id, plain.item_id, struck.item_id]


def test_a_waiting_item_is_claimed_when_it_is_due(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    fail(manifest, item, due_at=NOW + 60)
    assert state_of(manifest, item)[:3] == ("waiting", 1, 0)
    assert manifest.stage_queue.next_due_at(scope) == NOW + 60
    assert claim(manifest, scope, now=NOW + 59) == []
    assert len(claim(manifest, scope, now=NOW + 60)) == 1


def test_at_three_strikes_an_item_is_dead(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg")
    for strike in (1, 2):
        (item, *_) = [one for one in claim(manifest, scope) if one.name == "a.jpg"]
        manifest.stage_queue.mark_in_worker([item], run_id="a")
        fail(manifest, item, is_strike=True)
        assert state_of(manifest, item) == ("ready", strike, strike, 3, 0, "resource")
    (item,) = claim(manifest, scope)
    fail(manifest, item, is_strike=True)
    assert state_of(manifest, item)[:3] == ("dead", 3, 3)
    (failure,) = rows(manifest, "SELECT path, error_class, error, attempts FROM failures")
    assert failure == ("a.jpg", "resource", "took the worker down three times", 3)
    assert not recount_differs(manifest)


@pytest.mark.parametrize("is_taken_back", [False, True])
def test_a_run_that_vanishes_strikes_what_a_worker_had_and_nothing_else(
    manifest: Manifest, is_taken_back: bool
) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg")
    in_hand, claimed = claim(manifest, scope)
    manifest.stage_queue.mark_in_worker([in_hand], run_id="a")
    if is_taken_back:
        manifest.stage_queue.unmark_in_worker([in_hand], run_id="a")
    assert manifest.runs.reap_dead_runs(lambda run: run.id == "a", now=NOW) == 2
    strikes = 0 if is_taken_back else 1  # it was alone there
    assert state_of(manifest, in_hand)[:3] == ("ready", 0, strikes)
    assert state_of(manifest, claimed)[:3] == ("ready", 0, 0)
    assert manifest.runs.reap_dead_runs(lambda run: run.id == "a", now=NOW) == 0


def vanish_with(manifest: Manifest, scope: StageScope, times: int) -> WorkItem:
    """Runs vanish, one after another, with the only item alone in hand."""
    for number in range(times):
        (item,) = claim(manifest, scope, f"run {number}")
        manifest.stage_queue.mark_in_worker([item], run_id=f"run {number}")
        manifest.runs.reap_dead_runs(lambda run: True, now=NOW)
    return item


def test_runs_that_are_killed_do_not_make_the_last_item_dead(manifest: Manifest) -> None:
    item = vanish_with(manifest, followed(manifest, "a.jpg"), RUN_STRIKES - 1)
    assert state_of(manifest, item) == ("ready", 0, RUN_STRIKES - 1, 3, 0, None)


def test_an_item_that_was_alone_in_hand_in_ten_vanished_runs_is_dead(manifest: Manifest) -> None:
    """Else what takes each run down, not its worker only, would do so for ever."""
    item = vanish_with(manifest, followed(manifest, "a.jpg"), RUN_STRIKES)
    assert state_of(manifest, item) == ("dead", 0, RUN_STRIKES, 3, 0, "resource")
    (error,) = rows(manifest, "SELECT error FROM failures")
    assert error == ("alone in hand when 10 runs were killed",)


@pytest.mark.parametrize(("killed_runs", "state"), [(1, "ready"), (2, "dead"), (5, "dead")])
def test_after_killed_runs_a_worker_lost_in_a_live_run_decides(
    manifest: Manifest, killed_runs: int, state: str
) -> None:
    scope = followed(manifest, "a.jpg")
    vanish_with(manifest, scope, killed_runs)
    (item,) = claim(manifest, scope)
    fail(manifest, item, is_strike=True)
    assert state_of(manifest, item)[:3] == (state, 1, killed_runs + 1)


def test_a_run_that_vanishes_with_several_in_hand_strikes_none_and_makes_all_suspects(
    manifest: Manifest,
) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg", "c.jpg")
    for run_id in ("a", "b", "c", "d", "e"):
        items = claim(manifest, scope, run_id)
        in_hand = [item for item in items if item.name != "c.jpg"]
        assert [item.name for item in items][-2:] == ["a.jpg", "b.jpg"] or run_id == "a"
        assert [bool(item.is_suspect) for item in in_hand] == 2 * [run_id != "a"]
        manifest.stage_queue.mark_in_worker(in_hand, run_id=run_id)
        manifest.runs.reap_dead_runs(lambda run: True, now=NOW)
    assert [state_of(manifest, item)[:4] for item in in_hand] == 2 * [("ready", 0, 0, 3)]
    assert not recount_differs(manifest)


def test_of_suspects_those_with_fewer_strikes_come_first(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg", "b.jpg")
    both = claim(manifest, scope, "a")
    manifest.stage_queue.mark_in_worker(both, run_id="a")
    manifest.runs.reap_dead_runs(lambda run: True, now=NOW)
    for run_id, first in (("b", "a.jpg"), ("c", "b.jpg"), ("d", "a.jpg"), ("e", "b.jpg")):
        (item, _) = claim(manifest, scope, run_id)
        assert item.name == first
        manifest.stage_queue.mark_in_worker([item], run_id=run_id)
        manifest.runs.reap_dead_runs(lambda run: True, now=NOW)
    assert [state_of(manifest, item)[:3] for item in both] == 2 * [("ready", 0, 2)]


def test_uploads_are_never_struck(manifest: Manifest) -> None:
    for run_id in "abcd":
        pusher = Pusher.begin(manifest, run_id)
        if run_id == "a":
            pusher.record(folder(new=[file("a.jpg")]))
            sql(manifest, "UPDATE item SET in_hand = 1")
        manifest.runs.reap_dead_runs(lambda run: True, now=NOW)
    assert rows(manifest, "SELECT state, strikes, in_hand FROM item") == [("ready", 0, 0)]


def test_what_a_stage_does_not_apply_to_is_skipped_in_the_next_one_too(manifest: Manifest) -> None:
    scope = followed(manifest, "a.txt", "b.txt")
    first, second = claim(manifest, scope)
    for item, follows in ((first, Stage.EMBED), (second, None)):
        manifest.stage_queue.skip(
            [SkippedItem(item, "not a picture", 0.1)],
            stage=Stage.PROCESS,
            follows=follows,
            run_id="a",
            now=NOW,
        )
    assert rows(manifest, "SELECT stage, state, reason FROM item WHERE stage <> 'upload'") == [
        ("process", "skipped", "not a picture"),
        ("process", "skipped", "not a picture"),
        ("embed", "skipped", "not a picture"),
    ]
    assert manifest.stage_queue.enqueue_next_stage(scope.destination_id, Stage.EMBED, now=NOW) == 1
    assert manifest.stage_queue.counts(scope.destination_id, Stage.EMBED) == {"skipped": 2}
    assert manifest.stage_queue.redo(scope.destination_id, Stage.PROCESS, limit=1) == 1
    counts = manifest.stage_queue.counts(scope.destination_id, Stage.PROCESS)
    assert (counts["ready"], counts["skipped"]) == (1, 1)
    assert not recount_differs(manifest)


def test_a_failure_of_a_lost_claim_is_nobodys(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    manifest.runs.reap_dead_runs(lambda run: run.id == "a", now=NOW)
    claim(manifest, scope, "b")
    fail(manifest, item, "a")
    assert state_of(manifest, item)[:2] == ("claimed", 0)
    assert rows(manifest, "SELECT count(*) FROM attempt WHERE outcome = 'failed'") == [(0,)]


def test_an_item_of_a_content_that_no_file_has_any_more_ends(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    pusher = Pusher.begin(manifest, "again")
    pusher.record(folder(gone=list(pusher.known().values())))
    sql(manifest, "UPDATE asset SET missing_at = 1")
    assert claim(manifest, scope, "b") == []
    fail(manifest, item, due_at=NOW + 60)
    assert not recount_differs(manifest)


def test_an_item_in_hand_of_a_content_without_files_ends_with_its_run(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    manifest.stage_queue.mark_in_worker([item], run_id="a")
    pusher = Pusher.begin(manifest, "again")
    pusher.record(folder(changed=[(pusher.known()["a.jpg"], file("a.jpg", stamp=2))]))
    assert manifest.runs.reap_dead_runs(lambda run: run.id == "a", now=NOW) == 1
    assert rows(manifest, "SELECT 1 FROM item WHERE stage = 'process'") == []


def test_where_batches_with_open_items_were_to_come(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    assert manifest.batches.begun_with(scope.destination_id, Stage.PROCESS) == []
    pusher = Pusher.begin(manifest, "at work")
    assert manifest.batches.at_work(scope.destination_id) == [{}]
    sql(
        manifest,
        "UPDATE item SET batch_id = ? WHERE stage = 'process'",
        pusher.scope.batch_id,
    )
    pusher.end()
    assert manifest.batches.at_work(scope.destination_id) == []
    assert manifest.batches.begun_with(scope.destination_id, Stage.PROCESS) == [{}]
