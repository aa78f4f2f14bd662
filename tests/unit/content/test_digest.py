"""Digests: the law is that neither buffers nor part sizes change what is computed."""

from __future__ import annotations

import base64
import hashlib
import io
import platform
import random
import shutil
import sys
import sysconfig
import threading
import time
import types
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content import digest as digest_module
from bulkup.content.digest import (
    composite,
    digest_of,
    digest_parts,
)


class Dribble(io.RawIOBase):
    """A source that returns at most `most` bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._data.readinto(memoryview(buffer)[: self._most])


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_known_digest() -> None:
    """FIPS 180-4's example."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_of(b"abc") == expected


def _of(sizes: list[int]) -> list[bytes]:
    """Contents of these sizes, none the beginning of another."""
    return [random.Random(number).randbytes(size) for number, size in enumerate(sizes)]


IN_LANES = pytest.param(
    digest_module.hash_in_lanes,
    id="in lanes",
    marks=pytest.mark.skipif(not digest_module.HAS_LANES, reason="not built, or another processor"),
)
WAYS = pytest.mark.parametrize(
    "digests_of", [pytest.param(digest_module.hash_one_by_one, id="one by one"), IN_LANES]
)


@WAYS
@pytest.mark.parametrize("count", range(10))
def test_digests_of_several(digests_of: Callable[..., list[str]], count: int) -> None:
    contents = _of([1000 * (number % 3) + number for number in range(count)])
    assert digests_of(contents) == [sha(content) for content in contents]


@WAYS
def test_digests_of_every_length_of_the_last_block(digests_of: Callable[..., list[str]]) -> None:
    """The padding: 55 bytes leave room for the length in the same block, 56 do not."""
    contents = _of([*range(200)])
    assert digests_of(contents) == [sha(content) for content in contents]


@WAYS
@given(sizes=st.lists(st.integers(0, 1000) | st.integers(0, 20).map(lambda n: 64 * n), max_size=20))
def test_digests_do_not_depend_on_the_others(
    digests_of: Callable[..., list[str]], sizes: list[int]
) -> None:
    contents = _of(sizes)
    assert digests_of(contents) == [sha(content) for content in contents]


@WAYS
def test_digests_of_large_contents_and_views(digests_of: Callable[..., list[str]]) -> None:
    first, second, third = _of([5 << 20, (1 << 20) + 13, 3 << 20])
    memory = bytearray(first)
    contents = [memoryview(memory)[1:-1], second, memoryview(third)]
    assert digests_of(contents) == [sha(content) for content in contents]
    contents.clear()
    memory.append(0)  # it is held no longer


@WAYS
def test_what_has_no_bytes_has_no_digest(digests_of: Callable[..., list[str]]) -> None:
    memory = bytearray(3)
    with pytest.raises(TypeError):
        digests_of([memory, "text"])
    memory.append(0)  # nor after an error
    with pytest.raises(BufferError):
        digests_of([memoryview(memory)[::2]])


@pytest.mark.parametrize("hexdigests", [IN_LANES])
def test_other_threads_run_while_contents_are_hashed(hexdigests: Callable[..., list[str]]) -> None:
    contents = [bytes(64 << 20)] * 2
    moments: deque[float] = deque(maxlen=100_000)
    done = threading.Event()

    def look_at_the_clock() -> None:
        while not done.wait(0.0005):
            moments.append(time.monotonic())

    thread = threading.Thread(target=look_at_the_clock)
    thread.start()
    try:
        for _ in range(20):  # a busy machine may have no time for it
            begin = time.monotonic()
            hexdigests(contents)
            quarter = (time.monotonic() - begin) / 4
            if any(begin + quarter < moment < begin + 3 * quarter for moment in moments):
                return
    finally:
        done.set()
        thread.join()
    pytest.fail("no other thread ran")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another processor")
def test_the_lanes_are_built_where_they_can_be() -> None:
    """So that nobody loses them unseen."""
    processor = Path("/proc/cpuinfo")
    if not processor.exists() or "sha_ni" not in processor.read_text():
        pytest.skip("no SHA instructions")
    if not (shutil.which("cc") and Path(sysconfig.get_path("include"), "Python.h").exists()):
        pytest.skip("nothing to build them with")
    assert digest_module.HAS_LANES


def test_lanes_that_are_wrong_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Built by a compiler that nobody has tried."""
    wrong = types.ModuleType("bulkup.content._sha256_lanes")
    wrong.hexdigests = lambda contents: ["0" * 64] * len(contents)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, wrong.__name__, wrong)
    assert digest_module.load_lanes() is None


def test_without_lanes_hashlib_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bulkup.content._sha256_lanes", None)
    assert digest_module.load_lanes() is None


@given(st.binary(max_size=400), st.integers(1, 60), st.integers(1, 50))
def test_parts_in_one_pass(data: bytes, part_bytes: int, most: int) -> None:
    """Whole and part digests do not depend on how much a read returns."""
    found = digest_parts(Dribble(data, most), part_bytes)
    parts = [data[at : at + part_bytes] for at in range(0, len(data), part_bytes)]
    assert found.whole == sha(data)
    assert found.size_bytes == len(data)
    assert list(found.parts) == [sha(part) for part in parts]


@given(st.binary(max_size=300), st.integers(1, 70))
def test_buffer_size_does_not_change_the_digests(data: bytes, buffer_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest_module, "BUFFER_BYTES", buffer_bytes)
        assert digest_parts(io.BytesIO(data), 100).whole == sha(data)


def test_parts_larger_than_the_buffer() -> None:
    data = bytes(range(256)) * (3 << 14)  # 12 MiB
    part_bytes = (4 << 20) + 7
    found = digest_parts(io.BytesIO(data), part_bytes)
    assert found.parts[0] == sha(data[:part_bytes])
    assert found.parts[-1] == sha(data[2 * part_bytes :])


def test_empty_content_has_no_part() -> None:
    found = digest_parts(io.BytesIO(), 5)
    assert (found.whole, found.size_bytes, found.parts) == (sha(b""), 0, ())


def test_a_part_needs_a_size() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        digest_parts(io.BytesIO(b"a"), 0)


def test_reading_starts_where_the_source_stands() -> None:
    source = io.BytesIO(b"head and body")
    source.seek(5)
    assert digest_parts(source, 100).whole == sha(b"and body")


def test_composite_is_the_digest_of_raw_part_digests() -> None:
    one, two = digest_of(b"one"), digest_of(b"two")
    raw = hashlib.sha256(b"one").digest() + hashlib.sha256(b"two").digest()
    assert composite([one, two]) == base64.b64encode(hashlib.sha256(raw).digest()).decode() + "-2"
