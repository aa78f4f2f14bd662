"""Push many real photos through all three stages; compare with the limit set by CPU time.

    python -m benchmarks.stages FOLDER [--photos 500] [--rounds 3] [--bulkup PATH]

The photos of FOLDER are taken again and again until there are so many, each with a few bytes of
its own behind its end: different contents that cost as much as the first. They go to a directory
in memory. What is slowest is the CPU: its seconds over the cores are the time that a perfect
overlap would take, and the ratio says how far from that the whole process is, start included.
Goal: 1.15.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.measure import Measured, make_bytecode, measure

ENDINGS = (".jpg", ".jpeg")  # formats that bear bytes behind their end
GOAL = 1.15
LIMIT_SECONDS = 900.0


def fill(folder: Path, photos: list[Path], count: int) -> int:
    """`count` different files in `folder`; returns their bytes."""
    total = 0
    for number in range(count):
        body = photos[number % len(photos)].read_bytes()
        if number >= len(photos):
            body += f"\n{number}".encode()
        path = folder / f"{number % 20:02d}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        total += len(body)
    return total


def push(bulkup: str, photos: Path, scratch: Path) -> Measured:
    """One push into an empty home and an empty destination."""
    for name in ("home", "to"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    run = measure(
        [bulkup, "push", photos, "--to", scratch / "to"],
        env={**os.environ, "BULKUP_HOME": str(scratch / "home")},
        log=scratch / "log",
        limit_seconds=LIMIT_SECONDS,
    )
    if run.exit_code != 0:
        raise SystemExit(f"bulkup push ended with {run.exit_code}: {scratch / 'log'}")
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bulkup", default="bulkup")
    options = parser.parse_args()
    make_bytecode(options.bulkup)
    found = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if not found:
        raise SystemExit(f"no photos below {options.folder}")
    memory = Path("/dev/shm")
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        scratch = Path(name)
        size_bytes = fill(scratch / "photos", found, options.photos)
        print(f"{options.photos} photos, {size_bytes / 2**20:.0f} MiB, {cores} cores")
        runs = [push(options.bulkup, scratch / "photos", scratch) for _ in range(options.rounds)]
    wall = median(run.wall_seconds for run in runs)
    ratio = median(run.wall_seconds * cores / run.cpu_seconds for run in runs)
    peak = max(run.peak_mib for run in runs)
    print(
        f"wall {wall:.1f} s, {options.photos / wall:.1f} photos/s, peak {peak:.0f} MiB in all,"
        f" ratio to CPU seconds / cores {ratio:.2f} (goal {GOAL})"
    )


if __name__ == "__main__":
    main()
