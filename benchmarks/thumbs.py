"""Compare pictures per second with vipsthumbnail, on one core and the same photos.

    python -m benchmarks.thumbs FOLDER [--rounds 5] [--workers 1]

One vipsthumbnail process is given all photos that it can read; bulkup makes the same thumbnails
in worker processes, and writes them to files, too. Both are measured whole, start included. The
ratios are of wall time: above 1 bulkup is faster. Goals: 1.0 for `thumb` alone, 1.2 for both
variants against two passes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.servers.packages import install

from benchmarks.measure import Measured, measure
from bulkup.content.picture.spec import PREVIEW, THUMB, VariantSpec
from bulkup.content.picture.types import Picture
from bulkup.process.task import MODULES, PictureTask, process
from bulkup.process.worker_pool import Workers

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif")
SPECS = {"thumb": (THUMB,), "both": (THUMB, PREVIEW)}
GOALS = {"thumb": 1.0, "both": 1.2}
LIMIT_SECONDS = 900.0


async def make(photos: Sequence[str], out: Path, specs: Sequence[VariantSpec], count: int) -> None:
    """All variants of all photos into files below `out`."""

    async def one(number: int, photo: str) -> None:
        job = PictureTask(photo, Path(photo).name, wanted=tuple(specs))
        made = await workers.run(process, job)
        assert isinstance(made, Picture), photo
        for variant in made.variants:
            name = f"{number}-{variant.name}.{variant.format.extension}"
            (out / name).write_bytes(variant.body)

    async with Workers(count, modules=MODULES) as workers:
        await asyncio.gather(*(one(number, photo) for number, photo in enumerate(photos)))


def readable(folder: Path, scratch: Path) -> list[str]:
    """The photos below `folder` that vipsthumbnail can read."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    kept = []
    for path in found:
        out = scratch / "try.jpg"
        argv = ["vipsthumbnail", "-s", "64", "-o", str(out), str(path)]
        tried = subprocess.run(argv, capture_output=True, check=False)
        if tried.returncode == 0 and out.exists():
            out.unlink()
            kept.append(str(path))
    return kept


def compare(photos: list[str], scratch: Path, *, rounds: int, workers: int) -> list[str]:
    """A line for `thumb` and one for both variants: medians after one round to warm up."""
    env = {**os.environ, "VIPS_CONCURRENCY": str(workers)}
    log, listing = scratch / "log", scratch / "photos.txt"
    listing.write_text("\0".join(photos))
    lines = []
    for name, specs in SPECS.items():
        ours, theirs = [], []
        for _ in range(rounds + 1):
            own = [sys.executable, "-m", "benchmarks.thumbs", "--make", name, str(listing),
                   str(_empty(scratch / "own")), "--workers", str(workers)]  # fmt: skip
            ours.append(_good(measure(own, env=env, log=log, limit_seconds=LIMIT_SECONDS)))
            passes = (_vips(spec, photos, scratch) for spec in specs)
            theirs.append(
                sum(
                    _good(measure(argv, env=env, log=log, limit_seconds=LIMIT_SECONDS))
                    for argv in passes
                )
            )
        own_seconds, vips_seconds = median(ours[1:]), median(theirs[1:])
        ratio = vips_seconds / own_seconds
        lines.append(
            f"{name:6} bulkup {len(photos) / own_seconds:6.1f}/s   vipsthumbnail"
            f" {len(photos) / vips_seconds:6.1f}/s   ratio {ratio:.2f} (goal {GOALS[name]})"
        )
    return lines


def _vips(spec: VariantSpec, photos: list[str], scratch: Path) -> list[str]:
    out = _empty(scratch / "vips")
    suffix = f"{spec.format.extension}[Q={spec.quality},strip]"
    return ["vipsthumbnail", "-s", str(spec.size_px), "-o", f"{out}/%s.{suffix}", *photos]


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _good(run: Measured) -> float:
    if run.exit_code != 0:
        raise SystemExit(f"a command failed with exit code {run.exit_code}")
    return run.wall_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="photos; or, for --make, a list of them")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--make", choices=sorted(SPECS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if options.make:
        photos = options.folder.read_text().split("\0")
        asyncio.run(make(photos, options.out, SPECS[options.make], options.workers))
        return
    install({"vipsthumbnail": "libvips-tools"})
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        scratch = Path(name)
        photos = readable(options.folder, scratch)
        print(f"{len(photos)} photos, {options.workers} at a time")
        for line in compare(photos, scratch, rounds=options.rounds, workers=options.workers):
            print(line)


if __name__ == "__main__":
    main()
