"""What a batch is begun with, and how the run that works on it works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from bulkup.content.picture.spec import LIMITS, VARIANTS, PictureLimits, VariantSpec
from bulkup.model import Stage
from bulkup.stores.attributes import Extras
from bulkup.stores.keys import Layout
from bulkup.walk.filters import Selection
from bulkup.walk.roots import anchor

STAGES = (Stage.UPLOAD, Stage.PROCESS, Stage.EMBED)
"""What a push does when nothing else is said."""


@dataclass(frozen=True, slots=True)
class NamedRoot:
    """A root as it was named, and the directory that its assets' paths are relative to."""

    root: str
    path: str
    is_whole: bool  # a directory, all of which is walked


class Subtree(NamedTuple):
    """A file, a folder (its name ends in '/') or an archive, by its asset."""

    root: str
    folder: str
    name: str


def named(root: str) -> NamedRoot:
    """`root`, an absolute path, as the manifest keeps it."""
    is_whole = os.path.isdir(root)
    return NamedRoot(root, root if is_whole else anchor(root), is_whole)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What is to be done in a batch. The manifest keeps it, so that any later run can go on.

    The files listed by `files_from` are not kept. With `places`, nothing else under the roots is
    looked at.
    """

    roots: tuple[NamedRoot, ...] = ()
    selection: Selection = field(default_factory=Selection)
    files_from: str | None = None
    cwd: str = "."
    subtrees: tuple[Subtree, ...] = ()
    layout: Layout = "path"
    copies_duplicates: bool = False
    extras: Extras = field(default_factory=Extras)
    stages: tuple[Stage, ...] = STAGES

    def stage_after(self, stage: Stage) -> Stage | None:
        """The stage that items of `stage` go on to in a run with this order."""
        after = {Stage.UPLOAD: Stage.PROCESS, Stage.PROCESS: Stage.EMBED}.get(stage)
        return after if after in self.stages else None

    def as_options(self) -> dict[str, object]:
        """As JSON takes it; what equals the default is left out."""
        default = asdict(BatchOptions())
        return {name: value for name, value in asdict(self).items() if value != default[name]}


def batch_options_of(options: Mapping[str, Any]) -> BatchOptions:
    """The order that `as_options` wrote down."""
    selection = dict(options.get("selection", {}))
    for name in ("include", "exclude"):
        selection[name] = tuple(selection.get(name, ()))
    return BatchOptions(
        roots=tuple(NamedRoot(**root) for root in options.get("roots", ())),
        selection=Selection(**selection),
        files_from=options.get("files_from"),
        cwd=options.get("cwd", "."),
        subtrees=tuple(Subtree(*place) for place in options.get("subtrees", ())),
        layout=options.get("layout", "path"),
        copies_duplicates=options.get("copies_duplicates", False),
        extras=Extras(**options.get("extras", {})),
        stages=tuple(map(Stage, options.get("stages", STAGES))),
    )


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How pictures are processed. What one of them may cost is bounded four ways."""

    workers: int = 0  # 0: one for each core
    memory_bytes: int = 2 << 30  # of one worker
    seconds: float = 60.0  # for one picture
    limits: PictureLimits = LIMITS
    variants: tuple[VariantSpec, ...] = VARIANTS
    force: bool = False  # variants that the destination has already (--force)

    @property
    def count(self) -> int:
        """How many workers."""
        return self.workers or cores()


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """What makes vectors of pictures; from `url` on it is for the embedder `http`."""

    model: str = "efficientnet-lite0"
    models_directory: str = ""  # where `clip` keeps what it fetched
    threads: int = 0  # 0: one for each core
    thorough: bool = False
    force: bool = False  # pictures that are embedded already (--force)
    url: str | None = None
    api: Literal["openai", "replicate"] = "openai"
    remote_model: str | None = None
    key: str | None = field(default=None, repr=False)
    pictures_as: Literal["url", "image", "message"] = "url"
    dimension: int | None = None
    timeout_seconds: float = 60.0
    requests_per_minute: float = 5.0
    burst: int = 5
    ca_bundle: str | None = None


def cores() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run connects, how fast it works, and when it stops."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    ca_bundle: str | None = None
    concurrency: int | None = None  # None: adaptive
    max_rate_per_second: float | None = None
    bwlimit_bytes_per_second: float | None = None
    limit: int | None = None
    max_duration_seconds: float | None = None
    max_errors: int | None = None
    patience_seconds: float = 30.0
    part_threshold_bytes: int | None = None
    part_size_bytes: int = 16 << 20
    stale_after_seconds: float = 600.0
    process: ProcessOptions = field(default_factory=ProcessOptions)
    embed: EmbedOptions = field(default_factory=EmbedOptions)
