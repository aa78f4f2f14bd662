"""Which settings files are read: those that nobody else can write.

A `bulkup.toml` in the current directory may have come with somebody's folder, and settings say
where pictures and keys go and which files are written. So it counts only after `bulkup allow`,
which records a digest of its path and its text; any change needs a new permission.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from bulkup.errors import SettingsError

_ALLOWED = "allowed"
_MOST_BYTES = 4 << 20


class SettingsFile(NamedTuple):
    """A settings file as it was read, once: what is checked is what is used."""

    path: Path
    body: bytes
    foreign: str | None  # why its text may be somebody else's; None if it is the user's own

    @property
    def digest(self) -> str:
        """Of its absolute path and its text: the same text elsewhere means other paths."""
        import hashlib  # 3 ms, and most users have no such file

        path = os.fsencode(os.path.abspath(self.path))
        return hashlib.sha256(path + b"\0" + self.body).hexdigest()


def read_settings_file(path: Path) -> SettingsFile:
    """Raises SettingsError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if found.st_size > _MOST_BYTES:
                raise SettingsError(f"{path}: {found.st_size} bytes are too many for settings")
            return SettingsFile(path, file.read(_MOST_BYTES), _foreign(found))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


def _foreign(found: os.stat_result) -> str | None:
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & stat.S_IWOTH:
        return "everybody may write it"
    if found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid():
        return "others may write it"
    return None


def is_allowed(file: SettingsFile, home: Path) -> bool:
    """Whether `allow` was called for this text at this path. `home` is bulkup's data directory."""
    return file.foreign is None and (home / _ALLOWED / file.digest).is_file()


def allow(file: SettingsFile, home: Path) -> None:
    """Remember that the user wants these settings. Raises SettingsError."""
    if file.foreign is not None:
        raise SettingsError(
            f"{file.path} cannot be allowed: {file.foreign}",
            hint="Make a copy of your own that only you can write; or use --config.",
        )
    folder = home / _ALLOWED
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / file.digest).write_text(
            f"{os.path.abspath(file.path)}\n", "utf-8", "surrogateescape"
        )
    except OSError as error:
        raise SettingsError(f"{folder}: {error.strerror}") from error
