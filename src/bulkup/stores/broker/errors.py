"""What the refusal of a `bulkup serve` means, in bulkup's error tree. Decided here only.

Its errors are problem details (RFC 9457) whose `error_class` is ours. Anything else is not one of
its answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bulkup import errors
from bulkup.http_statuses import PASSING_STATUSES
from bulkup.redaction import foreign_text
from bulkup.stores.s3.errors import Refusal, retry_after_seconds
from bulkup.stores.s3.headers import PORTAL_HINT
from bulkup.stores.s3.http1 import Response

SIGN_IN_HINT = (
    "Put a token with the role uploader into BULKUP_TOKEN: on the server, "
    "bulkup token add NAME --role uploader."
)
_NOT_ONE_HINT = (
    "--to https://HOST:PORT is for a server that runs `bulkup serve`; a bucket is "
    "--to s3://bucket/prefix --endpoint-url https://HOST:PORT."
)


def no_broker(url: str, why: str) -> errors.DestinationError:
    """The error for a server that is no `bulkup serve`."""
    return errors.DestinationError(f"{url} is no bulkup serve: {why}", hint=_NOT_ONE_HINT)


def is_problem(response: Response) -> bool:
    """Whether a refusal has problem details."""
    kind = response.get_header("content-type") or ""
    return kind.partition(";")[0].strip().lower() == "application/problem+json"


def classify(
    response: Response, subject: str, url: str, now: float, secrets: tuple[str, ...]
) -> errors.BulkupError:
    """The error for a response that is no success. `subject` names what was asked for."""
    if not is_problem(response):
        if response.status == 511:  # Network Authentication Required (RFC 6585)
            return errors.DestinationUnreachable(f"{subject}: HTTP 511", hint=PORTAL_HINT)
        if response.status >= 500:  # of a proxy before it, perhaps
            return _passing(response, f"{subject}: HTTP {response.status}", now)
        return no_broker(url, f"HTTP {response.status}")
    problem = _problem(response)
    detail = foreign_text(str(problem.get("detail") or ""), secrets)
    said = f"{subject}: {detail or 'refused'} ({response.status})"
    hint = problem.get("hint")
    hint = foreign_text(hint, secrets) if isinstance(hint, str) else None
    if response.status == 401:
        return errors.CredentialsRefused(said, hint=SIGN_IN_HINT)
    if response.status == 403:
        return errors.CredentialsRefused(said, hint=hint or SIGN_IN_HINT)
    if response.status == 421:
        return errors.DestinationError(said, hint=hint)
    if response.status in (429, 503) or response.status >= 500:
        return _passing(response, said, now)
    return _of_one(response.status, str(problem.get("error_class")), said, hint)


def refused(
    status: int, problem: Mapping[str, Any], subject: str, secrets: tuple[str, ...]
) -> errors.BulkupError:
    """The error for the problem of one file among several."""
    detail = foreign_text(str(problem.get("detail") or "refused"), secrets)
    said = f"{subject}: {detail} ({status})"
    if status in (429, 503):
        return errors.StoreBusy(said)
    if status >= 500:
        return errors.StoreBroken(said)
    hint = problem.get("hint")
    hint = foreign_text(hint, secrets) if isinstance(hint, str) else None
    return _of_one(status, str(problem.get("error_class")), said, hint)


def _of_one(
    status: int, error_class: str, said: str, hint: str | None
) -> errors.StoreError | errors.SourceChanged:
    if error_class == errors.ErrorClass.CHANGED:
        return errors.SourceChanged(said)
    if status == 404 or error_class == errors.ErrorClass.MISSING:
        return errors.ObjectMissing(said)
    if status in (409, 412):
        return errors.KeyTaken(said)
    if status in PASSING_STATUSES:
        return errors.StoreBroken(said)
    return errors.StoreRefused(said, hint=hint)


def _passing(response: Response, said: str, now: float) -> errors.StoreError:
    if response.status in (429, 503):
        wait = retry_after_seconds(Refusal(response, said, now))
        return errors.StoreBusy(said, retry_after_seconds=wait)
    return errors.StoreBroken(said)


def _problem(response: Response) -> dict[str, Any]:
    return read_object(response.body) or {}


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is; None when it is none."""
    read: Callable[[bytes], Any] = json.loads
    try:
        found = read(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
