"""Which files are read together."""

from __future__ import annotations

from bulkup.manifest.rows import WorkItem
from bulkup.run.upload.loader import IN_PLACE_BYTES
from bulkup.run.upload.prefetch import GROUP_BYTES, GROUP_SMALL_BYTES, group_size


def items(*sizes: int) -> list[WorkItem]:
    return [WorkItem(n, n, n, "/r", "", "a", size, None, 0, 0) for n, size in enumerate(sizes)]


def test_a_file_that_is_larger_than_a_group_is_one() -> None:
    assert group_size(items(2 * GROUP_BYTES, 1), 512) == 1


def test_files_are_read_together_up_to_a_size() -> None:
    photo = 4 << 20
    assert group_size(items(*[photo] * 9), 512) == GROUP_BYTES // photo


def test_small_files_fit_the_room_of_the_second_process() -> None:
    assert group_size(items(*[IN_PLACE_BYTES] * 99), 512) == GROUP_SMALL_BYTES // IN_PLACE_BYTES


def test_no_more_than_may_be_taken() -> None:
    assert group_size(items(1, 1, 1), 2) == 2
