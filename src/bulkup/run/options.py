"""What a batch was started with, as the manifest keeps it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from bulkup.model import Stage
from bulkup.stores.attributes import Extras
from bulkup.stores.keys import Layout
from bulkup.walk.filters import Selection
from bulkup.walk.roots import anchor

STAGES = (Stage.UPLOAD, Stage.PROCESS, Stage.EMBED)
"""What a push does by default."""


@dataclass(frozen=True, slots=True)
class NamedRoot:
    """A root as it was named, and the directory that its assets' paths are relative to."""

    root: str
    path: str
    is_whole: bool  # a directory that is scanned as a whole


class Subtree(NamedTuple):
    """A file, a folder (its name ends in '/') or an archive below a root."""

    root: str
    folder: str
    name: str


def named(root: str) -> NamedRoot:
    """`root`, an absolute path, as the manifest keeps it."""
    is_whole = os.path.isdir(root)
    return NamedRoot(root, root if is_whole else anchor(root), is_whole)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What a batch is to do. The manifest keeps it, so that a later run can resume the batch.

    It keeps the path `files_from`, not what is listed there. With `subtrees`, nothing else under
    the roots is scanned; with `changed`, only these absolute paths (see `walk.changed_paths`).
    """

    roots: tuple[NamedRoot, ...] = ()
    selection: Selection = field(default_factory=Selection)
    files_from: str | None = None
    cwd: str = "."
    subtrees: tuple[Subtree, ...] = ()
    changed: tuple[str, ...] = ()
    layout: Layout = "path"
    copies_duplicates: bool = False
    makes_albums: bool = False  # of folders
    extras: Extras = field(default_factory=Extras)
    stages: tuple[Stage, ...] = STAGES

    def stage_after(self, stage: Stage) -> Stage | None:
        """The stage that items of `stage` go to next, if the batch has it."""
        after = {Stage.UPLOAD: Stage.PROCESS, Stage.PROCESS: Stage.EMBED}.get(stage)
        return after if after in self.stages else None

    def as_options(self) -> dict[str, object]:
        """Values for JSON, without those that equal the default."""
        default = asdict(BatchOptions())
        return {name: value for name, value in asdict(self).items() if value != default[name]}


def batch_options_of(options: Mapping[str, Any]) -> BatchOptions:
    """The inverse of `as_options`."""
    selection = dict(options.get("selection", {}))
    for name in ("include", "exclude"):
        selection[name] = tuple(selection.get(name, ()))
    return BatchOptions(
        roots=tuple(NamedRoot(**root) for root in options.get("roots", ())),
        selection=Selection(**selection),
        files_from=options.get("files_from"),
        cwd=options.get("cwd", "."),
        subtrees=tuple(Subtree(*one) for one in options.get("subtrees", ())),
        changed=tuple(options.get("changed", ())),
        layout=options.get("layout", "path"),
        copies_duplicates=options.get("copies_duplicates", False),
        makes_albums=options.get("makes_albums", False),
        extras=Extras(**options.get("extras", {})),
        stages=tuple(map(Stage, options.get("stages", STAGES))),
    )
