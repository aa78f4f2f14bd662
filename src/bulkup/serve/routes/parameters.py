"""Query parameters, paths and JSON bodies, checked."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request

from bulkup.model import Digest
from bulkup.serve.problems import Problem

_DIGEST = re.compile(r"[0-9a-f]{64}")
MOST_TEXT = 4096


def digest_in(request: Request) -> Digest:
    """The digest in the path. Raises Problem (404)."""
    text = request.path_params["digest"]
    if _DIGEST.fullmatch(text) is None:
        raise Problem(404, "a digest has 64 characters of 0-9 and a-f")
    return Digest(text)


def text_in(request: Request, name: str) -> str | None:
    """A parameter's text; None where it is missing or empty. Raises Problem (422)."""
    text = request.query_params.get(name) or None
    if text is not None and (len(text) > MOST_TEXT or "\0" in text):
        raise Problem(422, f"{name} is too long, or has a NUL")
    return text


def number_in(
    request: Request, name: str, default: int, *, least: int = 1, most: int = 1000
) -> int:
    """A whole number. Raises Problem (422)."""
    found = optional_number_in(request, name, least=least, most=most)
    return default if found is None else found


def optional_number_in(
    request: Request, name: str, *, least: int = 0, most: int = (1 << 63) - 1
) -> int | None:
    """A whole number; None where it is missing. Raises Problem (422)."""
    text = request.query_params.get(name)
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,19}", text) is None or not least <= int(text) <= most:
        raise Problem(422, f"{name} is a whole number from {least} to {most:,}")
    return int(text)


def choice_in(request: Request, name: str, choices: tuple[str, ...]) -> str | None:
    """One of some words; None where it is missing. Raises Problem (422)."""
    text = request.query_params.get(name) or None
    if text is not None and text not in choices:
        raise Problem(422, f"{name} is one of {', '.join(choices)}")
    return text


def has_etag(request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the client has this representation (RFC 9110, 13.1.2)."""
    condition = request.headers.get("if-none-match", "")
    return condition.strip() == "*" or etag in condition


async def document_in(request: Request) -> dict[str, Any]:
    """The JSON object in the body; empty for no body. Raises Problem (400, 422)."""
    body = await request.body()
    if not body:
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "the body is no JSON") from error
    if not isinstance(document, dict):
        raise Problem(422, "the body is no JSON object")
    return document
