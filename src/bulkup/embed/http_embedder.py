"""The embedder `http`: a service makes the vectors."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from bulkup.embed import openai, replicate
from bulkup.embed.data_url import data_url
from bulkup.embed.embedder import Embedded, Vector
from bulkup.embed.http_client import AuthorizationKey, Service
from bulkup.embed.responses import vector_of
from bulkup.errors import EmbedderRefused, EmbedderUnusable, EmbedError, ItemError, UsageError

if TYPE_CHECKING:
    from bulkup.clock import Clock
    from bulkup.embed.options import EmbedderOptions

TRIES: Final = 4
"""The first included: about 7 s of waits. Longer outages are for the next attempt."""

_GREY_PICTURE: Final = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4"
    "UG1RV19iZ2hnPk1xeXBkeFxlZ2P/wAALCABAAEABAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAA"
    "AAAAAAAAAAD/2gAIAQEAAD8AAAAAAAAAAAAAAAAAAAAAAP/Z"
)
"""A valid JPEG of 64 x 64 grey pixels."""


class HttpEmbedder:
    """An Embedder, and a TextEmbedder, whose model runs at a service. Passes tests/contract.

    `options.url` is the base URL of the service ("https://api.jina.ai/v1") or the endpoint itself
    ("…/embeddings", "…/predictions"). Where `options.dimension` is None, the first vector sets it.
    The key is sent as a bearer token to the service only; without a key, a password in the URL is.

    `version` is the protocol and the model: after other weights were put behind the same name,
    pictures must be embedded again with --force.
    """

    name = "http"

    def __init__(
        self, options: EmbedderOptions, *, clock: Clock, random: Random, tries: int = TRIES
    ) -> None:
        """Raises UsageError without a URL or a model, EmbedderUnusable for a URL or a key that no
        request can have."""
        url, model = options.url, options.remote_model
        if not url or not model:
            name, example = ("remote_model", "jina-clip-v2") if url else ("url", "https://host/v1")
            raise UsageError(
                f"the embedder http needs embed.{name}",
                hint=f'Write {name} = "{example}", with your own value, under [embed] in '
                "bulkup.toml.",
            )
        self.version = f"{options.api} {model}"
        self.dimension = options.dimension
        self._is_replicate = options.api == "replicate"
        self.most_pictures = openai.most_pictures(options.pictures_as)
        if self._is_replicate:
            self.most_pictures = replicate.MOST_PICTURES
        self._model = model
        self._options = options
        self._clock = clock
        self._has_worked = False
        endpoint, password = _endpoint(url, "predictions" if self._is_replicate else "embeddings")
        self._service = Service(
            endpoint,
            options,
            key=_bearer(options.key) or password,
            tries=tries,
            clock=clock,
            random=random,
        )

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """See Embedder.

        A request for several pictures that is refused as a whole is repeated for each of them.
        While nothing has worked yet, a grey picture decides whether a refusal is the fault of the
        pictures (EmbedderRefused) or of the settings (EmbedderUnusable).
        """
        outcomes = await self._embed_together(pictures) or await self._embed_each(pictures)
        if any(isinstance(outcome, Embedded) for outcome in outcomes):
            self._has_worked = True
        refused = [outcome for outcome in outcomes if isinstance(outcome, EmbedderRefused)]
        if refused:
            await self._check(refused[0])
        return outcomes

    async def embed_text(self, text: str) -> Vector:
        """The vector to compare pictures with. Raises as `embed` does, and EmbedderRefused."""
        if self._is_replicate:
            numbers = await self._predicted({"text": text})
        else:
            body = openai.text_request(self._model, text, self._options.pictures_as)
            (numbers,) = openai.embeddings_in((await self._service.create(body)).json(), 1)
        return self._vector(numbers)

    async def close(self) -> None:
        await self._service.close()

    async def _embed_together(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """All in one request; [] when there can be no such request, or one of them was refused."""
        if not 1 < len(pictures) <= self.most_pictures:
            return []
        try:
            return self._read(await self._numbers(pictures))
        except EmbedderRefused as error:
            await self._check(error)  # now: finding it out with each picture takes minutes
            return []

    async def _embed_each(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """One request each. When the service fails in the middle, the results so far are kept."""
        outcomes: list[Embedded | ItemError] = []
        for picture in pictures:
            try:
                outcomes += self._read(await self._numbers([picture]))
            except EmbedderRefused as error:
                outcomes.append(error)
            except EmbedError as error:
                if not outcomes:
                    raise
                outcomes += [error] * (len(pictures) - len(outcomes))
                break
        return outcomes

    async def _numbers(self, pictures: Sequence[bytes]) -> list[object]:
        """The service's numbers for each picture, unchecked."""
        if self._is_replicate:
            return [await self._predicted({"image": data_url(picture)}) for picture in pictures]
        body = openai.pictures_request(self._model, pictures, self._options.pictures_as)
        response = await self._service.create(body)
        return openai.embeddings_in(response.json(), len(pictures))

    async def _predicted(self, inputs: Mapping[str, str]) -> object:
        return await replicate.predict(
            self._service,
            self._model,
            inputs,
            clock=self._clock,
            timeout_seconds=self._options.timeout_seconds,
        )

    def _read(self, all_numbers: Sequence[object]) -> list[Embedded | ItemError]:
        outcomes: list[Embedded | ItemError] = []
        for numbers in all_numbers:
            try:
                outcomes.append(Embedded(self._vector(numbers)))
            except EmbedderRefused as error:
                outcomes.append(error)
        return outcomes

    def _vector(self, numbers: object) -> Vector:
        vector = vector_of(numbers, self.dimension)
        self.dimension = len(vector)
        return vector

    async def _check(self, refusal: EmbedderRefused) -> None:
        """Raise EmbedderUnusable when nothing has worked yet and a grey picture is refused, too."""
        if self._has_worked:
            return
        try:
            (outcome,) = self._read(await self._numbers([_GREY_PICTURE]))
        except EmbedderRefused as error:
            outcome = error
        if isinstance(outcome, EmbedderRefused):
            raise EmbedderUnusable(
                f"{refusal}, and the same for a plain grey picture",
                hint="Check embed.remote_model, embed.api, embed.pictures_as and embed.dimension.",
            ) from outcome
        self._has_worked = True


def _endpoint(url: str, last: str) -> tuple[str, AuthorizationKey | None]:
    """`url` with `last` as the end of its path, and the password that it held.

    They are separated here, since httpx would log the password. A query stays. Raises
    EmbedderUnusable.
    """
    unusable = EmbedderUnusable(
        "the URL of the embedding service is not valid", hint="Write embed.url as https://host/v1."
    )
    try:
        url.encode()  # bytes of the environment that are no UTF-8
        parts = urlsplit(url.strip())
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise unusable from error
    if not is_usable:
        raise unusable
    path = parts.path.rstrip("/")
    if not path.endswith(f"/{last}"):
        path = f"{path}/{last}"
    _, _, host = parts.netloc.rpartition("@")
    password = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        password = AuthorizationKey("Basic", b64encode(pair.encode()).decode("ascii"))
    return urlunsplit((parts.scheme, host, path, parts.query, "")), password


def _bearer(key: str | None) -> AuthorizationKey | None:
    """The key as a header holds it. Raises EmbedderUnusable, whose message does not repeat it."""
    stripped = (key or "").strip()
    if not (stripped.isascii() and stripped.isprintable()):
        raise EmbedderUnusable(
            "the key of the embedding service has characters that a header cannot hold",
            hint="Check BULKUP_EMBED_KEY.",
        )
    return AuthorizationKey("Bearer", stripped) if stripped else None
