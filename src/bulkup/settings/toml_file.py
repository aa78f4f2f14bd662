"""bulkup.toml: the values that it has, with its profiles and its names for destinations."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bulkup.errors import SettingsError
from bulkup.settings.named_destinations import NamedDestination, read_destinations
from bulkup.settings.setting import Written
from bulkup.settings.table import LEAVES, nearest_key
from bulkup.settings.trust import SettingsFile

_TABLES = {table for key in LEAVES if (table := key.rpartition(".")[0])}


class FromFile(NamedTuple):
    """What a settings file says."""

    values: dict[str, Written]  # by their keys
    profiles: dict[str, dict[str, Written]]  # each by its name
    destinations: dict[str, NamedDestination]


def read_values(file: SettingsFile) -> FromFile:
    """All keys are checked, values are not yet. Raises SettingsError for a text that is no TOML, or
    for an unknown key."""
    table = _read(file)
    named = read_destinations(table.pop("destinations", {}), file.path)
    profiles = {
        name: _flatten(inner, file.path, f"profile.{name}.")
        for name, inner in _profiles(table.pop("profile", {}), file.path)
    }
    return FromFile(_flatten(table, file.path, ""), profiles, named)


def _read(file: SettingsFile) -> dict[str, Any]:
    if file.body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SettingsError(f"{file.path} is UTF-16", hint="Save it as UTF-8.")
    try:
        return tomllib.loads(file.body.decode("utf-8-sig"))  # Notepad writes a mark before UTF-8
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are both
        raise SettingsError(f"{file.path} is no TOML: {error}") from error


def _profiles(profiles: object, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The named profiles. Raises SettingsError for `profile = …` and `profile.NAME = …`."""
    for name, table in profiles.items() if isinstance(profiles, dict) else [("", profiles)]:
        if not isinstance(table, dict):
            raise SettingsError(
                f"{file}: {f'profile.{name}' if name else 'profile'} is no table",
                hint="Write [profile.NAME]; the name of an AWS profile is s3.profile.",
            )
        yield name, table


def _flatten(table: Mapping[str, Any], file: Path, within: str) -> dict[str, Written]:
    """{'push.limit': 5} from {'push': {'limit': 5}}. Raises SettingsError for an unknown key."""
    found: dict[str, Written] = {}
    todo = list(table.items())
    while todo:
        key, value = todo.pop()
        is_path = key == "manifest" and not isinstance(value, dict)  # without a table
        if is_path or key in LEAVES:
            found["manifest.path" if is_path else key] = Written(
                value, f"{file}: {within}{key}", file.parent
            )
        elif isinstance(value, dict) and (value or key in _TABLES):
            todo += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif key in _TABLES:
            raise SettingsError(f"{file}: {within}{key} is a table", hint=f"Write [{within}{key}].")
        else:
            raise SettingsError(
                f'{file}: there is no setting "{within}{key}"; '
                f'the nearest is "{within}{nearest_key(key)}"'
            )
    return found
