"""The tries inside one attempt. The only importer of tenacity, and only after a first failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bulkup.errors import StoreBroken, StoreBusy, StoreError, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tenacity import RetryCallState

    from bulkup.clock import Clock

T = TypeVar("T")


class RetryRule(NamedTuple):
    """Which errors may not occur again, and how many seconds the server wishes to have between:
    None for full jitter."""

    may_change: Callable[[BaseException], bool]
    wished_seconds: Callable[[BaseException], float | None] = lambda _: None


PUT_TRIES = 5
"""1 + 2 + 4 + 8 s at most, 7.5 s on average: enough for a failover, not for an outage. For that
there is the next attempt."""

CONTROL_TRIES = 3
"""A HEAD, a listing, a part list: others wait for it, so it gives up sooner."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
"""Waits are drawn from 0..1, 0..2, 0..4 s and so on ("full jitter"), from 0..30 s at most."""

WAIT_LIMIT_SECONDS = 300.0
"""A server that asks for a longer wait is asked again in another attempt, not in this one."""


async def with_tries(
    call: Callable[[], Awaitable[T]],
    *,
    tries: int,
    clock: Clock,
    random: Random,
    failed: StoreError | None = None,
    on_try: Callable[[StoreError, float], None] | None = None,
) -> T:
    """What `call` returns, after at most `tries` calls, the first included.

    Calls again after StoreBusy, StoreUnreachable and StoreBroken; raises all other errors, and that
    of a stalled connection: it has taken a minute, and the next may, too. Between
    calls it waits with full jitter, or as long as StoreBusy.retry_after_seconds says. Raises the
    last error when the tries are used up, or when the server asks for more than WAIT_LIMIT_SECONDS.
    Calls `on_try(error, wait_seconds)` before each wait. `failed` is the error of a first call that
    the caller has made.

    Without an error it costs one coroutine, and tenacity is not imported.
    """
    try:
        if failed is not None:
            raise failed
        return await call()
    except (StoreBusy, StoreUnreachable, StoreBroken) as error:
        if tries <= 1 or not _may_change(error):
            raise
        failed = error
    return await with_tries_while(
        call,
        RetryRule(_may_change, _wished_seconds),
        tries=tries,
        clock=clock,
        random=random,
        failed=failed,
        on_try=on_try,
    )


async def with_tries_while(
    call: Callable[[], Awaitable[T]],
    rule: RetryRule,
    *,
    tries: int,
    clock: Clock,
    random: Random,
    failed: BaseException | None = None,
    on_try: Callable[[Any, float], None] | None = None,
) -> T:
    """As `with_tries`, for services that are no stores.

    Calls again while `rule` says that the error may not occur again.
    """
    import tenacity

    def wait_seconds(state: RetryCallState) -> float:
        wished = rule.wished_seconds(_error_of(state))
        return _jitter(state.attempt_number, random) if wished is None else max(wished, 0.0)

    def before_sleep(state: RetryCallState) -> None:
        if on_try is not None and state.next_action is not None:
            on_try(_error_of(state), state.next_action.sleep)

    retrying = tenacity.AsyncRetrying(
        sleep=clock.sleep,
        stop=tenacity.stop_after_attempt(tries),
        wait=wait_seconds,
        retry=tenacity.retry_if_exception(rule.may_change),
        before_sleep=before_sleep,
        reraise=True,
    )
    return await retrying(_failing_first(call, failed))


def _failing_first(
    call: Callable[[], Awaitable[T]], failed: BaseException | None
) -> Callable[[], Awaitable[T]]:
    """`call`, but the first time `failed`, if there is one: tenacity counts the first call as its
    own."""

    async def next_call() -> T:
        nonlocal failed
        if failed is not None:
            error, failed = failed, None
            raise error
        return await call()

    return next_call


def _jitter(tries: int, random: Random) -> float:
    """The wait after so many calls."""
    longest = FIRST_WAIT_SECONDS * 2.0 ** (tries - 1)
    return random.uniform(0.0, min(longest, LONGEST_WAIT_SECONDS))


def _may_change(error: BaseException) -> bool:
    if (wished := _wished_seconds(error)) is not None:
        return wished <= WAIT_LIMIT_SECONDS
    if isinstance(error, StoreUnreachable):
        return not error.is_stalled
    return isinstance(error, StoreBusy | StoreBroken)


def _wished_seconds(error: BaseException) -> float | None:
    return error.retry_after_seconds if isinstance(error, StoreBusy) else None


def _error_of(state: RetryCallState) -> BaseException:
    """The error of the call that just failed."""
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    return error
