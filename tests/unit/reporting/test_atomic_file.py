"""A file is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.cli.output.json_log import open_log
from bulkup.errors import UsageError
from bulkup.reporting.atomic_file import check_writable, whole_file


def test_the_file_appears_when_the_body_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    with whole_file(str(path), mode=0o600) as file:
        file.write(b"new")
        assert not path.exists()
        assert not list(tmp_path.glob("*.prom"))
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_body_that_raises_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write_half() -> None:
        with whole_file(str(path), mode=0o600) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", "missing/a"])
def test_a_place_that_takes_no_file_is_a_wrong_usage(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--output"):
        check_writable(f"{tmp_path}/{name}", named="--output")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.csv", tmp_path / "a.csv"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with whole_file(str(link), mode=0o600) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_a_fifo_is_written_to_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    check_writable(str(path), named="--output")
    with whole_file(str(path), mode=0o600) as file:
        file.write(b"rows")
    assert os.read(reader, 10) == b"rows"
    os.close(reader)
    assert path.is_fifo()


def test_a_fifo_that_nobody_reads_is_waited_for_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.reporting.atomic_file.READER_SECONDS", 0.1)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with (
        pytest.raises(OSError, match="nobody reads this FIFO"),
        whole_file(str(path), mode=0o600) as file,
    ):
        file.write(b"rows")
    with pytest.raises(UsageError, match="nobody reads this FIFO"):
        open_log(str(path))


def test_a_descriptor_and_a_device_are_written_to(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as target:
        path = f"/dev/fd/{target.fileno()}"
        check_writable(path, named="--output")
        with whole_file(path, mode=0o600) as file:
            file.write(b"rows")
    assert (tmp_path / "a").read_bytes() == b"rows"
    with whole_file("/dev/null", mode=0o600) as file:
        file.write(b"rows")
    assert Path("/dev/null").is_char_device()


def test_only_a_file_of_ours_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def check() -> None:
        check_writable(str(path), named="--html", is_ours=lambda head: head.startswith(b"ours"))

    check()
    for content in (b"", b"ours, of last week"):
        path.write_bytes(content)
        check()
    path.write_bytes(b"alias ls='ls -l'")
    with pytest.raises(UsageError, match="is a file that bulkup did not write"):
        check()


def test_no_name_is_no_file() -> None:
    with pytest.raises(UsageError, match="--output needs the name of a file"):
        check_writable("", named="--output")
