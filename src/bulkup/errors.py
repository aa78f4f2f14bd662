"""Every error bulkup raises on purpose, and what each costs.

    BulkupError                      exit code  error class
    ├── UsageError                   2
    │   ├── SettingsError            2
    │   └── WordsUnknown             2
    ├── DestinationError             4          (run-level: no item is to blame)
    │   ├── CredentialsRefused       4          auth
    │   │   └── CredentialsExpired   4          auth
    │   ├── BucketMissing            4          missing
    │   ├── WrongRegion              4          invalid
    │   ├── ClockSkewed              4          auth
    │   └── DestinationUnreachable   4          network
    ├── EmbedderUnusable             4          (run-level: its model or its keys are missing)
    ├── ManifestError                5          (run-level)
    │   ├── ManifestCorrupt · ManifestNewer · ManifestReadOnly · ManifestFull · ManifestLocked
    └── ItemError                    3          (one item; the rest goes on)
        ├── StoreError
        │   ├── StoreBusy            3          rate_limit
        │   ├── StoreUnreachable     3          network
        │   ├── StoreBroken          3          server
        │   ├── StoreForbidden       3          auth
        │   ├── StoreRefused         3          invalid
        │   │   └── ConditionalWritesUnsupported   invalid
        │   ├── StoreFull            3          resource
        │   ├── KeyTaken             3          invalid
        │   └── ObjectMissing        3          missing
        ├── SourceError
        │   ├── SourceMissing        3          missing
        │   ├── SourceUnreadable     3          auth
        │   ├── SourceUnavailable    3          resource
        │   ├── SourceChanged        3          changed
        │   └── SourceInvalid        3          invalid
        ├── PictureInvalid           3          invalid
        ├── WorkerError
        │   ├── WorkerLost           3          resource
        │   ├── WorkerTimeout        3          resource
        │   └── WorkerOutOfMemory    3          resource
        └── EmbedError
            ├── EmbedderBusy         3          rate_limit
            ├── EmbedderUnreachable  3          network
            ├── EmbedderBroken       3          server
            └── EmbedderRefused      3          invalid

An error is classified once, where it enters bulkup. Its type decides about retries, its
class is what the manifest keeps.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    BUG = 1
    USAGE = 2
    UNFINISHED = 3
    DESTINATION = 4
    MANIFEST = 5
    INTERRUPTED = 130
    TERMINATED = 143


class ErrorClass(StrEnum):
    """Why an attempt failed, as the manifest keeps it."""

    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    SERVER = "server"
    AUTH = "auth"
    INVALID = "invalid"
    CHANGED = "changed"
    MISSING = "missing"
    RESOURCE = "resource"
    UNKNOWN = "unknown"


class BulkupError(Exception):
    """The root of the tree. `hint` says what to do about it, in one sentence."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    error_class: ClassVar[ErrorClass] = ErrorClass.UNKNOWN

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(BulkupError):
    """The command line asks for something that cannot be: a root that is not there, say."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A settings file or environment variable that cannot be understood."""


class WordsUnknown(UsageError):
    """A search whose words mean nothing to bulkup and stand in no path, camera or date.

    `unknown` are those words as they were typed; the message names the nearest known ones.
    """

    def __init__(self, message: str, *, unknown: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.unknown = unknown


class DestinationError(BulkupError):
    """The destination as a whole refuses or cannot be reached; no item is to blame.

    `code` is the server's own error code where it gave one.
    """

    exit_code = ExitCode.DESTINATION

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class CredentialsRefused(DestinationError):
    """The store does not know or does not accept these keys, or there are none."""

    error_class = ErrorClass.AUTH


class CredentialsExpired(CredentialsRefused):
    """The keys were good once; a refresh may bring new ones."""


class BucketMissing(DestinationError):
    """The bucket or the directory above the destination is not there."""

    error_class = ErrorClass.MISSING


class WrongRegion(DestinationError):
    """The bucket lives in another region than the one requests are signed for.

    `region` is the right one, where the server named it.
    """

    error_class = ErrorClass.INVALID

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        region: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.region = region


class ClockSkewed(DestinationError):
    """This machine's clock differs too much from the store's."""

    error_class = ErrorClass.AUTH


class DestinationUnreachable(DestinationError):
    """Nothing answers: name resolution, connection or TLS failed again and again."""

    error_class = ErrorClass.NETWORK


class EmbedderUnusable(BulkupError):
    """No picture can be embedded: a model that is not there, a service that does not let us in."""

    exit_code = ExitCode.DESTINATION
    error_class = ErrorClass.AUTH


class ManifestError(BulkupError):
    """The manifest cannot be used; nothing was half written."""

    exit_code = ExitCode.MANIFEST


class ManifestCorrupt(ManifestError):
    """SQLite finds damage, or the file is no manifest."""


class ManifestNewer(ManifestError):
    """A later bulkup wrote this schema."""


class ManifestReadOnly(ManifestError):
    """The file or its directory cannot be written."""


class ManifestFull(ManifestError):
    """The disk under the manifest is full."""


class ManifestLocked(ManifestError):
    """Another process has held the write lock for longer than the busy time-out."""


class ItemError(BulkupError):
    """Only one work item is affected; the rest of the run goes on."""

    exit_code = ExitCode.UNFINISHED


class StoreError(ItemError):
    """A store did not do what was asked for one object.

    `code` is the server's own error code, `request_id` what its support asks for.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.request_id = request_id


class StoreBusy(StoreError):
    """The store throttles (429, 503 SlowDown). `retry_after_seconds` is its own wish, if any."""

    error_class = ErrorClass.RATE_LIMIT

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.retry_after_seconds = retry_after_seconds


class StoreUnreachable(StoreError):
    """Reset, time-out, name resolution or TLS failed for this request."""

    error_class = ErrorClass.NETWORK


class StoreBroken(StoreError):
    """The store failed on its side (5xx that is no throttle)."""

    error_class = ErrorClass.SERVER


class StoreForbidden(StoreError):
    """This object may not be written or read, though others may."""

    error_class = ErrorClass.AUTH


class StoreRefused(StoreError):
    """A 4xx that will not change by asking again."""

    error_class = ErrorClass.INVALID


class ConditionalWritesUnsupported(StoreRefused):
    """The endpoint does not understand `If-None-Match: *`; nothing was stored.

    The caller must make sure by a listing or a HEAD that a key is free.
    """


class StoreFull(StoreError):
    """No space is left where the objects go."""

    error_class = ErrorClass.RESOURCE


class KeyTaken(StoreError):
    """The key holds an object already; it was not overwritten."""

    error_class = ErrorClass.INVALID


class ObjectMissing(StoreError):
    """No object has this key."""

    error_class = ErrorClass.MISSING


class SourceError(ItemError):
    """A file, or a member of an archive, cannot be read as it was found."""


class SourceMissing(SourceError):
    """The file is gone."""

    error_class = ErrorClass.MISSING


class SourceUnreadable(SourceError):
    """Permission denied, or no file at all."""

    error_class = ErrorClass.AUTH


class SourceUnavailable(SourceError):
    """This machine cannot read it just now: descriptors, memory, the disk, a network mount."""

    error_class = ErrorClass.RESOURCE


class SourceChanged(SourceError):
    """The file changed while it was read or sent; the destination refused the mixture."""

    error_class = ErrorClass.CHANGED


class SourceInvalid(SourceError):
    """Not what it claims to be: a damaged archive member, a bomb, an escape."""

    error_class = ErrorClass.INVALID


class PictureInvalid(ItemError):
    """A picture that does not decode, is a bomb or is over a limit; says why in Pillow's words."""

    error_class = ErrorClass.INVALID


class WorkerError(ItemError):
    """The worker process that had this item in hand did not get to its end."""

    error_class = ErrorClass.RESOURCE


class WorkerLost(WorkerError):
    """The worker is gone: it crashed, was killed, or ended by itself in the middle of the item."""


class WorkerTimeout(WorkerError):
    """The item took longer than its time limit; its worker was killed."""


class WorkerOutOfMemory(WorkerError):
    """The item needs more memory than a worker may have; the worker lives on."""


class EmbedError(ItemError):
    """An embedder gave no vector."""


class EmbedderBusy(EmbedError):
    """It throttles (429). `retry_after_seconds` is its own wish, if any."""

    error_class = ErrorClass.RATE_LIMIT

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EmbedderUnreachable(EmbedError):
    """Reset, time-out, name resolution or TLS failed for this request."""

    error_class = ErrorClass.NETWORK


class EmbedderBroken(EmbedError):
    """It failed on its side (5xx, a prediction that failed)."""

    error_class = ErrorClass.SERVER


class EmbedderRefused(EmbedError):
    """It refused this picture, or its answer is no vector: a wrong dimension, NaN."""

    error_class = ErrorClass.INVALID
