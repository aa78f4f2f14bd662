"""What a worker does with one content: check its digest, make its variants."""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import BufferedReader, BytesIO

from bulkup.content.archive import open_member
from bulkup.content.media import extension
from bulkup.content.picture.spec import LIMITS, VARIANTS, Format, PictureLimits, VariantSpec
from bulkup.content.picture.types import Picture, PictureFacts, Skipped
from bulkup.errors import PictureInvalid, SourceChanged, SourceMissing, SourceUnreadable
from bulkup.model import Digest

MODULES: Final = ("bulkup.content.picture.make_variants",)
"""Imported by a worker before its first picture."""

SIDECAR_MODULES: Final = ("bulkup.content.picture.facts.xmp",)
"""Imported by a worker before its first sidecar."""


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A content to process, and where its bytes are on this machine.

    `name` is the file's original name; `path` is the file itself, or a temporary copy of the
    object. `member` names a member of the ZIP archive at `path`. With `digest` the bytes are
    verified before they are decoded; above the file limit only `size_bytes` is.
    """

    path: str
    name: str
    member: str | None = None
    digest: Digest | None = None
    size_bytes: int | None = None
    wanted: tuple[VariantSpec, ...] = VARIANTS
    limits: PictureLimits = LIMITS


@dataclass(frozen=True, slots=True)
class SidecarTask:
    """A file called `name`, what it says itself, and the XMP files beside it, the most specific
    first."""

    name: str
    facts: PictureFacts
    packets: tuple[bytes, ...]


def process(task: PictureTask) -> Picture | Skipped:
    """The variants and the metadata. To be called in a worker: it imports Pillow, and may crash.

    Raises PictureInvalid, SourceMissing, SourceUnreadable, SourceChanged for another digest,
    SourceInvalid for a broken archive member, and MemoryError.
    """
    from bulkup.content.picture.make_variants import make_variants

    with _opened(task) as file:
        _check(file, task)
        return make_variants(file, task.wanted, name=task.name, limits=task.limits)


def read_sidecars(tasks: Sequence[SidecarTask]) -> list[PictureFacts | None]:
    """The facts corrected by the packets, in order; None where no packet is the file's.

    A packet that is broken, or that names another extension, is ignored.
    """
    from bulkup.content.picture.facts.merge import with_sidecars
    from bulkup.content.picture.facts.xmp import read_xmp

    found: list[PictureFacts | None] = []
    for task in tasks:
        read: list[PictureFacts] = []
        for packet in task.packets:
            with suppress(PictureInvalid):
                sidecar = read_xmp(packet)
                meant = (sidecar.extension or "").lower().lstrip(".")
                if meant in ("", extension(task.name)):
                    read.append(sidecar.facts)
        found.append(with_sidecars(task.facts, read) if read else None)
    return found


def _check(file: BufferedReader | BytesIO, task: PictureTask) -> None:
    """Raise SourceChanged unless the file has the task's size and digest.

    Above the file limit the size has to do: reading some gigabytes of video takes too long.
    """
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    is_same = task.size_bytes in (None, size_bytes)
    if is_same and task.digest is not None and size_bytes <= task.limits.file_bytes:
        is_same = hashlib.file_digest(file, "sha256").hexdigest() == task.digest
        file.seek(0)
    if not is_same:
        raise SourceChanged(f"{task.name} has changed since it was uploaded")


def variant_key(prefix: str, name: str, digest: Digest, kind: Format) -> str:
    """The key of a variant beside the originals: `prefix/.bulkup/thumb/ab/<digest>.webp`.

    `prefix` is the destination's: '' or ending in '/'.
    """
    return f"{prefix}.bulkup/{name}/{digest[:2]}/{digest}.{kind.extension}"


def _opened(task: PictureTask) -> BufferedReader | BytesIO:
    """The bytes as a seekable file; a member is inflated into memory, up to the limit."""
    if task.member is not None:
        with open_member(task.path, task.member, limit_bytes=task.limits.file_bytes) as member:
            return io.BytesIO(member.read())
    try:
        return open(task.path, "rb")
    except FileNotFoundError as error:
        raise SourceMissing(f"{task.name} is gone") from error
    except OSError as error:
        raise SourceUnreadable(f"{task.name}: {error.strerror}") from error
