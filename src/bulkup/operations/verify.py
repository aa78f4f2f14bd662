"""The manifest compared with one destination.

One listing of the prefix is merged with the manifest's objects in the order of keys, so that
memory does not grow with either. What proves an object, from the cheapest on:

1. the listing: the size, and the ETag that the object had when it was stored;
2. a HEAD: the store's own SHA-256, the composite predicted from the parts' digests, the ETag,
   or the digest that was stored beside the bytes;
3. the bytes, where the store can say nothing about them, and all of them with `deep`.

The order of the listing is relied on for speed only: an object that is not where it should be is
asked for by its key, and a key nobody expects is looked up, before anything is said about it.

Variants are checked as originals are, by the digest of their own bytes. What lies below `.bulkup/`
and has no row is not foreign: other manifests may keep their variants there, and `clean` tells
those that nobody owns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

from bulkup.clock import Clock
from bulkup.errors import ErrorClass, ObjectMissing, StoreError
from bulkup.manifest.verification import BadObject, Confirmed, Recorded
from bulkup.model import ObjectInfo
from bulkup.operations.shared_prefix import Overlap
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.store_reader import INTERNAL, StoreReader, computed_digest, for_each_concurrently
from bulkup.stores.keys import spare_key

ROWS = 1000
"""Of the manifest's, compared together; as many as a page of a listing holds."""

FindingKind = Literal["missing", "short", "different", "foreign", "unchecked"]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A key at which manifest and destination disagree, or that could not be `unchecked`.

    `paths` are the files that have the content; a foreign object has none. `variant` is the name
    of a variant of theirs, None for an object with their bytes.
    """

    key: str
    finding: FindingKind
    detail: str
    paths: tuple[str, ...] = ()
    variant: str | None = None


@dataclass(slots=True)
class Checked:
    """What a check came to. `objects` are without the variants."""

    objects: int = 0
    variants: int = 0
    bytes_read: int = 0
    findings: dict[FindingKind, int] = field(default_factory=dict)


class Mismatch(NamedTuple):
    """Why an object is not what was stored. `passes`: only its bytes say so, while what is known
    of it names the right digest."""

    finding: FindingKind
    detail: str
    passes: bool = False


class _Question(NamedTuple):
    recorded: Recorded
    info: ObjectInfo | None  # as listed
    wants_bytes: bool


class Verification:
    """One check of one destination. `picks` says of each object in turn whether to read it."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        reader: StoreReader,
        *,
        destination_id: int,
        kin: list[Overlap],
        sample: Iterator[bool],
        clock: Clock,
        tell: Callable[[Discrepancy], None],
    ) -> None:
        self._async_manifest = async_manifest
        self._audit = async_manifest.manifest.object_checks
        self._asking = reader
        self._destination_id = destination_id
        self._kin = kin
        self._picks = sample
        self._clock = clock
        self._tell = tell
        self._found: list[tuple[Recorded, Mismatch]] = []
        self._proven: list[Confirmed] = []
        self._moved: set[int] = set()  # contents condemned just now: they may have a new key ahead
        self.checked = Checked()

    async def run(self) -> None:
        """Compare everything. Raises DestinationError; what was found by then stays found."""
        await self._asking.check()
        after = ""
        async for page in self._asking.pages():
            held = {info.key: info for info in page}
            await self._compare(held, after, page[-1].key)
            await self._find_foreign(held)
            after = max(after, page[-1].key)
        await self._compare({}, after, None)

    async def _compare(self, held: dict[str, ObjectInfo], after: str, upto: str | None) -> None:
        """Check what should be at after < key <= upto; takes what it knows out of `held`."""
        while rows := await self._async_manifest.call(
            self._audit.objects, self._destination_id, after, upto, limit=ROWS
        ):
            open_questions = []
            for recorded in rows:
                if (
                    recorded.stored_at is None
                    and recorded.variant is None
                    and recorded.content_id in self._moved
                ):
                    continue
                info = held.pop(recorded.key, None)
                wants_bytes = next(self._picks)
                if info is None or wants_bytes or not is_as_listed(recorded, info):
                    open_questions.append(_Question(recorded, info, wants_bytes))
                elif recorded.stored_at is None:
                    self._proven.append(Confirmed(recorded, recorded.etag))
            variants = sum(recorded.variant is not None for recorded in rows)
            self.checked.objects += len(rows) - variants
            self.checked.variants += variants
            try:
                await for_each_concurrently(open_questions, self._ask)
            finally:
                self.checked.bytes_read = self._asking.bytes_read
                await self._write()
            after = rows[-1].key

    async def _ask(self, question: _Question) -> None:
        recorded = question.recorded
        try:
            doubt = await self._doubt(question)
        except ObjectMissing:
            doubt = Mismatch("missing", "no object has this key")
        except StoreError as error:
            doubt = Mismatch("unchecked", str(error))
        if doubt is not None:
            self._found.append((recorded, doubt))

    async def _doubt(self, question: _Question) -> Mismatch | None:
        """Why the object is not what was stored; None when it is. Raises as the store does."""
        recorded, listed, wants_bytes = question
        info = listed
        if info is None or (not wants_bytes and info.size_bytes == recorded.size_bytes):
            info = await self._asking.head(recorded.key)
        doubt = check_size(recorded, info.size_bytes)
        if doubt is not None:
            return doubt
        answer: Mismatch | Literal["undecided"] | None = "undecided"
        if not wants_bytes:
            answer = check_head(recorded, info)
        if answer == "undecided":
            answer = await self._doubt_by_bytes(recorded)
            if answer is not None and answer.finding == "different" and info is listed:
                info = await self._asking.head(recorded.key)
            if answer is not None and info.digest == recorded.digest:
                answer = answer._replace(passes=True)
        if answer is None and (info.etag != recorded.etag or recorded.stored_at is None):
            self._proven.append(Confirmed(recorded, info.etag))
        return answer

    async def _doubt_by_bytes(self, recorded: Recorded) -> Mismatch | None:
        digest, size_bytes = await self._asking.read(recorded.key, recorded.size_bytes)
        if digest == recorded.digest:
            return None
        return check_size(recorded, size_bytes) or Mismatch(
            "different", f"its bytes have another SHA-256, {digest}"
        )

    async def _write(self) -> None:
        """Record what was found of some objects, then tell it."""
        found = sorted(self._found, key=lambda pair: pair[0].key)
        proven, self._found, self._proven = self._proven, [], []
        condemned = [
            BadObject(recorded, _class_of(doubt), _message(recorded, doubt), doubt.passes)
            for recorded, doubt in found
            if doubt.finding != "unchecked" and recorded.stored_at is not None
        ]
        now = self._clock.now()
        self._moved.update(
            one.recorded.content_id for one in condemned if one.recorded.variant is None
        )
        if condemned:
            await self._async_manifest.call(
                self._audit.mark_bad,
                condemned,
                destination_id=self._destination_id,
                spare_key=spare_key,
                now=now,
            )
        if proven:
            await self._async_manifest.call(
                self._audit.mark_good_by_digest,
                proven,
                destination_id=self._destination_id,
                now=now,
            )
        for recorded, doubt in found:
            paths = await self._async_manifest.call(self._audit.paths, recorded.content_id)
            self._report(
                Discrepancy(
                    recorded.key, doubt.finding, doubt.detail, tuple(paths), recorded.variant
                )
            )

    async def _find_foreign(self, held: dict[str, ObjectInfo]) -> None:
        """Tell of those keys that the manifest knows nothing of."""
        if not held:
            return
        known = await self._async_manifest.call(self._audit.known_keys, self._destination_id, held)
        strange = [key for key in held if key not in known]
        for kin in self._kin:
            strange = [key for key in strange if not kin.is_internal(key)]
            theirs = {their: key for key in strange if (their := kin.key(key)) is not None}
            taken = await self._async_manifest.call(
                self._audit.known_keys, kin.destination_id, theirs.keys()
            )
            found = {theirs[key] for key in taken}
            strange = [key for key in strange if key not in found]
        for key in strange:
            if not key.startswith(self._asking.prefix + INTERNAL):
                self._report(Discrepancy(key, "foreign", "not in the manifest"))

    def _report(self, discrepancy: Discrepancy) -> None:
        findings = self.checked.findings
        findings[discrepancy.finding] = findings.get(discrepancy.finding, 0) + 1
        self._tell(discrepancy)


# Pure -------------------------------------------------------------------------------------------


def is_as_listed(recorded: Recorded, info: ObjectInfo) -> bool:
    """Whether the listing alone proves that the object is unchanged since it was stored."""
    return (
        recorded.etag is not None
        and info.size_bytes == recorded.size_bytes
        and _is_etag(recorded.etag, info.etag)
    )


def check_size(recorded: Recorded, size_bytes: int) -> Mismatch | None:
    """What the object's size says against it."""
    if size_bytes == recorded.size_bytes:
        return None
    finding: FindingKind = "short" if size_bytes < recorded.size_bytes else "different"
    return Mismatch(finding, f"the object has {size_bytes} bytes, not {recorded.size_bytes}")


def check_head(recorded: Recorded, info: ObjectInfo) -> Mismatch | Literal["undecided"] | None:
    """What the store knows of an object of the right size says about its bytes."""
    computed = computed_digest(info)
    if computed is not None:
        if computed == recorded.digest:
            return None
        return Mismatch("different", f"the endpoint computed another SHA-256, {computed}")
    if info.checksum is not None and recorded.checksum is not None:
        value, _, parts = recorded.checksum.partition("-")
        if info.checksum.partition("-")[0] == value:
            return None
        if _parts(info) == parts:  # cut the same way, so it would have to be the same
            return Mismatch("different", "the endpoint's checksum is not that of the parts sent")
    if recorded.etag is not None and _is_etag(recorded.etag, info.etag):
        return None
    if info.digest is None:
        return "undecided"
    if info.digest == recorded.digest:
        return None
    return Mismatch("different", f"the object is marked with another SHA-256, {info.digest}")


def sample(total: int, wanted: int, random: Random) -> Iterator[bool]:
    """For each of `total` objects in turn, whether it is one of the `wanted` that are read.

    Every choice of so many has the same chance (Knuth, The Art of Computer Programming, volume 2,
    3.4.2, algorithm S). Goes on for ever: whatever comes beyond the total is not chosen.
    """
    left = min(wanted, total)
    for seen in range(total):
        chosen = random.random() * (total - seen) < left
        left -= chosen
        yield chosen
    while True:
        yield False


def _is_etag(one: str, other: str | None) -> bool:
    """Some endpoints leave out the quotes, in listings or in headers."""
    return other is not None and one.strip('"') == other.strip('"')


def _parts(info: ObjectInfo) -> str:
    """How many parts the object was made of, '' where nobody says."""
    assert info.checksum is not None
    return info.checksum.partition("-")[2] or (info.etag or "").strip('"').partition("-")[2]


def _class_of(doubt: Mismatch) -> ErrorClass:
    return ErrorClass.MISSING if doubt.finding == "missing" else ErrorClass.CHANGED


def _message(recorded: Recorded, doubt: Mismatch) -> str:
    what = f"object {recorded.key}"
    if recorded.variant is not None:
        what = f"variant {recorded.variant} ({recorded.key})"
    if doubt.finding == "missing":
        return f"verify: the {what} is gone"
    return f"verify: the {what} is not what was stored: {doubt.detail}"
