"""What `doctor` looks at: this machine, the manifest, and destinations, one finding after another.

Nothing is changed but for the probe of a destination whose conditional writes nobody has tried
yet: it stores a few bytes under `.bulkup/doctor-<random>` and deletes them again.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bulkup.content.digest import HAS_LANES, digest_of
from bulkup.errors import BulkupError, ManifestError, StoreError
from bulkup.manifest.database.filesystem import network_file_system
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.integrity import LEAST_SQLITE, sqlite_version
from bulkup.model import Attributes

if TYPE_CHECKING:
    from bulkup.clock import Clock
    from bulkup.stores.directory.store import DirectoryStore
    from bulkup.stores.s3.store import S3Store
    from bulkup.stores.store import PartStore

Level = Literal["ok", "warning", "failed"]
Part = Literal["machine", "manifest", "destination"]

LEAST_PYTHON = (3, 11)
SCARCE_BYTES = 1 << 30
"""A manifest of a million files takes 0.5 GB, and SQLite needs room to write its log."""
TOO_FEW_BYTES = 16 << 20

SKEW_LIMIT_SECONDS = 900.0
"""S3 refuses requests that are older or newer (RequestTimeTooSkewed)."""
SKEW_WARNING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was checked. `mend` says how to put right what is not ok."""

    part: Part
    of: str  # '', or the destination
    subject: str
    level: Level
    found: str
    mend: str | None = None


def check_machine() -> Iterator[CheckResult]:
    """Python, and how files are hashed."""
    python = sys.version_info[:3]
    yield CheckResult(
        "machine",
        "",
        "Python",
        "ok" if python >= LEAST_PYTHON else "failed",
        platform.python_version(),
        None if python >= LEAST_PYTHON else "Install Python 3.11 or later.",
    )
    several = "several files at the same time"
    one = "one file at a time: no compiled module, or a processor without SHA instructions"
    yield CheckResult("machine", "", "SHA-256", "ok", several if HAS_LANES else one)


def check_manifest(path: str) -> Iterator[CheckResult]:
    """SQLite, the file and the disk under it."""
    version = sqlite_version()
    recent = version >= LEAST_SQLITE
    yield CheckResult(
        "manifest",
        "",
        "SQLite",
        "ok" if recent else "failed",
        ".".join(map(str, version)),
        None if recent else "Use a Python whose SQLite is 3.35 or later.",
    )
    yield from _check_file(path)
    network = network_file_system(path)
    if network is not None:
        yield CheckResult(
            "manifest",
            "",
            "file system",
            "warning",
            f"the manifest lies on {network}: one machine at a time may use it",
            "Keep it on a local disk: --manifest FILE or BULKUP_HOME.",
        )
    yield check_disk("manifest", "", path)


def _check_file(path: str) -> Iterator[CheckResult]:
    def finding(level: Level, found: str, mend: str | None = None) -> CheckResult:
        return CheckResult("manifest", "", "manifest", level, found, mend)

    place = path if os.path.exists(path) else _existing(path)
    if not os.access(place, os.W_OK):
        mend = "Change its permissions, or name another --manifest or BULKUP_HOME."
        yield finding("failed", f"{place} may not be written", mend)
        return
    try:
        with Reader(path) as reader:
            if not reader.exists:
                yield finding("ok", f"{path} is not there yet: the first push makes it")
                return
            health = reader.integrity.health()
    except ManifestError as error:
        yield finding("failed", str(error), error.hint)
        return
    if health.damage is not None:
        mend = "Move it away; what was pushed is still at the destination."
        yield finding("failed", f"{path} is damaged: {health.damage}", mend)
        return
    yield finding("ok", f"{path} is whole, schema {health.schema}")
    if health.journal_mode != "wal":
        yield CheckResult(
            "manifest",
            "",
            "WAL",
            "warning",
            f"the journal mode is {health.journal_mode}: readers and writers wait for each other",
            "Keep the manifest on a local disk.",
        )
    else:
        yield CheckResult("manifest", "", "WAL", "ok", "holds")


async def check_destination(
    store: PartStore, *, is_default: bool, clock: Clock
) -> AsyncIterator[CheckResult]:
    """Whether a push could use the destination; what cannot be known any more is left out."""
    from bulkup.stores.directory.store import DirectoryStore
    from bulkup.stores.s3.store import S3Store

    try:
        if isinstance(store, DirectoryStore):
            async for finding in _check_directory(store, is_default=is_default):
                yield finding
        elif isinstance(store, S3Store):
            async for finding in _check_bucket(store, clock):
                yield finding
    except BulkupError as error:
        code = getattr(error, "code", None)
        found = f"{error} ({code})" if code and code not in str(error) else str(error)
        yield CheckResult("destination", store.url, "destination", "failed", found, error.hint)


async def _check_directory(
    store: DirectoryStore, *, is_default: bool
) -> AsyncIterator[CheckResult]:
    absent = None
    if not store.holds_objects:
        absent = _absent_directory(store.url, is_default=is_default)
    if absent is None:
        await store.check()
        found = "is there and may be written"
        absent = CheckResult("destination", store.url, "directory", "ok", found)
    yield absent
    yield check_disk("destination", store.url, store.url)


def _absent_directory(url: str, *, is_default: bool) -> CheckResult | None:
    """What is to say of a directory that the first push will make; None when it cannot or need
    not, which the store itself says best."""
    if os.path.isdir(url) or not (is_default or os.path.isdir(os.path.dirname(url))):
        return None
    place = _existing(url)
    if os.access(place, os.W_OK):
        found = "is not there yet: the first push makes it"
        return CheckResult("destination", url, "directory", "ok", found)
    mend = "Change its permissions, or name another --to."
    return CheckResult(
        "destination", url, "directory", "failed", f"{place} may not be written", mend
    )


async def _check_bucket(store: S3Store, clock: Clock) -> AsyncIterator[CheckResult]:
    def finding(subject: str, level: Level, found: str, mend: str | None = None) -> CheckResult:
        return CheckResult("destination", store.url, subject, level, found, mend)

    credentials = await store.identify()
    yield finding("credentials", "ok", f"found ({credentials.origin})")
    await store.check()
    credentials = await store.identify()
    yield finding("bucket", "ok", f"may be listed at {credentials.endpoint_url}")
    named = "" if credentials.region_given else " (nobody named it)"
    yield finding("region", "ok", f"{credentials.region}{named}")
    sent_at = clock.now()
    served_at = await store.served_at()
    if served_at is None:
        yield finding("clock", "warning", "the endpoint does not tell its time")
    else:
        # The header has whole seconds, and the answer took its time.
        skew = max(0.0, abs(served_at + 0.5 - (sent_at + clock.now()) / 2) - 0.5)
        level: Level = "ok"
        if skew > SKEW_WARNING_SECONDS:
            level = "failed" if skew >= SKEW_LIMIT_SECONDS else "warning"
        mend = None if level == "ok" else "Set this machine's clock (NTP)."
        yield finding("clock", level, f"differs by {skew:.0f} s from the endpoint's", mend)
    async for found in _check_writing(store):
        yield found


async def _check_writing(store: S3Store) -> AsyncIterator[CheckResult]:
    how = "remembered from the first push"
    if None in (store.capabilities.conditional_writes, store.capabilities.checksums):
        how = "tried just now"
        body = secrets.token_hex(16).encode()
        key = f"{store.prefix}.bulkup/doctor-{secrets.token_hex(8)}"
        await store.probe(key, body, digest=digest_of(body), attributes=Attributes("text/plain"))
        try:
            await store.delete(key)
        except StoreError as error:  # a push never deletes: these keys will do
            found, mend = f"{key} was stored and stays: {error}", "Delete it by other means."
            yield CheckResult("destination", store.url, "probe", "warning", found, mend)
    for subject, able, without in (
        (
            "conditional writes",
            store.capabilities.conditional_writes,
            "not supported: keys are looked for before they are written; do not let two machines "
            "push under one prefix at once",
        ),
        (
            "checksums",
            store.capabilities.checksums,
            "SHA-256 not supported: the signature guards the bytes on their way all the same",
        ),
    ):
        found = "supported" if able else without
        level: Level = "ok" if able else "warning"
        yield CheckResult("destination", store.url, subject, level, f"{found} ({how})")


def check_disk(part: Part, of: str, path: str, *, subject: str = "disk") -> CheckResult:
    """How much room there is under a path, which need not be there yet."""
    place = _existing(path)
    free = shutil.disk_usage(place).free
    level: Level = "ok"
    if free < SCARCE_BYTES:
        level = "failed" if free < TOO_FEW_BYTES else "warning"
    found = f"{free / 2**30:,.1f} GiB free under {place}"
    return CheckResult(
        part, of, subject, level, found, None if level == "ok" else "Free some space."
    )


def _existing(path: str) -> str:
    """The path, or the nearest directory above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
