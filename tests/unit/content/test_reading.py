"""Reading a file: one moment of it, or nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkup.content import reading
from bulkup.content.buffers import UNIT_BYTES, BufferPool
from bulkup.content.digest import composite
from bulkup.content.reading import hashed, read_in_parts, read_whole
from bulkup.errors import (
    ErrorClass,
    SourceChanged,
    SourceMissing,
    SourceUnavailable,
    SourceUnreadable,
)

BODY = bytes(range(256)) * 1000


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "x.jpg").write_bytes(BODY)
    return str(tmp_path)


def meddle(monkeypatch: pytest.MonkeyPatch, with_file: Callable[[], object]) -> None:
    """Do something to the file after its first bytes have been read."""
    for name in ("read", "readv"):
        monkeypatch.setattr(os, name, _then(getattr(os, name), with_file))


def _then(read: Callable[..., Any], with_file: Callable[[], object]) -> Callable[..., Any]:
    def read_then_meddle(*arguments: object) -> object:
        found = read(*arguments)
        with_file()
        return found

    return read_then_meddle


@pytest.fixture(params=["bytes", "pool"])
def buffers(request: pytest.FixtureRequest) -> BufferPool | None:
    """Whether the file is read into memory that is used again."""
    return BufferPool(1 << 20) if request.param == "pool" else None


def test_a_file_is_read_with_its_digest_and_stat(root: str, buffers: BufferPool | None) -> None:
    whole = read_whole(root, "", "x.jpg", buffers)
    (loaded,) = hashed([whole])
    assert isinstance(loaded.body, bytes if buffers is None else memoryview)
    found = os.stat(f"{root}/x.jpg")
    assert loaded.body == BODY
    assert loaded.digest == hashlib.sha256(BODY).hexdigest()
    assert (loaded.size_bytes, loaded.modified_ns) == (len(BODY), found.st_mtime_ns)
    assert loaded[1:7] == whole


def test_an_empty_file_is_a_file(root: str, buffers: BufferPool | None) -> None:
    Path(root, "empty").write_bytes(b"")
    assert read_whole(root, "", "empty", buffers).body == b""


def test_a_file_that_comes_in_pieces_is_read_to_its_end(
    root: str, monkeypatch: pytest.MonkeyPatch, buffers: BufferPool | None
) -> None:
    """As some network file systems return it."""
    read, readv = os.read, os.readv

    def some(descriptor: int, into: list[memoryview]) -> int:
        return readv(descriptor, [into[0][:1000]])

    monkeypatch.setattr(os, "read", lambda descriptor, count: read(descriptor, min(count, 1000)))
    monkeypatch.setattr(os, "readv", some)
    assert read_whole(root, "", "x.jpg", buffers).body == BODY


def test_a_file_is_read_as_bytes_where_the_pool_has_no_room(root: str) -> None:
    buffers = BufferPool(5 * UNIT_BYTES)
    first, second = (read_whole(root, "", "x.jpg", buffers) for _ in range(2))
    assert [type(first.body), type(second.body)] == [memoryview, bytes]
    assert first.body == second.body == BODY
    del first
    assert isinstance(read_whole(root, "", "x.jpg", buffers).body, memoryview)


@pytest.mark.parametrize(
    "edit",
    [
        lambda path: path.write_bytes(BODY + b"more"),
        lambda path: path.write_bytes(BODY[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: os.utime(path, (1, 1)),
    ],
    ids=["grows", "shrinks", "is emptied", "is touched"],
)
def test_a_file_that_changes_while_it_is_read_is_not_taken(
    root: str,
    monkeypatch: pytest.MonkeyPatch,
    edit: Callable[[Path], object],
    buffers: BufferPool | None,
) -> None:
    meddle(monkeypatch, lambda: edit(Path(root, "x.jpg")))
    with pytest.raises(SourceChanged, match=r"x\.jpg changed"):
        read_whole(root, "", "x.jpg", buffers)
    assert buffers is None or buffers.take((1 << 20) - 1) is not None, "its memory is free again"


@pytest.mark.parametrize("change", [1, -1], ids=["grows", "shrinks"])
def test_a_file_that_changes_before_the_first_byte_is_read_is_not_taken(
    root: str, monkeypatch: pytest.MonkeyPatch, buffers: BufferPool | None, change: int
) -> None:
    """Its new bytes would all fit, or nearly so: the byte beyond tells of it."""
    stat, path = os.fstat, Path(root, "x.jpg")

    def stat_then_change(descriptor: int) -> os.stat_result:
        found = stat(descriptor)
        os.truncate(path, len(BODY) + change)
        os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))
        return found

    monkeypatch.setattr(os, "fstat", stat_then_change)
    with pytest.raises(SourceChanged):
        read_whole(root, "", "x.jpg", buffers)


def test_a_file_that_is_removed_while_it_is_read_changes_its_ctime(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = []

    def remove_once() -> None:
        if not removed:
            removed.append(os.unlink(f"{root}/x.jpg"))

    meddle(monkeypatch, remove_once)
    with pytest.raises(SourceChanged):
        read_whole(root, "", "x.jpg")


@pytest.mark.parametrize("read", [read_whole, lambda *a: read_in_parts(*a, 1 << 20)])
def test_what_is_not_there_and_what_is_no_file_any_more_are_missing(
    root: str, read: Callable[[str, str, str], object]
) -> None:
    with pytest.raises(SourceMissing, match=r"y\.jpg is gone"):
        read(root, "", "y.jpg")
    with pytest.raises(SourceMissing):
        read(root, "x.jpg/", "y.jpg")
    os.mkdir(f"{root}/folder")
    with pytest.raises(SourceMissing, match="folder is"):
        read(root, "", "folder")
    os.symlink("loop.jpg", f"{root}/loop.jpg")
    with pytest.raises(SourceMissing):
        read(root, "", "loop.jpg")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("read", [read_whole, lambda *a: read_in_parts(*a, 1 << 20)])
def test_what_the_machine_cannot_do_just_now_is_tried_again(
    root: str,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[str, str, str], object],
    number: int,
) -> None:
    """A permission that is missing is another thing: nobody gives it by waiting."""

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(reading.os, "open", fail)
    with pytest.raises(SourceUnavailable) as caught:
        read(root, "", "x.jpg")
    assert caught.value.error_class is ErrorClass.RESOURCE
    number = errno.EACCES
    with pytest.raises(SourceUnreadable):
        read(root, "", "x.jpg")


@pytest.mark.parametrize("read", [read_whole, lambda *a: read_in_parts(*a, 1 << 20)])
@pytest.mark.timeout(10)
def test_a_pipe_in_the_place_of_a_file_does_not_block(
    root: str, read: Callable[[str, str, str], object]
) -> None:
    os.mkfifo(f"{root}/pipe.jpg")
    with pytest.raises(SourceMissing):
        read(root, "", "pipe.jpg")


def test_parts_have_their_own_digests(root: str) -> None:
    loaded = read_in_parts(root, "", "x.jpg", 100_000)
    parts = [BODY[at : at + 100_000] for at in range(0, len(BODY), 100_000)]
    assert [*loaded.part_digests] == [hashlib.sha256(part).hexdigest() for part in parts]
    assert loaded.digest == hashlib.sha256(BODY).hexdigest()
    assert loaded.body is None
    assert composite(loaded.part_digests).endswith("-3")


def test_a_member_of_an_archive_is_read_like_a_file(root: str) -> None:
    with zipfile.ZipFile(f"{root}/a.zip", "w") as archive:
        archive.writestr("in/x.jpg", BODY)
    whole = read_whole(root, "a.zip#", "in/x.jpg")
    assert whole.body == BODY
    assert read_in_parts(root, "a.zip#", "in/x.jpg", 100_000).digest == hashed([whole])[0].digest
    with pytest.raises(SourceMissing):
        read_whole(root, "gone.zip#", "in/x.jpg")
