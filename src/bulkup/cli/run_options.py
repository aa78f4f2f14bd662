"""The settings whose flags several commands take, and the panels of `--help`."""

from __future__ import annotations

from typing import Any, Final

RUN: Final = (
    "push.concurrency",
    "push.max_rate",
    "push.bwlimit",
    "push.limit",
    "push.max_duration",
    "push.max_errors",
    "push.patience",
    "push.wait_online",
    "push.metrics_file",
    "push.stats",
    "push.json",
)
"""Of every command that starts a run."""

S3: Final = ("s3.endpoint_url", "s3.region", "s3.profile", "s3.addressing_style", "s3.ca_bundle")
"""Of every command that may open a destination which the manifest does not know."""

OBJECTS: Final = ("s3.storage_class", "s3.cache_control", "s3.metadata", "s3.tags")
"""What is stored with every object."""

SELECTION: Final = (
    "push.to",
    "push.stages",
    "push.include",
    "push.exclude",
    "push.all_files",
    "push.hidden",
    "push.follow_symlinks",
    "push.min_size",
    "push.max_size",
)
"""Which files are taken, and where they go."""

PUSH: Final = (
    "push.layout",
    "push.on_duplicate",
    "push.album_from_folder",
    "process.workers",
    *OBJECTS,
    *S3,
)
"""How files are stored and processed."""

PANELS: Final = {
    "Options": (),
    "Where": ("to", *(key.partition(".")[2].replace("_", "-") for key in S3), "aws-profile"),
    "What": (
        *("stages", "include", "exclude", "all-files", "hidden", "follow-symlinks"),
        *("min-size", "max-size", "newer-than", "older-than", "files-from"),
    ),
    "Objects": (
        *("layout", "on-duplicate", "album-from-folder"),
        *("storage-class", "cache-control", "metadata", "tag"),
    ),
    "How fast and how long": (
        *("concurrency", "max-rate", "bwlimit", "limit", "max-duration", "max-errors"),
        *("patience", "wait-online", "workers"),
    ),
    "Output": ("dry-run", "json", "metrics-file", "stats", "quiet", "verbose", "log-file"),
    "Global options": ("manifest", "config", "help"),
}
"""Flags without their dashes by the panel that lists them; all others are in the first."""

_PANEL_OF: Final = {name: title for title, names in PANELS.items() for name in names}


def panel_of(option: Any) -> str:
    """The panel of an option, by its long flag."""
    names = (flag.removeprefix("--") for flag in option.opts if flag.startswith("--"))
    return _PANEL_OF.get(next(names, ""), "Options")
