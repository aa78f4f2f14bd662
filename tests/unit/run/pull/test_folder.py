"""The folder that files are pulled into: nothing is overwritten, and nothing is written outside."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from bulkup.errors import FileNotWritten, UsageError
from bulkup.model import Digest
from bulkup.run.heartbeat import here
from bulkup.run.pull.folder import (
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


def test_a_file_named_like_the_staging_folder_gets_another_name(folder: TargetFolder) -> None:
    place = folder.find(wanted(".bulkup-pull/a.jpg"))
    named = folder.name(folder.stage(BODY), place)
    assert named.path == f".bulkup-pull~{DIGEST[:8]}/a.jpg"
    assert folder.find(wanted(".bulkup-pull/a.jpg")).found is Found.THERE


def test_a_name_that_is_too_long_here_is_cut(folder: TargetFolder) -> None:
    """It came from an archive; and one whose spare name would be too long."""
    place = folder.find(wanted("old.zip#in/" + "x" * 300 + ".jpg"))
    assert folder.name(folder.stage(BODY), place).path.endswith(f"x~{DIGEST[:8]}.jpg")
    long = "y" * 251 + ".jpg"
    Path(folder.absolute(long)).write_bytes(b"other")
    named = folder.name(folder.stage(BODY), folder.find(wanted(long)))
    assert len(named.path) == 255
    assert Path(folder.absolute(long)).read_bytes() == b"other"


def test_what_took_the_name_meanwhile_is_kept(folder: TargetFolder) -> None:
    """Another file, and another folder, between the plan and the name."""
    place = folder.find(wanted("a.jpg"))
    assert place.found is Found.FREE
    Path(folder.absolute("a.jpg")).write_bytes(b"other")
    named = folder.name(folder.stage(BODY), place)
    assert named.path == f"a~{DIGEST[:8]}.jpg"
    assert Path(folder.absolute("a.jpg")).read_bytes() == b"other"
    assert Path(folder.absolute(named.path)).read_bytes() == BODY


def cut_off(folder: TargetFolder, *, machine: str | None = None) -> TargetFolder:
    """The folder as the next pull finds it, after the process that had it was killed; after a
    restart of the machine when `machine` names the boot that the dead pull ran in."""
    lock = Path(folder.root) / ".bulkup-pull/lock"
    text = lock.read_text()
    folder.write_out()
    folder.unlock()
    lock.parent.mkdir()
    lock.write_text(text if machine is None else text.replace(here().host, machine))
    following = TargetFolder(folder.root)
    assert following.try_lock("run 2") is None
    return following


def lose_bytes(path: Path) -> None:
    """What a disk holds that wrote a file's size and time, but not its bytes."""
    modified_ns = path.stat().st_mtime_ns
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, ns=(modified_ns, modified_ns))


def test_after_a_machine_went_down_files_are_compared_by_digest(folder: TargetFolder) -> None:
    """One has lost its bytes, with its size and time as they should be; the other is whole."""
    for name in ("whole.jpg", "torn.jpg"):
        folder.name(folder.stage(BODY), folder.find(wanted(name)))
    folder = cut_off(folder, machine="host/another.boot")
    torn = Path(folder.absolute("torn.jpg"))
    lose_bytes(torn)
    assert folder.find(wanted("whole.jpg")).found is Found.THERE
    place = folder.find(wanted("torn.jpg"))
    assert place.found is Found.TORN
    folder = cut_off(folder)  # killed before it came to that: the suspicion stays
    assert folder.find(wanted("torn.jpg")).found is Found.TORN
    assert folder.name(folder.stage(BODY), place).path == "torn.jpg"
    assert torn.read_bytes() == BODY
    folder.write_out()
    folder.unlock()
    assert sorted(os.listdir(folder.root)) == ["torn.jpg", "whole.jpg"]


def test_after_a_kill_files_are_believed_by_size_and_time(folder: TargetFolder) -> None:
    """Their bytes are the system's to keep as long as it runs."""
    folder.name(folder.stage(BODY), folder.find(wanted("a.jpg")))
    folder = cut_off(folder)
    lose_bytes(Path(folder.absolute("a.jpg")))
    assert folder.find(wanted("a.jpg")).found is Found.THERE


def test_files_of_before_the_pull_are_believed_after_a_machine_went_down(
    folder: TargetFolder,
) -> None:
    lock = Path(folder.root) / ".bulkup-pull/lock"
    folder.name(folder.stage(BODY), folder.find(wanted("a.jpg")))
    text = lock.read_text().replace(here().host, "host/another.boot")
    began = text.split()[-2]
    folder.write_out()
    folder.unlock()
    lock.parent.mkdir()
    later = int(began) + 10 * 60 * 10**9
    lock.write_text(text.replace(began, str(later)))
    following = TargetFolder(folder.root)
    assert following.try_lock("run 2") is None
    lose_bytes(Path(folder.absolute("a.jpg")))
    assert following.find(wanted("a.jpg")).found is Found.THERE


def test_a_file_has_no_name_in_the_staging_folder_once_it_has_its_own(
    folder: TargetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the system cannot rename without replacing."""
    for name in ("a.jpg", "b.jpg"):
        folder.name(folder.stage(BODY), folder.find(wanted(name)))
        assert os.listdir(f"{folder.root}/.bulkup-pull") == ["lock"]
        assert os.stat(folder.absolute(name)).st_nlink == 1
        monkeypatch.setattr("bulkup.run.pull.file_system.rename_new", lambda *_: False)


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
    with pytest.raises(UsageError):
        TargetFolder(str(tmp_path / "file/sub")).try_lock("run")
