"""The manifest as several runs use it at once, over files that change under their hands.

The tree, the store and the runs are simulated; the manifest is real, one connection for each run.
Whatever order things happen in: items are conserved, what is done stays done, nothing is held by
two runs, and no content is sent twice.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from bulkup.content.picture.types import Metadata
from bulkup.errors import ErrorClass
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import (
    FailedItem,
    File,
    ProcessedItem,
    SkippedItem,
    Unreadable,
    VariantRow,
    WorkItem,
)
from bulkup.manifest.runs import RUN_STRIKES, STRIKES
from bulkup.model import Digest, LeftOut, Stage, State
from bulkup.stores.keys import spare_key
from bulkup.walk.diff import compare
from bulkup.walk.listing import FolderListing, in_order
from tests.sql import sql
from tests.unit.manifest.recording import (
    NOW,
    Pusher,
    digest_of,
    folder,
    recount_differs,
    rows,
)

NAMES = ("a.jpg", "b.jpg", "c.jpg", "bad.zip")
CONTENTS = ("one", "two", "three 3")


@dataclass
class Sending:
    work: WorkItem
    key: str
    digest: Digest
    is_stored: bool = False


@dataclass
class Run:
    """A run's memory, which dies with it."""

    pusher: Pusher
    works: list[WorkItem] = field(default_factory=list)
    sending: list[Sending] = field(default_factory=list)
    items: list[WorkItem] = field(default_factory=list)  # of the process stage, claimed
    in_hand: set[int] = field(default_factory=set)  # of these, what a worker has

    @property
    def id(self) -> str:
        return self.pusher.scope.run_id


class SharedManifest(RuleBasedStateMachine):
    """Files come, change and go; runs walk, claim, read, send, settle, end and vanish."""

    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.mkdtemp()
        self.path = f"{self.home}/manifest.db"
        self.manifest = Manifest(self.path)
        self.tree: dict[str, tuple[str, int]] = {}  # name → content, stamp
        self.store: dict[str, Digest] = {}
        self.variants: dict[str, Digest] = {}
        self.alive: dict[str, Run] = {}
        self.settled: set[Digest] = set()
        self.processed: set[int] = set()  # contents, at the one destination
        self.strikes: Counter[int] = Counter()
        self.condemned: set[int] = set()  # items that a live run struck at last
        self.unburied: dict[str, set[int]] = {}  # what workers of vanished runs had in hand
        self.stamp = 0
        self.born = 0
        self.now = NOW

    def teardown(self) -> None:
        try:
            self.drain()
            assert self.rows("PRAGMA foreign_key_check") == []
        finally:
            for run in self.alive.values():
                run.pusher.manifest.close()
            self.manifest.close()
            shutil.rmtree(self.home)

    # The user -----------------------------------------------------------------------------------

    @initialize()
    def take_some_pictures(self) -> None:
        for name, content in zip(NAMES, CONTENTS, strict=False):
            self.write(name, content)

    @rule(name=st.sampled_from(NAMES), content=st.sampled_from(CONTENTS))
    def write(self, name: str, content: str) -> None:
        self.stamp += 1
        self.tree[name] = content, self.stamp

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        self.tree.pop(name, None)

    @rule(name=st.sampled_from(NAMES))
    def touch_back(self, name: str) -> None:
        """The bytes change and size, times and inode do not: nobody can see it."""
        if name in self.tree:
            content, stamp = self.tree[name]
            self.tree[name] = content[::-1], stamp

    # The runs -----------------------------------------------------------------------------------

    @rule(target=runs)
    @precondition(lambda self: len(self.alive) < 3)
    def begin(self) -> str:
        self.born += 1
        run_id = f"run {self.born}"
        self.alive[run_id] = Run(Pusher.begin(Manifest(self.path), run_id))
        return run_id

    @rule(run_id=runs, hand_over=st.integers(0, 3), is_zip_broken=st.booleans())
    def walk(self, run_id: str, hand_over: int, is_zip_broken: bool) -> None:
        run = self.alive[run_id]
        names = in_order([n for n in self.tree if not (is_zip_broken and n == "bad.zip")])
        files = tuple(self.file(name) for name in names)
        left_out = [LeftOut("", "bad.zip", "is encrypted", ErrorClass.INVALID)]
        listing = FolderListing("", files, left_out=left_out if is_zip_broken else ())
        changes = compare(listing, run.pusher.known())
        run.works += run.pusher.record(
            folder(
                new=[File(*row) for row in changes.new],
                changed=[(known, File(*row)) for known, row in changes.changed],
                unchanged=[File(*row) for row in changes.unchanged],
                back=changes.back,
                gone=changes.gone,
                unreadable=[
                    Unreadable(
                        one.folder, one.name, one.error_class or ErrorClass.UNKNOWN, one.reason
                    )
                    for one in changes.broken
                ],
            ),
            hand_over=hand_over,
        )
        run.pusher.manifest.scans.end_walk(run.pusher.scope, [], [], [], now=self.now)

    @rule(run_id=runs, limit=st.integers(1, 3), later=st.sampled_from((0, 100)))
    def claim(self, run_id: str, limit: int, later: int) -> None:
        self.now += later
        run = self.alive[run_id]
        claimed = run.pusher.claim(limit, now=self.now)
        assert len(claimed) <= limit
        run.works += claimed

    @rule(run_id=runs, count=st.integers(1, 3), copy=st.booleans())
    def read(self, run_id: str, count: int, copy: bool) -> None:
        run = self.alive[run_id]
        group, run.works = run.works[:count], run.works[count:]
        there = [work for work in group if work.name in self.tree]
        for work in group:
            if work not in there:
                run.pusher.failed(work, due_at=self.now + 10, error_class=ErrorClass.MISSING)
        outcomes = run.pusher.register(
            *((work, self.tree[work.name][0]) for work in there), copy=copy
        )
        for read, outcome in zip(there, outcomes, strict=True):
            if outcome.key is None:
                continue
            digest = digest_of(self.tree[read.name][0])
            for other in self.alive.values():
                held = {sending.digest for sending in other.sending}
                assert digest not in held, "two senders of one content"
            assert digest not in self.settled, "sent although it is done"
            run.sending.append(Sending(outcome.work, outcome.key, digest))

    @rule(run_id=runs)
    def put(self, run_id: str) -> None:
        run = self.alive[run_id]
        for sending in run.sending:
            if sending.is_stored:
                continue
            if self.store.setdefault(sending.key, sending.digest) != sending.digest:
                self.rekey(run, sending)
            else:
                sending.is_stored = True
            return

    def rekey(self, run: Run, sending: Sending) -> None:
        key = spare_key(sending.key, sending.digest)
        to = run.pusher.scope.destination_id
        queue = run.pusher.manifest.upload_queue
        if queue.rekey(sending.work, destination_id=to, key=key, size_bytes=3):
            sending.key = key
        else:
            run.sending.remove(sending)
            run.pusher.failed(sending.work, error_class=ErrorClass.INVALID)

    @rule(run_id=runs)
    def settle(self, run_id: str) -> None:
        run = self.alive[run_id]
        stored = [sending for sending in run.sending if sending.is_stored]
        run.pusher.done(*((sending.work, sending.key) for sending in stored), now=self.now)
        self.settled |= {sending.digest for sending in stored}
        run.sending = [sending for sending in run.sending if not sending.is_stored]

    @rule(run_id=runs, wait=st.sampled_from((None, 0.0, 50.0)))
    def fail(self, run_id: str, wait: float | None) -> None:
        run = self.alive[run_id]
        for sending in run.sending:
            if not sending.is_stored:
                run.sending.remove(sending)
                due_at = None if wait is None else self.now + wait
                run.pusher.failed(sending.work, due_at=due_at, now=self.now)
                return

    @rule(run_id=runs)
    def give_back(self, run_id: str) -> None:
        run = self.alive[run_id]
        run.pusher.manifest.stage_queue.release(run.works, run_id=run_id)
        run.works = []

    @rule(run_id=consumes(runs))
    def end(self, run_id: str) -> None:
        pusher = self.alive.pop(run_id).pusher
        pusher.end(now=self.now)
        pusher.manifest.close()

    @rule(run_id=consumes(runs))
    def vanish(self, run_id: str) -> None:
        """Killed: its memory is gone, what the store has stays."""
        self.gone(self.alive.pop(run_id))

    def gone(self, run: Run) -> None:
        run.pusher.manifest.close()
        self.unburied[run.id] = run.in_hand

    @rule()
    def reap_dead_runs(self) -> None:
        for in_hand in self.unburied.values():
            if len(in_hand) == 1:  # of several none is known to be to blame
                self.strikes.update(in_hand)
        self.unburied.clear()
        self.manifest.runs.reap_dead_runs(lambda run: run.id not in self.alive, now=self.now)

    # The process stage --------------------------------------------------------------------------

    @rule(run_id=runs)
    def enqueue_next_stage(self, run_id: str) -> None:
        run = self.alive[run_id]
        to = run.pusher.scope.destination_id
        run.pusher.manifest.stage_queue.enqueue_next_stage(to, Stage.PROCESS, now=self.now)

    @rule(run_id=runs, hands=st.integers(0, 2))
    def upload_all_and_go_on(self, run_id: str, hands: int) -> None:
        """Many steps in one, so that what is tested here is not seldom reached."""
        self.walk(run_id, 3, is_zip_broken=False)
        run = self.alive[run_id]
        while run.works:
            self.read(run_id, 10, copy=False)
        for _ in range(2 * len(run.sending)):
            self.put(run_id)
        self.settle(run_id)
        self.enqueue_next_stage(run_id)
        self.claim_to_process(run_id, 2)
        for _ in range(hands):
            self.mark_in_worker(run_id)

    @rule(run_id=runs, limit=st.integers(1, 3))
    def claim_to_process(self, run_id: str, limit: int) -> None:
        run = self.alive[run_id]
        claimed = run.pusher.manifest.stage_queue.claim(
            StageScope(run.pusher.scope.destination_id, Stage.PROCESS),
            run_id=run_id,
            limit=limit,
            now=self.now,
        )
        assert len(claimed) <= limit
        for item in claimed:
            assert item.content_id not in self.processed, "done, and claimed again"
            assert item.strikes == self.strikes[item.item_id]
        run.items += claimed

    @rule(run_id=runs)
    def mark_in_worker(self, run_id: str) -> None:
        run = self.alive[run_id]
        new = [item for item in run.items if item.item_id not in run.in_hand][:1]
        run.pusher.manifest.stage_queue.mark_in_worker(new, run_id=run_id)
        run.in_hand |= {item.item_id for item in new}

    @rule(run_id=runs)
    def unmark_in_worker(self, run_id: str) -> None:
        run = self.alive[run_id]
        held = [item for item in run.items if item.item_id in run.in_hand][:1]
        run.pusher.manifest.stage_queue.unmark_in_worker(held, run_id=run_id)
        run.in_hand -= {item.item_id for item in held}

    @rule(run_id=runs, how=st.sampled_from(("done", "skip", "wait", "die", "strike", "release")))
    def end_of_an_attempt(self, run_id: str, how: str) -> None:
        run = self.alive[run_id]
        if not run.items:
            return
        item = run.items.pop(0)
        run.in_hand.discard(item.item_id)
        later = run.pusher.manifest.stage_queue
        if how == "done":
            self.processed_one(run, item)
        elif how == "skip":
            passed = [SkippedItem(item, "no picture", 0.1)]
            later.skip(
                passed, stage=Stage.PROCESS, follows=Stage.EMBED, run_id=run_id, now=self.now
            )
        elif how == "release":
            later.release([item], run_id=run_id)
        else:
            self.strikes[item.item_id] += how == "strike"
            if how == "strike" and self.strikes[item.item_id] >= STRIKES:
                self.condemned.add(item.item_id)
            due_at = self.now + 50 if how == "wait" else None
            error = (ErrorClass.RESOURCE, "SIGKILL", None, due_at, 0.1, how == "strike")
            later.fail([FailedItem(item, *error)], run_id=run_id, now=self.now)

    def processed_one(self, run: Run, item: WorkItem) -> None:
        key = f".bulkup/thumb/{item.digest[:2]}/{item.digest}.webp"
        self.variants[key] = item.digest
        run.pusher.manifest.pictures.settle(
            [
                ProcessedItem(
                    item,
                    (VariantRow("thumb", key, 1, item.digest, None),),
                    Metadata(1, 1, "JPEG"),
                    0.1,
                )
            ],
            follows=Stage.EMBED,
            destination_id=run.pusher.scope.destination_id,
            run_id=run.id,
            now=self.now,
        )
        self.processed.add(item.content_id)

    # What always holds --------------------------------------------------------------------------

    @invariant()
    def tallies_are_a_recount(self) -> None:
        assert not recount_differs(self.manifest)

    @invariant()
    def contents_count_their_assets(self) -> None:
        assert not self.rows(
            "SELECT id FROM content WHERE assets <> "
            "(SELECT count(*) FROM asset WHERE content_id = content.id)"
        )
        assert not self.rows(
            "SELECT id FROM asset WHERE content_id NOT IN (SELECT id FROM content)"
        )

    @invariant()
    def every_content_with_an_asset_has_its_item(self) -> None:
        assert not self.rows(
            "SELECT id FROM content WHERE (assets > 0) <> EXISTS "
            "(SELECT 1 FROM item WHERE content_id = content.id AND live)"
        )
        assert not self.rows(
            "SELECT id FROM item WHERE NOT live AND state NOT IN ('done', 'claimed', 'skipped')"
        )
        status = self.manifest.reports.status()
        assert status.unique == sum(status.stages[Stage.UPLOAD].states.values())

    @invariant()
    def what_is_done_stays_done(self) -> None:
        done = {
            bytes(row[0]).hex()  # type: ignore[call-overload]
            for row in self.rows(
                "SELECT digest FROM item JOIN content ON content.id = content_id "
                "WHERE state = 'done'"
            )
        }
        assert done == self.settled

    @invariant()
    def what_is_done_is_at_the_destination_under_one_key(self) -> None:
        stored = self.rows(
            "SELECT key, lower(hex(digest)) FROM object JOIN content ON content.id = content_id "
            "WHERE kind = 'original' AND stored_at IS NOT NULL"
        )
        assert sorted(str(digest) for _, digest in stored) == sorted(self.settled)
        assert all(self.store[str(key)] == digest for key, digest in stored)

    @invariant()
    def what_is_processed_stays_so_and_goes_on(self) -> None:
        done = self.rows("SELECT content_id FROM item WHERE stage = 'process' AND state = 'done'")
        assert {row[0] for row in done} == self.processed
        # As each run does at its end: a content that lost its last file lost its open items, too,
        # and has to get them again with its next file.
        for (to,) in self.rows("SELECT id FROM destination"):
            assert isinstance(to, int)
            self.manifest.stage_queue.enqueue_next_stage(to, Stage.EMBED, now=self.now)
        assert not self.rows(
            "SELECT id FROM item AS one WHERE stage = 'process' AND state IN ('done', 'skipped') "
            "AND live AND NOT EXISTS (SELECT 1 FROM item WHERE content_id = one.content_id "
            "AND stage = 'embed')"
        )
        variants = self.rows("SELECT key FROM object WHERE kind = 'thumb'")
        assert {row[0] for row in variants} == set(self.variants)

    @invariant()
    def what_is_processed_was_uploaded(self) -> None:
        assert not self.rows(
            "SELECT id FROM item AS one WHERE stage = 'process' AND NOT EXISTS (SELECT 1 FROM item "
            "WHERE content_id = one.content_id AND stage = 'upload' AND state = 'done')"
        )

    @invariant()
    def what_is_held_to_be_processed_is_one_runs(self) -> None:
        query = "SELECT id, run_id FROM item WHERE state = 'claimed' AND stage = 'process'"
        claims = dict(self.rows(query))
        for run in self.alive.values():
            for item in run.items:
                assert claims[item.item_id] == run.id
        in_hand = {row[0] for row in self.rows("SELECT id FROM item WHERE in_hand")}
        assert {one for run in self.alive.values() for one in run.in_hand} <= in_hand

    @invariant()
    def strikes_are_counted_and_the_third_of_a_live_run_is_the_end(self) -> None:
        for item_id, strikes, state in self.rows(
            "SELECT id, strikes, state FROM item WHERE stage = 'process'"
        ):
            assert strikes == self.strikes[int(str(item_id))]
            is_over = item_id in self.condemned or int(str(strikes)) >= RUN_STRIKES
            assert not is_over or state == "dead"
        assert not self.rows("SELECT id FROM item WHERE stage = 'upload' AND strikes > 0")

    @invariant()
    def a_content_has_one_key(self) -> None:
        assert not self.rows(
            "SELECT content_id FROM object WHERE kind = 'original' GROUP BY content_id "
            "HAVING count(*) > 1"
        )

    @invariant()
    def a_claim_is_one_runs(self) -> None:
        claims = dict(self.rows("SELECT id, run_id FROM item WHERE state = 'claimed'"))
        for run in self.alive.values():
            for sending in run.sending:
                assert claims.get(sending.work.item_id) == run.id
        held = [w.item_id for run in self.alive.values() for w in run.works]
        mine = [
            w.item_id
            for run in self.alive.values()
            for w in run.works
            if claims.get(w.item_id) == run.id
        ]
        assert len(set(mine)) == len(mine)
        assert set(mine) <= set(held)

    # The end ------------------------------------------------------------------------------------

    def drain(self) -> None:
        """All runs vanish, and one more comes: then every file's bytes are there."""
        for run in self.alive.values():
            self.gone(run)
        self.alive.clear()
        self.reap_dead_runs()
        sql(self.manifest, "UPDATE item SET state = 'ready', strikes = 0 WHERE state = 'dead'")
        self.strikes.clear()
        self.condemned.clear()
        for item_id, strikes in self.rows("SELECT id, strikes FROM item WHERE stage = 'process'"):
            self.strikes[int(str(item_id))] = int(str(strikes))
        run_id = self.begin()
        self.walk(run_id, 1, is_zip_broken=False)
        run = self.alive[run_id]
        for _ in range(30):
            self.now += 100
            self.claim(run_id, 10, 0)
            while run.works:
                self.read(run_id, 10, copy=False)
            while any(not sending.is_stored for sending in run.sending):
                self.put(run_id)
            self.settle(run_id)
        there = {
            str(path): (str(state), str(key))
            for path, state, key in self.rows(
                "SELECT path, upload, key FROM files WHERE missing_since IS NULL"
            )
        }
        assert set(there) == set(self.tree)
        assert {state for state, _ in there.values()} <= {State.DONE}
        self.enqueue_next_stage(run_id)
        self.claim_to_process(run_id, 100)
        while run.items:
            self.end_of_an_attempt(run_id, "done")
        assert not self.rows(
            "SELECT path FROM files WHERE missing_since IS NULL "
            "AND coalesce(process, '') NOT IN ('done', 'skipped')"
        )
        self.end(run_id)
        assert not self.rows("SELECT id FROM item WHERE state = 'claimed'")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return rows(self.manifest, query)

    def file(self, name: str) -> File:
        content, stamp = self.tree[name]
        return File(name, len(content), stamp * 1_000_000_000, stamp, stamp)


TestSharedManifest = SharedManifest.TestCase
TestSharedManifest.settings = settings(
    max_examples=80,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
