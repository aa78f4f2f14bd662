"""Questions to a manifest without a process for each, and edits of pictures to ask by."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from PIL import Image, ImageOps

from bulkup.clock import SystemClock
from bulkup.manifest.reader import Reader
from bulkup.operations.pictures.search import SearchSession
from bulkup.search.filters import Filters
from bulkup.settings.stage_options import EmbedOptions, ProcessOptions


@contextmanager
def searching(
    manifest: Path, *, options: EmbedOptions | None = None, filters: Filters | None = None
) -> Iterator[SearchSession]:
    """What `bulkup search` asks, over this manifest."""
    with Reader(str(manifest)) as reader:
        yield SearchSession(
            reader,
            options or EmbedOptions(),
            ProcessOptions(),
            filters or Filters(),
            clock=SystemClock(),
            random=Random(1),
        )


def as_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    body = io.BytesIO()
    image.save(body, "JPEG", quality=quality)
    return body.getvalue()


def upright(path: Path) -> Image.Image:
    """The picture as it is displayed, in RGB, at most 2,000 pixels wide and high."""
    with Image.open(path) as image:
        found = ImageOps.exif_transpose(image).convert("RGB")
    found.thumbnail((2000, 2000))
    return found


def cropped(image: Image.Image, share: float = 0.1) -> Image.Image:
    """Without `share` of its width and height."""
    aside, above = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((aside, above, image.width - aside, image.height - above))


def turned(image: Image.Image) -> Image.Image:
    """Rotated by 5 degrees, without the corners that this leaves black."""
    return cropped(image.rotate(5, Image.Resampling.BICUBIC), 0.2)


def small(image: Image.Image, side_px: int = 96) -> Image.Image:
    found = image.copy()
    found.thumbnail((side_px, side_px))
    return found


EDITS: dict[str, Callable[[Image.Image], bytes]] = {
    "crop": lambda image: as_jpeg(cropped(image, 0.2)),
    "flip": lambda image: as_jpeg(ImageOps.mirror(image)),
    "rotate": lambda image: as_jpeg(turned(image)),
    "gray": lambda image: as_jpeg(image.convert("L")),
    "q20": lambda image: as_jpeg(image, 20),
    "96 px": lambda image: as_jpeg(small(image)),
}
