"""Destinations that have names in bulkup.toml: `--to nas:`, `--to nas:2019`.

    [destinations]
    nas = "/mnt/nas/photos"
    archive = { to = "s3://archive/photos", endpoint_url = "https://s3.example.org" }

Beside `to`, a table may have the keys of the table `s3`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bulkup.errors import SettingsError

_NAME = re.compile(r"([A-Za-z][\w-]*):(?!//)(.*)", re.DOTALL).fullmatch


class NamedDestination(NamedTuple):
    """A destination of the file; `options` are settings by their keys."""

    to: str
    options: Mapping[str, object]


def read_destinations(table: object, file: Path) -> dict[str, NamedDestination]:
    """The destinations by their names. Raises SettingsError; the options are checked later."""
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: destinations is no table", hint="Write [destinations].")
    found = {}
    for name, value in table.items():
        options = dict(value) if isinstance(value, dict) else {"to": value}
        to = options.pop("to", None)
        if not isinstance(to, str) or not to or _NAME(to):
            raise SettingsError(
                f"{file}: destinations.{name} names no destination",
                hint=f'Write {name} = "s3://bucket/prefix", or a directory.',
            )
        if _NAME(f"{name}:") is None:
            raise SettingsError(f"{file}: {name!r} is no name for a destination")
        found[name] = NamedDestination(to, {f"s3.{key}": one for key, one in options.items()})
    return found


def named_destination(text: str, known: Mapping[str, NamedDestination]) -> NamedDestination | None:
    """What `name:` or `name:below/it` stands for; None for a URL or a path.

    Raises SettingsError for a name that the file does not have.
    """
    match = _NAME(text)
    if match is None:
        return None
    name, below = match.groups()
    if name not in known:
        names = ", ".join(f"{one}:" for one in known) or "none"
        rest = below.lstrip("/") or "bucket"
        hint = (
            f"A bucket is s3://{rest}, with --endpoint-url for other servers than Amazon's; "
            f"a directory of this name is ./{text}"
        )
        raise SettingsError(
            f"there is no destination {name}: in bulkup.toml (it has {names})",
            hint=f"Did you mean s3://{rest}?" if name.lower() == "s3" else hint,
        )
    found = known[name]
    if not below:
        return found
    return found._replace(to=f"{found.to.rstrip('/')}/{below.lstrip('/')}")
