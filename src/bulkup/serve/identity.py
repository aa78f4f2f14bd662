"""Who asks: the token of a request, from its Authorization header or its cookie."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from bulkup.serve.context import ServerContext
from bulkup.serve.tokens import Role, find_token

COOKIE_SECONDS = 30 * 86_400.0
"""How long a browser stays signed in."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whose token is valid."""

    token_id: int
    name: str
    role: Role

    @property
    def bucket(self) -> str:
        """The key of its token bucket."""
        return f"token {self.token_id}"


def sent_token(headers: Headers, cookie: str) -> tuple[str | None, bool]:
    """The token that the request has, and whether its cookie `cookie` brought it."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip(), False
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(cookie)
    except CookieError:
        found = None
    return (None, False) if found is None else (found.value, True)


async def identify(token: str, context: ServerContext) -> Identity | None:
    """Whose token it is; None for a wrong, expired or revoked one."""
    now = context.clock.now()
    row = await context.manifest.read(lambda reader: find_token(reader.tokens, token, now=now))
    return None if row is None else Identity(row.id, row.name, Role(row.role))


def identity_of(request: HTTPConnection) -> Identity | None:
    """Who asks; None for a request without a valid token."""
    found = request.scope["state"]["identity"]
    assert found is None or isinstance(found, Identity)
    return found
