"""The embedder `http`: a service elsewhere makes the vectors."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from bulkup.embed import openai, replicate
from bulkup.embed.data_url import data_url
from bulkup.embed.embedder import Embedded, Vector
from bulkup.embed.http_client import Key, Service
from bulkup.embed.responses import vector_of
from bulkup.errors import EmbedderRefused, EmbedderUnusable, EmbedError, ItemError
from bulkup.pace.token_bucket import TokenBucket

if TYPE_CHECKING:
    from bulkup.clock import Clock

Api = Literal["openai", "replicate"]
APIS: Final[tuple[Api, ...]] = ("openai", "replicate")

REQUESTS_PER_MINUTE: Final = 5.0
BURST: Final = 5
"""What a free account may do at the strictest services."""

TIMEOUT_SECONDS: Final = 60.0
"""For one request, and for a prediction once it is created. Cold models start within a minute."""

TRIES: Final = 4
"""The first included: about 7 s of waits. The next attempt is there for longer trouble."""

_GREY_PICTURE: Final = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4"
    "UG1RV19iZ2hnPk1xeXBkeFxlZ2P/wAALCABAAEABAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAA"
    "AAAAAAAAAAD/2gAIAQEAAD8AAAAAAAAAAAAAAAAAAAAAAP/Z"
)
"""A JPEG of 64 x 64 grey pixels. Nothing is wrong with it."""


class HttpEmbedder:
    """An Embedder, and a TextEmbedder, whose model runs at a service. Passes tests/contract.

    `url` is the service's base ("https://api.jina.ai/v1") or the endpoint itself ("…/embeddings",
    "…/predictions"). `dimension` is checked where it is given; else the first vector sets it. The
    key goes to the service as a bearer token and nowhere else; so does, where there is none, a
    password in the URL.

    `version` is the protocol and the model: who puts other weights behind the same name must
    embed again with --force.
    """

    name = "http"

    def __init__(
        self,
        url: str,
        *,
        api: Api,
        model: str,
        clock: Clock,
        random: Random,
        key: str | None = None,
        pictures_as: openai.PicturesAs = "url",
        dimension: int | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tries: int = TRIES,
        requests_per_minute: float = REQUESTS_PER_MINUTE,
        burst: int = BURST,
        ca_bundle: str | None = None,
    ) -> None:
        """Raises EmbedderUnusable for a URL or a key that no request can have."""
        self.version = f"{api} {model}"
        self.dimension = dimension
        self.most_pictures = openai.most_pictures(pictures_as)
        if api == "replicate":
            self.most_pictures = replicate.MOST_PICTURES
        self._api = api
        self._model = model
        self._pictures_as: openai.PicturesAs = pictures_as
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._has_worked = False
        bucket = TokenBucket(requests_per_minute / 60, burst, now=clock.monotonic())
        endpoint, password = _endpoint(url, "predictions" if api == "replicate" else "embeddings")
        self._service = Service(
            endpoint,
            key=_sendable(key) or password,
            timeout_seconds=timeout_seconds,
            tries=tries,
            bucket=bucket,
            clock=clock,
            random=random,
            ca_bundle=ca_bundle,
        )

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """As Embedder says.

        A request for several pictures that is refused as a whole is made again for each of them.
        As long as nothing has worked, a grey picture decides whose fault a refusal is: that of the
        pictures (EmbedderRefused), or of the settings (EmbedderUnusable).
        """
        outcomes = await self._together(pictures) or await self._one_by_one(pictures)
        if any(isinstance(outcome, Embedded) for outcome in outcomes):
            self._has_worked = True
        refused = [outcome for outcome in outcomes if isinstance(outcome, EmbedderRefused)]
        if refused:
            await self._check(refused[0])
        return outcomes

    async def embed_text(self, text: str) -> Vector:
        """The vector to compare pictures with. Raises as `embed` does, and EmbedderRefused."""
        if self._api == "replicate":
            numbers = await self._predicted({"text": text})
        else:
            body = openai.text_request(self._model, text, self._pictures_as)
            (numbers,) = openai.embeddings_in((await self._service.create(body)).json(), 1)
        return self._vector(numbers)

    async def close(self) -> None:
        await self._service.close()

    async def _together(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """All in one request; [] where that is not done, or was refused for one of them."""
        if not 1 < len(pictures) <= self.most_pictures:
            return []
        try:
            return self._read(await self._numbers(pictures))
        except EmbedderRefused as error:
            await self._check(error)  # now: to find it out with each picture takes minutes
            return []

    async def _one_by_one(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """What was embedded is kept when the service goes away in the middle."""
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
        """What the service answers for each picture, unchecked."""
        if self._api == "replicate":
            return [await self._predicted({"image": data_url(picture)}) for picture in pictures]
        body = openai.pictures_request(self._model, pictures, self._pictures_as)
        answer = await self._service.create(body)
        return openai.embeddings_in(answer.json(), len(pictures))

    async def _predicted(self, inputs: Mapping[str, str]) -> object:
        return await replicate.predict(
            self._service,
            self._service.url,
            self._model,
            inputs,
            clock=self._clock,
            timeout_seconds=self._timeout_seconds,
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
        """Raise EmbedderUnusable when nothing has worked and a flawless picture is refused, too."""
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


def _endpoint(url: str, last: str) -> tuple[str, Key | None]:
    """`url` with `last` as the end of its path, and the password that it held.

    The two part here, since httpx would write the password into its log. A query stays. Raises
    EmbedderUnusable.
    """
    unusable = EmbedderUnusable(
        "the URL of the embedding service is none", hint="Write https://host/v1 as embed.url."
    )
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise unusable from error
    if not usable:
        raise unusable
    path = parts.path.rstrip("/")
    if not path.endswith(f"/{last}"):
        path = f"{path}/{last}"
    _, _, host = parts.netloc.rpartition("@")
    password = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        password = Key("Basic", b64encode(pair.encode()).decode("ascii"))
    return urlunsplit((parts.scheme, host, path, parts.query, "")), password


def _sendable(key: str | None) -> Key | None:
    """A key that a header can hold. Raises EmbedderUnusable, which does not repeat it."""
    stripped = (key or "").strip()
    if not (stripped.isascii() and stripped.isprintable()):
        raise EmbedderUnusable(
            "the key of the embedding service holds characters that no header can hold",
            hint="Look at BULKUP_EMBED_KEY.",
        )
    return Key("Bearer", stripped) if stripped else None
