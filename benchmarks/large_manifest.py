"""How fast a manifest of 1,000,000 assets is: `bulkup status`, and a claim."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.make_manifest import ASSETS, NOW, make
from benchmarks.measure import measure
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.reader import Reader
from bulkup.model import Stage

STATUS, CLAIM = "status-1m", "claim"
NAMES = (STATUS, CLAIM)
STATUS_GOAL_MS = 100.0
CLAIM_GOAL_MS = 5.0
CLAIM_ITEMS = 100
"""Items per claim: some seconds of work. A push claims up to 4000 at once; the cost is per
item, whatever the size of the manifest."""


def run(
    names: Sequence[str],
    *,
    folder: Path,
    bulkup: str,
    env: dict[str, str],
    log: Path,
    rounds: int,
    scale: float,
) -> list[str]:
    """Measure those of NAMES that are selected; one line of results for each."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"large-{scale:g}.db"
    if not path.exists():
        part = path.with_suffix(".part")
        make(part, assets=max(1000, round(ASSETS * scale)))
        part.rename(path)
    lines = []
    if STATUS in names:
        lines.append(_status(path, bulkup, env, log, rounds))
    if CLAIM in names:
        lines.append(_claim(path, rounds))
    return lines


def _status(path: Path, bulkup: str, env: dict[str, str], log: Path, rounds: int) -> str:
    """Time of the whole command without the start of Python and typer."""
    commands = {
        "status": [bulkup, "status", "--manifest", str(path)],
        "typer": [sys.executable, "-c", "import typer"],
    }
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, argv in commands.items():
            walls[name].append(measure(argv, env=env, log=log, limit_seconds=60).wall_seconds)
    whole, start = (1000 * median(times[1:]) for times in walls.values())
    with Reader(str(path)) as reader:
        status = reader.reports.status()
        query = median(_ms(reader.reports.status) for _ in range(rounds))
    return (
        f"{STATUS}: {status.assets:,} assets: {whole:.0f} ms, without the start of Python and "
        f"typer {whole - start:.0f} ms, of which {query:.1f} ms in the manifest; "
        f"goal {STATUS_GOAL_MS:g} ms"
    )


def _claim(path: Path, rounds: int) -> str:
    """Claims in a copy, since they change it; each takes the next items."""
    copy = path.with_name("claimed.db")
    shutil.copy(path, copy)
    try:
        with Manifest(str(copy)) as manifest:

            def claim() -> None:
                works = manifest.stage_queue.claim(
                    StageScope(1, Stage.UPLOAD, 1), run_id="bench", limit=CLAIM_ITEMS, now=NOW
                )
                assert works

            times = [_ms(claim) for _ in range(max(rounds, 1))]
    finally:
        for left in copy.parent.glob(f"{copy.name}*"):
            left.unlink()
    return (
        f"{CLAIM}: {CLAIM_ITEMS} items: {median(times):.2f} ms, at most {max(times):.2f} ms; "
        f"goal {CLAIM_GOAL_MS:g} ms"
    )


def _ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
