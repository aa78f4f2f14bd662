"""Compare the manifest with what a destination holds.

One listing of the prefix is merged with the manifest's objects in the order of keys, so memory
does not grow with either. Each object is checked by the cheapest of:

1. the listing: its size, and the ETag it had when it was stored;
2. a HEAD: the store's own SHA-256, the composite checksum of its parts, the ETag, or the digest
   in its metadata;
3. its bytes, where the store knows no digest, and for every object with `--deep`.

The order of the listing matters for speed only: an object that is not where it should be is asked
for by its key, and an unexpected key is looked up, before either is reported.

Variants are checked as originals are, by the digest of their own bytes. An object below `.bulkup/`
without a row is not foreign: another manifest may keep its variants there. `clean` reports those
that belong to no content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkup.clock import Clock
from bulkup.errors import ObjectMissing, StoreBroken, StoreError, StoreUnreachable
from bulkup.manifest.destinations import Destination
from bulkup.manifest.verification import BadObject, Confirmed, StoredObject
from bulkup.model import ObjectInfo
from bulkup.operations.checks.copies import verify_copies
from bulkup.operations.checks.objects import (
    Depth,
    FindingKind,
    Mismatch,
    check_head,
    check_size,
    is_as_listed,
)
from bulkup.operations.checks.session import ReadSession
from bulkup.operations.destination.shared_prefix import Overlap, overlapping
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.store_reader import INTERNAL, StoreReader, for_each_concurrently
from bulkup.stores.keys import is_folder_marker, spare_key

ROWS = 1000
"""Objects of the manifest compared together: as many as one page of a listing holds."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A key at which manifest and destination disagree, or that could not be checked.

    `paths` are the files with the content; a foreign object has none. `variant` is the name of a
    variant; None for an original.
    """

    key: str
    finding: FindingKind
    detail: str
    paths: tuple[str, ...] = ()
    variant: str | None = None


Report = Callable[[Discrepancy], None]
"""Called once for each discrepancy, as it is found."""


@dataclass(slots=True)
class VerifyCounts:
    """The numbers of one check. `objects` does not count variants."""

    objects: int = 0
    variants: int = 0
    bytes_read: int = 0
    findings: dict[FindingKind, int] = field(default_factory=dict)


async def verify(
    session: ReadSession, destination: Destination, depth: Depth, report: Report
) -> VerifyCounts:
    """Compare the manifest with one destination. Raises DestinationError and ManifestError."""
    manifest, call = session.manifest, session.async_manifest.call
    async with session.open("verify", destination) as reader:
        total = await call(manifest.object_checks.count, destination.id)
        verification = Verification(
            session.async_manifest,
            reader,
            destination_id=destination.id,
            overlaps=overlapping(destination, await call(manifest.destinations.all)),
            sample=depth.sample(total),
            clock=session.clock,
            report=report,
        )
        await verification.run()
        await verify_copies(
            session.async_manifest,
            reader,
            destination.id,
            reads_bytes=depth.share == 1.0,
            report=verification.report_copy,
        )
        return verification.counts


class _Check(NamedTuple):
    """An object that the listing alone does not prove."""

    recorded: StoredObject
    listed: ObjectInfo | None
    reads_bytes: bool


class Verification:
    """One check of one destination. `sample` says of each object in turn whether it is read."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        reader: StoreReader,
        *,
        destination_id: int,
        overlaps: list[Overlap],
        sample: Iterator[bool],
        clock: Clock,
        report: Report,
    ) -> None:
        self._async_manifest = async_manifest
        self._object_checks = async_manifest.manifest.object_checks
        self._reader = reader
        self._destination_id = destination_id
        self._overlaps = overlaps
        self._sample = sample
        self._clock = clock
        self._report_to = report
        self._bad: list[tuple[StoredObject, Mismatch]] = []
        self._confirmed: list[Confirmed] = []
        self._marked_bad: set[int] = set()  # contents; a spare key of theirs may still be to come
        self.counts = VerifyCounts()

    async def run(self) -> None:
        """Compare everything. Raises DestinationError; what was found before stays recorded."""
        await self._reader.check()
        after = ""
        async for page in self._reader.pages():
            listed = {info.key: info for info in page}
            await self._compare(listed, after, page[-1].key)
            await self._report_foreign(listed)
            after = max(after, page[-1].key)
        await self._compare({}, after, None)

    async def _compare(self, listed: dict[str, ObjectInfo], after: str, upto: str | None) -> None:
        """Check the objects with after < key <= upto; removes their keys from `listed`."""
        while rows := await self._async_manifest.call(
            self._object_checks.objects, self._destination_id, after, upto, limit=ROWS
        ):
            checks = [check for row in rows if (check := self._check_listed(row, listed))]
            variants = sum(recorded.variant is not None for recorded in rows)
            self.counts.objects += len(rows) - variants
            self.counts.variants += variants
            try:
                await for_each_concurrently(checks, self._check)
            finally:
                self.counts.bytes_read = self._reader.bytes_read
                await self._record()
            after = rows[-1].key

    def _check_listed(self, recorded: StoredObject, listed: dict[str, ObjectInfo]) -> _Check | None:
        """What is still to be checked of an object after the listing; None when nothing is."""
        is_original = recorded.variant is None
        if recorded.stored_at is None and is_original and recorded.content_id in self._marked_bad:
            return None
        info = listed.pop(recorded.key, None)
        reads_bytes = next(self._sample)
        if info is None or reads_bytes or not is_as_listed(recorded, info):
            return _Check(recorded, info, reads_bytes)
        if recorded.stored_at is None:
            self._confirmed.append(Confirmed(recorded, recorded.etag))
        return None

    async def _check(self, check: _Check) -> None:
        try:
            mismatch = await self._mismatch(check)
        except ObjectMissing:
            mismatch = Mismatch("missing", "no object has this key")
        except StoreError as error:
            mismatch = Mismatch("unchecked", str(error))
        if mismatch is not None:
            self._bad.append((check.recorded, mismatch))

    async def _mismatch(self, check: _Check) -> Mismatch | None:
        """None when the object is what was stored. Raises as the store does."""
        recorded, listed, reads_bytes = check
        info = listed
        if info is None or (not reads_bytes and info.size_bytes == recorded.size_bytes):
            info = await self._reader.head(recorded.key)
        mismatch = check_size(recorded, info.size_bytes)
        if mismatch is not None:
            return mismatch
        found = "undecided" if reads_bytes else check_head(recorded, info)
        if found == "undecided":
            found = await self._check_bytes(recorded)
            if found is not None and found.finding == "different" and info is listed:
                info = await self._reader.head(recorded.key)
            if found is not None and info.digest == recorded.digest:
                found = found._replace(is_only_in_bytes=True)
        if found is None and (info.etag != recorded.etag or recorded.stored_at is None):
            self._confirmed.append(Confirmed(recorded, info.etag))
        return found

    async def _check_bytes(self, recorded: StoredObject) -> Mismatch | None:
        try:
            digest, size_bytes = await self._reader.read(recorded.key, recorded.size_bytes)
        except (StoreBroken, StoreUnreachable) as error:
            await self._reader.head(recorded.key)  # raises if it is not this object's own trouble
            why = "the connection ends before the object does"
            if isinstance(error, StoreBroken):
                why = str(error)
            detail = f"its bytes cannot be read: {why}"
            return Mismatch("unreadable", detail, is_only_in_bytes=True)
        if recorded.digest in (None, digest):
            return None
        return check_size(recorded, size_bytes) or Mismatch(
            "different", f"its bytes have another SHA-256, {digest}"
        )

    async def _record(self) -> None:
        """Write down the results of some objects, then report them."""
        bad = sorted(self._bad, key=lambda pair: pair[0].key)
        confirmed, self._bad, self._confirmed = self._confirmed, [], []
        marked = [
            BadObject(recorded, found.error_class, found.message(recorded), found.is_only_in_bytes)
            for recorded, found in bad
            if found.finding != "unchecked" and recorded.stored_at is not None
        ]
        self._marked_bad.update(
            one.recorded.content_id for one in marked if one.recorded.variant is None
        )
        call, now = self._async_manifest.call, self._clock.now()
        checks, destination_id = self._object_checks, self._destination_id
        if marked:
            await call(
                checks.mark_bad, marked, destination_id=destination_id, spare_key=spare_key, now=now
            )
        if confirmed:
            await call(checks.mark_good, confirmed, destination_id=destination_id, now=now)
        for recorded, found in bad:
            paths = tuple(await call(checks.paths, recorded.content_id))
            self._report(
                Discrepancy(recorded.key, found.finding, found.detail, paths, recorded.variant)
            )

    async def _report_foreign(self, listed: dict[str, ObjectInfo]) -> None:
        """Report the keys that neither this destination nor an overlapping one has recorded."""
        if not listed:
            return
        call, checks = self._async_manifest.call, self._object_checks
        known = await call(checks.known_keys, self._destination_id, listed)
        unknown = [key for key in listed if key not in known]
        for overlap in self._overlaps:
            unknown = [key for key in unknown if not overlap.is_internal(key)]
            ours = {their: key for key in unknown if (their := overlap.key(key)) is not None}
            known = await call(checks.known_keys, overlap.destination_id, ours.keys())
            found = {ours[key] for key in known}
            unknown = [key for key in unknown if key not in found]
        for key in unknown:
            is_ours = key.startswith(self._reader.prefix + INTERNAL)
            if not is_ours and not is_folder_marker(listed[key]):
                self._report(Discrepancy(key, "foreign", "not in the manifest"))

    def report_copy(self, key: str, mismatch: Mismatch) -> None:
        """Report a copy of the manifest."""
        self._report(Discrepancy(key, mismatch.finding, mismatch.detail, variant="manifest"))

    def _report(self, discrepancy: Discrepancy) -> None:
        findings = self.counts.findings
        findings[discrepancy.finding] = findings.get(discrepancy.finding, 0) + 1
        self._report_to(discrepancy)
