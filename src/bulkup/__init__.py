"""Uploads folders of pictures to object storage, makes thumbnails, and finds pictures again.

    import bulkup

    summary = bulkup.push("photos", to="s3://bucket/photos")
    for picture in bulkup.search("sailing boat"):
        print(picture.score, picture.path)

The functions have the names and options of the command line, and read the same settings: arguments,
then the environment, then bulkup.toml. `bulkup.aio` has them for your own event loop. They print
nothing, and log to the logger `bulkup`. What is not in `__all__` may change at any time.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers know the name; typing itself costs a start 5 ms

if TYPE_CHECKING:
    from bulkup import aio
    from bulkup.api.exports import *  # noqa: F403 - __all__ is below
else:
    # Three functions have names of packages. A package becomes an attribute here when it is first
    # imported, and never again: that is done now, and undone, so that `__getattr__` decides.
    from bulkup import embed, process, search

    del embed, process, search

    def __getattr__(name):
        """Import what the functions need when one is first asked for: the command line's modules,
        which this package precedes, pay nothing for it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name == "aio":
            from importlib import import_module

            return import_module("bulkup.aio")  # which makes it an attribute
        from bulkup.api import exports

        value = globals()[name] = getattr(exports, name)
        return value

    def __dir__():
        return [*globals(), *__all__]


__all__ = [  # noqa: F405 - from exports, above
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
    "__version__",
    "aio",
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
