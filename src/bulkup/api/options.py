"""Options as keyword arguments: the command line's names, with `_` for `-`.

Values are those of bulkup.toml, or Python's own for them: a path, a `timedelta`, a `datetime`, a
sequence, a mapping. What is not given comes from the environment, then from bulkup.toml, then from
the defaults, as for a command.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypedDict

from bulkup.settings.load import load
from bulkup.settings.table import Settings

LOG = logging.getLogger("bulkup")
LOG.addHandler(logging.NullHandler())  # without a handler of the caller, logging prints warnings

StrPath = str | os.PathLike[str]
Paths = StrPath | Iterable[StrPath]
Seconds = float | str | timedelta
"""A number of seconds, a text such as `10m`, or a `timedelta`."""
Moment = str | date | timedelta
"""A date or an age: `2026-01`, `30d`, a `date`, a `datetime` or a `timedelta`."""
Size = int | str
"""Bytes, or a text such as `64MiB`."""


class ManifestKeywords(TypedDict, total=False):
    """Which manifest, and which settings file. For every function."""

    manifest: StrPath
    config: StrPath


class WorkKeywords(ManifestKeywords, total=False):
    """How fast a run works and when it stops."""

    concurrency: int | Literal["auto"]
    max_rate: float | str
    bwlimit: Size
    limit: int
    max_duration: Seconds
    max_errors: int
    patience: Seconds
    wait_online: Seconds
    metrics_file: StrPath


class S3Keywords(TypedDict, total=False):
    """How an S3 server is reached."""

    endpoint_url: str
    region: str
    profile: str
    addressing_style: Literal["auto", "path", "virtual"]
    ca_bundle: StrPath


class ObjectKeywords(TypedDict, total=False):
    """What is stored with every object."""

    storage_class: str
    cache_control: str
    metadata: Mapping[str, str]
    tag: Mapping[str, str]


class PushKeywords(WorkKeywords, S3Keywords, ObjectKeywords, total=False):
    """Options of `push`."""

    to: StrPath
    stages: Sequence[str]
    include: Sequence[str]
    exclude: Sequence[str]
    all_files: bool
    hidden: bool
    follow_symlinks: bool
    min_size: Size
    max_size: Size
    newer_than: Moment
    older_than: Moment
    files_from: StrPath
    layout: str
    on_duplicate: Literal["skip", "copy"]
    album_from_folder: bool
    workers: int | Literal["auto"]


class RetryKeywords(WorkKeywords, ObjectKeywords, total=False):
    """Options of `retry`."""


class ProcessKeywords(WorkKeywords, total=False):
    """Options of `process`."""

    workers: int | Literal["auto"]
    engine: str
    sign: bool


class EmbedKeywords(WorkKeywords, total=False):
    """Options of `embed`."""

    model: str
    thorough: bool
    engine: str
    sign: bool


class PullKeywords(WorkKeywords, S3Keywords, total=False):
    """Options of `pull`."""


class SearchKeywords(ManifestKeywords, total=False):
    """Options of `search`."""

    model: str


class VerifyKeywords(ManifestKeywords, total=False):
    """Options of `verify`."""

    endpoint_url: str


def settings_of(options: Mapping[str, object], keywords: type[Any], **others: object) -> Settings:
    """The settings: `options` and `others` > environment > bulkup.toml > defaults.

    `keywords` is the TypedDict of the function. Raises SettingsError, and TypeError for an option
    that the function does not have.
    """
    known = keywords.__optional_keys__
    for name in options:
        if name not in known:
            nearest = "".join(f"; did you mean {n!r}?" for n in get_close_matches(name, known, 1))
            raise TypeError(f"unexpected keyword argument {name!r}{nearest}")
    given = {name: as_written(value) for name, value in {**options, **others}.items()}
    return load(given, os.environ, Path.cwd(), warn=LOG.warning)


def as_written(value: Any) -> Any:
    """The value as bulkup.toml would have it."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():f}s"
    if isinstance(value, date):
        return value.isoformat()
    return value


def listed(paths: Paths) -> list[str]:
    """One path or several, as texts."""
    if isinstance(paths, (str, os.PathLike)):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


def absolute(path: StrPath) -> str:
    """As the command line takes it: from the current folder."""
    return os.path.abspath(path)
