"""A small library, pushed once for all tests: photos, a duplicate, a damaged one, odd names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tests.e2e.pictures import photo

HOSTILE = "<img src=x onerror=alert(1)>.jpg"


class Library(NamedTuple):
    """A folder that was pushed to another, and the manifest of it."""

    folder: Path
    manifest: Path

    def digest(self, name: str) -> str:
        """Of the file with this name."""
        return sha256((self.folder / name).read_bytes()).hexdigest()

    def copied_to(self, path: Path) -> None:
        """A manifest of the test's own, over the same objects."""
        shutil.copyfile(self.manifest, path)


def pushed(place: Path) -> Library:
    """Push the library into a folder of `place`, with the installed code."""
    folder = place / "photos"
    (folder / "trip").mkdir(parents=True)
    for number in range(6):
        path = folder / "trip" / f"{number}.jpg"
        path.write_bytes(photo(number))
        os.utime(path, (1_300_000_000 + number * 40 * 86_400,) * 2)
    (folder / "same.jpg").write_bytes((folder / "trip" / "0.jpg").read_bytes())
    (folder / HOSTILE).write_bytes(photo(77))
    (folder / "broken.jpg").write_bytes(photo(78)[:300])
    (folder / os.fsdecode(b"no utf-8 \xff.jpg")).write_bytes(photo(79))
    manifest = place / "manifest.db"
    environ = {
        **os.environ,
        "BULKUP_HOME": str(place / "home"),
        "BULKUP_MANIFEST_BACKUP": "never",
        "BULKUP_PATIENCE": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from bulkup.cli.app import main; main()", "push", "--quiet",
         "--manifest", str(manifest), str(folder), "--to", str(place / "store")],
        env=environ, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr  # the broken one
    return Library(folder, manifest)
