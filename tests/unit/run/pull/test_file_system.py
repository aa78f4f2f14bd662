"""A file system that is written to the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.run.pull.file_system import sync_file_system


def test_a_folder_that_is_there_is_written_out(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    sync_file_system(str(tmp_path))


def test_a_file_system_that_is_gone_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        sync_file_system(str(tmp_path / "none"))
