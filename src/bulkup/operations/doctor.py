"""The checks of `doctor`: this machine, the manifest, and destinations.

Nothing is changed but for two probes, which are undone at once: a file is made in a directory, and
where nobody has tried the conditional writes of an endpoint yet, a few bytes are stored under
`.bulkup/doctor-<random>`.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bulkup.content.digest import HAS_LANES, digest_of
from bulkup.errors import BulkupError, ManifestError, StoreError
from bulkup.manifest.database.filesystem import network_file_system
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.integrity import LEAST_SQLITE, sqlite_version
from bulkup.model import Attributes
from bulkup.run.context import RUN_ID, SERVER_PID
from bulkup.settings.table import LEAVES

if TYPE_CHECKING:
    from bulkup.clock import Clock
    from bulkup.stores.directory.store import DirectoryStore
    from bulkup.stores.s3.store import S3Store
    from bulkup.stores.store import PartStore

Level = Literal["ok", "warning", "failed"]
Part = Literal["machine", "manifest", "destination", "engine"]

LEAST_PYTHON = (3, 11)
SCARCE_BYTES = 1 << 30
"""A manifest of a million files takes 0.5 GB, and SQLite needs space for its log."""
TOO_FEW_BYTES = 16 << 20

SKEW_LIMIT_SECONDS = 900.0
"""S3 refuses requests that are older or newer (RequestTimeTooSkewed)."""
SKEW_WARNING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was checked. `hint` says what to do about what is not ok."""

    part: Part
    of: str  # '', or the destination
    subject: str
    level: Level
    found: str
    hint: str | None = None

    def as_json(self) -> dict[str, str | None]:
        return {
            "part": self.part,
            "of": self.of,
            "subject": self.subject,
            "level": self.level,
            "found": self.found,
            "mend": self.hint,
        }


_OTHER_VARIABLES = {
    "BULKUP_HOME",
    "BULKUP_CONFIG",
    "BULKUP_PROFILE",
    "BULKUP_TOKEN",
    RUN_ID,
    SERVER_PID,
}
"""That are no settings."""


def check_machine() -> Iterator[CheckResult]:
    """Python, and how files are hashed."""
    python = sys.version_info[:3]
    version = platform.python_version()
    if python >= LEAST_PYTHON:
        yield CheckResult("machine", "", "Python", "ok", version)
    else:
        hint = "Install Python 3.11 or later."
        yield CheckResult("machine", "", "Python", "failed", version, hint)
    several = "several files at the same time"
    one = "one file at a time: no compiled module, or a processor without SHA instructions"
    yield CheckResult("machine", "", "SHA-256", "ok", several if HAS_LANES else one)


def check_environment(names: Iterable[str]) -> Iterator[CheckResult]:
    """Variables that look like settings of bulkup, and are none."""
    from difflib import get_close_matches

    known = {variable for leaf in LEAVES.values() for variable in leaf.row.env} | _OTHER_VARIABLES
    for name in sorted(names):
        if name.startswith("BULKUP_") and name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all variables."
            yield CheckResult("machine", "", name, "warning", "no setting of bulkup", hint)


def check_manifest(path: str) -> Iterator[CheckResult]:
    """SQLite, the file and the disk below it."""
    version = sqlite_version()
    shown = ".".join(map(str, version))
    if version >= LEAST_SQLITE:
        yield CheckResult("manifest", "", "SQLite", "ok", shown)
    else:
        hint = "Use a Python whose SQLite is 3.35 or later."
        yield CheckResult("manifest", "", "SQLite", "failed", shown, hint)
    yield from _check_file(path)
    network = network_file_system(path)
    if network is not None:
        found = f"the manifest lies on {network}: one machine at a time may use it"
        hint = "Keep it on a local disk: --manifest FILE or BULKUP_HOME."
        yield CheckResult("manifest", "", "file system", "warning", found, hint)
    yield check_disk("manifest", "", path)


def _check_file(path: str) -> Iterator[CheckResult]:
    def result(level: Level, found: str, hint: str | None = None) -> CheckResult:
        return CheckResult("manifest", "", "manifest", level, found, hint)

    place = _existing(path)
    if not os.access(place, os.W_OK):
        hint = "Change its permissions, or name another --manifest or BULKUP_HOME."
        yield result("failed", f"{place} may not be written", hint)
        return
    try:
        with Reader(path) as reader:
            if not reader.exists:
                yield result("ok", f"{path} is not there yet: the first push makes it")
                return
            health = reader.integrity.health()
    except ManifestError as error:
        yield result("failed", str(error), error.hint)
        return
    if health.damage is not None:
        hint = "Move it away; what was pushed is still at the destination."
        yield result("failed", f"{path} is damaged: {health.damage}", hint)
        return
    yield result("ok", f"{path} is whole, schema {health.schema}")
    if health.journal_mode == "wal":
        yield CheckResult("manifest", "", "WAL", "ok", "holds")
    else:
        mode = health.journal_mode
        found = f"the journal mode is {mode}: readers and writers wait for each other"
        hint = "Keep the manifest on a local disk."
        yield CheckResult("manifest", "", "WAL", "warning", found, hint)


async def check_destination(
    store: PartStore, *, is_default: bool, clock: Clock, origins: Sequence[str] = ()
) -> AsyncIterator[CheckResult]:
    """Whether a push could use the destination and, where `origins` of pages are given, clients of
    `bulkup serve`. The first failure ends the checks."""
    from bulkup.operations.uploads.doctor import check_server, check_uploads
    from bulkup.stores.broker.store import BrokerStore
    from bulkup.stores.directory.store import DirectoryStore
    from bulkup.stores.s3.store import S3Store

    try:
        if isinstance(store, DirectoryStore):
            async for result in _check_directory(store, is_default=is_default):
                yield result
        elif isinstance(store, S3Store):
            async for result in _check_bucket(store, clock):
                yield result
            if origins:
                async for result in check_uploads(store, origins):
                    yield result
        elif isinstance(store, BrokerStore):
            yield await check_server(store)
    except BulkupError as error:
        code = getattr(error, "code", None)
        found = f"{error} ({code})" if code and code not in str(error) else str(error)
        yield CheckResult("destination", store.url, "destination", "failed", found, error.hint)


async def _check_directory(
    store: DirectoryStore, *, is_default: bool
) -> AsyncIterator[CheckResult]:
    result = None
    if not store.holds_objects:
        result = _check_absent_directory(store.url, is_default=is_default)
    if result is None:
        await store.check()
        found = "is there and may be written"
        result = CheckResult("destination", store.url, "directory", "ok", found)
    yield result
    yield check_disk("destination", store.url, store.url)


def _check_absent_directory(url: str, *, is_default: bool) -> CheckResult | None:
    """The result for a directory that the first push will make; None for one that is there, or
    cannot be made: the check of the store itself has the better message."""
    if os.path.isdir(url) or not (is_default or os.path.isdir(os.path.dirname(url))):
        return None
    place = _existing(url)
    if os.access(place, os.W_OK):
        found = "is not there yet: the first push makes it"
        return CheckResult("destination", url, "directory", "ok", found)
    hint = "Change its permissions, or name another --to."
    found = f"{place} may not be written"
    return CheckResult("destination", url, "directory", "failed", found, hint)


async def _check_bucket(store: S3Store, clock: Clock) -> AsyncIterator[CheckResult]:
    credentials = await store.identify()
    found = f"found ({credentials.origin})"
    yield CheckResult("destination", store.url, "credentials", "ok", found)
    await store.check()
    credentials = await store.identify()
    found = f"may be listed at {credentials.endpoint_url}"
    yield CheckResult("destination", store.url, "bucket", "ok", found)
    named = "" if credentials.region_given else " (nobody named it)"
    yield CheckResult("destination", store.url, "region", "ok", f"{credentials.region}{named}")
    yield await _check_clock(store, clock)
    async for result in _check_writing(store):
        yield result


async def _check_clock(store: S3Store, clock: Clock) -> CheckResult:
    sent_at = clock.now()
    served_at = await store.served_at()
    if served_at is None:
        found = "the endpoint does not send its time"
        return CheckResult("destination", store.url, "clock", "warning", found)
    # The header has whole seconds, and the request took some time.
    skew = max(0.0, abs(served_at + 0.5 - (sent_at + clock.now()) / 2) - 0.5)
    level: Level = "ok"
    if skew > SKEW_WARNING_SECONDS:
        level = "failed" if skew >= SKEW_LIMIT_SECONDS else "warning"
    hint = None if level == "ok" else "Set this machine's clock (NTP)."
    found = f"differs by {skew:.0f} s from the endpoint's"
    return CheckResult("destination", store.url, "clock", level, found, hint)


async def _check_writing(store: S3Store) -> AsyncIterator[CheckResult]:
    how = "remembered from the first push"
    if None in (store.capabilities.conditional_writes, store.capabilities.checksums):
        how = "tried just now"
        body = secrets.token_hex(16).encode()
        key = f"{store.prefix}.bulkup/doctor-{secrets.token_hex(8)}"
        await store.put(
            key,
            body,
            digest=digest_of(body),
            attributes=Attributes("text/plain"),
            exclusive=True,
        )
        try:
            await store.delete(key)
        except StoreError as error:  # a push never deletes: these credentials are enough for it
            found, hint = f"{key} was stored and stays: {error}", "Delete it by other means."
            yield CheckResult("destination", store.url, "probe", "warning", found, hint)
    for subject, is_supported, without in (
        (
            "conditional writes",
            store.capabilities.conditional_writes,
            "not supported: keys are looked up before they are written; do not let two machines "
            "push under one prefix at once",
        ),
        (
            "checksums",
            store.capabilities.checksums,
            "SHA-256 not supported: the signature still protects the bytes in transit",
        ),
    ):
        found = "supported" if is_supported else without
        level: Level = "ok" if is_supported else "warning"
        yield CheckResult("destination", store.url, subject, level, f"{found} ({how})")


def check_disk(part: Part, of: str, path: str, *, subject: str = "disk") -> CheckResult:
    """The free space below a path, which need not exist yet."""
    place = _existing(path)
    free = shutil.disk_usage(place).free
    level: Level = "ok"
    if free < SCARCE_BYTES:
        level = "failed" if free < TOO_FEW_BYTES else "warning"
    found = f"{free / 2**30:,.1f} GiB free under {place}"
    hint = None if level == "ok" else "Free some space."
    return CheckResult(part, of, subject, level, found, hint)


def _existing(path: str) -> str:
    """The path, absolute, or the nearest directory above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
