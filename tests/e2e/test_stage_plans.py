"""--dry-run of the stages after the upload: what would be processed and embedded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import photo
from tests.e2e.trees import make_tree


@pytest.fixture
def uploaded(bulkup: Bulkup, tmp_path: Path) -> Bulkup:
    """Three pictures at the destination, none processed."""
    make_tree(tmp_path / "photos", {f"{n}.jpg": photo(n) for n in range(3)})
    bulkup("push", "photos", "--to", "store", "--stages", "upload")
    return bulkup


def test_a_push_without_its_upload_shows_what_would_be_processed(uploaded: Bulkup) -> None:
    shown = uploaded("push", "photos", "--stages", "process", "--dry-run", "-v").stdout
    assert "To process: 3 files." in shown
    assert "would process" in shown
    shown = uploaded("push", "photos", "--stages", "process,embed", "-n").stdout
    assert "To process: 3 files. To embed: 3 files." in shown


def test_a_push_shows_what_its_later_stages_would_do(uploaded: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"new.jpg": photo(9)})
    shown = uploaded("push", "photos", "--dry-run").stdout
    assert "1 to upload" in shown
    assert "To process: 4 files. To embed: 4 files." in shown


def test_process_and_embed_have_a_dry_run(uploaded: Bulkup) -> None:
    assert "To process: 3 files." in uploaded("process", "-n").stdout
    assert uploaded("embed", "-n").stdout == "Nothing to embed.\n"
    uploaded("process", "--limit", "2")
    assert "To embed: 2 files." in uploaded("embed", "-n").stdout
    assert "To process: 1 file." in uploaded("process", "-n").stdout
    *planned, summary = uploaded("process", "--force", "-n", "--json").lines()
    assert len(planned) == summary["stages"]["process"]["total"] == 3
    assert {line["verdict"] for line in planned} == {"process"}


def test_the_limit_holds_for_the_plan(uploaded: Bulkup) -> None:
    shown = uploaded("process", "-n", "--limit", "1").stdout
    assert "To process: 1 file (2 more over the limit)." in shown


def test_nothing_is_left_to_do_after_all_stages(uploaded: Bulkup) -> None:
    uploaded("process")
    shown = uploaded("push", "photos", "--stages", "process", "-n").stdout
    assert shown == "Nothing to do: every uploaded file is through with these stages.\n"


def test_what_a_limit_left_is_continued_by_the_same_command(uploaded: Bulkup) -> None:
    shown = uploaded("process", "--limit", "1").stdout
    assert shown.rstrip().endswith("Continue: bulkup process")
