"""Buffers are reused, and never while a view of them lives."""

from __future__ import annotations

import errno
import mmap
import pickle
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bulkup.content.buffers import UNIT_BYTES, BufferPool, FreeList, release

SIZE = 1000


def has_room(buffers: BufferPool, units: int) -> bool:
    return buffers.take(units * UNIT_BYTES) is not None


class Pieces(RuleBasedStateMachine):
    """Allocates and frees in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps = FreeList(SIZE)
        self.taken: list[tuple[int, int]] = []

    @rule(size=st.integers(1, SIZE))
    def take(self, size: int) -> None:
        begin = self.gaps.allocate(size)
        if begin is None:
            assert all(end - begin < size for begin, end in self.gaps.free)
        else:
            self.taken.append((begin, begin + size))

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        piece = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        self.gaps.deallocate(piece[0], piece[1] - piece[0])

    @invariant()
    def every_byte_is_in_one_piece_or_gap(self) -> None:
        at = 0
        for begin, end in sorted([*self.taken, *self.gaps.free]):
            assert begin == at < end
            at = end
        assert at == SIZE

    @invariant()
    def no_two_gaps_touch(self) -> None:
        free = self.gaps.free
        assert all(one[1] < other[0] for one, other in pairwise(free))


TestPieces = Pieces.TestCase


def test_a_range_that_no_gap_holds_is_not_allocated() -> None:
    gaps = FreeList(10)
    assert [gaps.allocate(4), gaps.allocate(4), gaps.allocate(4), gaps.allocate(2)] == [
        0,
        4,
        None,
        8,
    ]
    assert gaps.free == []


@given(st.lists(st.integers(0, 5 * UNIT_BYTES), max_size=40))
def test_buffers_keep_what_was_written(sizes: list[int]) -> None:
    """Each has its size; None means that there is no room; in the end all memory is free."""
    buffers = BufferPool(20 * UNIT_BYTES)
    held = []
    view = None
    for number, size in enumerate(sizes):
        view = buffers.take(size)
        if view is None:
            assert held
            del held[0]
            continue
        assert len(view) == size
        view[:] = bytes([number]) * size
        held.append((number, view))
    for number, view in held:
        assert bytes(view) == bytes([number]) * len(view)
    del view, held
    assert has_room(buffers, 20)


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (UNIT_BYTES, 1), (UNIT_BYTES + 1, 2)])
def test_a_buffer_takes_no_more_units_than_it_needs(size: int, units: int) -> None:
    """The pool holds as many buffers of exactly one unit as it has units."""
    buffers = BufferPool(4 * UNIT_BYTES)
    held = [buffers.take(size) for _ in range(4 // units)]
    assert all(view is not None for view in held)
    assert buffers.take(1) is None


def test_a_buffer_is_kept_while_a_view_of_it_lives() -> None:
    """Also when the view that `take` returned is gone or released."""
    buffers = BufferPool(UNIT_BYTES)
    view = buffers.take(UNIT_BYTES)
    assert view is not None
    view[:4] = b"abcd"
    part, again = view[1:3], memoryview(view)
    release(view)
    assert buffers.take(UNIT_BYTES) is None
    del again
    assert buffers.take(UNIT_BYTES) is None
    assert bytes(part) == b"bc"
    part.release()
    assert buffers.take(UNIT_BYTES) is not None


def test_a_released_buffer_is_free_while_a_view_object_remains() -> None:
    """A traceback that still holds the view gets an error, not another file's bytes."""
    buffers = BufferPool(2 * UNIT_BYTES)
    held = buffers.take(UNIT_BYTES)
    release(held)
    assert has_room(buffers, 2)
    assert held is not None
    with pytest.raises(ValueError, match="released"):
        bytes(held)
    release(held)
    release(b"bytes")
    release(None)


def test_a_buffer_in_use_outlives_its_release() -> None:
    """As in a request that was answered before its body was sent."""
    buffers = BufferPool(UNIT_BYTES)
    view = buffers.take(UNIT_BYTES)
    export = pickle.PickleBuffer(view)  # asks the view itself for its memory
    release(view)
    assert not has_room(buffers, 1)
    export.release()
    release(view)
    assert has_room(buffers, 1)


def test_the_pool_does_without_memory_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are then read into fresh memory."""

    def refuse(*_: object, **__: object) -> mmap.mmap:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    buffers = BufferPool()
    assert buffers.take(1) is None
    monkeypatch.undo()
    assert buffers.take(1) is None, "the system is not asked again for each file"


def test_many_threads_take_buffers_at_the_same_time() -> None:
    buffers = BufferPool(16 * UNIT_BYTES)
    wrong = []

    def work(number: int) -> None:
        for _ in range(300):
            view = buffers.take(UNIT_BYTES * (number % 3))
            if view is not None:
                view[:] = bytes([number]) * len(view)
                if bytes(view) != bytes([number]) * len(view):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert has_room(buffers, 16)
