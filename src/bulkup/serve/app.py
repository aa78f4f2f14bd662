"""The ASGI application: middleware around the routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from bulkup.serve.context import ServerContext
from bulkup.serve.middleware.authentication import Authentication
from bulkup.serve.middleware.hosts import AllowedHosts, Hosts
from bulkup.serve.middleware.responses import Responses
from bulkup.serve.routes import stats

API: Sequence[BaseRoute] = (*stats.ROUTES,)
"""Everything below /api/v1."""


def make_app(context: ServerContext, *, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The whole server, but for the bounds of connections and headers (`server.py`).

    `more` routes go below /api/v1.
    """
    options = context.settings.serve

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await context.close()

    router = Router(
        [Mount("/api/v1", routes=[*API, *more])], redirect_slashes=False, lifespan=lifespan
    )

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = router  # it then raises HTTPException instead of responding with plain text
        await router(scope, receive, send)

    hosts = Hosts(Authentication(routed, context), AllowedHosts(options.host, options.hosts))
    return Responses(hosts, context)
