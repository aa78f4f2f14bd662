"""GET /openapi.json: the API, described in one written file (OpenAPI 3.1)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route

_FILE = Path(__file__).parents[1] / "data" / "openapi.json"


@cache
def _text() -> bytes:
    return _FILE.read_bytes()


async def openapi(_: Request) -> Response:
    return Response(_text(), headers={"Cache-Control": "no-cache"}, media_type="application/json")


ROUTES = (route("/openapi.json", openapi, role=None),)
