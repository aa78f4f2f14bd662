"""Which files count as complete."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from bulkup.walk.at_rest import BEING_WRITTEN, CLOCK_SECONDS, why_not_at_rest
from bulkup.walk.filters import Selection
from bulkup.walk.walk import walk


def selected(root: Path, at_rest_since: float) -> tuple[list[str], dict[str, str]]:
    listings = list(walk(str(root), Selection(at_rest_since=at_rest_since)))
    files = [row[0] for listing in listings for row in listing.files]
    return files, {one.name: one.reason for listing in listings for one in listing.left_out}


def test_a_file_that_changed_since_is_left_out(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"half")
    os.utime(picture, (0, 0))  # as tools that keep times do
    changed = picture.stat().st_ctime
    assert selected(tmp_path, changed - 1) == ([], {"a.jpg": BEING_WRITTEN})
    assert selected(tmp_path, changed + 1) == (["a.jpg"], {})


def test_an_archive_that_is_being_written_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "part.zip").write_bytes(b"PK half")
    changed = (tmp_path / "part.zip").stat().st_ctime
    assert selected(tmp_path, changed - 1) == ([], {"part.zip": BEING_WRITTEN})


def test_the_time_of_a_clock_that_is_ahead_says_nothing(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"whole")
    changed = picture.stat().st_ctime
    assert why_not_at_rest(str(picture), picture.stat(), changed - CLOCK_SECONDS - 1) is None


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="only Linux says who writes")
def test_a_file_that_is_open_for_writing_is_left_out_however_long_it_rests(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    with picture.open("wb") as file:
        file.write(b"half")
        file.flush()
        later = picture.stat().st_ctime + 3000
        assert selected(tmp_path, later) == ([], {"a.jpg": BEING_WRITTEN})
    assert selected(tmp_path, later) == (["a.jpg"], {})
