"""Which folders and archives hold parts of one export, where their names do not say so.

A part that was renamed, or unpacked into a folder of its own, is known by its neighbours: all that
lie in one folder are one export, unless two of them have different files in one place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping

Files = Mapping[tuple[str, str], Hashable]
"""What is in each file of an export, by its folder and name."""


def parts_of_one(exports: Mapping[str, Files]) -> Iterator[list[str]]:
    """The exports, named as in `ExportPlace`, in groups that are one each."""
    for neighbours in _by_neighbourhood(sorted(exports)):
        groups: list[tuple[list[str], dict[tuple[str, str], Hashable]]] = []
        for export in neighbours:
            files = exports[export]
            for names, held in groups:
                if _agree(held, files):
                    names.append(export)
                    held.update(files)
                    break
            else:
                groups.append(([export], dict(files)))
        yield from (names for names, _ in groups)


def may_be_part(export: str) -> bool:
    """Whether an export is named by the folder or archive that `Takeout/` is in."""
    return export.endswith(("/", "#"))


def _by_neighbourhood(exports: list[str]) -> Iterator[list[str]]:
    """Those that lie in one folder, as archives, as folders, or as `Takeout/` itself."""
    parts = {one: one.rstrip("/#") for one in exports if may_be_part(one)}
    around = {one: path.rpartition("/")[0] for one, path in parts.items()}
    with_others = set(around.values())
    found: dict[str, list[str]] = defaultdict(list)
    for export in exports:
        path = parts.get(export)
        if path is None:
            yield [export]
        else:
            found[path if path in with_others else around[export]].append(export)
    yield from found.values()


def _agree(one: Files, other: Files) -> bool:
    some, rest = (one, other) if len(one) < len(other) else (other, one)
    return all(rest.get(place, body) == body for place, body in some.items())
