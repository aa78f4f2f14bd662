"""The tries inside one attempt. The only importer of tenacity, and only once something failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bulkup.errors import StoreBroken, StoreBusy, StoreError, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tenacity import RetryCallState

    from bulkup.clock import Clock

T = TypeVar("T")

PUT_TRIES = 5
"""1 + 2 + 4 + 8 s at most, 7.5 s on average: outlasts a failover, not an outage. The next attempt
is there for that."""

CONTROL_TRIES = 3
"""A HEAD, a listing, a part list: others wait for it, so it gives up sooner."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
"""Waits are drawn from 0..1, 0..2, 0..4 s and so on ("full jitter"), from 0..30 s at most."""

WAIT_LIMIT_SECONDS = 300.0
"""A server that asks for more than this is asked again in another attempt, not in this one."""


async def with_tries(
    call: Callable[[], Awaitable[T]],
    *,
    tries: int,
    clock: Clock,
    random: Random,
    failed: StoreError | None = None,
    on_try: Callable[[StoreError, float], None] | None = None,
    wait_limit_seconds: float = WAIT_LIMIT_SECONDS,
) -> T:
    """What `call` returns, after `tries` calls at most, the first included.

    Calls again after StoreBusy, StoreUnreachable and StoreBroken; all other errors pass through at
    once. Between calls it waits with full jitter, or as long as StoreBusy.retry_after_seconds says.
    Raises the last call's own error when the tries ran out, or when the server asks for a longer
    wait than `wait_limit_seconds`. `on_try(error, wait_seconds)` is told before each wait.

    `failed` is the error of a first call that was made already; then that one is not made again.

    A call that succeeds costs one coroutine: tenacity is not even imported.
    """
    try:
        if failed is not None:
            raise failed
        return await call()
    except (StoreBusy, StoreUnreachable, StoreBroken) as error:
        if tries <= 1:
            raise
        first = error
    return await _try_on(
        call,
        first,
        tries=tries,
        clock=clock,
        random=random,
        on_try=on_try,
        wait_limit_seconds=wait_limit_seconds,
    )


async def _try_on(
    call: Callable[[], Awaitable[T]],
    first: StoreError,
    *,
    tries: int,
    clock: Clock,
    random: Random,
    on_try: Callable[[StoreError, float], None] | None,
    wait_limit_seconds: float,
) -> T:
    """Go on after `first`, the error of the call that was made already."""
    import tenacity

    made: StoreError | None = first

    async def next_call() -> T:
        nonlocal made
        if made is not None:  # tenacity sees the first call as its own, and counts it
            error, made = made, None
            raise error
        return await call()

    def may_change(error: BaseException) -> bool:
        if isinstance(error, StoreBusy) and error.retry_after_seconds is not None:
            return error.retry_after_seconds <= wait_limit_seconds
        return isinstance(error, StoreBusy | StoreUnreachable | StoreBroken)

    def wait_seconds(state: RetryCallState) -> float:
        error = _error_of(state)
        if isinstance(error, StoreBusy) and error.retry_after_seconds is not None:
            return max(error.retry_after_seconds, 0.0)
        return random.uniform(0.0, _longest_wait_seconds(state.attempt_number))

    def tell(state: RetryCallState) -> None:
        if on_try is not None and state.next_action is not None:
            on_try(_error_of(state), state.next_action.sleep)

    retrying = tenacity.AsyncRetrying(
        sleep=clock.sleep,
        stop=tenacity.stop_after_attempt(tries),
        wait=wait_seconds,
        retry=tenacity.retry_if_exception(may_change),
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(next_call)


async def with_tries_while(
    call: Callable[[], Awaitable[T]],
    may_change: Callable[[BaseException], bool],
    *,
    tries: int,
    clock: Clock,
    random: Random,
    wished_seconds: Callable[[BaseException], float | None] = lambda _: None,
) -> T:
    """What `call` returns, after `tries` calls at most, for services that are no stores.

    Calls again while `may_change` says of the error that it may not come back. Between calls it
    waits as long as `wished_seconds` reads out of the error, else with full jitter. Raises the last
    call's own error.
    """
    import tenacity

    def wait_seconds(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        wished = None if error is None else wished_seconds(error)
        if wished is not None:
            return max(wished, 0.0)
        return random.uniform(0.0, _longest_wait_seconds(state.attempt_number))

    retrying = tenacity.AsyncRetrying(
        sleep=clock.sleep,
        stop=tenacity.stop_after_attempt(tries),
        wait=wait_seconds,
        retry=tenacity.retry_if_exception(may_change),
        reraise=True,
    )
    return await retrying(call)


def _longest_wait_seconds(calls: int) -> float:
    """What the wait after so many calls is drawn up to."""
    return min(FIRST_WAIT_SECONDS * 2.0 ** (calls - 1), LONGEST_WAIT_SECONDS)


def _error_of(state: RetryCallState) -> StoreError:
    """The error of the try that just failed."""
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, StoreError)  # may_change lets nothing else come this far
    return error
