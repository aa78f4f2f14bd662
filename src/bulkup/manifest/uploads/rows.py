"""Uploads by clients as values: what they announce, what is reserved for them, what is stored."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.model import Digest

ROOT = "upload://"
"""Files that were uploaded are below a root of this and the owner's name."""


class Announced(NamedTuple):
    """What a client says of a file that it wants to upload. `folder` is '' or ends in '/'."""

    digest: Digest
    size_bytes: int
    media_type: str
    folder: str
    name: str
    modified_ns: int
    owner: str
    part_bytes: int | None  # None: it is sent whole


class Reservation(NamedTuple):
    """A content that a client is about to upload, or has uploaded."""

    id: str
    destination_id: int
    content_id: int
    digest: Digest
    owner: str
    key: str
    folder: str
    name: str
    size_bytes: int
    media_type: str
    modified_ns: int
    part_bytes: int | None
    store_upload_id: str | None
    is_done: bool
    created_at: float
    expires_at: float

    @property
    def path(self) -> str:
        """The file's path below the owner's root."""
        return self.folder + self.name

    @property
    def parts(self) -> int:
        """How many parts it is sent in; 0: it is sent whole."""
        return -(-self.size_bytes // self.part_bytes) if self.part_bytes else 0

    @property
    def announced(self) -> Announced:
        """What the client said of the file."""
        return Announced(
            self.digest,
            self.size_bytes,
            self.media_type,
            self.folder,
            self.name,
            self.modified_ns,
            self.owner,
            self.part_bytes,
        )


class StoredUpload(NamedTuple):
    """The destination has the content, under this key; the file is recorded. `is_duplicate`: it had
    the content before."""

    key: str
    is_duplicate: bool = True


class NewReservation(NamedTuple):
    """What is reserved, unless the content or its path is known."""

    id: str
    destination_id: int
    key: str
    created_at: float
    expires_at: float


class UploadedFile(NamedTuple):
    """A file that a client has uploaded, and its content."""

    path: str
    size_bytes: int
    digest: Digest
    media_type: str | None
    etag: str | None
    checksum: str | None
    stored_at: float
