"""The broker: uploads by clients without keys of the bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bulkup.clock import iso_time
from bulkup.errors import BulkupError, KeyTaken, ObjectMissing, SourceChanged, UsageError
from bulkup.manifest.uploads.rows import Reservation, StoredUpload
from bulkup.model import Digest
from bulkup.operations.uploads.broker import Broker, UploadUnknown
from bulkup.operations.uploads.completion import announce, complete
from bulkup.operations.uploads.own_urls import ROUTE
from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.documents import Document
from bulkup.serve.identity import identity_of
from bulkup.serve.problems import Problem, problem_document, problem_of
from bulkup.serve.routes.parameters import document_in, number_in, text_in
from bulkup.serve.routes.upload_bodies import receive_body
from bulkup.serve.tokens import Role
from bulkup.stores.store import SignedURL

PAGE_FILES = 1000
MOST_FILES = 100
"""Of one announcement: what one token may announce at once, one by one."""

_STATUS: tuple[tuple[type[BulkupError], int], ...] = (
    (UploadUnknown, 404),
    (KeyTaken, 409),
    (ObjectMissing, 409),
    (SourceChanged, 422),
)


async def begin(request: Request) -> Response:
    """POST /uploads: announce a file."""
    document = await document_in(request)
    await _broker(request).clean_if_due()
    status, fields = await _begin(request, document)
    return JSONResponse(fields, status)


async def begin_many(request: Request) -> Response:
    """POST /uploads/batch: {"files": [...]}, each as for POST /uploads; the answers in their order,
    each with its `status`."""
    files = (await document_in(request)).get("files")
    if not isinstance(files, list) or not 0 < len(files) <= MOST_FILES:
        raise UsageError(f"files: a list of 1 to {MOST_FILES} files is needed")
    await _broker(request).clean_if_due()

    async def answer(one: object) -> dict[str, Any]:
        try:
            if not isinstance(one, dict):
                raise UsageError("files: each is an object")
            status, fields = await _begin(request, one)
        except BulkupError as error:
            return problem_document(_problem(error), request.url.path)
        return {"status": status, **fields}

    return Document({"uploads": await asyncio.gather(*map(answer, files))})


async def _begin(request: Request, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status and the fields of the answer to an announcement."""
    broker = _broker(request)
    found = await announce(broker, document, _name(request))
    if isinstance(found, StoredUpload):
        digest = str(document["sha256"]).lower()
        return 200, {"duplicate": True, "digest": digest, "key": found.key}
    fields: dict[str, Any] = {"upload_id": found.id, "key": found.key, "path": found.path}
    if found.part_bytes is not None:
        fields["parts"] = {"part_bytes": found.part_bytes, "count": found.parts}
        fields |= {"method": "PUT", "headers": {}, "expires_at": iso_time(found.expires_at)}
    else:
        fields |= _url(request, await broker.sign(found))
    return 201, fields


async def url(request: Request) -> Response:
    """POST /uploads/ID/url: a fresh URL for the whole."""
    one = await _upload(request)
    return JSONResponse(_url(request, await _broker(request).sign(one)))


async def part_url(request: Request) -> Response:
    """POST /uploads/ID/parts/N: a fresh URL for one part; with `sha256`, for these bytes only."""
    one, document = await _upload(request), await document_in(request)
    digest = document.get("sha256")
    if digest is not None and not (
        isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    ):
        raise UsageError("sha256: 64 hexadecimal digits are needed, of the part")
    number = request.path_params["number"]
    signed = await _broker(request).sign_part(one, number, Digest(digest) if digest else None)
    return JSONResponse(_url(request, signed))


async def parts(request: Request) -> Response:
    """GET /uploads/ID/parts: what the store has."""
    one = await _upload(request)
    found = await _broker(request).parts(one)
    fields = [
        {"number": part.number, "size_bytes": part.size_bytes, "etag": part.etag} for part in found
    ]
    sizes = {"part_bytes": one.part_bytes, "count": one.parts}
    return JSONResponse({"parts": fields, **sizes})


async def finish(request: Request) -> Response:
    """POST /uploads/ID/complete: the object is looked at and recorded."""
    one, document = await _upload(request), await document_in(request)
    named, etag = document.get("parts"), document.get("etag")
    if not isinstance(etag, str | None):
        raise UsageError("etag: a text is needed, as the answer to the PUT had it")
    parts = None if named is None else _parts(named)
    stored = await complete(_broker(request), one, parts, etag=etag)
    return JSONResponse(
        {
            "duplicate": stored.is_duplicate,
            "digest": one.digest,
            "key": stored.key,
            "path": one.path,
        }
    )


async def give_up(request: Request) -> Response:
    """DELETE /uploads/ID."""
    await _broker(request).give_up(await _upload(request))
    return Response(status_code=204)


async def files(request: Request) -> Response:
    """GET /uploads: the files that this token's name has uploaded, by path. `path` names one;
    `prefix`, `after` and `limit` make pages."""
    broker, owner, path = _broker(request), _name(request), text_in(request, "path")
    prefix, after = text_in(request, "prefix") or "", text_in(request, "after") or ""
    limit = number_in(request, "limit", PAGE_FILES, least=0, most=PAGE_FILES)
    to = await broker.destination()
    manifest = context_of(request).manifest
    if path is not None:
        one = await manifest.read(lambda reader: reader.uploaded_files.get(owner, to.row.id, path))
        found = [] if one is None else [one]
    else:
        found = await manifest.read(
            lambda reader: reader.uploaded_files.page(
                owner, to.row.id, prefix=prefix, after=after, limit=limit
            )
        )
    fields = [
        {
            "path": one.path,
            "size_bytes": one.size_bytes,
            "digest": one.digest,
            "media_type": one.media_type,
            "etag": one.etag,
            "stored_at": iso_time(one.stored_at),
        }
        for one in found
    ]
    is_full = path is None and found and len(found) == limit
    return JSONResponse({"files": fields, "next": found[-1].path if is_full else None})


def _broker(request: Request) -> Broker:
    return context_of(request).broker


def _name(request: Request) -> str:
    identity = identity_of(request)
    assert identity is not None
    return identity.name


async def _upload(request: Request) -> Reservation:
    """The upload of the path. Raises UploadUnknown for another client's, except for operators."""
    identity = identity_of(request)
    assert identity is not None
    owner = None if identity.role.includes(Role.OPERATOR) else identity.name
    return await _broker(request).find(request.path_params["id"], owner)


def _parts(named: object) -> list[tuple[int, str]]:
    """Numbers and ETags, named as here or as S3 does. Raises UsageError."""
    found = []
    for part in named if isinstance(named, list) else [None]:
        part = part if isinstance(part, dict) else {}
        number, etag = (
            part.get("number", part.get("PartNumber")),
            part.get("etag", part.get("ETag")),
        )
        if not isinstance(number, int) or not isinstance(etag, str):
            raise UsageError("parts: a list of objects with number and etag is needed")
        found.append((number, etag))
    return found


def _url(request: Request, signed: SignedURL) -> dict[str, Any]:
    """A URL of the server's own is absolute here, by the address that the client used."""
    address = signed.url
    if address.startswith("/"):
        address = f"{str(request.base_url).rstrip('/')}/api/v1{address}"
    return {
        "method": signed.method,
        "url": address,
        "headers": dict(signed.headers),
        "expires_at": iso_time(signed.expires_at),
    }


def _classified(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """`endpoint`, with the statuses of what only uploads raise."""

    async def classified(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BulkupError as error:
            raise _problem(error) from error

    return classified


def _problem(error: BulkupError) -> Problem:
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Problem(status, str(error), error_class=str(error.error_class))
    return problem_of(error)


_ONE = "/uploads/{id}"
_CALLS = (
    ("POST", "/uploads", begin, 1),
    ("POST", "/uploads/batch", begin_many, 1),
    ("GET", "/uploads", files, 0),
    ("POST", f"{_ONE}/url", url, 0),
    ("POST", f"{_ONE}/parts/{{number:int}}", part_url, 0),
    ("GET", f"{_ONE}/parts", parts, 0),
    ("POST", f"{_ONE}/complete", finish, 0),
    ("DELETE", _ONE, give_up, 0),
)
ROUTES = (
    *(
        route(path, _classified(endpoint), role=Role.UPLOADER, methods=[method], cost=cost)
        for method, path, endpoint, cost in _CALLS
    ),
    route(ROUTE, _classified(receive_body), role=None, methods=["PUT"], body_bytes=None),
)
