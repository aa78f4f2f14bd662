"""PUT /uploads/ID/body: bytes for a directory as destination, by one of the server's own URLs."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bulkup.errors import KeyTaken
from bulkup.manifest.uploads.rows import Reservation
from bulkup.operations.uploads.broker import part_size
from bulkup.serve.context import context_of
from bulkup.serve.problems import Problem


async def receive_body(request: Request) -> Response:
    """Store the whole, or one part. Whoever has the URL may do this, until it expires."""
    context = context_of(request)
    upload_id, part, expires_at = request.path_params["id"], *_numbers(request)
    signature = request.query_params.get("signature", "")
    is_valid = context.broker.own_urls.is_valid(
        upload_id, part, expires_at, signature, now=context.clock.now()
    )
    if not is_valid:
        raise Problem(403, "this URL has expired, or is not one of this server's")
    one = await context.broker.find(upload_id, None)
    size_bytes = _expected_bytes(one, part)
    _check_length(request, size_bytes)
    memory = context.broker.memory
    await memory.acquire(size_bytes)
    try:
        body = await _read(request, size_bytes)
        etag = await context.broker.receive(one, part, body)
    except KeyTaken as error:
        raise Problem(412, str(error)) from error
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    finally:
        memory.release(size_bytes)
    return Response(status_code=200, headers={"ETag": etag})


def _numbers(request: Request) -> tuple[int, int]:
    query = request.query_params
    part, expires_at = query.get("part", ""), query.get("expires", "")
    if not (part.isdecimal() and expires_at.isdecimal() and len(part) + len(expires_at) < 40):
        raise Problem(403, "this is not one of this server's URLs")
    return int(part), int(expires_at)


def _expected_bytes(one: Reservation, part: int) -> int:
    return part_size(one, part) if part else one.size_bytes


def _check_length(request: Request, size_bytes: int) -> None:
    length = request.headers.get("content-length")
    if length is None:
        raise Problem(411, "Content-Length is needed", headers={"Connection": "close"})
    if int(length) != size_bytes:
        raise Problem(
            400, f"the body must have {size_bytes:,} bytes", headers={"Connection": "close"}
        )


async def _read(request: Request, size_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > size_bytes:
            raise Problem(400, f"the body has more than {size_bytes:,} bytes")
    if len(body) < size_bytes:
        raise Problem(400, f"the body has fewer than {size_bytes:,} bytes")
    return bytes(body)
