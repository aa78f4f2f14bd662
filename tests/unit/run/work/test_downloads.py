"""The folder for downloads: gone with its run, or when the next one comes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.run.work.downloads import LOCK, NEW_SECONDS, Downloads

RUN = """
import sys
from bulkup.run.work.downloads import Downloads
path = Downloads().path_of(7)
open(path, "wb").write(b"a part of an object")
print(path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # for the other process
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def run() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another run at work, and where it keeps an object; some time has passed since."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        _age(path.parent)
        yield process, path
        process.kill()


def _age(folder: Path) -> None:
    lock = folder / LOCK
    then = lock.stat().st_mtime - NEW_SECONDS - 1
    os.utime(lock, (then, then))


def test_what_a_killed_run_left_goes_with_the_next_one(
    run: tuple[subprocess.Popen[str], Path], temporary: Path
) -> None:
    process, path = run
    process.kill()
    process.wait()
    assert path.exists()
    downloads = Downloads()
    mine = Path(downloads.path_of(1))
    assert not path.parent.exists()
    mine.write_bytes(b"mine")
    downloads.close()
    assert list(temporary.iterdir()) == []


def test_what_a_run_is_using_stays(run: tuple[subprocess.Popen[str], Path]) -> None:
    downloads = Downloads()
    downloads.path_of(1)
    downloads.close()
    assert run[1].read_bytes() == b"a part of an object"


def test_a_folder_that_is_being_made_stays(temporary: Path) -> None:
    """Its run has not locked it yet."""
    folder = temporary / "bulkup-downloads-new"
    folder.mkdir()
    (folder / LOCK).touch()
    Downloads().path_of(1)
    assert folder.exists()
    _age(folder)
    Downloads().path_of(1)
    assert not folder.exists()


def test_other_folders_stay(temporary: Path) -> None:
    others = [temporary / "bulkup-downloads-without-lock", temporary / "bulkup-kit"]
    for folder in others:
        folder.mkdir()
    (others[1] / LOCK).touch()
    _age(others[1])
    Downloads().path_of(1)
    assert all(folder.exists() for folder in others)


def test_one_folder_for_all_and_none_where_nothing_was_asked_for(temporary: Path) -> None:
    downloads = Downloads()
    downloads.close()
    assert list(temporary.iterdir()) == []
    first, second = (Path(downloads.path_of(number)) for number in (1, 2))
    assert first.parent == second.parent
    assert first != second
    downloads.close()
    downloads.close()


def test_without_locks_it_does_and_nobody_else_s_folder_goes(
    run: tuple[subprocess.Popen[str], Path], monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    """Some network file systems have none."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    downloads = Downloads()
    Path(downloads.path_of(1)).write_bytes(b"mine")
    downloads.close()
    assert list(temporary.iterdir()) == [run[1].parent]


def test_where_no_lock_can_be_made_no_folder_is_left(
    monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    """For instance with too many open files."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    downloads = Downloads()
    with monkeypatch.context() as patch:
        patch.setattr("bulkup.run.work.downloads.os.open", refuse)
        with pytest.raises(OSError, match="Too many"):
            downloads.path_of(1)
    downloads.close()
    assert list(temporary.iterdir()) == []
    assert Path(downloads.path_of(1)).parent.is_dir()
    downloads.close()
