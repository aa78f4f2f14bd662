"""Responses of an embedding service, as errors of bulkup or as vectors. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import numpy as np
from numpy.typing import NDArray

from bulkup.embed.embedder import Vector
from bulkup.errors import (
    EmbedderBroken,
    EmbedderBusy,
    EmbedderRefused,
    EmbedderUnreachable,
    EmbedderUnusable,
    EmbedError,
)
from bulkup.http_statuses import PASSING_STATUSES
from bulkup.redaction import foreign_text

_NOT_ALLOWED = {
    401: "The key is missing, wrong or expired: set BULKUP_EMBED_KEY.",
    402: "The account has no credit left.",
    403: "The key may not use this model.",
    407: "The proxy wants a password: see HTTPS_PROXY.",
}
_NOT_THERE = "Check embed.url, embed.api and embed.remote_model."


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """A complete response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Raises EmbedderBroken when the body is not JSON: most often a gateway's error page."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise EmbedderBroken("the service's answer is no JSON") from error


def error_of(
    response: ServiceResponse, now: float, label: str, secrets: Collection[str] = ()
) -> EmbedError | EmbedderUnusable | None:
    """The error that a status stands for; None for a 2xx. `now` is in seconds since 1970.
    The server's own words are in it without the `secrets`, which some servers repeat.

    429, and 503 with Retry-After, are EmbedderBusy; 408 and what else passes EmbedderUnreachable.
    What depends on no picture is EmbedderUnusable: keys, credit, an address without such a
    service, a redirect, which would send the key to another server. All other 4xx are
    EmbedderRefused: a picture of this request may be the cause.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    said = f"{label} answered {status}{_words(response, secrets)}"
    wished = wait_wished(response, now)
    if status == 429 or (status == 503 and wished is not None):
        return EmbedderBusy(said, retry_after_seconds=wished)
    if status >= 500:
        return EmbedderBroken(said)
    if status in _NOT_ALLOWED:
        return EmbedderUnusable(said, hint=_NOT_ALLOWED[status])
    if status in (404, 405, 410) or status < 400:
        return EmbedderUnusable(said, hint=_NOT_THERE)
    if status in PASSING_STATUSES:
        return EmbedderUnreachable(said)
    return EmbedderRefused(said)


def wait_wished(response: ServiceResponse, now: float) -> float | None:
    """The seconds that Retry-After asks for, 0 or more; None when it is absent or malformed.

    It is a count of seconds or an HTTP date (RFC 9110 §10.2.3).
    """
    text = response.headers.get("retry-after", "").strip()
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(wait, 0.0) if math.isfinite(wait) else None


def vector_of(numbers: object, dimension: int | None) -> Vector:
    """`numbers` as a vector of length 1, float32, shape (dimension,).

    Raises EmbedderRefused for what is no list of finite numbers, has another dimension than the
    one given, or no direction.
    """
    if not isinstance(numbers, list) or not numbers:
        raise EmbedderRefused("the service answered no vector")
    if not all(isinstance(number, int | float) for number in numbers):
        raise EmbedderRefused("the service's vector holds something that is no number")
    if dimension is not None and len(numbers) != dimension:
        raise EmbedderRefused(
            f"the service's vector has {len(numbers)} dimensions instead of {dimension}"
        )
    try:
        values = np.asarray(numbers, dtype=np.float64)
    except OverflowError as error:  # JSON may hold integers of any length
        raise EmbedderRefused("the service's vector holds a number that is not finite") from error
    return unit(values)


def unit(values: NDArray[np.floating]) -> Vector:
    """`values` at length 1, as float32.

    Raises EmbedderRefused when one is not finite, or all are zero.
    """
    if not np.isfinite(values).all():
        raise EmbedderRefused("the embedder's vector holds a number that is not finite")
    wide = values.astype(np.float64)
    largest = float(np.abs(wide).max())
    if largest == 0.0:
        raise EmbedderRefused("the embedder's vector is zero")
    scaled = wide / largest  # so that no square is too large or too small
    return np.asarray(scaled / np.linalg.norm(scaled), dtype=np.float32)


def _words(response: ServiceResponse, secrets: Collection[str]) -> str:
    """': ' and the server's error message on one line; '' where there is none in JSON.

    OpenAI: {"error": {"message"}}; FastAPI: {"detail"}; Replicate: {"title", "detail"}.
    """
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "detail", "message", "title"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    if isinstance(found, list):
        found = json.dumps(found)
    return f": {foreign_text(found, secrets)}" if isinstance(found, str) and found else ""
