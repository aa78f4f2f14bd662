"""What a push would do, without doing it: no request, no write.

It walks, compares and reads as a push does, in the same order, and asks the manifest where a push
would ask the destination. So it is exact but for two things: what others put into the destination
unbeknown to the manifest, and files that change before the push.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from bulkup.clock import Clock
from bulkup.content.digest import digest_file
from bulkup.content.reading import open_source
from bulkup.errors import ErrorClass, SourceError
from bulkup.events import (
    Emit,
    FilePlanned,
    FilesLeftOut,
    FilesPlanned,
    RootWalked,
    Summary,
    Verdict,
)
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.dry_run import Pending
from bulkup.manifest.rows import File, Known
from bulkup.model import Digest, LeftOut, State
from bulkup.operations.push import Push, PushTarget
from bulkup.pace.backoff import is_final
from bulkup.run.liveness import here
from bulkup.stores.keys import key_for, spare_key
from bulkup.walk.diff import compare
from bulkup.walk.files_from import listed, read_paths
from bulkup.walk.listing import FolderListing
from bulkup.walk.roots import anchor
from bulkup.walk.walk import walk

_KEY_BYTES = 16  # two of 10**9 keys meet with a chance of 10**-21


@dataclass(slots=True)
class _Counts:
    """The summary's numbers, as they grow."""

    files: int = 0
    size_bytes: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    left_out: int = 0
    sent: int = 0
    sent_bytes: int = 0
    duplicates: int = 0
    duplicate_bytes: int = 0
    copied: int = 0
    waiting: int = 0
    dead: int = 0
    ready: int = 0
    claimed_elsewhere: int = 0
    failures: dict[str, int] = field(default_factory=dict)


class DryRun:
    """The plan of one push. What it holds in memory is 32 bytes for each content to be sent, and
    16 for its key where keys can meet."""

    def __init__(
        self,
        push: Push,
        reader: Reader,
        to: PushTarget,
        *,
        prefix: str,
        clock: Clock,
        emit: Emit,
        wants_files: bool,
    ) -> None:
        self._push = push
        self._reader = reader
        self._to = to
        self._to_id = None if to.known is None else to.known.id
        self._prefix = prefix
        self._clock = clock
        self._emit = emit
        self._wants_files = wants_files
        self._counts = _Counts()
        self._to_send: set[bytes] = set()  # digests
        self._keys: dict[bytes, bytes] = {}  # short digest of a key → digest of what it gets
        self._settled: set[int] = set()  # contents with pending work that this plan has dealt with
        self._planned: list[FilePlanned] = []
        self._alive = self._runs_alive()  # the claims of others are void

    def make(self) -> Summary:
        """Walk, read and decide. Raises UsageError and ManifestError."""
        began = self._clock.monotonic()
        if self._push.files_from is not None:
            paths = read_paths(self._push.files_from)
            roots = list(self._push.roots)
            for root, listing in listed(paths, roots, self._push.selection, cwd=self._push.cwd):
                self._take(anchor(root), self._root_id(root), listing, is_whole=False)
                self._tell()
        else:
            for root in self._push.roots:
                self._walk(root)
        return self._summary(self._clock.monotonic() - began)

    def _walk(self, root: str) -> None:
        began = self._clock.monotonic()
        base, root_id, is_whole = anchor(root), self._root_id(root), os.path.isdir(root)
        before = replace(self._counts)
        seen: set[int] = set()
        unseen: list[str] = []
        for listing in walk(root, self._push.selection):
            folder_id = self._take(base, root_id, listing, is_whole=is_whole)
            unseen += listing.unseen
            if folder_id is not None:
                seen.add(folder_id)
            self._tell()
        if is_whole and root_id is not None:
            self._count_gone(base, root_id, seen, tuple(unseen))
        counts = self._counts
        self._emit(
            RootWalked(
                root=base,
                files=counts.files - before.files,
                size_bytes=counts.size_bytes - before.size_bytes,
                new=counts.new - before.new,
                changed=counts.changed - before.changed,
                unchanged=counts.unchanged - before.unchanged,
                gone=counts.gone - before.gone,
                left_out=counts.left_out - before.left_out,
                seconds=self._clock.monotonic() - began,
            )
        )

    def _runs_alive(self) -> frozenset[str]:
        machine, now = here(), self._clock.now()
        stale_after = self._push.stale_after_seconds
        return frozenset(
            run.id
            for run in (self._reader.runs.open_runs() if self._reader.exists else ())
            if not machine.is_gone(run, now=now, stale_after_seconds=stale_after)
        )

    def _root_id(self, root: str) -> int | None:
        return self._reader.dry_run.root_id(anchor(root)) if self._reader.exists else None

    def _count_gone(self, base: str, root_id: int, seen: set[int], unseen: tuple[str, ...]) -> None:
        """Files in folders that the walk did not come through, because they are not there."""
        walks = self._reader.scans
        for folder_id, path in walks.folders(root_id):
            if folder_id in seen or path.startswith(unseen):
                continue
            if not os.path.lexists(f"{base}/{path.rstrip('/#')}"):
                self._counts.gone += sum(
                    not known.is_missing for known in walks.known(folder_id, None, None)
                )

    def _take(
        self, base: str, root_id: int | None, listing: FolderListing, *, is_whole: bool
    ) -> int | None:
        """One listing; the id of its folder, where it has one."""
        counts = self._counts
        folder_id = None
        recorded: dict[str, Known] = {}
        pending: dict[str, Pending] = {}
        if root_id is not None:
            folder_id = self._reader.scans.folder_id(root_id, listing.folder)
        if folder_id is not None:
            walks, after, upto = self._reader.scans, listing.after, listing.upto
            recorded = {known.file.name: known for known in walks.known(folder_id, after, upto)}
            pending = self._reader.dry_run.pending(folder_id, after, upto, self._to_id)
        changes = compare(listing, recorded)
        counts.files += len(listing.files)
        counts.size_bytes += sum(row[1] for row in listing.files)
        counts.new += len(changes.new)
        counts.changed += len(changes.changed)
        counts.unchanged += len(changes.unchanged)
        counts.gone += len(changes.gone) if is_whole else 0
        counts.left_out += len(listing.left_out)
        if listing.left_out:
            self._emit(FilesLeftOut(base, tuple(listing.left_out)))
        for one in changes.broken:
            self._give_up(base, one)
        fresh = {row[0] for row in changes.new} | {row[0] for _, row in changes.changed}
        for row in listing.files:
            if row[0] in fresh:
                self._read(base, listing.folder, File(*row))
            elif row[0] in pending:
                self._go_on(base, listing.folder, File(*row), pending[row[0]])
        return folder_id

    # One file --------------------------------------------------------------------------------

    def _go_on(self, base: str, folder: str, file: File, pending: Pending) -> None:
        """An unchanged file whose content the destination does not have yet."""
        if pending.content_id in self._settled:
            return
        path = f"{base}/{folder}{file.name}"
        if pending.state is State.DEAD:
            self._counts.dead += 1
            self._plan(path, "dead", None, pending.digest, file.size_bytes, pending.error)
        elif pending.state is State.CLAIMED and pending.run_id in self._alive:
            self._counts.claimed_elsewhere += 1
            self._plan(path, "claimed", None, pending.digest, file.size_bytes)
        else:
            self._read(base, folder, file, pending.digest)
        if pending.digest is not None:  # one content, however many files
            self._settled.add(pending.content_id)

    def _read(self, base: str, folder: str, file: File, digest: Digest | None = None) -> None:
        """A file that a push would read; `digest` is that of a content that was read before."""
        path = f"{base}/{folder}{file.name}"
        limit = self._push.limit
        if limit is not None and self._counts.sent >= limit:
            self._counts.ready += 1
            self._plan(path, "over_limit", None, digest, file.size_bytes)
            return
        if digest is None:
            try:
                with open_source(base, folder, file.name) as (source, _):
                    digest = digest_file(source)
            except SourceError as error:
                self._fail(path, file.size_bytes, error)
                return
        self._decide(path, folder + file.name, file.size_bytes, digest)

    def _decide(self, path: str, relative: str, size_bytes: int, digest: Digest) -> None:
        """Send it, or is it a duplicate of what is there, on its way, or planned already?"""
        counts = self._counts
        key, is_seen_to = None, False
        if self._reader.exists:
            state, run_id, key = self._reader.dry_run.upload_of(digest, self._to_id)
            claimed = state is State.CLAIMED and run_id in self._alive
            is_seen_to = claimed or state in (State.DONE, State.SKIPPED)
        raw = bytes.fromhex(digest)
        wanted = key_for(self._prefix, relative, digest, self._push.layout)
        if raw not in self._to_send and not is_seen_to:
            self._to_send.add(raw)
            counts.sent += 1
            counts.sent_bytes += size_bytes
            key = key or self._free_key(wanted, digest) or spare_key(wanted, digest)
            self._plan(path, "send", key, digest, size_bytes)
            return
        counts.duplicates += 1
        counts.duplicate_bytes += size_bytes
        copy = self._free_key(wanted, digest) if self._push.copies_duplicates else None
        if copy is not None and copy != key:
            counts.copied += 1
            self._plan(path, "copy", copy, digest, size_bytes)
        else:
            self._plan(path, "duplicate", key, digest, size_bytes)

    def _free_key(self, wanted: str, digest: Digest) -> str | None:
        """`wanted`, or the spare key where another content has it; None when this one has it."""
        for key in (wanted, spare_key(wanted, digest)):
            holder = None
            if self._reader.exists:
                holder = self._reader.dry_run.holder_of(key, self._to_id)
            short = blake2b(os.fsencode(key), digest_size=_KEY_BYTES).digest()
            holder_raw = self._keys.get(short) if holder is None else bytes.fromhex(holder)
            if holder_raw is None:
                if len(self._push.roots) > 1 or self._push.copies_duplicates:
                    self._keys[short] = bytes.fromhex(digest)
                return key
            if holder_raw == bytes.fromhex(digest):
                return None
        return None

    def _give_up(self, base: str, one: LeftOut) -> None:
        error_class = one.error_class or ErrorClass.UNKNOWN
        self._counts.dead += 1
        self._blame(error_class)
        self._plan(f"{base}/{one.folder}{one.name}", "dead", None, None, 0, one.reason)

    def _fail(self, path: str, size_bytes: int, error: SourceError) -> None:
        if is_final(error.error_class):
            self._counts.dead += 1
        else:
            self._counts.waiting += 1
        self._blame(error.error_class)
        self._plan(path, "unreadable", None, None, size_bytes, str(error))

    def _blame(self, error_class: ErrorClass) -> None:
        failures = self._counts.failures
        failures[error_class.value] = failures.get(error_class.value, 0) + 1

    # Telling ---------------------------------------------------------------------------------

    def _plan(
        self,
        path: str,
        verdict: Verdict,
        key: str | None,
        digest: Digest | None,
        size_bytes: int,
        reason: str | None = None,
    ) -> None:
        if self._wants_files:
            self._planned.append(FilePlanned(path, verdict, key, digest, size_bytes, reason))

    def _tell(self) -> None:
        if self._planned:
            self._emit(FilesPlanned(tuple(self._planned)))
            self._planned.clear()

    def _summary(self, seconds: float) -> Summary:
        numbers = {
            name: getattr(self._counts, name) for name in _Counts.__slots__ if name != "size_bytes"
        }
        return Summary(
            run_id="",
            command="push",
            destination=self._to.url,
            seconds=seconds,
            adopted=0,
            throttled=0,
            dry_run=True,
            **numbers,
        )
