"""One content to a server: announced, sent by the URLs that it makes, completed."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from bulkup.content.digest import digest_of
from bulkup.errors import KeyTaken, ObjectMissing, SourceChanged, StoreBroken, StoreForbidden
from bulkup.model import Attributes, Body, Digest, Part
from bulkup.stores.broker.announcements import Announcements
from bulkup.stores.broker.answers import text_of, whole_of
from bulkup.stores.broker.calls import FORBIDDEN, Calls
from bulkup.stores.s3.headers import etag_of
from bulkup.stores.s3.http1 import Response

FRESH_URLS = 5
"""URLs for one request; a server whose every URL is refused has a wrong clock, or wrong keys."""
REKEYS = 3
"""How often an object of somebody else may turn out to be in the way."""


class Sending:
    """Uploads to the server at `url`. Each URL is asked for right before it is used."""

    def __init__(self, calls: Calls, announcements: Announcements, url: str) -> None:
        self._calls = calls
        self._announcements = announcements
        self._url = url
        # Uploads that failed and are continued: announcing them again would count against the limit
        self._open: dict[tuple[str, Digest], dict[str, Any]] = {}

    async def put(self, key: str, body: Body, digest: Digest, attributes: Attributes) -> None:
        """Reserve, send, complete. Raises KeyTaken also where the server has the content."""
        signed = self._open.pop((key, digest), None)
        if signed is None:
            fields = announcement(key, digest, len(body), attributes)
            signed = await self.reserve(key, fields)
        upload_id, parts = text_of(signed, "upload_id"), signed.get("parts")
        self._open[key, digest] = {"upload_id": upload_id, "parts": parts}
        try:
            await self._send_and_complete(key, upload_id, parts, signed, body)
        except ObjectMissing as error:
            del self._open[key, digest]
            raise StoreBroken(f"key {key!r}: the server gave the upload up") from error
        except SourceChanged:
            del self._open[key, digest]
            await self.abort(key, upload_id)
            raise
        del self._open[key, digest]

    async def reserve(self, key: str, fields: dict[str, object]) -> dict[str, Any]:
        """Announce a content that is to be sent; the server's answer. Raises KeyTaken where it has
        the content."""
        found = await self._announcements.announce(f"key {key!r}", fields)
        if found.get("duplicate"):
            raise KeyTaken(f"key {key!r}: the server has this content")
        return found

    async def _send_and_complete(
        self,
        key: str,
        upload_id: str,
        parts: dict[str, Any] | None,
        signed: dict[str, Any] | None,
        body: Body,
    ) -> None:
        """An object in its way may be this content, sent by another client: completing shows it.
        Where it is another, the server has chosen another key."""
        taken = KeyTaken(f"key {key!r} is taken at the server")
        for _ in range(REKEYS):
            if parts is None:
                await self._send(key, f"/uploads/{upload_id}/url", {}, body, signed)
            else:
                await self._send_parts(key, upload_id, parts, body)
            try:
                await self.complete(key, upload_id, {})
            except KeyTaken as error:
                taken, signed = error, None
            else:
                return
        raise taken

    async def _send_parts(
        self, key: str, upload_id: str, parts: dict[str, Any], body: Body
    ) -> None:
        """The server's limit for whole bodies is lower than ours."""
        view, size_bytes = memoryview(body), whole_of(parts, "part_bytes")
        for number, start in enumerate(range(0, len(body), size_bytes), 1):
            part = view[start : start + size_bytes]
            await self.put_part(key, upload_id, number, part, digest_of(part))

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, digest: Digest
    ) -> Part:
        """Send one part of a content that was reserved."""
        path = f"/uploads/{upload_id}/parts/{number}"
        response = await self._send(key, path, {"sha256": digest}, body)
        if response is None:
            raise StoreBroken(f"key {key!r}: the server refuses a part as if it were an object")
        return Part(number, len(body), etag_of(response) or "", digest)

    async def _send(
        self,
        key: str,
        path: str,
        document: dict[str, object],
        body: Body,
        signed: dict[str, Any] | None = None,
    ) -> Response | None:
        """Send a body by a URL of `path`; None where an object is in its way."""
        subject = f"key {key!r}"
        for _ in range(FRESH_URLS):
            if signed is None or "url" not in signed:
                signed = await self._calls.call("POST", path, subject=subject, document=document)
            headers = signed.get("headers") or {}
            method, url = text_of(signed, "method"), text_of(signed, "url")
            signed = None
            response = await self._calls.send(method, url, headers, body)
            if response.status < 300:
                return response
            if response.status == 412:
                return None
            if response.status != FORBIDDEN:
                raise self._calls.sent_error(response, subject)
        raise StoreForbidden(
            f"{subject}: the destination refuses the URLs that {self._url} makes",
            hint="On the server, bulkup doctor says why; its clock may be wrong.",
        )

    async def complete(self, key: str, upload_id: str, fields: dict[str, object]) -> None:
        """All of it is sent. Raises KeyTaken where the server has another object under the key."""
        await self._calls.call(
            "POST", f"/uploads/{upload_id}/complete", subject=f"key {key!r}", document=fields
        )

    async def abort(self, key: str, upload_id: str) -> None:
        """Give the upload up."""
        with suppress(ObjectMissing):
            await self._calls.call("DELETE", f"/uploads/{upload_id}", subject=f"key {key!r}")


def announcement(
    key: str, digest: Digest, size_bytes: int, attributes: Attributes
) -> dict[str, object]:
    """The body of POST /uploads. The file's time is among the metadata, see `attributes_for`."""
    mtime = attributes.metadata.get("mtime")
    return {
        "name": key.rpartition("/")[2],
        "path": key,
        "size_bytes": size_bytes,
        "sha256": digest,
        "media_type": attributes.content_type,
        "modified_ns": None if mtime is None else int(Decimal(mtime) * 1_000_000_000),
        "rename": False,
    }
