"""The protocol of Replicate's predictions: create one, poll it, cancel it.

POST …/predictions {"version", "input"} returns a prediction: {"id", "status", "output", "error",
"urls": {"get", "cancel"}}. Its status goes from `starting` and `processing` to `succeeded`,
`failed`, `canceled` or `aborted` (https://replicate.com/docs/reference/http). With "Prefer: wait=N"
the service delays the first response for up to N seconds (60 at most), which saves polls; with
"Cancel-After" it ends predictions that a killed process could not cancel.

The model takes a picture as input `image` and words as input `text`. Its output is numbers, or an
object that holds them as `embedding`; either may be the only entry of a list.

Only creations take tokens of the bucket: the service meters and bills them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bulkup.errors import (
    EmbedderBroken,
    EmbedderBusy,
    EmbedderRefused,
    EmbedderUnreachable,
    EmbedderUnusable,
    EmbedError,
)

if TYPE_CHECKING:
    from bulkup.clock import Clock
    from bulkup.embed.http_client import Service

MOST_PICTURES = 1
"""A prediction takes one picture, and a call that fails must not lose finished predictions."""

FIRST_POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 5.0
"""Frequent polls at first, for a warm model; fewer later, for a cold one."""

LONGEST_HOLD_SECONDS = 60
LEAST_CANCEL_AFTER_SECONDS = 5
"""Replicate's own limits."""

CANCEL_SECONDS = 5.0
"""An interrupted run waits for it."""

ENDED = frozenset({"succeeded", "failed", "canceled", "aborted"})


@dataclass(frozen=True, slots=True)
class Prediction:
    """The state of a prediction."""

    status: str
    output: object
    error: str
    get_url: str | None
    cancel_url: str | None


def prediction_in(response: object, service_url: str) -> Prediction:
    """Raises EmbedderBroken when it is none, or has URLs on another server, to which the key would
    be sent."""
    if not isinstance(response, dict) or not isinstance(response.get("status"), str):
        raise EmbedderBroken("the service's response is no prediction")
    urls = response.get("urls")
    found = urls if isinstance(urls, dict) else {}
    for url in (found.get("get"), found.get("cancel")):
        if url is not None and (not isinstance(url, str) or _origin(url) != _origin(service_url)):
            raise EmbedderBroken("the service's prediction has its URLs on another server")
    return Prediction(
        status=response["status"],
        output=response.get("output"),
        error=str(response.get("error") or ""),
        get_url=found.get("get"),
        cancel_url=found.get("cancel"),
    )


async def predict(
    service: Service,
    model: str,
    inputs: Mapping[str, str],
    *,
    clock: Clock,
    timeout_seconds: float,
) -> object:
    """The numbers of one prediction, unchecked.

    Raises EmbedderBroken when it failed, EmbedderUnreachable when it did not end within
    `timeout_seconds` after its creation, and what the creation raises. Whatever ends this call
    before the prediction has ended cancels it.
    """
    hold = min(max(int(timeout_seconds / 2), 1), LONGEST_HOLD_SECONDS)
    limit = max(int(timeout_seconds), LEAST_CANCEL_AFTER_SECONDS)
    headers = {"Prefer": f"wait={hold}", "Cancel-After": f"{limit}s"}
    body = {"version": model, "input": dict(inputs)}
    created = await service.create(body, headers)
    prediction = prediction_in(created.json(), service.url)
    deadline = clock.monotonic() + timeout_seconds
    try:
        prediction = await _ended(service, prediction, clock, deadline)
    except BaseException:
        if prediction.cancel_url is not None:
            with suppress(EmbedError, EmbedderUnusable):  # the first error is reported
                await service.request("POST", prediction.cancel_url, timeout_seconds=CANCEL_SECONDS)
        raise
    if prediction.status != "succeeded":
        why = f": {service.foreign_text(prediction.error)}" if prediction.error else ""
        raise EmbedderBroken(f"the prediction {prediction.status}{why}")
    return _numbers_in(prediction.output)


async def _ended(
    service: Service, prediction: Prediction, clock: Clock, deadline: float
) -> Prediction:
    """The prediction when it has ended."""
    wait = FIRST_POLL_SECONDS
    while prediction.status not in ENDED:
        if prediction.get_url is None:
            raise EmbedderBroken("the service's prediction has no URL to poll")
        left = deadline - clock.monotonic()
        if left <= 0:
            raise EmbedderUnreachable(
                f"the prediction is still {service.foreign_text(prediction.status)}"
            )
        await clock.sleep(min(wait, left))
        wait = min(wait * 2, LONGEST_POLL_SECONDS)
        try:
            response = await service.request("GET", prediction.get_url)
            prediction = prediction_in(response.json(), service.url)
        except EmbedderBusy as busy:
            wait = max(wait, busy.retry_after_seconds or 0.0)
        except (EmbedderUnreachable, EmbedderBroken):
            continue  # the prediction continues meanwhile
        except (EmbedderRefused, EmbedderUnusable) as error:
            raise EmbedderBroken(f"the prediction was lost: {error}") from error
    return prediction


def _numbers_in(output: object) -> object:
    """The model's numbers, out of the objects and lists of one that hold them."""
    while True:
        if isinstance(output, dict):
            output = output.get("embedding", output.get("embeddings"))
        elif isinstance(output, list) and len(output) == 1 and isinstance(output[0], list | dict):
            output = output[0]
        else:
            return output


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        found = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None
    return found
