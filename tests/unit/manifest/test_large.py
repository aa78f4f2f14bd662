"""What a large manifest is asked often looks at few rows. The rows are those of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.make_manifest import NOW, make, state_of

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.model import Stage, State
from tests.sql import plans, sql, statements
from tests.unit.manifest.recording import recount_differs

ASSETS = 4000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 4,000 files in two roots, each with a destination of its own."""
    path = tmp_path_factory.mktemp("large") / "manifest.db"
    make(path, assets=ASSETS, destinations=2)
    return path


@pytest.fixture
def manifest(large: Path, tmp_path: Path) -> Iterator[Manifest]:
    """A copy that may be changed."""
    copy = tmp_path / "manifest.db"
    copy.write_bytes(large.read_bytes())
    with Manifest(str(copy)) as opened:
        yield opened


def test_it_is_one_that_runs_could_have_left(manifest: Manifest) -> None:
    assert recount_differs(manifest) == []
    done = sum(state_of(n) == "done" for n in range(ASSETS))
    assert manifest.reports.status().stages[Stage.UPLOAD].states[State.DONE] == 2 * done


def test_contents_are_counted_once_for_all_destinations(manifest: Manifest) -> None:
    """Those that no asset has any more do not count."""
    unique = sum(state_of(n) != "duplicate" for n in range(ASSETS))
    assert manifest.reports.status().unique == unique
    sql(manifest, "UPDATE content SET assets = 0 WHERE id IN (1, 2, 3)")
    assert manifest.reports.status().unique == unique - 3


def test_status_counts_failures_by_class(manifest: Manifest) -> None:
    failures = manifest.reports.status().failures
    counted = sql(
        manifest, "SELECT error_class, count(*) FROM item WHERE error_class IS NOT NULL GROUP BY 1"
    )
    assert {str(name): count for name, count in failures.items() if count} == dict(counted)


@pytest.mark.parametrize("ask", ["status", "claims"])
def test_status_never_goes_through_all_rows(manifest: Manifest, ask: str) -> None:
    """Of items it reads those that failed, from an index; contents are counted by pages."""
    with statements() as sent:
        getattr(manifest.reports, ask)()
    assert sent
    for (statement, _), plan in zip(sent, plans(manifest, sent), strict=True):
        for scan in [line for line in plan if line.startswith("SCAN")]:
            table = scan.split()[1]
            assert table != "asset", scan
            if table in ("item", "content"):
                assert "INDEX" in scan, scan
            if table == "item":
                assert "item_failed" in scan or "item_claimed" in scan, scan
        assert not any("TEMP B-TREE" in line and "FROM item" in statement for line in plan), plan


def test_a_claim_takes_ready_and_due_items_only(manifest: Manifest) -> None:
    works = manifest.stage_queue.claim(
        StageScope(1, Stage.UPLOAD, 1), run_id="x", limit=ASSETS, now=NOW - 1
    )
    ready = sum(state_of(n) == "ready" for n in range(ASSETS))
    assert len(works) == ready
    assert len({work.item_id for work in works}) == ready
