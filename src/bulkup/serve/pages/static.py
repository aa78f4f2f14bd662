"""The style and the modules of static/: named by their content, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route
from bulkup.serve.problems import Problem

_FOLDER = Path(__file__).with_name("static")
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def _files() -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in _FOLDER.iterdir() if one.suffix in _MEDIA_TYPES}


@cache
def _version() -> str:
    """Of all files: modules import each other by relative names."""
    whole = hashlib.sha256()
    for name, body in sorted(_files().items()):
        whole.update(name.encode() + b"\0" + body)
    return whole.hexdigest()[:12]


def static_url(name: str) -> str:
    """The path of a file, for the life of this version."""
    return f"/static/{_version()}/{name}"


async def static(request: Request) -> Response:
    name = request.path_params["name"]
    body = _files().get(name)
    if body is None:
        raise Problem(404, f"there is no {name}")
    return Response(
        body,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
        media_type=_MEDIA_TYPES[name[name.rindex(".") :]],
    )


ROUTES = (route("/static/{version}/{name}", static, role=None),)
