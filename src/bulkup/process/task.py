"""What a worker does with one content: read it, be sure of it, make its variants."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import BufferedReader, BytesIO

from bulkup.content.archive import open_member
from bulkup.content.picture.spec import LIMITS, VARIANTS, Format, Limits, VariantSpec
from bulkup.content.picture.types import Picture, Skipped, with_sidecar
from bulkup.errors import PictureInvalid, SourceChanged, SourceMissing, SourceUnreadable
from bulkup.model import Digest

MODULES: Final = ("bulkup.content.picture.make_variants",)
"""What a worker imports before its first job of this kind."""


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A content to process, by where its bytes are on this machine.

    `name` is what the file is called where it was found, `path` where it lies now: the same, or a
    temporary file that the object was downloaded to. `member` names a member of the ZIP archive
    at `path`. With `digest` the bytes are checked to be those before anything is decoded, unless
    they are more than the limit: then only their number is, `size_bytes`, which decides by itself.
    `sidecar` is the XMP packet of the file beside it, if there is one.
    """

    path: str
    name: str
    member: str | None = None
    digest: Digest | None = None
    size_bytes: int | None = None
    sidecar: bytes | None = None
    wanted: tuple[VariantSpec, ...] = VARIANTS
    limits: Limits = LIMITS


def process(job: PictureTask) -> Picture | Skipped:
    """The variants and the metadata. For a worker: it imports Pillow, and may die.

    Raises PictureInvalid, SourceMissing, SourceUnreadable, SourceChanged when the digest is
    another, SourceInvalid for a member that does not inflate, and MemoryError.
    """
    from bulkup.content.picture.make_variants import make_variants

    with _opened(job) as file:
        _check(file, job)
        made = make_variants(file, job.wanted, name=job.name, limits=job.limits)
    if isinstance(made, Skipped) or job.sidecar is None:
        return made
    return _with_sidecar(made, job.sidecar)


def _check(file: BufferedReader | BytesIO, job: PictureTask) -> None:
    """Raise SourceChanged unless these are the job's bytes. To read a video of some gigabytes
    through would take longer than a worker has."""
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    is_same = job.size_bytes in (None, size_bytes)
    if is_same and job.digest is not None and size_bytes <= job.limits.file_bytes:
        is_same = hashlib.file_digest(file, "sha256").hexdigest() == job.digest
        file.seek(0)
    if not is_same:
        raise SourceChanged(f"{job.name} has changed since it was uploaded")


def _with_sidecar(made: Picture, packet: bytes) -> Picture:
    """The picture with what its sidecar says; a broken one says nothing."""
    from bulkup.content.picture.xmp import read_xmp

    try:
        sidecar = read_xmp(packet)
    except PictureInvalid:
        return made
    return replace(made, metadata=with_sidecar(made.metadata, sidecar), sidecar=sidecar)


def variant_key(prefix: str, name: str, digest: Digest, kind: Format) -> str:
    """The key of a variant beside the originals: `prefix/.bulkup/thumb/ab/<digest>.webp`.

    `prefix` is the destination's: '' or ending in '/'.
    """
    return f"{prefix}.bulkup/{name}/{digest[:2]}/{digest}.{kind.extension}"


def _opened(job: PictureTask) -> BufferedReader | BytesIO:
    """The bytes, in a file that can be sought: a member is inflated into memory, to its limit."""
    if job.member is not None:
        with open_member(job.path, job.member, limit_bytes=job.limits.file_bytes) as member:
            return io.BytesIO(member.read())
    try:
        return open(job.path, "rb")
    except FileNotFoundError as error:
        raise SourceMissing(f"{job.name} is gone") from error
    except OSError as error:
        raise SourceUnreadable(f"{job.name}: {error.strerror}") from error
