"""What a route asks of a request: a role, a place in the rate limit, a body of bounded size."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from bulkup.serve.context import context_of
from bulkup.serve.identity import identity_of
from bulkup.serve.problems import Problem
from bulkup.serve.tokens import Role

Endpoint = Callable[[Request], Awaitable[Response]]

BODY_BYTES = 64 << 10
"""Of a request that nothing else is said of: JSON with a few fields."""

BODY_SECONDS = 30.0
"""How long a client may take between two pieces of a body, and for all of it where it is small."""


def route(
    path: str,
    endpoint: Endpoint,
    *,
    role: Role | None = Role.VIEWER,
    methods: Sequence[str] = ("GET",),
    cost: int = 0,
    body_bytes: int | None = BODY_BYTES,
) -> Route:
    """A route. `role` None: for everybody; else 401 without a token, 403 with too small a role.

    A request takes `cost` from the token's bucket, or gets 429. A body of more than `body_bytes`
    gets 413; None: the endpoint itself bounds it.
    """
    return Route(path, _Guard(endpoint, role, cost, body_bytes), methods=list(methods))


class _Guard:
    """An ASGI application that checks the request before the endpoint gets it."""

    def __init__(
        self, endpoint: Endpoint, role: Role | None, cost: int, body_bytes: int | None
    ) -> None:
        self._endpoint = endpoint
        self._role = role
        self._cost = cost
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, _bounded(receive, self._body_bytes), send)
        if self._role is not None:
            _check_role(request, self._role)
        if self._cost:
            take(request, self._cost)
        _require_plain(request)
        length = request.headers.get("content-length", "0")
        if self._body_bytes is not None and int(length) > self._body_bytes:
            raise _too_large(self._body_bytes)
        response = await self._endpoint(request)
        await response(scope, receive, send)


def _check_role(request: Request, role: Role) -> None:
    identity = identity_of(request)
    if identity is None:
        raise Problem(
            401,
            "a valid token is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": 'Bearer realm="bulkup"'},
        )
    if not identity.role.includes(role):
        raise Problem(403, f"a token with the role {role} is needed; this one is {identity.role}")


def bucket_of(request: Request) -> str:
    """The key of the bucket that the request takes from: the token's, else the address's."""
    identity = identity_of(request)
    if identity is not None:
        return identity.bucket
    return address_bucket(request.client)


def address_bucket(client: tuple[str, int] | None) -> str:
    """The key of the bucket of an address without a token."""
    return f"address {client[0] if client else ''}"


def take(request: Request, cost: int) -> None:
    """Take from the bucket of whoever asks. Raises Problem (429)."""
    context = context_of(request)
    wait = context.rate_limits.take(bucket_of(request), context.clock.monotonic(), cost)
    if wait > 0:
        seconds = math.ceil(wait)
        raise Problem(
            429,
            f"too many requests; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


def _require_plain(request: Request) -> None:
    """Raise Problem (415) for a compressed body: nothing here unpacks one (RFC 9110, 15.5.16)."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            415,
            "a body with a Content-Encoding is not understood: send it as it is",
            headers={"Accept-Encoding": "identity", "Connection": "close"},
        )


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most:,} bytes", headers={"Connection": "close"})


def _bounded(receive: Receive, most: int | None) -> Receive:
    """`receive`, for a body of at most `most` bytes that arrives in time. Raises Problem."""
    received = 0
    began: float | None = None

    async def bounded() -> Message:
        nonlocal received, began
        now = asyncio.get_running_loop().time()
        began = now if began is None else began
        left = BODY_SECONDS if most is None else BODY_SECONDS - (now - began)
        try:
            async with asyncio.timeout(max(left, 0.0)):
                message = await receive()
        except TimeoutError:
            raise Problem(
                408, "the body did not arrive in time", headers={"Connection": "close"}
            ) from None
        received += len(message.get("body", b""))
        if most is not None and received > most:
            raise _too_large(most)
        return message

    return bounded
