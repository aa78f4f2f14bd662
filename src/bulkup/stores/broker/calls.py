"""One call of the server's API, and one request by a URL that it made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from bulkup.clock import Clock
from bulkup.errors import CredentialsRefused, StoreBusy
from bulkup.model import Body
from bulkup.pace.tries import WAIT_LIMIT_SECONDS
from bulkup.stores.broker.errors import SIGN_IN_HINT, classify, is_problem, no_broker, read_object
from bulkup.stores.broker.http import Clients
from bulkup.stores.s3 import errors as s3_errors
from bulkup.stores.s3.http1 import Response

FORBIDDEN = 403
"""What an endpoint says of a URL that has expired, and of one that its signer may not make."""


class Calls:
    """Calls of one server. For use from one event loop."""

    def __init__(
        self, url: str, base: str, token: str | None, *, ca_pem: bytes | None, clock: Clock
    ) -> None:
        """`url` is what the user calls it, `base` where its paths begin."""
        self.url = url
        self._base = f"{base}/api/v1"
        self._token = token
        self._clock = clock
        self._clients = Clients(ca_pem)
        self._turn = asyncio.Lock()
        self._not_before = 0.0  # on the monotonic clock: what a 429 said
        self._busy_since: float | None = None  # on it, too: the first 429 since a call was taken

    def limit_bodies(self, bytes_per_second: int) -> None:
        """Send and receive no body faster."""
        self._clients.limit_bodies(bytes_per_second)

    async def call(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str] | None = None,
        document: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """The JSON object that the server answers with; an empty one for none. `subject` names
        what is asked for, in messages.

        Raises DestinationError when the server is no `bulkup serve` or refuses the token,
        StoreError and SourceChanged.
        """
        headers = self._secret()
        body = b""
        if document is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(document).encode()
        url = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        response = await self._clients.request(method, url, headers, body)
        if response.status >= 300:
            raise self._error(response, subject)
        found = read_object(response.body) if response.body else {}
        if found is None:
            raise no_broker(self.url, "its answer is no JSON")
        return found

    async def call_paced(
        self, method: str, path: str, *, subject: str, document: Mapping[str, object]
    ) -> dict[str, Any]:
        """As `call`, for what the server limits: after a 429 the calls are made one after the
        other, none before the server says so. That is no failure of anything, unless it takes
        none at all for WAIT_LIMIT_SECONDS."""
        while True:
            async with self._turn:
                wait = self._not_before - self._clock.monotonic()
                if wait > 0:
                    await self._clock.sleep(wait)
                    return await self._call_throttled(method, path, subject, document)
            try:
                return await self._taken(method, path, subject, document)
            except StoreBusy as busy:
                self._put_off(busy)

    async def _call_throttled(
        self, method: str, path: str, subject: str, document: Mapping[str, object]
    ) -> dict[str, Any]:
        """A call whose turn it is, as often as the server says that it is too early."""
        while True:
            try:
                return await self._taken(method, path, subject, document)
            except StoreBusy as busy:
                self._put_off(busy)
            await self._clock.sleep(max(0.0, self._not_before - self._clock.monotonic()))

    async def _taken(
        self, method: str, path: str, subject: str, document: Mapping[str, object]
    ) -> dict[str, Any]:
        found = await self.call(method, path, subject=subject, document=document)
        self._busy_since = None
        return found

    def _put_off(self, busy: StoreBusy) -> None:
        """Raises the error where the server does not say when, says hours, or says it for ever."""
        wait, now = busy.retry_after_seconds, self._clock.monotonic()
        if self._busy_since is None:
            self._busy_since = now
        is_endless = now - self._busy_since > WAIT_LIMIT_SECONDS
        if wait is None or wait > WAIT_LIMIT_SECONDS or is_endless:
            raise busy
        self._not_before = max(self._not_before, now + max(wait, 0.1))

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Response:
        """A request by a URL that the server made; the response, of whatever status."""
        return await self._clients.request(method, url, headers, body)

    def sent_error(self, response: Response, subject: str) -> Exception:
        """The error for a response to `send` that is no success."""
        if is_problem(response):
            return self._error(response, subject)
        refusal = s3_errors.Refusal(
            response, subject, self._clock.now(), conditional=True, secrets=self.secrets
        )
        return s3_errors.classify(refusal)

    @asynccontextmanager
    async def get(
        self, path: str, headers: Mapping[str, str], *, subject: str
    ) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """The bytes that the server has, or leads to. Raises as `call` does."""
        url = f"{self._base}{path}"
        async with self._clients.get(url, headers, self._secret()) as (response, chunks):
            if response.status >= 300:
                raise self.sent_error(response, subject)
            yield response, chunks

    async def close(self) -> None:
        """Close the connections. May be called twice."""
        await self._clients.close()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text of the server may repeat."""
        return (self._token,) if self._token else ()

    def _secret(self) -> dict[str, str]:
        if not self._token:
            raise CredentialsRefused("a token is needed, and none is given", hint=SIGN_IN_HINT)
        if " " in self._token or not (self._token.isascii() and self._token.isprintable()):
            raise CredentialsRefused(
                "BULKUP_TOKEN holds a character that cannot be part of it",
                hint="Set BULKUP_TOKEN again, to what bulkup token add printed.",
            )
        return {"authorization": f"Bearer {self._token}"}

    def _error(self, response: Response, subject: str) -> Exception:
        return classify(response, subject, self.url, self._clock.now(), self.secrets)
