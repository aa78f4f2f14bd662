"""GET /failures and POST /failures/retry."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bulkup.errors import ErrorClass
from bulkup.manifest.reports.failures import FailureQuery
from bulkup.manifest.reports.status import matcher
from bulkup.manifest.server import ServerReader
from bulkup.model import Stage
from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.documents import Document
from bulkup.serve.problems import Problem
from bulkup.serve.routes.parameters import (
    MOST_TEXT,
    choice_in,
    document_in,
    number_in,
    optional_number_in,
    text_in,
)
from bulkup.serve.tokens import Role

STAGES = tuple(str(stage) for stage in Stage)
CLASSES = tuple(str(one) for one in ErrorClass)
STATES = ("waiting", "dead")
MOST_ITEMS = 1000


def query_in(request: Request) -> tuple[FailureQuery, str | None]:
    """Which failures a request asks for, and the pattern of their paths. Raises Problem (422)."""
    pattern = text_in(request, "path")
    query = FailureQuery(
        choice_in(request, "stage", STAGES),
        choice_in(request, "state", STATES),
        choice_in(request, "class", CLASSES),
        None if pattern is None else matcher(pattern),
    )
    return query, pattern


async def failures(request: Request) -> Response:
    """`status --failed --json`, a page at a time, each with its item and attempts:
    {"failures", "counts", "next"}."""
    query, _ = query_in(request)
    before, limit = optional_number_in(request, "cursor"), number_in(request, "limit", 100)
    return Document(
        await context_of(request).manifest.read(
            lambda reader: failures_document(reader, query, before, limit)
        )
    )


def failures_document(
    reader: ServerReader, query: FailureQuery, before: int | None, limit: int
) -> dict[str, Any]:
    """A page of failures with their histories, and how many there are for which reason."""
    found = reader.failures.page(query, before=before, limit=limit)
    return {
        "failures": [
            {
                "item": one.item,
                **one.failure._asdict(),
                "history": [
                    attempt._asdict() for attempt in reader.attempts.of_item(one.item)[-20:]
                ],
            }
            for one in found
        ],
        "counts": [one._asdict() for one in reader.failures.counts()],
        "next": str(found[-1].item) if len(found) >= limit else None,
    }


async def retry(request: Request) -> Response:
    """`retry --failed` as a run of its own: 202 {"run"}.

    The body: {"stage", "class", "path"}, or {"items": [...]}, or nothing for all failures.
    """
    arguments = retry_arguments(await document_in(request))
    run_id = await context_of(request).child_runs.start("retry", arguments)
    return Document({"run": run_id}, 202)


def retry_arguments(document: dict[str, Any]) -> list[str]:
    """The options of `bulkup retry` for a request. Raises Problem (422)."""
    unknown = set(document) - {"stage", "class", "path", "items"}
    if unknown:
        raise Problem(422, f"unknown: {', '.join(sorted(unknown))}")
    arguments = ["--failed"]
    for name, option, choices in (("stage", "--stage", STAGES), ("class", "--error", CLASSES)):
        if (value := document.get(name)) is not None:
            if value not in choices:
                raise Problem(422, f"{name} is one of {', '.join(choices)}")
            arguments += [option, value]
    if (path := document.get("path")) is not None:
        if not isinstance(path, str) or not path or len(path) > MOST_TEXT or not _is_text(path):
            raise Problem(422, "path is a pattern")
        arguments.append(f"--path={path}")
    if (items := document.get("items")) is not None:
        is_list = isinstance(items, list) and 0 < len(items) <= MOST_ITEMS
        if not is_list or not all(type(one) is int and 0 < one < 1 << 63 for one in items):
            raise Problem(422, f"items are the numbers of 1 to {MOST_ITEMS:,} items")
        arguments += [f"--item={one}" for one in items]
    return arguments


def _is_text(text: str) -> bool:
    """Whether it can be an argument of a program: JSON may hold halves of characters, and zeros."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


ROUTES = (
    route("/failures", failures),
    route("/failures/retry", retry, role=Role.OPERATOR, methods=["POST"], cost=1),
)
