"""The OpenAI-compatible `/embeddings` protocol: request bodies, and the reading of responses. Pure.

The response is the same everywhere: {"data": [{"index": 0, "embedding": [0.1, …]}, …]}, with
`encoding_format` "float" (https://platform.openai.com/docs/api-reference/embeddings). OpenAI itself
embeds no pictures, and servers that do take them in three shapes:

- `url`: `input` lists data URLs, and `modality` says what they are. Infinity; gateways such as
  LiteLLM, which pass it on.
- `image`: `input` lists {"image": data URL} or {"text": …}. Jina.
- `message`: `messages` as for a chat, one picture a request. vLLM.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.embed.data_url import data_url
from bulkup.embed.options import PicturesAs
from bulkup.errors import EmbedderBroken, EmbedderRefused
from bulkup.redaction import foreign_text

MOST_PICTURES = 8
"""In one request: 8 previews of 400 kB are 4 MB of base64, which servers still accept."""


def most_pictures(pictures_as: PicturesAs) -> int:
    return 1 if pictures_as == "message" else MOST_PICTURES


def pictures_request(
    model: str, pictures: Sequence[bytes], pictures_as: PicturesAs
) -> dict[str, object]:
    """The body for these pictures; one at the most as `message`."""
    head: dict[str, object] = {"model": model, "encoding_format": "float"}
    urls = [data_url(picture) for picture in pictures]
    if pictures_as == "url":
        return {**head, "input": urls, "modality": "image"}
    if pictures_as == "image":
        return {**head, "input": [{"image": url} for url in urls]}
    (url,) = urls
    return {**head, "messages": _message({"type": "image_url", "image_url": {"url": url}})}


def text_request(model: str, text: str, pictures_as: PicturesAs) -> dict[str, object]:
    """The body for a query that is compared with pictures sent in the same shape."""
    head: dict[str, object] = {"model": model, "encoding_format": "float"}
    if pictures_as == "url":
        return {**head, "input": [text], "modality": "text"}
    if pictures_as == "image":
        return {**head, "input": [{"text": text}]}
    return {**head, "messages": _message({"type": "text", "text": text})}


def embeddings_in(response: object, count: int) -> list[object]:
    """The embedding of each of `count` inputs, in their order, unchecked.

    Raises EmbedderBroken when the response has no list of embeddings, EmbedderRefused when their
    number or their indices do not fit the inputs.
    """
    data = response.get("data") if isinstance(response, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise EmbedderBroken("the service's response holds no list of embeddings")
    if len(data) != count:
        raise EmbedderRefused(f"the service answered {len(data)} embeddings for {count} inputs")
    indices = [entry.get("index", place) for place, entry in enumerate(data)]
    by_index = dict(zip(map(str, indices), data, strict=True))
    try:
        return [by_index[str(place)].get("embedding") for place in range(count)]
    except KeyError as error:
        shown = foreign_text(str(indices[:9]))
        raise EmbedderRefused(f"the service numbers its embeddings {shown}") from error


def _message(content: dict[str, object]) -> list[dict[str, object]]:
    return [{"role": "user", "content": [content]}]
