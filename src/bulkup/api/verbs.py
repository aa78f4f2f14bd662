"""The verbs as plain functions, which return when the work is done.

Each waits for the function of the same name in `aio`, and has its arguments, result and errors:
outside an event loop in a loop of its own, inside one, as in a notebook, in a thread of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Literal, ParamSpec, TypeVar, Unpack, overload

from bulkup.api import aio, checks
from bulkup.api.loops import wait_for
from bulkup.api.options import ManifestKeywords
from bulkup.api.results import FailedFile, StatusResult

P = ParamSpec("P")
T = TypeVar("T")


def waiting(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The same function for callers that do not await."""

    @functools.wraps(function)
    def wait(*args: P.args, **kwargs: P.kwargs) -> T:
        return wait_for(function(*args, **kwargs))

    wait.__module__ = __name__
    return wait


push = waiting(aio.push)
resume = waiting(aio.resume)
retry = waiting(aio.retry)
process = waiting(aio.process)
embed = waiting(aio.embed)
pull = waiting(aio.pull)
search = waiting(aio.search)
verify = waiting(aio.verify)


@overload
def status(*, accepted: Literal[True], **options: Unpack[ManifestKeywords]) -> list[FailedFile]: ...
@overload
def status(*, failed: Literal[True], **options: Unpack[ManifestKeywords]) -> list[FailedFile]: ...
@overload
def status(
    *,
    failed: Literal[False] = False,
    accepted: Literal[False] = False,
    **options: Unpack[ManifestKeywords],
) -> StatusResult: ...
def status(
    *, failed: bool = False, accepted: bool = False, **options: Unpack[ManifestKeywords]
) -> StatusResult | list[FailedFile]:
    """Counts by stage and state; with `failed`, the files that failed or will be retried; with
    `accepted`, those whose failure `bulkup accept` marked."""
    checks.only_one(failed=failed, accepted=accepted)
    if accepted:
        return wait_for(aio.status(accepted=True, **options))
    if failed:
        return wait_for(aio.status(failed=True, **options))
    return wait_for(aio.status(**options))
