"""The HTTP client of an embedding service. The only module of this package that imports httpx.

Every request that makes the service embed takes a token of the bucket when it is sent, tries
included, so the service never counts more requests a minute than allowed. A 429 with Retry-After
makes all calls wait, not only its own.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from bulkup.embed.responses import ServiceResponse, error_of
from bulkup.errors import (
    EmbedderBroken,
    EmbedderBusy,
    EmbedderUnreachable,
    EmbedderUnusable,
)
from bulkup.pace.token_bucket import TokenBucket
from bulkup.pace.tries import WAIT_LIMIT_SECONDS, RetryRule, with_tries_while
from bulkup.proxies import proxy_for
from bulkup.redaction import foreign_text

if TYPE_CHECKING:
    import httpx

    from bulkup.clock import Clock
    from bulkup.embed.options import EmbedderOptions

MOST_RESPONSE_BYTES: Final = 16 << 20
"""8 vectors of 4096 numbers are 700 kB of JSON. What is far longer is not read to its end."""


@dataclass(frozen=True, slots=True)
class AuthorizationKey:
    """What the Authorization header says (RFC 9110 §11.6.2)."""

    scheme: Literal["Bearer", "Basic"]
    secret: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not be shown: what the header holds, and the password in it."""
        if self.scheme == "Bearer":
            return (self.secret,)
        _, _, password = b64decode(self.secret).decode("utf-8", "replace").partition(":")
        return (self.secret, password)


class Service:
    """Requests to one endpoint, with key, proxies, certificates, time-outs, token bucket and tries.

    `url` is the endpoint itself, without a password in it. No error message and no log holds the
    key, or any part of the URL but its host. Proxies are taken from the environment (HTTPS_PROXY,
    NO_PROXY).
    """

    def __init__(
        self,
        url: str,
        options: EmbedderOptions,
        *,
        key: AuthorizationKey | None,
        tries: int,
        clock: Clock,
        random: Random,
    ) -> None:
        self.url = url
        self.label = f"The embedding service at {urlsplit(url).hostname}"
        self._options = options
        self._key = key
        self._secrets = key.secrets if key else ()
        self._tries = tries
        rate = options.requests_per_minute / 60
        self._bucket = TokenBucket(rate, options.burst, now=clock.monotonic())
        self._clock = clock
        self._random = random
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._paused_until = clock.monotonic()

    async def create(
        self, body: object, headers: Mapping[str, str] | None = None
    ) -> ServiceResponse:
        """POST `body` as JSON; the 2xx response, after several tries if needed.

        Raises EmbedderBusy, EmbedderUnreachable, EmbedderBroken, EmbedderRefused, EmbedderUnusable.
        """
        return await with_tries_while(
            partial(self._create, body, headers or {}),
            RetryRule(_may_change, _wished_seconds),
            tries=self._tries,
            clock=self._clock,
            random=self._random,
        )

    async def request(
        self, method: str, url: str, *, timeout_seconds: float | None = None
    ) -> ServiceResponse:
        """One try, not counted by the bucket. Raises as `create` does."""
        seconds = timeout_seconds or self._options.timeout_seconds
        return await self._once(method, url, None, {}, seconds)

    def foreign_text(self, text: str) -> str:
        """The server's text for a message, on one line: services repeat a wrong key in theirs."""
        return foreign_text(text, self._secrets)

    async def close(self) -> None:
        """Close the connections. May be called twice."""
        if self._client is not None:
            await self._client.aclose()

    async def _create(self, body: object, headers: Mapping[str, str]) -> ServiceResponse:
        await self._opened()  # before: a token must be followed by its request at once
        await self._admitted()
        try:
            return await self._once("POST", self.url, body, headers, self._options.timeout_seconds)
        except EmbedderBusy as busy:
            pause = min(busy.retry_after_seconds or 0.0, WAIT_LIMIT_SECONDS)
            self._paused_until = max(self._paused_until, self._clock.monotonic() + pause)
            raise

    async def _admitted(self) -> None:
        """Return when a request may be sent. One call at a time waits for a token."""
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
    ) -> ServiceResponse:
        import httpx

        client = await self._opened()
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._exchange(client, method, url, body, headers)
        except TimeoutError as error:
            raise EmbedderUnreachable(
                f"{self.label} did not answer within {timeout_seconds:g} s"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise EmbedderUnusable(f"{self.label} has no usable URL") from error
        except httpx.HTTPError as error:
            # The messages of other errors may hold a URL; this one says why there is no connection.
            why = self.foreign_text(str(error)) if isinstance(error, httpx.ConnectError) else ""
            raise EmbedderUnreachable(f"{self.label}: {why or type(error).__name__}") from error
        if refusal := error_of(response, self._clock.now(), self.label, self._secrets):
            raise refusal
        return response

    async def _exchange(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        body: object,
        headers: Mapping[str, str],
    ) -> ServiceResponse:
        key = {"Authorization": f"{self._key.scheme} {self._key.secret}"} if self._key else {}
        async with client.stream(
            method, url, json=body, headers={"Accept": "application/json", **key, **headers}
        ) as response:
            chunks, size_bytes = [], 0
            async for chunk in response.aiter_bytes():
                size_bytes += len(chunk)
                if size_bytes > MOST_RESPONSE_BYTES:
                    raise EmbedderBroken(f"{self.label} sent more than any vector takes")
                chunks.append(chunk)
            found = {name.lower(): value for name, value in response.headers.items()}
            return ServiceResponse(response.status_code, found, b"".join(chunks))

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            return self._client

    def _open(self) -> httpx.AsyncClient:
        """In a thread: importing httpx and reading certificates takes 0.2 s."""
        import httpx

        ca_bundle = self._options.ca_bundle
        try:
            verify = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
            proxy = proxy_for(self.url, os.environ)
            direct = None if proxy else {"http://": None, "https://": None}
            return httpx.AsyncClient(
                verify=verify,
                timeout=None,  # noqa: S113 - each request has one
                proxy=proxy,
                mounts=direct,
            )
        except OSError as error:  # ssl.SSLError is one
            path = ca_bundle or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
            raise EmbedderUnusable(
                f"the certificates in {path} cannot be read: {error.strerror or error}"
            ) from error
        except (ValueError, ImportError) as error:  # of SOCKS without its package
            raise EmbedderUnusable(
                "a proxy in the environment has no usable URL",
                hint="See HTTPS_PROXY, ALL_PROXY.",
            ) from error


def _may_change(error: BaseException) -> bool:
    """Whether another try may succeed, and soon enough."""
    if isinstance(error, EmbedderBusy):
        return (error.retry_after_seconds or 0.0) <= WAIT_LIMIT_SECONDS
    return isinstance(error, EmbedderUnreachable | EmbedderBroken)


def _wished_seconds(error: BaseException) -> float | None:
    return error.retry_after_seconds if isinstance(error, EmbedderBusy) else None
