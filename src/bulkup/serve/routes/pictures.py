"""GET /thumb/DIGEST, /preview/DIGEST and /original/DIGEST: bytes from the destinations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bulkup.content.media import media_type as media_type_of
from bulkup.manifest.reports.content import ItemRow, ObjectRow
from bulkup.manifest.server import ServerReader
from bulkup.model import Digest
from bulkup.serve.access import Endpoint, route
from bulkup.serve.bodies.ranges import ByteRange, Unsatisfiable, range_of
from bulkup.serve.context import ServerContext, context_of
from bulkup.serve.pages.policy import SANDBOX
from bulkup.serve.problems import Problem
from bulkup.serve.routes.parameters import digest_in, has_etag
from bulkup.stores.store import SignsURLs

URL_SECONDS = 300
VARIANT_BYTES = 16 << 20
"""A variant is far smaller; a larger object is none of ours."""
_INLINE = ("image/", "video/")
_ACTIVE = ("xml", "svg", "html")  # may hold scripts
_ANYTHING = "application/octet-stream"


class PictureBytes(NamedTuple):
    """An object to send."""

    place: ObjectRow
    name: str  # of the first file
    media_type: str | None
    etag: str


def find(reader: ServerReader, digest: Digest, kind: str) -> PictureBytes:
    """The object of a content: the original, the smallest variant for `thumb`, the largest for
    `preview`. Raises Problem (404) that says why there is none."""
    content = reader.contents.find(digest)
    if content is None:
        raise Problem(404, f"no file has the digest {digest}")
    objects = reader.contents.objects(content.id)
    if kind == "original":
        fitting = [one for one in objects if one.kind == "original"]
    else:
        fitting = [one for one in objects if one.variant_digest is not None]
        named = [one for one in fitting if one.kind == kind]
        fitting = named or (fitting[::-1] if kind == "thumb" else fitting)
    if not fitting:
        raise Problem(404, reason_of(reader.contents.items(content.id), kind))
    paths = reader.contents.paths(content.id, limit=1)
    name = paths[0][0].rpartition("/")[2] if paths else digest
    is_original = kind == "original"
    return PictureBytes(
        fitting[0],
        name,
        content.media_type if is_original else None,
        f'"{digest if is_original else fitting[0].variant_digest}"',
    )


def reason_of(items: list[ItemRow], kind: str) -> str:
    """Why a content has no such object."""
    stage = "upload" if kind == "original" else "process"
    found = next((one for one in items if one.stage == stage), None)
    if found is None:
        return (
            f"there is no {kind}: this file is not uploaded"
            if kind == "original"
            else (f"there is no {kind}: this file was not processed")
        )
    why = found.error or found.reason
    return f"there is no {kind}: {stage} is {found.state}" + (f" ({why})" if why else "")


def _small(kind: str) -> Endpoint:
    async def small(request: Request) -> Response:
        """A variant, from memory where it was sent lately."""
        context, digest = context_of(request), digest_in(request)
        found = await _found(context, digest, kind)
        headers = _headers(found)
        if has_etag(request, found.etag):
            return Response(status_code=304, headers=headers)
        body = context.variants.get(found.etag)
        if body is None:
            body = await _read(context, found.place)
            context.variants.put(found.etag, body)
        part = _range(request, found, len(body))
        media_type = media_type_of(found.place.key, body[:512])
        if part is None:
            return Response(body, headers=headers, media_type=media_type)
        headers["Content-Range"] = _content_range(part, len(body))
        piece = body[part.start : part.start + part.size_bytes]
        return Response(piece, 206, headers, media_type)

    return small


async def _found(context: ServerContext, digest: Digest, kind: str) -> PictureBytes:
    """`find`, asked of the manifest once for each of its changes."""
    name, version = f"{kind} {digest}", context.live.changes
    found: PictureBytes | None = context.found.get(name, version)
    if found is None:
        found = await context.manifest.read(lambda reader: find(reader, digest, kind))
        context.found.put(name, version, found)
    return found


async def _read(context: ServerContext, place: ObjectRow) -> bytes:
    if place.size_bytes > VARIANT_BYTES:
        raise Problem(502, "the object is too large for a variant")
    store = await context.stores.of(place.destination_id)
    return await store.read(place.key)


async def original(request: Request) -> Response:
    """The file as it was pushed: a URL of the bucket, or pieces as they arrive from the store."""
    context, digest = context_of(request), digest_in(request)
    found = await context.manifest.read(lambda reader: find(reader, digest, "original"))
    headers = _headers(found)
    if has_etag(request, found.etag):
        return Response(status_code=304, headers=headers)
    store = await context.stores.of(found.place.destination_id)
    if isinstance(store, SignsURLs):
        return await _redirect(store, found)
    size = found.place.size_bytes
    part = _range(request, found, size)
    status = 200
    if part is not None:
        status, headers["Content-Range"] = 206, _content_range(part, size)
    headers["Content-Length"] = str(size if part is None else part.size_bytes)
    headers["Content-Disposition"] = _disposition(found)
    headers["Content-Security-Policy"] = SANDBOX
    media_type = (found.media_type or _ANYTHING) if _is_harmless(found) else _ANYTHING
    if request.method == "HEAD" or size == 0:
        return Response(status_code=status, headers=headers, media_type=media_type)
    start, count = (0, None) if part is None else part
    chunks = store.open(found.place.key, start=start, size_bytes=count)
    first = await anext(chunks, b"")  # raises what a response must not begin with

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return _StoreResponse(chunks, body(), status, headers, media_type)


class _StoreResponse(StreamingResponse):
    """Pieces from a store, which is read no more when the response ends, however that is: a
    generator that is only dropped keeps its file or connection until the collector runs."""

    def __init__(self, chunks: AsyncIterator[bytes], *response: Any) -> None:
        super().__init__(*response)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for reader in (self.body_iterator, self._chunks):
                if isinstance(reader, AsyncGenerator):
                    await reader.aclose()


async def _redirect(store: SignsURLs, found: PictureBytes) -> Response:
    """To the bucket itself, which knows ranges, too."""
    signed = await store.sign_get(found.place.key, seconds=URL_SECONDS)
    return RedirectResponse(signed.url, 307, {"Cache-Control": "private, no-store"})


def _headers(found: PictureBytes) -> dict[str, str]:
    return {
        "ETag": found.etag,
        "Cache-Control": "private, max-age=31536000, immutable",
        "Accept-Ranges": "bytes",
    }


def _range(request: Request, found: PictureBytes, size_bytes: int) -> ByteRange | None:
    condition = request.headers.get("if-range")
    if request.method == "HEAD" or condition not in (None, found.etag):
        return None
    try:
        return range_of(request.headers.get("range"), size_bytes)
    except Unsatisfiable:
        headers = {"Content-Range": f"bytes */{size_bytes}"}
        raise Problem(416, "the range is behind the end", headers=headers) from None


def _content_range(part: ByteRange, size_bytes: int) -> str:
    return f"bytes {part.start}-{part.start + part.size_bytes - 1}/{size_bytes}"


def _disposition(found: PictureBytes) -> str:
    """Shown by the browser where that is harmless (RFC 6266)."""
    name = quote(found.name.encode(errors="replace"), safe="")
    return f"{'inline' if _is_harmless(found) else 'attachment'}; filename*=UTF-8''{name}"


def _is_harmless(found: PictureBytes) -> bool:
    """Whether it is of a kind that runs no scripts and is none. Who uploaded it named its type."""
    kind = (found.media_type or "").partition(";")[0].strip().lower()
    return kind.startswith(_INLINE) and not kind.endswith(_ACTIVE)


ROUTES = (
    route("/thumb/{digest}", _small("thumb")),
    route("/preview/{digest}", _small("preview")),
    route("/original/{digest}", original),
)
