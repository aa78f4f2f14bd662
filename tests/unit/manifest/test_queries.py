"""The views that others may rely on, and that questions about the queue use an index."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkup.errors import ErrorClass
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.queue.uploads import Left
from bulkup.manifest.reports.status import percentile
from bulkup.manifest.rows import Unreadable, bucket_ms, latency_bucket
from bulkup.model import Stage, State
from tests.sql import connection_to, plans, sql, statements
from tests.unit.manifest.recording import (
    NOW,
    Pusher,
    digest_of,
    file,
    folder,
    recount_differs,
    rows,
    states,
)

COLUMNS = {
    "files": "root path size_bytes modified_at digest media_type destination key upload process "
    "embed missing_since asset_id host",
    "failures": "root path digest stage state error_class error attempts next_attempt_at "
    "destination item accepted",
    "progress": "destination stage state items bytes",
    "batches": "id run command host pid destination roots started_at ended_at exit_code files "
    "sent sent_bytes duplicates duplicate_bytes seconds processed embedded error",
    "pictures": "root path digest size_bytes width_px height_px format orientation taken_at camera "
    "lens f_number exposure_seconds iso focal_length_mm latitude longitude altitude_metres "
    "perceptual_hash is_truncated rating title description keywords taken_from host",
    "albums": "album source root path digest asset_id host",
    "pairs": "kind root path partner digest partner_digest",
    "takeout": "export folder json title taken_at asset_id",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_keeps_its_columns(manifest: Manifest, view: str) -> None:
    found = connection_to(manifest).execute(f"SELECT * FROM {view}")
    assert [column[0] for column in found.description] == COLUMNS[view].split()


def test_rows_may_be_left_unread(manifest: Manifest) -> None:
    """As `bulkup files | head` does: the manifest is closed before the rows are released."""
    Pusher.begin(manifest, "a").push("x.jpg", "y.jpg")
    found = manifest.reports.files(None)
    assert next(found).path.endswith("x.jpg")
    manifest.close()
    found.close()  # type: ignore[attr-defined]  # a generator


def test_views_say_what_happened(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    pusher.push("x.jpg")
    (work,) = pusher.record(folder("sub/", new=[file("y.jpg")]))
    pusher.failed(work, due_at=NOW + 60, error_class=ErrorClass.RATE_LIMIT)
    pusher.record(
        folder(unreadable=[Unreadable("", "locked/", ErrorClass.AUTH, "permission denied")])
    )
    pusher.end()
    assert rows(manifest, "SELECT path, upload, key FROM files ORDER BY path") == [
        ("locked/", "dead", None),
        ("sub/y.jpg", "waiting", None),
        ("x.jpg", "done", "x.jpg"),
    ]
    assert rows(manifest, "SELECT path FROM files WHERE digest IS NULL ORDER BY path") == [
        ("locked/",),
        ("sub/y.jpg",),
    ]
    assert rows(manifest, "SELECT digest FROM failures") == [(None,), (None,)]
    assert rows(
        manifest,
        "SELECT path, state, error_class, attempts, next_attempt_at FROM failures "
        "ORDER BY state DESC",
    ) == [
        ("sub/y.jpg", "waiting", "rate_limit", 1, "2027-01-15T08:01:00Z"),
        ("locked/", "dead", "auth", 1, None),
    ]
    assert rows(manifest, "SELECT state, items FROM progress ORDER BY state") == [
        ("dead", 1),
        ("done", 1),
        ("waiting", 1),
    ]
    assert rows(manifest, "SELECT run, roots, ended_at, exit_code, files FROM batches") == [
        ("a", "/root", "2027-01-15T08:00:00Z", 0, 1)
    ]


def test_a_copy_of_what_a_file_held_earlier_is_not_its_key(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    works = pusher.record(folder(new=[file("0.jpg"), file("1.jpg")]))
    first, _ = pusher.register(*((work, "same") for work in works), copy=True)
    pusher.done((first.work, "0.jpg"))
    queue, to = manifest.upload_queue, pusher.scope.destination_id
    queue.settle_copies([(queue.copies(to, limit=1)[0], None)], destination_id=to, now=NOW)
    known = pusher.known()["1.jpg"]
    (work,) = pusher.record(folder(changed=[(known, file("1.jpg", stamp=2))]))
    assert rows(manifest, "SELECT key FROM files WHERE path = '1.jpg'") == [(None,)]
    (outcome,) = pusher.register((work, "other"))
    pusher.done((outcome.work, outcome.key or ""))
    assert rows(manifest, "SELECT key FROM files WHERE path = '1.jpg'") == [(outcome.key,)]


def test_an_unread_file_that_goes_leaves_nothing_and_a_read_one_is_missing(
    manifest: Manifest,
) -> None:
    pusher = Pusher.begin(manifest, "a")
    pusher.push("read.jpg")
    pusher.record(folder(new=[file("unread.jpg")]), hand_over=0)
    pusher.record(folder(gone=list(pusher.known().values())))
    status = manifest.reports.status()
    assert (status.assets, status.missing, status.unique) == (1, 1, 1)
    pusher.record(folder(back=list(pusher.known().values())))
    assert manifest.reports.status().missing == 0
    assert not recount_differs(manifest)


def test_claims_come_urgent_first_then_oldest(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    pusher.record(folder(new=[file(f"{n}.jpg") for n in range(4)]), hand_over=0)
    for priority, name in ((2, "0.jpg"), (0, "3.jpg")):
        sql(
            manifest,
            "UPDATE item SET priority = ? WHERE content_id = "
            "(SELECT content_id FROM asset WHERE name = ?)",
            priority,
            name,
        )
    assert [work.name for work in pusher.claim(2)] == ["3.jpg", "1.jpg"]
    assert [work.name for work in pusher.claim(9)] == ["2.jpg", "0.jpg"]


def test_waiting_items_are_claimed_when_they_fall_due(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    (work,) = pusher.record(folder(new=[file("x.jpg")]))
    pusher.failed(work, due_at=NOW + 60)
    assert manifest.stage_queue.next_due_at(pusher.uploads) == NOW + 60
    assert not pusher.claim(now=NOW + 59)
    assert [one.attempts for one in pusher.claim(now=NOW + 60)] == [1]
    assert manifest.stage_queue.next_due_at(pusher.uploads) is None


def test_two_runs_never_claim_the_same(manifest: Manifest) -> None:
    one, other = Pusher.begin(manifest, "one"), Pusher.begin(manifest, "other")
    one.record(folder(new=[file(f"{n}.jpg") for n in range(5)]), hand_over=0)
    other.record(folder(unchanged=[file(f"{n}.jpg") for n in range(5)]))
    with Manifest(manifest.path) as second:
        other.manifest = second
        names = [work.name for work in [*other.claim(3), *one.claim(9), *other.claim(9)]]
    assert sorted(names) == [f"{n}.jpg" for n in range(5)]


def test_what_is_left_separates_this_run_from_others(manifest: Manifest) -> None:
    one, other = Pusher.begin(manifest, "one"), Pusher.begin(manifest, "other")
    works = one.record(folder(new=[file(f"{n}.jpg") for n in range(4)]), hand_over=3)
    one.failed(works[0], due_at=None)
    one.failed(works[1], due_at=NOW + 9)
    scope = other.scope
    other.record(folder(unchanged=[file(f"{n}.jpg") for n in range(4)]))
    left = manifest.upload_queue.left([scope.batch_id], "other")
    assert left == Left(
        ready=1,
        waiting=1,
        dead=1,
        claimed=1,
        claimed_by=(("one", 1),),
        failures=(("network", 2),),
        by_stage=left.by_stage,
    )
    assert set(left.by_stage) == {
        ("upload", state, 1) for state in ("ready", "waiting", "dead", "claimed")
    }
    assert manifest.upload_queue.left([scope.batch_id], "one").claimed == 0


def test_reaping_a_dead_run_returns_uploads_and_strikes_the_other_stages(
    manifest: Manifest,
) -> None:
    pusher = Pusher.begin(manifest, "a")
    pusher.record(folder(new=[file("x.jpg")]))
    sql(
        manifest,
        "INSERT INTO item (content_id, destination_id, stage, state, size_bytes, run_id, in_hand, "
        "strikes) VALUES (1, 1, 'process', 'claimed', 3, 'a', 1, 9)",
    )
    assert manifest.runs.reap_dead_runs(lambda run: run.id == "nobody", now=NOW) == 0
    assert manifest.runs.reap_dead_runs(lambda run: run.id == "a", now=NOW) == 2
    assert manifest.runs.reap_dead_runs(lambda run: True, now=NOW) == 0
    assert rows(manifest, "SELECT stage, state, strikes, error_class FROM item ORDER BY id") == [
        ("upload", "ready", 0, None),
        ("process", "dead", 10, "resource"),
    ]
    assert not recount_differs(manifest)


def test_paths_that_are_no_utf8_come_back_as_they_were(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    name = "caf\udce9.jpg"
    (work,) = pusher.record(folder("d\udcff/", new=[file(name)]))
    assert (work.folder, work.name) == ("d\udcff/", name)
    manifest.stage_queue.release([work], run_id="a")
    assert [one.name for one in pusher.claim()] == [name]
    assert list(pusher.known("d\udcff/")) == [name]


@pytest.mark.parametrize("ms", [0.1, 1, 3.7, 100, 2500, 60_000])
def test_a_latency_bucket_is_right_within_nine_percent(ms: float) -> None:
    assert bucket_ms(latency_bucket(ms / 1000)) == pytest.approx(ms, rel=0.09)


def test_percentiles_are_those_of_the_histogram() -> None:
    histogram = [(0, 50), (8, 45), (16, 4), (24, 1)]
    assert [percentile(histogram, share) for share in (0.5, 0.95, 0.99, 1.0)] == [1, 2, 4, 8]
    assert percentile([], 0.5) is None


def test_latencies_are_counted_by_stage(manifest: Manifest) -> None:
    Pusher.begin(manifest, "a").push("x.jpg", "y.jpg")
    upload = manifest.reports.status().stages[Stage.UPLOAD]
    assert upload.p50_ms == pytest.approx(10, rel=0.09)
    assert (upload.states[State.DONE], upload.bytes_done) == (2, 10)
    assert states(manifest) == {"x.jpg": "done", "y.jpg": "done"}


# With many of them ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manifest]:
    """200,000 items; of a thousand one waits, one is claimed, one dead, the rest done or not."""
    path: Path = tmp_path_factory.mktemp("crowded") / "manifest.db"
    manifest = Manifest(str(path))
    Pusher.begin(manifest, "a")
    connection_to(manifest).executescript(
        """
        BEGIN;
        DROP TRIGGER item_counted;
        DROP TRIGGER asset_counted;
        CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
          (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n;
        INSERT INTO folder (id, root_id, path) SELECT i, 1, 'd' || i || '/' FROM n WHERE i <= 200;
        INSERT INTO content (id, digest, size_bytes) SELECT i, CAST(i AS BLOB), 3 FROM n;
        INSERT INTO asset SELECT i, 1 + i / 1001, i || '.jpg', 3, 0, 0, 0, i, NULL, 0, 0 FROM n;
        INSERT INTO item (id, content_id, destination_id, stage, state, size_bytes, batch_id,
          run_id, due_at, error_class)
          SELECT i, i, 1, 'upload',
            CASE WHEN i % 1000 = 1 THEN 'waiting' WHEN i % 1000 = 2 THEN 'claimed'
              WHEN i % 1000 = 3 THEN 'dead' WHEN i % 2 THEN 'done' ELSE 'ready' END,
            3, 1, CASE WHEN i % 1000 = 2 THEN 'b' END, CASE WHEN i % 1000 = 1 THEN 9e9 ELSE 0 END,
            CASE WHEN i % 1000 IN (1, 3) THEN 'network' END
          FROM n;
        COMMIT;
        """
    )
    with manifest:
        yield manifest


def plan_of(manifest: Manifest, ask: Callable[[], object]) -> list[str]:
    """How SQLite goes about every statement of a question."""
    with statements() as sent:
        ask()
    return [step for plan in plans(manifest, sent) for step in plan]


UPLOADS = StageScope(1, Stage.UPLOAD, 1)


def test_questions_about_the_queue_use_an_index_and_are_quick(crowded: Manifest) -> None:
    queue = crowded.upload_queue
    questions = {
        "claim": lambda: crowded.stage_queue.claim(UPLOADS, run_id="a", limit=100, now=NOW),
        "next due": lambda: crowded.stage_queue.next_due_at(UPLOADS),
        "pending": lambda: queue.has_pending(1),
        "status": crowded.reports.status,
        "sources": lambda: queue.sources(100_000),
    }
    small = ("destination", "tally", "latency", "asset_tally", "CONSTANT", "json_each", "(subquery")
    small += ("known",)  # failures that were accepted
    for name, ask in questions.items():
        steps = plan_of(crowded, ask)
        scans = [
            step
            for step in steps
            if step.startswith("SCAN")
            and "USING" not in step
            and not any(table in step for table in small)
        ]
        assert not scans, f"{name}: {scans}"
        took = []
        for _ in range(7):
            began = time.perf_counter()
            ask()
            took.append(time.perf_counter() - began)
        assert min(took) < 0.005, f"{name}: {min(took) * 1000:.1f} ms"


def test_what_is_left_is_counted_from_the_few_that_failed(crowded: Manifest) -> None:
    steps = plan_of(crowded, lambda: crowded.upload_queue.left([1], "a"))
    assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step]
    assert not [step for step in steps if "asset_name" in step], "from items to files only"


def test_a_claim_is_taken_while_another_connection_reads(crowded: Manifest) -> None:
    reader = sqlite3.connect(crowded.path)
    slow = reader.execute("SELECT * FROM files")
    slow.fetchone()
    began = time.perf_counter()
    crowded.stage_queue.claim(UPLOADS, run_id="a", limit=10, now=NOW)
    assert time.perf_counter() - began < 1.0
    reader.close()


def _duplicate(pusher: Pusher) -> None:
    """A file of a content that waits: its key is asked for."""
    first, second = pusher.record(folder(new=[file("1.jpg"), file("2.jpg")]))
    pusher.register((first, "same"))
    pusher.register((first._replace(digest=digest_of("same")), "same"), (second, "same"))


BY_CONTENT = {
    "files": lambda manifest, other: list(manifest.reports.files(None)),
    "copies": lambda manifest, other: manifest.upload_queue.copies(1, limit=10),
    "open copies": lambda manifest, other: manifest.retry_queue.open_copies(),
    "rekey": lambda manifest, other: manifest.upload_queue.rekey(
        other.record(folder(new=[file("y.jpg")]))[0],
        destination_id=1,
        key="z.jpg",
        size_bytes=3,
    ),
    "register": lambda manifest, other: _duplicate(other),
}


@pytest.mark.parametrize("question", BY_CONTENT)
def test_objects_are_found_by_content_without_a_look_at_all_of_them(
    manifest: Manifest, question: str
) -> None:
    """Not by the destination alone, which is what most objects share."""
    Pusher.begin(manifest, "a").push("x.jpg")
    other = Pusher.begin(manifest, "b")
    steps = plan_of(manifest, lambda: BY_CONTENT[question](manifest, other))
    assert not [s for s in steps if "PRIMARY KEY (destination_id=?)" in s or "SCAN original" in s]
