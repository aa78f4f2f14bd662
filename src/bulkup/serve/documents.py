"""JSON responses."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class Document(JSONResponse):
    """JSON in ASCII: bytes of paths that are no UTF-8 are lone surrogates, which are escaped."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()
