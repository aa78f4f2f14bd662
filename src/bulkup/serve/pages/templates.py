"""Renders the templates of templates/, with what every page shows."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bulkup.serve.context import context_of
from bulkup.serve.identity import identity_of
from bulkup.serve.pages.static import static_url
from bulkup.serve.pages.words import FILTERS
from bulkup.serve.tokens import Role

_FOLDER = Path(__file__).with_name("templates")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters, and those that turn the direction: a name would not look like what it is."""


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    return found


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """The template as a response. Values are escaped where they are used."""
    identity = identity_of(request)
    root = context_of(request).root_path
    text = (
        _templates()
        .get_template(template)
        .render(
            root=root,
            here=request.url.path.removeprefix(root),
            identity=identity,
            may_upload=identity is not None and identity.role.includes(Role.UPLOADER),
            may_operate=identity is not None and identity.role.includes(Role.OPERATOR),
            static=lambda name: root + static_url(name),
            **values,
        )
    )
    text = _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    body = text.encode(errors="backslashreplace")  # bytes of paths that are no UTF-8
    return HTMLResponse(body, status, {"Cache-Control": "no-store", "Vary": "Cookie"})
