"""The folder that files are pulled into: nothing is overwritten, and nothing is written outside."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from bulkup.errors import FileNotWritten, FolderUnusable
from bulkup.model import Digest
from bulkup.run.pull.folder import (
    SYNCED_BYTES,
    Found,
    TargetFolder,
    Wanted,
    is_inside,
)

BODY = b"the bytes"
DIGEST = Digest(sha256(BODY).hexdigest())


def wanted(path: str, modified_ns: int | None = 10**18) -> Wanted:
    return Wanted(path, DIGEST, len(BODY), modified_ns)


@pytest.fixture
def folder(tmp_path: Path) -> TargetFolder:
    """A locked folder."""
    folder = TargetFolder(str(tmp_path / "into"))
    assert folder.try_lock("run 1") is None
    return folder


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/a", "a//b", "a/./b", "a\0", "", "a/"])
def test_a_path_that_leads_out_is_refused(folder: TargetFolder, path: str) -> None:
    assert not is_inside(path)
    with pytest.raises(FileNotWritten):
        folder.find(wanted(path))


def test_the_folder_for_staged_files_is_not_pulled_into(folder: TargetFolder) -> None:
    assert not is_inside(".bulkup-pull/lock")
    assert is_inside("sub/.bulkup-pull/lock")


def test_what_took_the_name_meanwhile_is_kept(folder: TargetFolder) -> None:
    """Another file, and another folder, between the plan and the name."""
    place = folder.find(wanted("a.jpg"))
    assert place.found is Found.FREE
    Path(folder.absolute("a.jpg")).write_bytes(b"other")
    named = folder.name(folder.stage(BODY), place)
    assert named.path == f"a~{DIGEST[:8]}.jpg"
    assert Path(folder.absolute("a.jpg")).read_bytes() == b"other"
    assert Path(folder.absolute(named.path)).read_bytes() == BODY


def test_a_large_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    names: list[bool] = []

    def sync(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size == SYNCED_BYTES
        names.append(os.path.exists(folder.absolute("a.mov")))

    folder = TargetFolder(str(tmp_path / "into"), sync=sync)
    assert folder.try_lock("run 1") is None
    body = bytes(SYNCED_BYTES)
    large = Wanted("a.mov", Digest(sha256(body).hexdigest()), len(body), 10**18)
    folder.name(folder.stage(body), folder.find(large))
    assert names == [False]
    folder.name(folder.stage(BODY), folder.find(wanted("a.jpg")))
    assert names == [False]
    folder.write_out()


def test_the_same_file_that_came_meanwhile_is_enough(folder: TargetFolder) -> None:
    place = folder.find(wanted("a.jpg"))
    Path(folder.absolute("a.jpg")).write_bytes(BODY)
    assert folder.name(folder.stage(BODY), place).path == "a.jpg"
    assert sorted(os.listdir(folder.root)) == [".bulkup-pull", "a.jpg"]


def test_a_file_whose_both_names_are_taken_fails(folder: TargetFolder) -> None:
    for name in ("a.jpg", f"a~{DIGEST[:8]}.jpg"):
        Path(folder.absolute(name)).write_bytes(b"other")
    with pytest.raises(FileNotWritten, match="other files'"):
        folder.find(wanted("a.jpg"))


def test_a_link_is_never_followed(folder: TargetFolder, tmp_path: Path) -> None:
    """Not even one to the same bytes: what it leads to is not in the folder."""
    (tmp_path / "outside.jpg").write_bytes(BODY)
    os.symlink(tmp_path / "outside.jpg", folder.absolute("a.jpg"))
    os.symlink("/nonexistent", folder.absolute("b.jpg"))
    for name in ("a.jpg", "b.jpg"):
        place = folder.find(wanted(name))
        assert folder.name(folder.stage(BODY), place).path == f"{name[0]}~{DIGEST[:8]}.jpg"


def test_a_torn_file_is_replaced_and_its_links_stay_whole(folder: TargetFolder) -> None:
    """A duplicate whose beginning is there is copied, never linked over it."""
    first = folder.name(folder.stage(BODY), folder.find(wanted("a.jpg")))
    torn = Path(folder.absolute("b.jpg"))
    torn.write_bytes(BODY[:3])
    os.utime(torn, ns=(10**18, 10**18))
    place = folder.find(wanted("b.jpg"))
    assert place.found is Found.TORN
    assert folder.repeat(first, place, links=True) == (place, False)
    assert torn.read_bytes() == Path(folder.absolute("a.jpg")).read_bytes() == BODY


def test_what_cannot_be_continued_is_removed(folder: TargetFolder) -> None:
    """Files of a process that is gone, files that have names, lists without files; parts stay."""
    staging = Path(folder.root) / ".bulkup-pull"
    other = sha256(b"other").hexdigest()
    for name in ("0123456789ab-7", DIGEST, f"{DIGEST}.ranges", f"{other}.ranges"):
        (staging / name).write_bytes(b"x")
    os.link(staging / DIGEST, folder.absolute("named.jpg"))
    part = sha256(b"part").hexdigest()
    (staging / part).write_bytes(b"part")
    (staging / f"{part}.ranges").write_bytes(b"5\n0\n")
    folder.unlock()
    assert sorted(os.listdir(staging)) == sorted(["lock", part, f"{part}.ranges"])


def test_one_process_at_a_time(folder: TargetFolder) -> None:
    second = TargetFolder(folder.root)
    assert second.try_lock("run 2") == "run 1"
    folder.unlock()
    assert not os.path.exists(f"{folder.root}/.bulkup-pull")
    assert second.try_lock("run 2") is None
    second.unlock()


def test_a_folder_that_cannot_be_made_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderUnusable):
        TargetFolder(str(tmp_path / "file/sub")).try_lock("run")
