"""Finds out who asks. What they may do is the routes' matter (`access.py`)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bulkup.serve.context import ServerContext
from bulkup.serve.identity import identify, sent_token


class Authentication:
    """Sets `scope["state"]["identity"]`: an Identity, or None without a valid token."""

    def __init__(self, app: ASGIApp, context: ServerContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token, _ = sent_token(Headers(scope=scope), self._context.cookie)
            identity = None if token is None else await identify(token, self._context)
            scope["state"]["identity"] = identity
        await self._app(scope, receive, send)
