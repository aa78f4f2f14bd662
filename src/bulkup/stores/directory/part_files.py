"""Parts of large objects as files: `.bulkup/parts/<upload id>/<number>-<digest>`.

`upload.json` beside them holds key, digest and attributes of the object. All functions block.
"""
# Paths are str as in files.py.

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from bulkup.errors import ObjectMissing, StoreRefused
from bulkup.model import Attributes, Body, Digest, Part
from bulkup.stores.directory.files import PARTS, Files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UPLOAD = "upload.json"
_PART_NAME = re.compile(r"[0-9]{5,}-[0-9a-f]{64}")


class PartFiles:
    """The open uploads of one directory."""

    def __init__(self, files: Files, *, now: Callable[[], float]) -> None:
        self._files = files
        self._now = now
        self._root = f"{files.root}/{PARTS}"

    def begin(self, key: str, digest: Digest | None, attributes: Attributes) -> str:
        """A new upload's id."""
        upload_id = secrets.token_hex(16)
        folder = self._root + upload_id
        self._files.folder.make_folders(PARTS + upload_id)
        upload = {
            "key": key,
            "digest": digest,
            "attributes": attributes._asdict()
            | {"metadata": dict(attributes.metadata), "tags": dict(attributes.tags)},
            "begun_at": self._now(),
        }
        self._save(f"{folder}/{_UPLOAD}", json.dumps(upload).encode())
        return upload_id

    def write(self, key: str, upload_id: str, number: int, body: Body, digest: Digest) -> Part:
        """Store a part; an older one of the same number is removed."""
        self._upload(key, upload_id)
        folder = self._root + upload_id
        name = f"{number:05d}-{digest}"
        self._save(f"{folder}/{name}", body)
        for old in os.listdir(folder):
            if old.startswith(f"{number:05d}-") and old != name:
                os.unlink(f"{folder}/{old}")
        return Part(number, len(body), digest, digest)

    def parts(self, key: str, upload_id: str) -> list[Part]:
        """The stored parts, by number."""
        self._upload(key, upload_id)
        folder = self._root + upload_id
        parts = []
        for name in sorted(os.listdir(folder)):
            if name != _UPLOAD:
                number, digest = name.split("-")
                size_bytes = os.stat(f"{folder}/{name}").st_size
                parts.append(Part(int(number), size_bytes, digest, Digest(digest)))
        return parts

    def complete(self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool) -> None:
        """Join `parts` into the object, then remove the upload."""
        upload = self._upload(key, upload_id)
        held = {(part.number, part.etag) for part in self.parts(key, upload_id)}
        named = [(part.number, part.etag) for part in parts]
        if not named or named != sorted(set(named)) or not held.issuperset(named):
            raise StoreRefused(f"key {key!r}: not all of the parts to join are stored")
        fd, temporary = self._files.create()
        try:
            with open(fd, "wb") as whole:
                for number, digest in named:
                    _append(whole, f"{self._root}{upload_id}/{number:05d}-{digest}")
                whole.flush()
                attributes = Attributes(**upload["attributes"])
                self._files.finish(whole.fileno(), upload["digest"], attributes)
            self._files.place(temporary, self._files.path(key), exclusive=exclusive)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        self.abort(upload_id)

    def abort(self, upload_id: str) -> None:
        """Remove the upload's folder, if it exists; no links are followed."""
        if not upload_id.isalnum():
            return
        root = self._files.folder
        with suppress(OSError), root.open_folder(PARTS) as parts:
            with root.open_folder(PARTS + upload_id) as fd:
                for name in os.listdir(fd):
                    if name == _UPLOAD or _PART_NAME.fullmatch(name):
                        os.unlink(name, dir_fd=fd)
            os.rmdir(upload_id, dir_fd=parts)

    def uploads(self, prefix: str) -> list[tuple[str, str, float]]:
        """(key, upload id, begun at) of open uploads whose key starts with `prefix`, by key."""
        found = []
        with suppress(FileNotFoundError):
            for upload_id in os.listdir(self._root):
                with suppress(OSError, ValueError):
                    upload = self._read(upload_id)
                    if upload["key"].startswith(prefix):
                        found.append((upload["key"], upload_id, upload["begun_at"]))
        return sorted(found)

    def _upload(self, key: str, upload_id: str) -> dict[str, Any]:
        try:
            upload = self._read(upload_id) if upload_id.isalnum() else {}
        except FileNotFoundError:
            upload = {}
        if upload.get("key") != key:
            self._files.folder.require()
            raise ObjectMissing(f"key {key!r}: there is no upload {upload_id!r}")
        return upload

    def _read(self, upload_id: str) -> dict[str, Any]:
        with open(f"{self._root}{upload_id}/{_UPLOAD}", "rb") as file:
            upload: dict[str, Any] = json.load(file)
        return upload

    def _save(self, path: str, body: Body) -> None:
        fd, temporary = self._files.create()
        try:
            with open(fd, "wb") as file:
                file.write(body)
                file.flush()
                self._files.sync(file.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _append(whole: BinaryIO, path: str) -> None:
    """Append the file at `path`, inside the kernel if possible."""
    with open(path, "rb") as part:
        whole.flush()
        if hasattr(os, "copy_file_range"):
            with suppress(OSError):  # not between these file systems: copy the rest below
                while os.copy_file_range(part.fileno(), whole.fileno(), 1024**3):
                    pass
        shutil.copyfileobj(part, whole, 1024**2)
