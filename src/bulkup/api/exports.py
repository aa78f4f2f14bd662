"""What `bulkup` exports beside `aio`. Imports all that the verbs need."""

from bulkup.api.results import (
    ActiveRun,
    AssetTotals,
    DestinationTotals,
    FailedFile,
    StageTotals,
    StatusResult,
    VerifyFinding,
)
from bulkup.api.verbs import embed, process, pull, push, resume, retry, search, status, verify
from bulkup.errors import (
    BucketMissing,
    BulkupError,
    ClockSkewed,
    CredentialsExpired,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    EmbedderUnusable,
    ErrorClass,
    ExitCode,
    FolderUnusable,
    ManifestError,
    OptionRefused,
    SettingsError,
    SourceUnmounted,
    TooFewDescriptors,
    UsageError,
    WordsUnknown,
    WrongRegion,
)
from bulkup.events import (
    AttemptFailed,
    Event,
    FilesDone,
    ItemsDone,
    Notice,
    Paused,
    Summary,
)
from bulkup.model import Snapshot, StageCount
from bulkup.operations.pictures.search_request import FoundPicture
from bulkup.plan_events import FilesPlanned
from bulkup.run.pull.events import FilesPulled, PullSummary

__all__ = [
    "ActiveRun",
    "AssetTotals",
    "AttemptFailed",
    "BucketMissing",
    "BulkupError",
    "ClockSkewed",
    "CredentialsExpired",
    "CredentialsRefused",
    "DestinationError",
    "DestinationTotals",
    "DestinationUnreachable",
    "EmbedderUnusable",
    "ErrorClass",
    "Event",
    "ExitCode",
    "FailedFile",
    "FilesDone",
    "FilesPlanned",
    "FilesPulled",
    "FolderUnusable",
    "FoundPicture",
    "ItemsDone",
    "ManifestError",
    "Notice",
    "OptionRefused",
    "Paused",
    "PullSummary",
    "SettingsError",
    "Snapshot",
    "SourceUnmounted",
    "StageCount",
    "StageTotals",
    "StatusResult",
    "Summary",
    "TooFewDescriptors",
    "UsageError",
    "VerifyFinding",
    "WordsUnknown",
    "WrongRegion",
    "embed",
    "process",
    "pull",
    "push",
    "resume",
    "retry",
    "search",
    "status",
    "verify",
]

for _verb in (embed, process, search):
    # Of "import bulkup.search.query as query", Python takes `bulkup.search`, which is the function,
    # and then looks for a module below that object's name.
    _verb.__name__ = f"bulkup.{_verb.__name__}"
