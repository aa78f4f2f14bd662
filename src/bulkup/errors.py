"""Every error bulkup raises on purpose, with its exit code and error class.

    BulkupError                      exit code  error class
    ├── UsageError                   2
    │   ├── SettingsError            2
    │   └── WordsUnknown             2
    ├── DestinationError             4          (the run stops; no item is to blame)
    │   ├── CredentialsRefused       4          auth
    │   │   └── CredentialsExpired   4          auth
    │   ├── BucketMissing            4          missing
    │   ├── WrongRegion              4          invalid
    │   ├── ClockSkewed              4          auth
    │   ├── OptionRefused            4          invalid
    │   └── DestinationUnreachable   4          network
    ├── EmbedderUnusable             4          (the run stops)
    ├── EngineUnusable               4          (the run stops)
    ├── FolderUnusable               4          (the run stops)
    ├── ManifestError                5          (the run stops)
    │   ├── ManifestCorrupt · ManifestNewer · ManifestReadOnly · ManifestFull · ManifestLocked
    └── ItemError                    3          (one item; the run continues)
        ├── StoreError
        │   ├── StoreBusy            3          rate_limit
        │   ├── StoreUnreachable     3          network
        │   ├── StoreBroken          3          server
        │   ├── StoreForbidden       3          auth
        │   ├── StoreRefused         3          invalid
        │   │   ├── ConditionalWritesUnsupported   invalid
        │   │   └── RequestUnsupported             invalid
        │   ├── StoreFull            3          resource
        │   ├── KeyTaken             3          invalid
        │   ├── ObjectMissing        3          missing
        │   ├── ObjectDamaged        3          changed
        │   └── ObjectArchived       3          resource
        ├── SourceError
        │   ├── SourceMissing        3          missing
        │   ├── SourceUnreadable     3          auth
        │   ├── SourceUnavailable    3          resource
        │   ├── SourceChanged        3          changed
        │   └── SourceInvalid        3          invalid
        ├── FileNotWritten           3          resource
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

An error is classified once, where it enters bulkup. Its type decides about retries; its
class is recorded in the manifest.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit status of the process."""

    DONE = 0
    BUG = 1
    USAGE = 2
    UNFINISHED = 3
    DESTINATION = 4
    MANIFEST = 5
    INTERRUPTED = 130
    TERMINATED = 143


class ErrorClass(StrEnum):
    """Why an attempt failed, as the manifest records it."""

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
    """The root of the tree. `hint` says how to fix it, in one sentence."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    error_class: ClassVar[ErrorClass] = ErrorClass.UNKNOWN

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(BulkupError):
    """The command line asks for something impossible, such as a root that does not exist."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A wrong value or unknown key in the settings file, the environment or a flag."""


class WordsUnknown(UsageError):
    """A search for words that the vocabulary lacks and that match no path, camera or date.

    `unknown` holds those words as they were typed; the message names the nearest known ones.
    """

    def __init__(
        self, message: str, *, unknown: tuple[str, ...] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.unknown = unknown


class DestinationError(BulkupError):
    """The destination as a whole refuses requests or cannot be reached; no item is to blame.

    `code` is the server's own error code if it gave one.
    """

    exit_code = ExitCode.DESTINATION

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class SourceUnmounted(BulkupError):
    """A root that had many files is an empty directory: a mount point without its disk."""

    exit_code = ExitCode.DESTINATION
    error_class = ErrorClass.MISSING


class CredentialsRefused(DestinationError):
    """The store rejects the credentials, or there are none."""

    error_class = ErrorClass.AUTH


class CredentialsExpired(CredentialsRefused):
    """The credentials have expired; a refresh may help."""


class BucketMissing(DestinationError):
    """The bucket, or the parent directory of the destination, does not exist."""

    error_class = ErrorClass.MISSING


class WrongRegion(DestinationError):
    """The bucket is in another region than the one requests are signed for.

    `region` is the right one, if the server named it.
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


class OptionRefused(DestinationError):
    """The store refuses what is the same for all objects, such as their storage class."""

    error_class = ErrorClass.INVALID


class DestinationUnreachable(DestinationError):
    """The server does not respond: name resolution, connections or TLS failed repeatedly."""

    error_class = ErrorClass.NETWORK


class EmbedderUnusable(BulkupError):
    """No picture can be embedded: the model is missing, or the service rejects the API key."""

    exit_code = ExitCode.DESTINATION
    error_class = ErrorClass.AUTH


class EngineUnusable(BulkupError):
    """The cluster cannot be reached any more, or none of its workers can do the work."""

    exit_code = ExitCode.DESTINATION
    error_class = ErrorClass.NETWORK


class FolderUnusable(BulkupError):
    """The folder that files are written to became read-only, or its disk is full."""

    exit_code = ExitCode.DESTINATION
    error_class = ErrorClass.RESOURCE


class TooFewDescriptors(BulkupError):
    """This process may open too few files to begin."""

    exit_code = ExitCode.MANIFEST


class ManifestError(BulkupError):
    """The manifest cannot be used. Nothing was half written."""

    exit_code = ExitCode.MANIFEST


class ManifestCorrupt(ManifestError):
    """SQLite finds damage, or the file is not a manifest."""


class ManifestNewer(ManifestError):
    """The schema was written by a later version of bulkup."""


class ManifestReadOnly(ManifestError):
    """The file or its directory cannot be written."""


class ManifestFull(ManifestError):
    """The disk under the manifest is full."""


class ManifestLocked(ManifestError):
    """Another process held the write lock for longer than the busy timeout."""


class ItemError(BulkupError):
    """Only one work item is affected; the run continues."""

    exit_code = ExitCode.UNFINISHED


class StoreError(ItemError):
    """A request for one object failed.

    `code` is the server's own error code, `request_id` what its support team asks for.
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
    """The store throttles (429, 503 SlowDown). `retry_after_seconds` is from its Retry-After."""

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
    """The connection of this request failed: reset, timeout, name resolution or TLS.

    `is_stalled`: nothing moved on it for as long as is waited, a minute.
    """

    error_class = ErrorClass.NETWORK

    def __init__(self, message: str, *, hint: str | None = None, is_stalled: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_stalled = is_stalled


class StoreBroken(StoreError):
    """The store failed (a 5xx that is not throttling)."""

    error_class = ErrorClass.SERVER


class StoreForbidden(StoreError):
    """Access to this object is denied; others may be accessible."""

    error_class = ErrorClass.AUTH


class StoreRefused(StoreError):
    """A 4xx that a retry will not change."""

    error_class = ErrorClass.INVALID


class ConditionalWritesUnsupported(StoreRefused):
    """The endpoint does not understand `If-None-Match: *`; nothing was stored.

    The caller must check by a listing or a HEAD that a key is free.
    """


class RequestUnsupported(StoreRefused):
    """The endpoint does not do this kind of request, whatever the object (405, 411, 501)."""


class StoreFull(StoreError):
    """The destination has no space left."""

    error_class = ErrorClass.RESOURCE


class KeyTaken(StoreError):
    """The key already holds an object, which was not overwritten."""

    error_class = ErrorClass.INVALID


class ObjectMissing(StoreError):
    """No object has this key."""

    error_class = ErrorClass.MISSING


class ObjectDamaged(StoreError):
    """The object has other bytes than those that were stored."""

    error_class = ErrorClass.CHANGED


class ObjectArchived(StoreError):
    """The object is in cold storage: it can be read hours after somebody has asked for it."""

    error_class = ErrorClass.RESOURCE


class SourceError(ItemError):
    """A file, or a member of an archive, could not be read."""


class SourceMissing(SourceError):
    """The file no longer exists."""

    error_class = ErrorClass.MISSING


class SourceUnreadable(SourceError):
    """Permission denied."""

    error_class = ErrorClass.AUTH


class SourceUnavailable(SourceError):
    """This machine cannot read it now: descriptors, memory, the disk, a network mount."""

    error_class = ErrorClass.RESOURCE


class SourceChanged(SourceError):
    """The file changed while it was read or sent; the destination holds no mixture."""

    error_class = ErrorClass.CHANGED


class SourceInvalid(SourceError):
    """A damaged archive member, a decompression bomb, or a path that escapes the archive."""

    error_class = ErrorClass.INVALID


class FileNotWritten(ItemError):
    """A file that was fetched could not be written here, or has no name that is free."""

    error_class = ErrorClass.RESOURCE


class ObjectWrong(ItemError):
    """An object holds other bytes than the client announced that sent it in parts."""

    error_class = ErrorClass.INVALID


class PictureInvalid(ItemError):
    """A picture that does not decode, is a bomb or exceeds a limit; with Pillow's reason."""

    error_class = ErrorClass.INVALID


class WorkerError(ItemError):
    """The worker process did not finish this item."""

    error_class = ErrorClass.RESOURCE


class WorkerLost(WorkerError):
    """The worker crashed, was killed, or exited while it processed the item."""


class WorkerTimeout(WorkerError):
    """The item took longer than its time limit; its worker was killed."""


class WorkerOutOfMemory(WorkerError):
    """The item needs more memory than a worker may use; the worker survives."""


class EmbedError(ItemError):
    """The embedder returned no vector."""


class EmbedderBusy(EmbedError):
    """The service throttles (429). `retry_after_seconds` is from its Retry-After."""

    error_class = ErrorClass.RATE_LIMIT

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EmbedderUnreachable(EmbedError):
    """The connection of this request failed: reset, timeout, name resolution or TLS."""

    error_class = ErrorClass.NETWORK


class EmbedderBroken(EmbedError):
    """The service failed (5xx, or a failed prediction)."""

    error_class = ErrorClass.SERVER


class EmbedderRefused(EmbedError):
    """The service refused this picture, or its response is not a valid vector."""

    error_class = ErrorClass.INVALID
