"""What a scan gives to the manifest, and gets back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkup.manifest.rows import File, Known, Unreadable, WorkItem


class ScanScope(NamedTuple):
    """The scan of one root within one batch of one run, to one destination."""

    root_id: int
    root: str
    destination_id: int
    batch_id: int
    run_id: str
    requeues_failed: bool = False  # unchanged files that failed with other options
    is_new_batch: bool = False  # begun by this run: nothing was uploaded in it before


class Folder(NamedTuple):
    """What a scan found in a part of one folder, as compared with the manifest."""

    path: str
    new: Sequence[File]
    changed: Sequence[tuple[Known, File]]
    unchanged: Sequence[File]  # empty when nothing can be pending for them
    back: Sequence[Known]  # were missing, and are there again
    gone: Sequence[Known]
    unreadable: Sequence[Unreadable]
    excluded: Sequence[Known] = ()  # there, and a rule leaves them out now


class RecordedScan(NamedTuple):
    """What `Scans.record` made of the found files."""

    works: list[WorkItem]  # claimed for the run
    joined: int  # works of unchanged files that are part of the batch now
    joined_bytes: int
    duplicates: int  # unchanged files whose content such a work, of another file, uploads
    duplicate_bytes: int
