"""The objects and multipart uploads of the fake S3 server, and its answers about them.

Formats: S3 API reference (PutObject, ListObjectsV2, CreateMultipartUpload, UploadPart, ListParts,
CompleteMultipartUpload, CopyObject, DeleteObjects). Any bucket exists; signatures are not checked.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Literal
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape, unescape

from tests.fakes.http1 import Answer, Body, Request

ConditionalWrites = Literal[
    "honoured", "ignored", "refused", "refused with 304", "refused with 400"
]

KEPT_HEADERS = ("content-type", "cache-control", "content-disposition", "x-amz-storage-class")
PAGE = 1000  # keys or parts a page: the most that S3 gives


@dataclass(frozen=True, slots=True)
class Held:
    """An object. `digest` is None for a multipart object whose bodies were not kept."""

    size_bytes: int
    etag: str
    digest: str | None
    content: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    tags: str = ""
    modified_at: float = field(default_factory=time.time)


@dataclass(slots=True)
class Upload:
    """A multipart upload that is not yet complete."""

    path: str
    headers: dict[str, str]
    tags: str
    parts: dict[int, Held] = field(default_factory=dict)
    begun_at: float = field(default_factory=time.time)


def error(status: int, code: str, message: str = "", **headers: str) -> Answer:
    """An S3 error answer (S3 API reference, "Error responses")."""
    body = f"<Error><Code>{code}</Code><Message>{escape(message or code)}</Message></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body.encode(), {"content-type": "application/xml", **named})


def operation(request: Request) -> str:
    """The S3 API's name of what is asked; paths are /bucket or /bucket/key."""
    bucket, _, key = request.path[1:].partition("/")
    query, copied = request.query, "x-amz-copy-source" in request.headers
    if not bucket:
        return "ListBuckets"
    if not key:
        names = {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}
        posts = {"POST": "DeleteObjects"} if "delete" in query else {}
        lists = {"uploads": "ListMultipartUploads", "location": "GetBucketLocation"}
        gets = next((lists[q] for q in lists if q in query), "ListObjectsV2")
        return {**names, **posts, "GET": gets}.get(request.method, "Unknown")
    if "uploadId" in query:
        put = "UploadPartCopy" if copied else "UploadPart"
        names = {"PUT": put, "GET": "ListParts", "POST": "CompleteMultipartUpload"}
        return {**names, "DELETE": "AbortMultipartUpload"}.get(request.method, "Unknown")
    if request.method == "POST" and "restore" in query:
        return "RestoreObject"
    if request.method == "POST" and "uploads" in query:
        return "CreateMultipartUpload"
    put = "CopyObject" if copied else "PutObject"
    names = {"PUT": put, "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
    return names.get(request.method, "Unknown")


class Objects:
    """All objects, by path (/bucket/key). `answer` does what one request asks."""

    def __init__(self, *, conditional_writes: ConditionalWrites) -> None:
        self.conditional_writes = conditional_writes
        self.held: dict[str, Held] = {}
        self.uploads: dict[str, Upload] = {}
        self._upload_ids = itertools.count(1)

    def answer(self, op: str, request: Request, body: Body) -> Answer:
        """What S3 would answer; objects change only when the answer is a success."""
        refusal = _mismatch(request, body) or self._precondition(op, request)
        if refusal is not None:
            return refusal
        if "uploadId" in request.query:
            upload = self.uploads.get(request.query["uploadId"])
            if upload is None or upload.path != request.path:
                return error(404, "NoSuchUpload")
            return self._about_upload(op, request, body, upload)
        if op == "RestoreObject":
            return Answer(202) if request.path in self.held else error(404, "NoSuchKey")
        if op in ("GetObject", "HeadObject", "CopyObject", "DeleteObject", "PutObject"):
            return self._about_object(op, request, body)
        return self._about_bucket(op, request, body)

    def _precondition(self, op: str, request: Request) -> Answer | None:
        writes = op in ("PutObject", "CompleteMultipartUpload", "CopyObject")
        if not writes or "if-none-match" not in request.headers:
            return None
        if self.conditional_writes == "refused":
            return error(501, "NotImplemented", "A header you provided is not implemented.")
        if self.conditional_writes == "refused with 304":
            return Answer(304)
        if self.conditional_writes == "refused with 400":
            return error(400, "InvalidArgument", "A header you provided is not supported.")
        if self.conditional_writes == "honoured" and request.path in self.held:
            return error(412, "PreconditionFailed")
        return None

    def _about_object(self, op: str, request: Request, body: Body) -> Answer:
        path = request.path
        if op == "DeleteObject":
            self.held.pop(path, None)
            return Answer(204)
        if op == "PutObject":
            headers = _kept_headers(request)
            tags = request.headers.get("x-amz-tagging", "")
            etag = f'"{body.md5}"'
            held = Held(body.size_bytes, etag, body.digest, body.content, headers, tags)
            self.held[path] = held
            return Answer(200, headers={"etag": etag})
        source = unquote(request.headers.get("x-amz-copy-source", "")).lstrip("/")
        held_or_none = self.held.get("/" + source if op == "CopyObject" else path)
        if held_or_none is None:
            return error(404, "NoSuchKey")
        if op == "CopyObject":
            self.held[path] = held_or_none
            return _xml("CopyObjectResult", f"<ETag>{escape(held_or_none.etag)}</ETag>")
        return _ranged(_object_answer(op, held_or_none), request)

    def _about_bucket(self, op: str, request: Request, body: Body) -> Answer:
        if op == "ListObjectsV2":
            return self._list(request)
        if op == "CreateMultipartUpload":
            upload_id = f"upload-{next(self._upload_ids)}"
            tags = request.headers.get("x-amz-tagging", "")
            self.uploads[upload_id] = Upload(request.path, _kept_headers(request), tags)
            return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>")
        if op == "ListMultipartUploads":
            return self._list_uploads(request)
        if op == "DeleteObjects":
            for key in re.findall(r"<Key>(.*?)</Key>", (body.content or b"").decode(), re.DOTALL):
                self.held.pop(f"{request.path.rstrip('/')}/{unescape(key)}", None)
            return _xml("DeleteResult", "")
        if op == "GetBucketLocation":
            return _xml("LocationConstraint", "")
        return Answer(200) if op in ("CreateBucket", "HeadBucket") else error(501, "NotImplemented")

    def _list(self, request: Request) -> Answer:
        if request.query.get("delimiter"):
            return error(501, "NotImplemented", "This server lists without delimiters only.")
        bucket = "/" + request.path.strip("/") + "/"
        prefix, limit = request.query.get("prefix", ""), int(request.query.get("max-keys", PAGE))
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        keys = [path[len(bucket) :] for path in self.held if path.startswith(bucket + prefix)]
        keys = sorted((key for key in keys if key.encode() > after.encode()), key=str.encode)
        page, more = keys[:limit], len(keys) > limit
        encode = quote if request.query.get("encoding-type") == "url" else escape
        rows = "".join(
            f"<Contents><Key>{encode(key)}</Key><Size>{held.size_bytes}</Size>"
            f"<ETag>{escape(held.etag)}</ETag><LastModified>{_iso(held.modified_at)}</LastModified>"
            "</Contents>"
            for key in page
            for held in (self.held[bucket + key],)
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        url = "<EncodingType>url</EncodingType>" if encode is quote else ""
        head = f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        return _xml("ListBucketResult", head + url + token + rows)

    def _list_uploads(self, request: Request) -> Answer:
        bucket = "/" + request.path.strip("/") + "/"
        start = bucket + request.query.get("prefix", "")
        rows = "".join(
            f"<Upload><Key>{escape(upload.path[len(bucket) :])}</Key>"
            f"<UploadId>{upload_id}</UploadId><Initiated>{_iso(upload.begun_at)}</Initiated></Upload>"
            for upload_id, upload in sorted(self.uploads.items(), key=lambda item: item[1].path)
            if upload.path.startswith(start)
        )
        return _xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>" + rows)

    def _about_upload(self, op: str, request: Request, body: Body, upload: Upload) -> Answer:
        if op == "UploadPart":
            number, etag = int(request.query["partNumber"]), f'"{body.md5}"'
            upload.parts[number] = Held(body.size_bytes, etag, body.digest, body.content)
            return Answer(200, headers={"etag": etag})
        if op == "ListParts":
            return _list_parts(request, upload)
        if op == "AbortMultipartUpload":
            del self.uploads[request.query["uploadId"]]
            return Answer(204)
        if op == "CompleteMultipartUpload":
            return self._complete(request, body, upload)
        return error(501, "NotImplemented")

    def _complete(self, request: Request, body: Body, upload: Upload) -> Answer:
        text = (body.content or b"").decode()
        numbers = [int(n) for n in re.findall(r"<PartNumber>(\d+)</PartNumber>", text)]
        etags = [
            unescape(e, {"&quot;": '"', "&#34;": '"'}) for e in re.findall("<ETag>(.*?)</", text)
        ]
        parts = [upload.parts.get(number) for number in numbers]
        wanted = [(p.etag.strip('"') if p else None) for p in parts]
        if not parts or wanted != [etag.strip('"') for etag in etags]:
            return error(400, "InvalidPart")
        if numbers != sorted(set(numbers)):
            return error(400, "InvalidPartOrder")
        held = _joined([part for part in parts if part], upload)
        self.held[upload.path] = held
        del self.uploads[request.query["uploadId"]]
        return _xml("CompleteMultipartUploadResult", f"<ETag>{escape(held.etag)}</ETag>")


def _joined(parts: list[Held], upload: Upload) -> Held:
    md5s = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    etag = f'"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"'
    contents = [part.content for part in parts if part.content is not None]
    content = b"".join(contents) if len(contents) == len(parts) else None
    digest = hashlib.sha256(content).hexdigest() if content is not None else None
    size_bytes = sum(part.size_bytes for part in parts)
    return Held(size_bytes, etag, digest, content, upload.headers, upload.tags)


def _list_parts(request: Request, upload: Upload) -> Answer:
    after, limit = (int(request.query.get(n, d)) for n, d in _PART_PAGING)
    numbers = sorted(number for number in upload.parts if number > after)
    page, more = numbers[:limit], len(numbers) > limit
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(upload.parts[number].etag)}</ETag>"
        f"<Size>{upload.parts[number].size_bytes}</Size></Part>"
        for number in page
    )
    head = f"<UploadId>{escape(request.query['uploadId'])}</UploadId>"
    head += f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    if more:
        head += f"<NextPartNumberMarker>{page[-1]}</NextPartNumberMarker>"
    return _xml("ListPartsResult", head + rows)


_PART_PAGING = (("part-number-marker", "0"), ("max-parts", str(PAGE)))


def _mismatch(request: Request, body: Body) -> Answer | None:
    """Refuse a body that is not what the client signed or promised, as S3 does."""
    signed = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    if re.fullmatch("[0-9a-f]{64}", signed) and signed != body.digest:
        return error(400, "XAmzContentSHA256Mismatch")
    promised = request.headers.get("x-amz-checksum-sha256")
    have = base64.b64encode(bytes.fromhex(body.digest)).decode()
    if promised and promised != have and "-" not in promised and request.method == "PUT":
        return error(400, "BadDigest")
    return None


def _kept_headers(request: Request) -> dict[str, str]:
    return {
        name: value
        for name, value in request.headers.items()
        if name in KEPT_HEADERS or name.startswith("x-amz-meta-")
    }


def _object_answer(op: str, held: Held) -> Answer:
    if op == "GetObject" and held.content is None:
        return error(501, "NotImplemented", "This server was started without keeping bodies.")
    modified = formatdate(held.modified_at, usegmt=True)
    headers = {**held.headers, "etag": held.etag, "last-modified": modified}
    headers["content-length"] = str(held.size_bytes)
    return Answer(200, held.content or b"", headers)


def _ranged(answer: Answer, request: Request) -> Answer:
    """The answer, or the range of bytes that was asked for (RFC 9110, section 14)."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if match is None or answer.status != 200 or request.method != "GET":
        return answer
    start, end = int(match[1]), int(match[2] or len(answer.body))
    part = answer.body[start : end + 1]
    return Answer(206, part, {**answer.headers, "content-length": str(len(part))})


def _xml(root: str, inner: str) -> Answer:
    text = f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{root}>'
    return Answer(200, text.encode(), {"content-type": "application/xml"})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
