"""What a picture or video says of itself, from its metadata alone; only PNGs are decoded for it."""

from __future__ import annotations

import io
import warnings
from typing import BinaryIO

from bulkup.content.extensions import RAW_TYPES
from bulkup.content.media import HEAD_BYTES, media_type
from bulkup.content.picture.decoding import open_image
from bulkup.content.picture.facts.embedded import Blocks, of_tags
from bulkup.content.picture.raw import raw_tags, read_raw
from bulkup.content.picture.spec import LIMITS
from bulkup.content.picture.types import PictureFacts
from bulkup.content.picture.video import facts_of, has_pyav

_RAW_KINDS = frozenset(RAW_TYPES.values())


def header_facts(file: BinaryIO, name: str) -> PictureFacts:
    """The facts of a seekable file called `name`; nothing where it is damaged, or no picture."""
    file.seek(0)
    kind = media_type(name, file.read(HEAD_BYTES))
    file.seek(0)
    try:
        if kind in _RAW_KINDS:
            return _of_raw(file)
        if kind.startswith("video/"):
            return _of_video(file) if has_pyav() else PictureFacts()
        if not kind.startswith("image/"):
            return PictureFacts()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about tags and sizes
            image = open_image(file)
            if image.format == "PNG":  # decoded, since metadata may stand behind the pixels
                LIMITS.check(image.size)
            return Blocks(image, file).facts()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - plugins raise anything for broken files
        return PictureFacts()


def _of_raw(file: BinaryIO) -> PictureFacts:
    """By the directories of a TIFF; of other kinds by what the preview says."""
    tags = raw_tags(file)
    if len(tags):
        return of_tags(tags)
    preview = io.BytesIO(read_raw(file).preview or b"")
    return Blocks(open_image(preview), preview).facts()


def _of_video(file: BinaryIO) -> PictureFacts:
    import av

    with av.open(file, mode="r", metadata_errors="replace") as container:
        return facts_of(container, file)
