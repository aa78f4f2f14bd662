"""Digests: the law is that neither buffers nor part sizes change what is computed."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content import digest as digest_module
from bulkup.content.digest import (
    composite,
    digest_file,
    digest_of,
    digest_parts,
    digest_stream,
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


@given(st.lists(st.binary(max_size=50)))
def test_cuts_do_not_change_the_digest(chunks: list[bytes]) -> None:
    assert digest_stream(chunks) == sha(b"".join(chunks))


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
        patch.setattr(digest_module, "SHARED_BUFFER_BYTES", buffer_bytes)
        assert digest_file(io.BytesIO(data)) == sha(data)
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
    assert digest_file(source) == sha(b"and body")


def test_composite_is_the_digest_of_raw_part_digests() -> None:
    one, two = digest_of(b"one"), digest_of(b"two")
    raw = hashlib.sha256(b"one").digest() + hashlib.sha256(b"two").digest()
    assert composite([one, two]) == base64.b64encode(hashlib.sha256(raw).digest()).decode() + "-2"
