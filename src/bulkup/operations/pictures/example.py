"""Vectors of what the manifest does not have: an example picture, or words."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bulkup.content.picture.types import Picture
from bulkup.errors import ItemError, UsageError
from bulkup.model import Digest
from bulkup.process.task import MODULES, PictureTask, process
from bulkup.process.worker_pool import Workers
from bulkup.run.work.variant_cache import best_for_embedding
from bulkup.settings.stage_options import ProcessOptions

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedder, Vector


def digest_of(path: str) -> Digest:
    """The SHA-256 of a file, in hex. Raises UsageError for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return Digest(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise UsageError(f"--like {path}: {error.strerror}") from error


async def example_vector(path: str, embedder: Embedder, options: ProcessOptions) -> Vector:
    """Embed the picture's variant, as for any picture. Closes the embedder.

    Raises UsageError for a file that is no picture, EmbedderUnusable and EmbedError.
    """
    try:
        (made,) = await embedder.embed([await _variant(path, options)])
    finally:
        await embedder.close()
    if isinstance(made, ItemError):
        raise made
    return made.vector


async def text_vector(text: str, embedder: Embedder) -> Vector:
    """The vector of words. Closes the embedder.

    Raises UsageError when it encodes pictures only, EmbedderUnusable and EmbedError.
    """
    from bulkup.embed.embedder import TextEmbedder

    try:
        if not isinstance(embedder, TextEmbedder):
            raise UsageError(f"{embedder.name} has no encoder for words", hint="Try --like FILE.")
        return await embedder.embed_text(text)
    finally:
        await embedder.close()


async def _variant(path: str, options: ProcessOptions) -> bytes:
    """The variant that an embedder gets, made in a worker process, which the picture may crash."""
    name = best_for_embedding(options.variants)
    wanted = tuple(spec for spec in options.variants if spec.name == name)
    async with Workers(
        1, memory_bytes=options.memory_bytes, seconds=options.seconds, modules=MODULES
    ) as workers:
        try:
            made = await workers.run(
                process, PictureTask(path, path, wanted=wanted, limits=options.limits)
            )
        except ItemError as error:  # the user chose this one item
            raise UsageError(f"--like {path}: {error}") from error
    if not isinstance(made, Picture):
        raise UsageError(f"--like {path}: {made.reason}")
    return made.variants[0].body
