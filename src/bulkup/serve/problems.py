"""Errors as problem details (RFC 9457): what a program reads instead of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from bulkup.errors import (
    BulkupError,
    DestinationError,
    EmbedderUnusable,
    ManifestError,
    ObjectArchived,
    ObjectMissing,
    StoreBusy,
    StoreError,
    UsageError,
    WordsUnknown,
)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error that the client sees. `fields` are members of the document beside `detail`."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.fields = fields


_STATUS: tuple[tuple[type[BulkupError], int], ...] = (
    (WordsUnknown, 422),
    (UsageError, 422),
    (ManifestError, 503),
    (EmbedderUnusable, 503),
    (ObjectMissing, 404),
    (ObjectArchived, 409),
    (StoreBusy, 503),
    (StoreError, 502),
    (DestinationError, 502),
)


def shows_pages(request: Request) -> bool:
    """Whether a browser asks, to show what comes; programs get problem details."""
    return "text/html" in request.headers.get("accept", "")


def problem_of(error: BulkupError) -> Problem:
    """The problem that one of bulkup's errors is to the client."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    headers = {"Retry-After": "5"} if status == 503 else {}
    fields = {} if error.hint is None else {"hint": error.hint}
    return Problem(
        status, str(error), headers=headers, error_class=str(error.error_class), **fields
    )


def problem_response(problem: Problem, path: str) -> Response:
    """The response to a request for `path`."""
    return Response(
        json.dumps(problem_document(problem, path)),
        problem.status,
        {"Cache-Control": "no-store", **problem.headers},
        MEDIA_TYPE,
    )


def problem_document(problem: Problem, path: str) -> dict[str, object]:
    """The members of RFC 9457, and the problem's own."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path,
        **problem.fields,
    }
