"""Values that come from the file system."""

from __future__ import annotations

import os

import pytest

from bulkup.model import INODE_MASK, MAX_NS, FileStat


def found(*, inode: int = 1, modified_at: int = 0, changed_at: int = 0) -> os.stat_result:
    plain = (0o100644, inode, 0, 1, 0, 0, 10, 0, modified_at, changed_at)
    exact = {"st_mtime_ns": modified_at * 10**9, "st_ctime_ns": changed_at * 10**9}
    return os.stat_result(plain, exact)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (13_569_465_600, MAX_NS),  # the year 2400
        (908_000_000_000, MAX_NS),  # the year 30743
        (-11_644_473_600, -MAX_NS),  # 1601: "no date" of NTFS
        (-1, -(10**9)),
        (4_300_000_000, 4_300_000_000 * 10**9),  # 2106
    ],
)
def test_times_that_a_64_bit_column_cannot_hold_are_clamped(seconds: int, expected: int) -> None:
    stat = FileStat.of(found(modified_at=seconds, changed_at=seconds))
    assert (stat.modified_ns, stat.changed_ns) == (expected, expected)


def test_inodes_fit_into_a_64_bit_column() -> None:
    assert FileStat.of(found(inode=2**64 - 1)).inode == INODE_MASK
