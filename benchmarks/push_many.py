"""Push so many small files to the sink: time, CPU, memory, the manifest's size, `status` after it.

    python -m benchmarks.push_many FOLDER [--files 1000000]

FOLDER gets the files (4 KiB each on most file systems) and keeps them for the next time. The sink
is nginx (`python -m tests.servers.front install`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import front

from benchmarks.bench import environment
from benchmarks.measure import Measured, make_bytecode, measure

IN_FOLDER = 1000
PROGRAM = Path(sys.executable).with_name("bulkup")
LIMIT_SECONDS = 3600.0


def write(root: Path, files: int) -> None:
    """Files like no other, 1 KiB each; those that are there are kept."""
    for first in range(0, files, IN_FOLDER):
        folder = root / f"{first // IN_FOLDER:05d}"
        if (folder / f"{first + IN_FOLDER - 1:08d}.jpg").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(files, first + IN_FOLDER)):
            (folder / f"{number:08d}.jpg").write_bytes(b"%016d" % number * 64)


def shown(what: str, found: Measured) -> str:
    return (
        f"{what}: {found.wall_seconds:.2f} s, {found.cpu_seconds:.2f} s of CPU, "
        f"{found.peak_mib:.0f} MiB, exit code {found.exit_code}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=1_000_000)
    given = parser.parse_args()
    make_bytecode(PROGRAM)
    root = given.folder / f"{given.files}"
    write(root, given.files)
    with TemporaryDirectory(dir=given.folder) as place, front.running() as sink:
        home, log = Path(place, "home"), Path(place, "log")
        env = {**environment(sink.endpoint, home), "AWS_ENDPOINT_URL": sink.endpoint.url}
        push = ("push", root, "--to", "s3://bucket/p", "--stages", "upload", "--quiet")
        for what, command in (("push", push), ("again", push), ("status", ("status",))):
            found = measure((PROGRAM, *command), env=env, log=log, limit_seconds=LIMIT_SECONDS)
            print(shown(what, found), flush=True)
        size = sum(file.stat().st_size for file in home.glob("**/manifest.db*"))
        print(f"manifest: {size / 2**20:.0f} MiB, {size / given.files:.0f} bytes for each file")
        print(f"stored: {sink.stats()}")


if __name__ == "__main__":
    main()
