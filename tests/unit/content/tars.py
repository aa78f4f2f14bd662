"""Tar archives made for tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Literal

Format = Literal["pax", "gnu", "ustar"]
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}


def member(
    name: str, size: int = 0, *, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mtime = size, kind, link, 1_600_000_000
    return info


def make_tar(
    path: Path, *members: tuple[str | tarfile.TarInfo, bytes], form: Format = "pax"
) -> str:
    """An archive with these members in this order; compressed if its name says so."""
    mode = "w:gz" if path.suffix in (".tgz", ".gz") else "w"
    with tarfile.open(path, mode, format=FORMATS[form]) as archive:  # type: ignore[call-overload]
        for info, data in members:
            one = member(info, len(data)) if isinstance(info, str) else info
            archive.addfile(one, io.BytesIO(data))
    return str(path)
