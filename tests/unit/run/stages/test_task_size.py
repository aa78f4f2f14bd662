"""How many items go into one task."""

from __future__ import annotations

from bulkup.run.stages.task_size import TaskSize


def test_in_this_process_a_task_has_no_more_items_than_it_needs() -> None:
    size = TaskSize(0.0, 1)
    size.add(1, 30.0)
    assert size.items(None, 4) == size.items(1000, 4) == 1
    assert size.claim_rules(4)[:2] == (1, 4)


def test_a_task_is_as_much_work_as_is_worth_it() -> None:
    size = TaskSize(10.0, 1)
    assert size.items(None, 4) == 100
    size.add(100, 5.0)
    assert size.items(None, 4) == 200
    for _ in range(50):
        size.add(1, 2.0)  # larger pictures
    assert size.items(None, 4) == 5


def test_no_task_has_more_rows_than_a_reply_may_have() -> None:
    size = TaskSize(10.0, 1)
    size.add(100, 0.0)
    assert size.items(None, 4) == 500


def test_at_the_end_each_slot_gets_its_share_but_no_crumbs() -> None:
    size = TaskSize(10.0, 1)
    assert size.items(320, 8) == 40
    assert size.items(30, 8) == size.items(0, 8) == 10
    for _ in range(50):
        size.add(1, 5.0)
    assert size.items(30, 8) == 2
    assert size.items(3, 8) == 1
