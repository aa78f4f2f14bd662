"""Values that the command line's parser refuses, and that Python's callers may pass."""

from __future__ import annotations

from collections.abc import Collection

from bulkup.errors import ErrorClass, UsageError
from bulkup.model import Stage


def retry(stage: str | None, error: ErrorClass | str | None) -> None:
    """Raise UsageError for a stage or an error class that there is not."""
    if stage is not None:
        _one_of(stage, list(Stage), "stage")
    if error is not None:
        _one_of(error, list(ErrorClass), "error class")


def pull(duplicates: str, restore_days: int) -> None:
    """Raise UsageError for another way to bring duplicates, or less than a day."""
    _one_of(duplicates, ("link", "copy"), "way to bring duplicates")
    if restore_days < 1:
        raise UsageError(f"restore_days is {restore_days}; it is 1 or more")


def only_one(**given: bool) -> None:
    """Raise UsageError when several of these options are given."""
    chosen = [name for name, is_given in given.items() if is_given]
    if len(chosen) > 1:
        raise UsageError(
            f"{' and '.join(chosen)} contradict each other", hint="Leave one of them out."
        )


def _one_of(value: str, known: Collection[str], what: str) -> None:
    if value not in known:
        raise UsageError(f"{value!r} is no {what}", hint=f"One of {', '.join(known)}.")
