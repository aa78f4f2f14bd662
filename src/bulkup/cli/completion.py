"""What a shell offers for the values of options: stages, destinations, profiles, models.

Nothing is printed and no error is raised here: a shell that completes shows neither.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bulkup.errors import BulkupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bulkup.settings.load import NamesInFile
    from bulkup.settings.table import Settings

STAGES = ("upload", "process", "embed")


def complete_stages(incomplete: str) -> list[str]:
    """The stages that follow those before the last comma."""
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    rest = [stage for stage in STAGES if stage not in taken and stage.startswith(last)]
    return [f"{before}{comma}{stage}" for stage in rest]


def complete_destination(incomplete: str) -> list[str]:
    """Names of bulkup.toml, the destinations of the manifest, and directories."""
    named = [f"{name}:" for name in _names().destinations]
    return _beginning(incomplete, [*named, *_known_urls()]) + _folders(incomplete)


def complete_profile(incomplete: str) -> list[str]:
    """The profiles of bulkup.toml; without any, those of AWS."""
    return _beginning(incomplete, _names().profiles or _aws_profiles())


def complete_aws_profile(incomplete: str) -> list[str]:
    """The profiles of AWS' files."""
    return _beginning(incomplete, _aws_profiles())


def complete_model(incomplete: str) -> list[str]:
    """The models that are built in, and those that were added."""
    from bulkup.operations.pictures.models import list_models

    settings = _settings()
    if settings is None:
        return []
    found = list_models(settings.run.embed.models_directory)
    return _beginning(incomplete, [one.name for one in found])


COMPLETERS: Mapping[str, Callable[[str], list[str]]] = {
    "push.to": complete_destination,
    "push.stages": complete_stages,
    "s3.profile": complete_profile,
    "embed.model": complete_model,
}
"""By the key of the setting."""


def _beginning(incomplete: str, found: Iterable[str]) -> list[str]:
    return [one for one in found if one.startswith(incomplete)]


def _settings() -> Settings | None:
    from bulkup.settings.load import load

    with suppress(BulkupError):
        return load({}, os.environ, Path.cwd())
    return None


def _names() -> NamesInFile:
    from bulkup.settings.load import NamesInFile, names_in_file

    with suppress(BulkupError):
        return names_in_file(os.environ, Path.cwd())
    return NamesInFile([], [])


def _known_urls() -> list[str]:
    from bulkup.manifest.reader import Reader

    settings = _settings()
    if settings is not None:
        with suppress(BulkupError), Reader(settings.manifest) as reader:
            return list(dict.fromkeys(one.url for one in reader.destinations.all()))
    return []


def _aws_profiles() -> list[str]:
    from bulkup.stores.aws_config import profile_names

    return profile_names(os.environ)


def _folders(incomplete: str) -> list[str]:
    """Directories whose path begins like this."""
    folder, slash, name = os.path.expanduser(incomplete).rpartition("/")
    with suppress(OSError), os.scandir((folder + slash) or ".") as entries:
        return sorted(
            f"{folder}{slash}{one.name}/"
            for one in entries
            if one.is_dir() and one.name.startswith(name) and (name or one.name[0] != ".")
        )
    return []
