"""Requests to one embedding service. The only module of this stage that imports httpx.

Every request that makes the service embed takes a token of the bucket at the moment it goes out,
so a service that counts requests a minute never counts one too many, tries included. A 429 with
Retry-After makes all calls wait, not only its own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from bulkup.embed.responses import Answer, error_of, one_line
from bulkup.errors import (
    EmbedderBroken,
    EmbedderBusy,
    EmbedderUnreachable,
    EmbedderUnusable,
)
from bulkup.pace.token_bucket import TokenBucket
from bulkup.pace.tries import WAIT_LIMIT_SECONDS, with_tries_while

if TYPE_CHECKING:
    import httpx

    from bulkup.clock import Clock

MOST_ANSWER_BYTES: Final = 16 << 20
"""8 vectors of 4096 numbers are 700 kB of JSON. What is far longer is not read to its end."""


@dataclass(frozen=True, slots=True)
class Key:
    """What the Authorization header says (RFC 9110 §11.6.2)."""

    scheme: Literal["Bearer", "Basic"]
    secret: str = field(repr=False)


class Service:
    """Requests to one endpoint: key, proxies, certificates, time-outs, the bucket, the tries.

    `url` is the endpoint itself, without a password in it. Nothing that this raises or prints holds
    the key, or any part of the URL but its host. Proxies are taken from the environment
    (HTTPS_PROXY, NO_PROXY).
    """

    def __init__(
        self,
        url: str,
        *,
        key: Key | None,
        timeout_seconds: float,
        tries: int,
        bucket: TokenBucket,
        clock: Clock,
        random: Random,
        ca_bundle: str | None,
    ) -> None:
        self.url = url
        self.named = f"The embedding service at {urlsplit(url).hostname}"
        self._key = key
        self._timeout_seconds = timeout_seconds
        self._tries = tries
        self._bucket = bucket
        self._clock = clock
        self._random = random
        self._ca_bundle = ca_bundle
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._paused_until = clock.monotonic()

    async def create(self, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """POST `body` as JSON; a 2xx, after as many tries as there are.

        Raises EmbedderBusy, EmbedderUnreachable, EmbedderBroken, EmbedderRefused, EmbedderUnusable.
        """
        return await with_tries_while(
            partial(self._create, body, headers or {}),
            _may_change,
            tries=self._tries,
            clock=self._clock,
            random=self._random,
            wished_seconds=lambda e: e.retry_after_seconds if isinstance(e, EmbedderBusy) else None,
        )

    async def ask(self, method: str, url: str, *, timeout_seconds: float | None = None) -> Answer:
        """One try, outside the bucket. Raises as `create` does."""
        return await self._once(method, url, None, {}, timeout_seconds or self._timeout_seconds)

    async def close(self) -> None:
        """Give the connections back. May be called twice."""
        if self._client is not None:
            await self._client.aclose()

    async def _create(self, body: object, headers: Mapping[str, str]) -> Answer:
        await self._opened()  # nothing slow may lie between a token and its request
        await self._admitted()
        try:
            return await self._once("POST", self.url, body, headers, self._timeout_seconds)
        except EmbedderBusy as busy:
            pause = min(busy.retry_after_seconds or 0.0, WAIT_LIMIT_SECONDS)
            self._paused_until = max(self._paused_until, self._clock.monotonic() + pause)
            raise

    async def _admitted(self) -> None:
        """Return when a request may go out. One at a time waits for that, the others for it."""
        async with self._turn:
            while True:
                now = self._clock.monotonic()
                wait = max(self._paused_until - now, self._bucket.wait_seconds(now))
                if wait <= 0.0:
                    break
                await self._clock.sleep(wait)
            self._bucket.take(now)

    async def _once(
        self,
        method: str,
        url: str,
        body: object,
        headers: Mapping[str, str],
        timeout_seconds: float,
    ) -> Answer:
        import httpx

        client = await self._opened()
        try:
            async with asyncio.timeout(timeout_seconds):
                answer = await self._exchanged(client, method, url, body, headers)
        except TimeoutError as error:
            raise EmbedderUnreachable(
                f"{self.named} did not answer within {timeout_seconds:g} s"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise EmbedderUnusable(f"{self.named} has no usable URL") from error
        except httpx.HTTPError as error:
            # What other errors say may hold a URL; this one says why there is no connection.
            why = one_line(str(error)) if isinstance(error, httpx.ConnectError) else ""
            raise EmbedderUnreachable(f"{self.named}: {why or type(error).__name__}") from error
        if trouble := error_of(self._redacted(answer), self._clock.now(), self.named):
            raise trouble
        return answer

    async def _exchanged(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        body: object,
        headers: Mapping[str, str],
    ) -> Answer:
        key = {"Authorization": f"{self._key.scheme} {self._key.secret}"} if self._key else {}
        async with client.stream(
            method, url, json=body, headers={"Accept": "application/json", **key, **headers}
        ) as response:
            chunks, size_bytes = [], 0
            async for chunk in response.aiter_bytes():
                size_bytes += len(chunk)
                if size_bytes > MOST_ANSWER_BYTES:
                    raise EmbedderBroken(f"{self.named} answers more than any vector is long")
                chunks.append(chunk)
            named = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, named, b"".join(chunks))

    def _redacted(self, answer: Answer) -> Answer:
        """Services repeat a wrong key in what they say about it."""
        if not self._key:
            return answer
        body = answer.body.replace(self._key.secret.encode(), b"***")
        return Answer(answer.status, answer.headers, body)

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            return self._client

    def _open(self) -> httpx.AsyncClient:
        """In a thread: to import httpx and to read certificates takes 0.2 s."""
        import httpx

        try:
            verify = ssl.create_default_context(cafile=self._ca_bundle) if self._ca_bundle else True
        except OSError as error:  # ssl.SSLError is one
            raise EmbedderUnusable(
                f"the certificates in {self._ca_bundle} cannot be read: {error.strerror or error}"
            ) from error
        try:
            return httpx.AsyncClient(verify=verify, timeout=None)  # noqa: S113 - each request has one
        except ValueError as error:
            raise EmbedderUnusable(
                "a proxy in the environment has no usable URL", hint="See HTTPS_PROXY, ALL_PROXY."
            ) from error


def _may_change(error: BaseException) -> bool:
    """Whether another try may go better, and soon enough."""
    if isinstance(error, EmbedderBusy):
        return (error.retry_after_seconds or 0.0) <= WAIT_LIMIT_SECONDS
    return isinstance(error, EmbedderUnreachable | EmbedderBroken)
