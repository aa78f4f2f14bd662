"""A one-time link or a token becomes a cookie."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bulkup.serve.access import route
from bulkup.serve.context import ServerContext, context_of
from bulkup.serve.identity import COOKIE_SECONDS, identify, sent_token
from bulkup.serve.pages.templates import page
from bulkup.serve.problems import Problem, shows_pages
from bulkup.serve.tokens import Role, add_token, digest_of


async def show(request: Request) -> Response:
    """The form; or, with the code of a one-time link, the gallery."""
    code = request.query_params.get("code")
    if code is None:
        return page(request, "sign_in.html", error=None)
    context = context_of(request)
    if digest_of(code) not in context.one_time_codes:
        error = "This link was used already or is of an earlier start. Restart bulkup serve."
        return _refused(request, error)
    context.one_time_codes.discard(digest_of(code))
    name, now = f"browser-{secrets.token_hex(4)}", context.clock.now()
    token = await context.manifest.write(
        lambda manifest: add_token(
            manifest.tokens,
            name,
            Role.OPERATOR,
            now=now,
            expires_seconds=COOKIE_SECONDS,
            is_browser=True,
        )
    )
    return _signed_in(request, token)


async def sign_in(request: Request) -> Response:
    """The form's token."""
    fields = parse_qs((await request.body()).decode(errors="replace"))
    token = fields.get("token", [""])[0].strip()
    if await identify(token, context_of(request)) is None:
        return _refused(request, "This is no valid token.")
    return _signed_in(request, token)


async def sign_out(request: Request) -> Response:
    """Forget the cookie, here and in the browser."""
    context = context_of(request)
    token, is_cookie = sent_token(request.headers, context.cookie)
    if token is not None and is_cookie:
        await context.manifest.write(
            lambda manifest: manifest.tokens.revoke_browser(digest_of(token))
        )
    response = RedirectResponse(f"{context.root_path}/sign-in", 303)
    response.delete_cookie(context.cookie, path=_path(context))
    return response


def _refused(request: Request, error: str) -> Response:
    """The form again, for browsers. Raises Problem (401) for programs."""
    if not shows_pages(request):
        raise Problem(401, error, headers={"WWW-Authenticate": 'Bearer realm="bulkup"'})
    return page(request, "sign_in.html", status=401, error=error)


def _signed_in(request: Request, token: str) -> Response:
    context = context_of(request)
    response = RedirectResponse(_path(context), 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        context.cookie,
        token,
        max_age=int(COOKIE_SECONDS),
        path=_path(context),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def _path(context: ServerContext) -> str:
    return f"{context.root_path}/"


ROUTES = (
    route("/sign-in", show, role=None, cost=0),
    route("/sign-in", sign_in, role=None, methods=["POST"], cost=1),
    route("/sign-out", sign_out, role=None, methods=["POST"]),
)
