"""Range headers become parts of a body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.serve.bodies.byte_cache import ByteCache
from bulkup.serve.bodies.ranges import ByteRange, Unsatisfiable, range_of


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", ByteRange(0, 1)),
        ("Bytes=0-0", ByteRange(0, 1)),
        ("bytes=2-", ByteRange(2, 8)),
        ("bytes=-3", ByteRange(7, 3)),
        ("bytes=-30", ByteRange(0, 10)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("bytes=0-1,4-5", None),
    ],
)
def test_one_range_is_understood(header: str | None, expected: ByteRange | None) -> None:
    assert range_of(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        range_of(header, 10)


@given(st.text(alphabet="bytes=-,0123456789 ", max_size=20), st.integers(0, 50))
def test_a_range_never_leaves_the_body(header: str, size_bytes: int) -> None:
    try:
        found = range_of(header, size_bytes)
    except Unsatisfiable:
        return
    if found is not None:
        assert 0 <= found.start < found.start + found.size_bytes <= size_bytes


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=50))
def test_a_cache_stays_below_its_bound(puts: list[tuple[int, int]]) -> None:
    cache = ByteCache(100)
    for name, size_bytes in puts:
        cache.put(str(name), bytes(size_bytes))
        assert cache.size_bytes <= 100
        found = cache.get(str(name))
        assert found is None or len(found) * 16 <= 100
