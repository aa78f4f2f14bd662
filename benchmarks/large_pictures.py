"""How much memory the workers use for the largest pictures.

    python -m benchmarks.large_pictures [--megapixels 196] [--workers 2]

Makes pictures at the pixel limit in several formats, pushes them to a directory with thumbnails,
and samples the run and its workers ten times a second. Goal: no worker above its 2 GiB, the run
itself below 300 MiB, every picture done.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from math import isqrt
from pathlib import Path

from PIL import Image

FORMS: dict[str, tuple[str, str, dict[str, object]]] = {
    "baseline.jpg": ("RGB", "JPEG", {"quality": 80}),
    "progressive.jpg": ("RGB", "JPEG", {"quality": 80, "progressive": True}),
    "cmyk.jpg": ("CMYK", "JPEG", {"quality": 80}),
    "rgb.png": ("RGB", "PNG", {"compress_level": 1}),
    "rgba.png": ("RGBA", "PNG", {"compress_level": 1}),
    "grey16.png": ("I;16", "PNG", {"compress_level": 1}),
    "deflate.tif": ("RGB", "TIFF", {"compression": "tiff_deflate"}),
    "strips.bmp": ("L", "BMP", {}),
}


def make(folder: Path, megapixels: int) -> None:
    """One picture of each format: a gradient, which is fast to write and compresses."""
    side = isqrt(megapixels * 1_000_000)
    ramp = Image.linear_gradient("L").resize((side, side))
    for number, (name, (mode, form, options)) in enumerate(FORMS.items()):
        image = Image.new("I;16", (side, side), number) if mode == "I;16" else ramp.convert(mode)
        image.save(folder / name, form, **options)


def resident(pid: int) -> int:
    """Resident private bytes of a process; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    kept = (line.split()[1] for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    return sum(map(int, kept)) * 1024


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def watch(process: subprocess.Popen[bytes]) -> tuple[int, dict[int, int], int]:
    """Peak bytes of the run, of each worker, and of all together."""
    run, together = 0, 0
    workers: dict[int, int] = defaultdict(int)
    while process.poll() is None:
        mine = resident(process.pid)
        theirs = {pid: resident(pid) for pid in children(process.pid)}
        run, together = max(run, mine), max(together, mine + sum(theirs.values()))
        for pid, size in theirs.items():
            workers[pid] = max(workers[pid], size)
        time.sleep(0.1)
    return run, workers, together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=int, default=196)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkup-") as scratch:
        folder = Path(scratch, "photos")
        folder.mkdir()
        make(folder, args.megapixels)
        program = str(Path(sys.executable).with_name("bulkup"))
        argv = [program, "push", str(folder), "--to", f"{scratch}/to"]
        argv += ["--stages", "upload,process", "--workers", str(args.workers)]
        began = time.monotonic()
        environ = {**os.environ, "BULKUP_HOME": f"{scratch}/home"}
        process = subprocess.Popen(argv, env=environ)
        run, workers, together = watch(process)
        seconds = time.monotonic() - began
    rows = [["the run", f"{run >> 20}"], ["all together", f"{together >> 20}"]]
    rows += [[f"worker {n}", f"{size >> 20}"] for n, size in enumerate(workers.values(), start=1)]
    for name, size in rows:
        print(f"{name:<14}{size:>6} MiB at most")
    print(f"{len(FORMS)} pictures in {seconds:.1f} s, exit code {process.returncode}")


if __name__ == "__main__":
    main()
