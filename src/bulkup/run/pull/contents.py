"""Which contents a pull wants, the names of their files, and what is there already.

A file goes to its path below its root. With several roots, each has a folder of its own, named like
the root. Where a destination was never pushed to from here (its manifest was rebuilt), objects
without a file go to the path that their key is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from bulkup.errors import ErrorClass, FileNotWritten, UsageError
from bulkup.manifest.reports.pull import PulledContent, PulledFile, PulledObject, PulledRoot
from bulkup.manifest.reports.status import matcher
from bulkup.model import Digest
from bulkup.run.pull.events import PullFailed
from bulkup.run.pull.folder import Found, PulledPath, TargetFolder, Wanted


@dataclass(frozen=True, slots=True)
class PullSelection:
    """Which files are wanted. A file must match one of `patterns`, if there are any, be one of
    `asset_ids`, and its content one of `digests`, unless these are None."""

    patterns: tuple[str, ...] = ()  # shell globs, as `files` takes them
    root_ids: frozenset[int] | None = None  # None: all
    digests: frozenset[str] | None = None
    asset_ids: frozenset[int] | None = None
    deleted: bool = False  # also files that were deleted from the disk


class WantedContent(NamedTuple):
    """A content some of whose files are not there."""

    digest: Digest
    size_bytes: int
    objects: tuple[PulledObject, ...]
    places: tuple[PulledPath, ...]  # of the files that are not there
    there: PulledPath | None  # a file that is

    @property
    def key(self) -> str | None:
        """The key of its first object."""
        return self.objects[0].key if self.objects else None


class PlannedPage(NamedTuple):
    """What is to be done with some contents."""

    wanted: list[WantedContent]
    present: list[tuple[WantedContent, PulledPath]]  # files that are there
    failed: list[PullFailed]


class PullPlan:
    """Decides about contents, a page at a time. Blocks: it looks at the folder."""

    def __init__(
        self,
        folder: TargetFolder,
        selection: PullSelection,
        roots: Sequence[PulledRoot],
        prefixes: Mapping[int, str],
        order: Sequence[int] = (),
    ) -> None:
        """`prefixes` are those of the destinations that may be read, by id; `order` names the
        destinations whose objects are read first."""
        self._folder = folder
        self._selection = selection
        self._matches = [matcher(pattern) for pattern in selection.patterns]
        chosen = [r for r in roots if selection.root_ids is None or r.id in selection.root_ids]
        self._paths = {root.id: root.path for root in chosen}
        self._labels = root_labels(chosen)
        self._prefixes = prefixes
        self._order = {destination_id: rank for rank, destination_id in enumerate(order)}
        used = {root.destination_id for root in roots}
        self._rebuilt = frozenset(prefixes) - used if selection.root_ids is None else frozenset()

    def decide(self, contents: Iterable[PulledContent]) -> PlannedPage:
        """What is to be done with these contents."""
        page = PlannedPage([], [], [])
        for content in contents:
            if self._selection.digests is None or content.digest in self._selection.digests:
                self._decide(content, page)
        return page

    def _decide(self, content: PulledContent, page: PlannedPage) -> None:
        objects = tuple(
            sorted(
                (one for one in content.objects if one.destination_id in self._prefixes),
                key=lambda one: self._order.get(one.destination_id, len(self._order)),
            )
        )
        paths = self._wanted_paths(content)
        if not paths:
            return
        if content.digest is None or (not objects and content.size_bytes):
            why = (
                "it was never uploaded" if not content.objects else "it is not at this destination"
            )
            page.failed.extend(
                _failed(self._folder.absolute(path), None, content.digest, why) for path, _ in paths
            )
            return
        places: list[PulledPath] = []
        there: list[PulledPath] = []
        key = objects[0].key if objects else None
        for path, modified_ns in paths:
            try:
                place = self._folder.find(
                    Wanted(path, content.digest, content.size_bytes, modified_ns)
                )
            except FileNotWritten as error:
                at = self._folder.absolute(path)
                page.failed.append(
                    PullFailed(at, key, content.digest, error.error_class.value, str(error))
                )
                continue
            (there if place.found is Found.THERE else places).append(place)
        wanted = WantedContent(
            content.digest, content.size_bytes, objects, tuple(places), there[0] if there else None
        )
        page.present.extend((wanted, place) for place in there)
        if places:
            page.wanted.append(wanted)

    def _wanted_paths(self, content: PulledContent) -> list[tuple[str, int | None]]:
        """Where the content's files go, with their times."""
        if content.files:
            return [
                (self._labels[file.root_id] + file.path, file.modified_ns)
                for file in content.files
                if self._is_wanted(file)
            ]
        return [
            (path, None)
            for one in content.objects
            if one.destination_id in self._rebuilt
            and self._selection.asset_ids is None
            and self._is_match(path := one.key.removeprefix(self._prefixes[one.destination_id]))
        ]

    def _is_wanted(self, file: PulledFile) -> bool:
        ids = self._selection.asset_ids
        root = self._paths.get(file.root_id) if ids is None or file.asset_id in ids else None
        return root is not None and self._is_match(f"{root.rstrip('/')}/{file.path}")

    def _is_match(self, path: str) -> bool:
        return not self._matches or any(matches(path) for matches in self._matches)


def chosen_roots(known: Sequence[PulledRoot], named: Sequence[str]) -> frozenset[int] | None:
    """The ids of the roots that the user named by their paths, as they are here or as they were on
    the machine that pushed them, or by the ends of these; None for all. Raises UsageError."""
    if not named:
        return None
    found = set()
    for name in named:
        path = os.path.abspath(name)
        exact = [root.id for root in known if root.path in (path, name.rstrip("/"))]
        ends = [root.id for root in known if root.path.endswith(f"/{name.strip('/')}")]
        if not (exact or ends):
            shown = ", ".join(root.path for root in known) or "none"
            raise UsageError(f"{name} was never pushed", hint=f"Roots in the manifest: {shown}.")
        found.update(exact or ends)
    return frozenset(found)


def root_labels(roots: Sequence[PulledRoot]) -> dict[int, str]:
    """What goes before the paths of each root's files: nothing for a single one, else the root's
    name, with a digest of its path where two have the same."""
    if len(roots) == 1:
        return {roots[0].id: ""}
    names = {root.id: root.path.rstrip("/").rpartition("/")[2] or "root" for root in roots}
    number = Counter(name.lower() for name in names.values())
    labels = {}
    for root in roots:
        name = names[root.id]
        if number[name.lower()] > 1:
            name += f"~{sha256(root.path.encode(errors='surrogateescape')).hexdigest()[:8]}"
        labels[root.id] = f"{name}/"
    return labels


def _failed(path: str, key: str | None, digest: str | None, why: str) -> PullFailed:
    return PullFailed(path, key, digest, ErrorClass.MISSING.value, why)
