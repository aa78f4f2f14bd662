"""The ASGI application: middleware around the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from bulkup.serve.context import ServerContext
from bulkup.serve.middleware.authentication import Authentication
from bulkup.serve.middleware.hosts import AllowedHosts, Hosts
from bulkup.serve.middleware.responses import Responses
from bulkup.serve.pages import (
    activity,
    duplicates,
    example,
    gallery,
    picture,
    sign_in,
    static,
    upload,
)
from bulkup.serve.pages import failures as failures_page
from bulkup.serve.routes import (
    events,
    failures,
    files,
    notifications,
    openapi,
    pictures,
    search,
    stats,
    uploads,
    work,
)

API: Sequence[BaseRoute] = (
    *stats.ROUTES,
    *events.ROUTES,
    *files.ROUTES,
    *failures.ROUTES,
    *work.ROUTES,
    *notifications.ROUTES,
    *pictures.ROUTES,
    *uploads.ROUTES,
    *search.ROUTES,
    *openapi.ROUTES,
)
"""Everything below /api/v1."""
PAGES: Sequence[BaseRoute] = (
    *gallery.ROUTES,
    *example.ROUTES,
    *picture.ROUTES,
    *duplicates.ROUTES,
    *activity.ROUTES,
    *failures_page.ROUTES,
    *upload.ROUTES,
    *sign_in.ROUTES,
    *static.ROUTES,
)
"""What browsers show."""


def make_app(context: ServerContext, *, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The whole server, but for the bounds of connections and headers (`server.py`).

    `more` routes go below /api/v1.
    """
    options = context.settings.serve

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[Mapping[str, ServerContext]]:
        tasks = [
            asyncio.create_task(context.live.run()),
            asyncio.create_task(context.broker.clean_regularly()),
        ]
        if context.worker is not None:
            tasks.append(asyncio.create_task(context.worker.run()))
        try:
            yield {"context": context}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await context.close()

    api = Router([*API, *more], redirect_slashes=False)
    router = Router(
        [Mount("/api/v1", api), *PAGES],
        redirect_slashes=False,
        lifespan=lifespan,
    )

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = router  # it then raises HTTPException instead of responding with plain text
        if context.root_path:
            _set_root_path(scope, context.root_path)
        await router(scope, receive, send)

    hosts = Hosts(Authentication(routed, context), AllowedHosts(options.host, options.hosts))
    return Responses(hosts, context)


def _set_root_path(scope: Scope, root_path: str) -> None:
    """As ASGI wants it: `path` begins with it, whether the proxy removes it or not."""
    scope["root_path"] = root_path
    if not scope.get("path", "").startswith(f"{root_path}/"):
        scope["path"] = root_path + scope.get("path", "")
