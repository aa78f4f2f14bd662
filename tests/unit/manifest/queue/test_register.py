"""Who sends which content under which key; and what becomes of works that are ours no longer."""

from __future__ import annotations

from bulkup.manifest.manifest import Manifest
from bulkup.model import State
from bulkup.stores.keys import spare_key
from tests.unit.manifest.recording import (
    NOW,
    Pusher,
    digest_of,
    file,
    folder,
    recount_differs,
    rows,
    run_row,
    states,
)


def keys(manifest: Manifest) -> dict[str, str]:
    """Kind by key, of all that is reserved or stored."""
    return {str(k): str(v) for k, v in rows(manifest, "SELECT key, kind FROM object ORDER BY key")}


def test_each_new_content_is_sent_under_its_own_key(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    works = pusher.record(folder("sub/", new=[file("x.jpg"), file("y.jpg")]))
    outcomes = pusher.register((works[0], "one"), (works[1], "two"))
    assert [one.key for one in outcomes] == ["sub/x.jpg", "sub/y.jpg"]
    assert states(manifest) == {"sub/x.jpg": "claimed", "sub/y.jpg": "claimed"}


def test_of_the_same_bytes_in_one_group_the_first_is_sent(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    works = pusher.record(folder(new=[file(f"{n}.jpg") for n in range(3)]))
    outcomes = pusher.register(*((work, "same") for work in works))
    assert [one.key for one in outcomes] == ["0.jpg", None, None]
    pusher.done((outcomes[0].work, "0.jpg"))
    assert states(manifest) == dict.fromkeys(("0.jpg", "1.jpg", "2.jpg"), "done")
    assert manifest.reports.status().unique == 1
    assert not recount_differs(manifest)


def test_copies_in_one_group_never_take_the_originals_key(manifest: Manifest) -> None:
    """By --layout content all copies have the original's own key: none is made."""
    pusher = Pusher.begin(manifest, "a")
    works = pusher.record(folder(new=[file("0.jpg"), file("1.jpg")]))
    outcomes = pusher.register(*((work, "same") for work in works), copy=True, key="ab/cd/abcd.jpg")
    assert [one.key for one in outcomes] == ["ab/cd/abcd.jpg", None]
    assert keys(manifest) == {"ab/cd/abcd.jpg": "original"}


def test_a_duplicate_may_be_noted_for_a_copy_under_its_own_key(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    works = pusher.record(folder(new=[file("0.jpg"), file("1.jpg")]))
    first, _ = pusher.register(*((work, "same") for work in works), copy=True)
    queue, to = manifest.upload_queue, pusher.scope.destination_id
    assert not queue.copies(to, limit=9), "not before the original is there"
    pusher.done((first.work, "0.jpg"))
    (copy,) = queue.copies(to, limit=9)
    assert (copy.source_key, copy.key, copy.path) == ("0.jpg", "1.jpg", "/root/1.jpg")
    queue.settle_copies([(copy, "etag")], destination_id=to, now=NOW)
    assert not queue.copies(to, limit=9)
    assert rows(manifest, "SELECT path, key FROM files ORDER BY path") == [
        ("0.jpg", "0.jpg"),
        ("1.jpg", "1.jpg"),
    ]


def test_a_content_of_another_root_is_a_duplicate(manifest: Manifest) -> None:
    Pusher.begin(manifest, "a").push("x.jpg", content="same")
    other = Pusher.begin(manifest, "b", root="/other")
    (work,) = other.record(folder(new=[file("y.jpg")]))
    assert [one.key for one in other.register((work, "same"))] == [None]
    assert not other.manifest.upload_queue.has_pending(other.scope.destination_id)


def test_another_destination_gets_the_content_too(manifest: Manifest) -> None:
    Pusher.begin(manifest, "a").push("x.jpg", content="same")
    other = Pusher.begin(manifest, "b", root="/other", to="/elsewhere")
    (work,) = other.record(folder(new=[file("y.jpg")]))
    (outcome,) = other.register((work, "same"))
    assert outcome.key == "y.jpg"
    assert not recount_differs(manifest)


def test_a_key_of_another_content_is_never_used_again(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    pusher.push("x.jpg", content="old")
    (known,) = pusher.known().values()
    (work,) = pusher.record(folder(changed=[(known, file("x.jpg", stamp=2))]))
    (outcome,) = pusher.register((work, "new"))
    assert outcome.key is not None
    assert outcome.key.startswith("x~")


def test_a_file_with_a_new_time_and_its_old_bytes_is_the_same(manifest: Manifest) -> None:
    """Also where it was touched again before it was read; with other bytes it is not."""
    pusher = Pusher.begin(manifest, "a")
    pusher.push("x.jpg", "y.jpg", "z.jpg")
    pusher.end()
    later = Pusher.begin(manifest, "b")
    for stamp in (2, 3):
        known = later.known()
        works = later.record(folder(changed=[(known[n], file(n, stamp=stamp)) for n in known]))
    outcomes = later.register((works[0], "x.jpg"), (works[1], "new"), (works[2], "x.jpg"))
    assert [(one.key, one.is_same) for one in outcomes] == [
        (None, True),
        (spare_key("y.jpg", digest_of("new")), False),
        (None, False),  # it has another file's bytes now: a duplicate
    ]
    assert states(manifest)["x.jpg"] == "done"
    assert not recount_differs(manifest)


def test_a_key_that_was_only_reserved_is_free_again_when_its_content_is_gone(
    manifest: Manifest,
) -> None:
    """A file that failed and was then edited goes under its own name, not under a spare one."""
    pusher = Pusher.begin(manifest, "a")
    (work,) = pusher.record(folder(new=[file("x.jpg")]))
    pusher.register((work, "old"))
    pusher.failed(work, due_at=NOW + 10)
    pusher.end()
    later = Pusher.begin(manifest, "b")
    (known,) = later.known().values()
    (work,) = later.record(folder(changed=[(known, file("x.jpg", stamp=2))]))
    (outcome,) = later.register((work, "new"))
    assert outcome.key == "x.jpg"


def test_bytes_that_changed_since_they_were_registered_get_a_content_of_their_own(
    manifest: Manifest,
) -> None:
    pusher = Pusher.begin(manifest, "a")
    (work,) = pusher.record(folder(new=[file("x.jpg")]))
    pusher.register((work, "old"))
    pusher.failed(work, due_at=NOW)
    (again,) = pusher.claim(now=NOW + 1)
    (outcome,) = pusher.register((again, "new"))
    assert outcome.key == "x.jpg"
    assert outcome.work.item_id != again.item_id
    pusher.done((outcome.work, "x.jpg"))
    assert states(manifest) == {"x.jpg": "done"}
    assert manifest.reports.status().stages["upload"].states[State.WAITING] == 0  # type: ignore[index]
    assert not recount_differs(manifest)


def test_a_waiting_content_that_turns_up_again_keeps_its_attempts(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    (work,) = pusher.record(folder(new=[file("x.jpg")]))
    pusher.register((work, "same"))
    pusher.failed(work, due_at=NOW + 60)
    (copy,) = pusher.record(folder("b/", new=[file("y.jpg")]))
    (outcome,) = pusher.register((copy, "same"))
    assert (outcome.key, outcome.work.attempts) == ("x.jpg", 1)


# Works that were lost meanwhile ---------------------------------------------------------------


def test_a_file_that_vanished_while_it_was_read_leaves_nothing(manifest: Manifest) -> None:
    """Another run's walk saw that it is gone; ids that are free again do not confuse anybody."""
    slow, quick = Pusher.begin(manifest, "slow"), Pusher.begin(manifest, "quick")
    (work,) = slow.record(folder(new=[file("x.jpg")]))
    quick.record(folder(gone=list(quick.known().values())))
    (other,) = quick.record(folder(new=[file("y.jpg")]))
    assert [one.key for one in slow.register((work, "old"))] == [None]
    assert rows(manifest, "SELECT run_id FROM item") == [("quick",)]
    (outcome,) = quick.register((other, "new"))
    quick.done((outcome.work, outcome.key or ""))
    assert states(manifest) == {"y.jpg": "done"}
    assert manifest.reports.status().unique == 1
    assert not recount_differs(manifest)


def test_a_file_that_another_run_found_changed_is_that_runs_to_send(manifest: Manifest) -> None:
    slow, quick = Pusher.begin(manifest, "slow"), Pusher.begin(manifest, "quick")
    (work,) = slow.record(folder(new=[file("x.jpg")]))
    (known,) = quick.known().values()
    (newer,) = quick.record(folder(changed=[(known, file("x.jpg", stamp=2))]))
    assert [one.key for one in slow.register((work, "new"))] == [None]
    assert [one.key for one in quick.register((newer, "new"))] == ["x.jpg"]
    assert manifest.reports.status().unique == 1
    assert not recount_differs(manifest)


def test_a_shared_content_whose_one_file_changed_is_ready_for_the_other(
    manifest: Manifest,
) -> None:
    slow, quick = Pusher.begin(manifest, "slow"), Pusher.begin(manifest, "quick")
    works = slow.record(folder(new=[file("x.jpg"), file("y.jpg")]))
    first, _ = slow.register(*((work, "same") for work in works))
    slow.failed(first.work, due_at=NOW)
    (again,) = slow.claim(now=NOW + 1)
    assert again.name == "x.jpg"
    known = quick.known()["x.jpg"]
    (newer,) = quick.record(folder(changed=[(known, file("x.jpg", stamp=2))]))
    assert [one.key for one in slow.register((again, "new"))] == [None]
    assert states(manifest) == {"x.jpg": "claimed", "y.jpg": "ready"}
    (other,) = slow.claim(now=NOW + 1)
    assert other.name == "y.jpg"
    assert [one.key for one in slow.register((other, "same"))] == ["x.jpg"]
    assert [one.key for one in quick.register((newer, "new"))] != ["x.jpg"]


def test_a_run_that_was_taken_for_dead_sends_nothing_more(manifest: Manifest) -> None:
    asleep, heir = Pusher.begin(manifest, "asleep"), Pusher.begin(manifest, "heir")
    (work,) = asleep.record(folder(new=[file("x.jpg")]))
    manifest.runs.reap_dead_runs(lambda run: run.id == "asleep", now=NOW)
    heir.record(folder(unchanged=[file("x.jpg")]))
    (mine,) = heir.claim()
    assert [one.key for one in asleep.register((work, "x"))] == [None]
    assert [one.key for one in heir.register((mine, "x"))] == ["x.jpg"]


def test_a_late_settlement_does_not_touch_another_runs_claim(manifest: Manifest) -> None:
    asleep, heir = Pusher.begin(manifest, "asleep"), Pusher.begin(manifest, "heir")
    (work,) = asleep.record(folder(new=[file("x.jpg")]))
    asleep.register((work, "x"))
    manifest.runs.reap_dead_runs(lambda run: run.id == "asleep", now=NOW)
    heir.record(folder(unchanged=[file("x.jpg")]))
    heir.claim()
    asleep.failed(work, due_at=None)
    assert rows(manifest, "SELECT state, run_id, attempts FROM item") == [("claimed", "heir", 0)]
    assert rows(manifest, "SELECT * FROM attempt") == []


def test_what_a_run_that_was_taken_for_dead_has_stored_counts_all_the_same(
    manifest: Manifest,
) -> None:
    """The next sender learns from the store that the key holds its content."""
    asleep, heir = Pusher.begin(manifest, "asleep"), Pusher.begin(manifest, "heir")
    (work,) = asleep.record(folder(new=[file("x.jpg")]))
    asleep.register((work, "x"))
    manifest.runs.reap_dead_runs(lambda run: run.id == "asleep", now=NOW)
    heir.record(folder(unchanged=[file("x.jpg")]))
    (mine,) = heir.claim()
    asleep.done((work, "x.jpg"))
    heir.done((mine, "x.jpg"))
    assert states(manifest) == {"x.jpg": "done"}
    assert rows(manifest, "SELECT count(*) FROM object WHERE stored_at IS NOT NULL") == [(1,)]
    assert not recount_differs(manifest)


def test_an_item_whose_last_file_went_while_it_failed_is_not_kept(manifest: Manifest) -> None:
    slow, quick = Pusher.begin(manifest, "slow"), Pusher.begin(manifest, "quick")
    (work,) = slow.record(folder(new=[file("x.jpg")]))
    slow.register((work, "old"))
    (known,) = quick.known().values()
    quick.record(folder(changed=[(known, file("x.jpg", stamp=2))]), hand_over=0)
    slow.failed(work, due_at=NOW)
    assert not slow.claim(now=NOW + 1), "nobody has these bytes any more"
    assert rows(manifest, "SELECT count(*) FROM item WHERE NOT live") == [(0,)]
    (newer,) = quick.claim()
    assert [one.key for one in quick.register((newer, "new"))] == ["x.jpg"]


def test_an_item_whose_last_file_went_is_not_kept_when_its_run_ends(manifest: Manifest) -> None:
    for how in ("release", "end", "reap"):
        slow = Pusher.begin(manifest, f"slow {how}", root=f"/{how}")
        quick = Pusher.begin(manifest, f"quick {how}", root=f"/{how}")
        (work,) = slow.record(folder(new=[file("x.jpg")]))
        slow.register((work, f"old {how}"), key=f"{how}.jpg")
        (known,) = quick.known().values()
        quick.record(folder(changed=[(known, file("x.jpg", stamp=2))]), hand_over=0)
        if how == "release":
            manifest.stage_queue.release([work], run_id=slow.scope.run_id)
        elif how == "end":
            slow.end()
        else:
            manifest.runs.reap_dead_runs(lambda run, me=slow.scope.run_id: run.id == me, now=NOW)  # type: ignore[misc]
        assert rows(manifest, "SELECT count(*) FROM item WHERE NOT live") == [(0,)]
        assert rows(manifest, "SELECT key FROM object") == []
        assert not recount_differs(manifest)


def test_a_content_that_comes_back_after_its_last_file_went_counts_again(
    manifest: Manifest,
) -> None:
    pusher = Pusher.begin(manifest, "a")
    pusher.push("x.jpg", content="first")
    (known,) = pusher.known().values()
    (work,) = pusher.record(folder(changed=[(known, file("x.jpg", stamp=2))]))
    (outcome,) = pusher.register((work, "second"))
    pusher.done((outcome.work, outcome.key or ""))
    assert manifest.reports.status().unique == 1
    (work,) = pusher.record(folder(new=[file("y.jpg")]))
    assert [one.key for one in pusher.register((work, "first"))] == [None], "never sent again"
    assert manifest.reports.status().unique == 2
    assert not recount_differs(manifest)


def test_a_run_row_is_what_was_begun(manifest: Manifest) -> None:
    Pusher.begin(manifest, "a")
    assert manifest.runs.open_runs() == [run_row("a")]


def test_what_is_gone_unread_may_be_found_gone_by_two_runs(manifest: Manifest) -> None:
    one, other = Pusher.begin(manifest, "one"), Pusher.begin(manifest, "other")
    one.record(folder(new=[file("a.jpg"), file("b.jpg")]))
    known = one.known()["a.jpg"]
    one.record(folder(gone=[known]))
    other.record(folder(gone=[known]))
    assert list(one.known()) == ["b.jpg"]
    assert rows(manifest, "SELECT assets FROM content") == [(1,)]
    assert not recount_differs(manifest)
