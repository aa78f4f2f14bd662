"""bulkup accept: exit code 3 means new failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import photo
from tests.e2e.trees import digest, make_tree

BROKEN = photo(1)[:300]


def status(bulkup: Bulkup) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bulkup("status", "--json").stdout)
    return found


@pytest.fixture
def pushed(bulkup: Bulkup, tmp_path: Path) -> Bulkup:
    """Two pictures, of which one cannot be decoded."""
    make_tree(tmp_path / "photos", {"good.jpg": photo(1), "broken.jpg": BROKEN})
    bulkup("push", "photos", "--to", "store", "--stages", "upload,process", check=3)
    return bulkup


def push(bulkup: Bulkup, check: int) -> str:
    return bulkup("push", "photos", "--stages", "upload,process", check=check).stdout


def test_an_accepted_failure_is_no_news(pushed: Bulkup) -> None:
    push(pushed, check=3)
    assert pushed("accept", "--error", "invalid").stdout == "Accepted: 1 failure.\n"
    assert push(pushed, check=0).startswith("Nothing changed: 2 files, all in ")
    pushed("process", check=0)
    assert pushed("status", "--failed", check=0).stdout == "Nothing has failed.\n"
    assert "Nothing to retry" in pushed("retry", "--failed", check=0).stdout
    found = status(pushed)
    assert (found["accepted"], found["failures"]["invalid"]) == (1, 0)
    assert found["stages"]["process"]["dead"] == 1, "it is a dead letter all the same"
    assert "broken.jpg" in pushed("status", "--accepted").stdout
    assert pushed("accept").stdout == "Nothing to accept.\n"


def test_a_failure_whose_file_was_deleted_is_no_news_until_it_is_back(
    pushed: Bulkup, tmp_path: Path
) -> None:
    (tmp_path / "photos/broken.jpg").unlink()
    push(pushed, check=0)
    assert pushed("status", "--failed", check=0).stdout == "Nothing has failed.\n"
    pushed("process", check=0)
    make_tree(tmp_path / "photos", {"broken.jpg": BROKEN})
    push(pushed, check=3)


def test_a_failure_whose_file_is_excluded_is_no_news(pushed: Bulkup) -> None:
    pushed("push", "photos", "--exclude", "broken.*", "--stages", "upload,process", check=0)
    assert pushed("status", "--failed", check=0).stdout == "Nothing has failed.\n"


def test_a_new_failure_is_news(pushed: Bulkup, tmp_path: Path) -> None:
    pushed("accept")
    make_tree(tmp_path / "photos", {"new.jpg": BROKEN[:200]})
    push(pushed, check=3)
    (failure,) = pushed("status", "--failed", "--json", check=3).json()
    assert failure["path"].endswith("/new.jpg")


def test_an_accepted_failure_whose_file_was_touched_is_no_news(
    pushed: Bulkup, tmp_path: Path
) -> None:
    pushed("accept")
    (tmp_path / "photos/broken.jpg").touch()
    assert push(pushed, check=0).startswith("Nothing changed: 2 files, all in ")
    make_tree(tmp_path / "photos", {"broken.jpg": BROKEN[:200]})
    push(pushed, check=3)
    (failure,) = pushed("status", "--failed", "--json", check=3).json()
    assert failure["digest"] == digest(BROKEN[:200])


def test_an_accepted_failure_whose_file_changes_is_tried_again(
    pushed: Bulkup, tmp_path: Path
) -> None:
    pushed("accept")
    make_tree(tmp_path / "photos", {"broken.jpg": photo(5)})
    push(pushed, check=0)
    assert status(pushed)["accepted"] == 0
    make_tree(tmp_path / "photos", {"broken.jpg": BROKEN[:250]})
    push(pushed, check=3)


def test_only_what_matches_is_accepted(pushed: Bulkup) -> None:
    for option in (("--path", "good.jpg"), ("--stage", "embed"), ("--error", "network")):
        assert pushed("accept", *option).stdout == "Nothing to accept.\n"
    shown = pushed("accept", "--path", "photos", "-n").stdout
    assert "broken.jpg: process, invalid" in shown
    assert "Would be accepted: 1 failure." in shown
    push(pushed, check=3)


def test_an_acceptance_can_be_taken_back(pushed: Bulkup) -> None:
    pushed("accept")
    assert pushed("accept", "--undo").stdout == "No longer accepted: 1 failure.\n"
    push(pushed, check=3)
    assert pushed("accept", "--undo").stdout == "Nothing to undo.\n"


def test_what_will_be_retried_is_not_accepted(bulkup: Bulkup, tmp_path: Path) -> None:
    """It may succeed by itself."""
    make_tree(tmp_path / "photos", {"a.jpg": photo(1)})
    assert bulkup("accept").stdout == "Nothing to accept.\n"
