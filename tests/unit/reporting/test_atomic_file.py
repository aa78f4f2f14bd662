"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

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
