"""Trees of files for the e2e tests, and what the stores hold afterwards."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from random import Random

from tests.servers.endpoint import Endpoint

JPEG_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def picture(seed: int | str, size_bytes: int = 3000) -> bytes:
    """Bytes that look like a JPEG by their start; the same for the same seed."""
    rest = max(0, size_bytes - len(JPEG_START))
    return (JPEG_START + Random(f"{seed}").randbytes(rest))[:size_bytes]


def make_tree(root: Path, files: dict[str, bytes]) -> Path:
    """Write the files, by their paths relative to `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def many(root: Path, count: int, size_bytes: int = 3000) -> Path:
    """A tree of `count` different pictures in folders of ten."""
    return make_tree(
        root, {f"{n // 10:03}/{n:05}.jpg": picture(n, size_bytes) for n in range(count)}
    )


def ignores_permissions() -> bool:
    """Whether this process, as root does, reads and writes what it may not."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0)
        return os.access(file.name, os.R_OK)


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def objects_in(store: Path) -> dict[str, bytes]:
    """The objects of a directory store by key; what bulkup keeps for itself left out."""
    found = {}
    for folder, _, names in os.walk(os.fsencode(store)):
        for name in names:
            path = os.path.join(folder, name)
            key = os.fsdecode(path)[len(str(store)) + 1 :]
            if not key.startswith((".bulkup/tmp/", ".bulkup/parts/")):
                found[key] = Path(os.fsdecode(path)).read_bytes()
    return found


def access(url: str, **more: str) -> dict[str, str]:
    """The AWS variables for a server at `url`."""
    return {**Endpoint(url).environment, **more}
