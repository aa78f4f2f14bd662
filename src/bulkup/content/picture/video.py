"""One frame of a video and what its container says, by the extra `video` (PyAV)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, BinaryIO, Final, NamedTuple

from PIL import Image

from bulkup.content.picture.colour.declared import HLG, PQ, ColourSpace, of_code_points
from bulkup.content.picture.decoding import reason_of
from bulkup.content.picture.facts.apple import identifier
from bulkup.content.picture.facts.asf import asf_date
from bulkup.content.picture.facts.embedded import xmp_facts
from bulkup.content.picture.facts.exif import made_by, rating_of_percent
from bulkup.content.picture.facts.merge import merged
from bulkup.content.picture.facts.moments import mail_date, moment_of
from bulkup.content.picture.facts.places import iso_6709, number_of
from bulkup.content.picture.facts.riff import riff_blocks
from bulkup.content.picture.isobmff import xmp_packet
from bulkup.content.picture.spec import PictureLimits
from bulkup.content.picture.types import MOST_KEYWORDS, Moment, PictureFacts, Precision
from bulkup.errors import PictureInvalid

_PART: Final = 10
"""The frame is taken at a tenth of the video: the first one is often black."""

_MOST_FRAMES: Final = 120
"""A seek ends at the key frame before; at most this many frames are decoded from there."""

_TURN_OF_DEGREES: Final = {0: 1, 90: 8, 180: 3, 270: 6}
"""EXIF's orientations for PyAV's rotation, which is counter-clockwise."""

_NO_DATES: Final = ("1904-01-01", "1970-01-01")
"""What containers have in place of a date: the beginnings of QuickTime's and Unix' time."""

_WIDE_PRIMARIES: Final = (9, 11, 12)  # BT.2020, DCI P3 and Display P3 (H.273, table 2)

_APPLE: Final = "com.apple.quicktime."


class VideoFrame(NamedTuple):
    """A frame as it is stored, and the EXIF orientation that turns it upright."""

    image: Image.Image
    turn: int
    space: ColourSpace
    facts: PictureFacts


def has_pyav() -> bool:
    """Whether the extra `video` is installed."""
    return importlib.util.find_spec("av") is not None


def frame_of(file: BinaryIO, limits: PictureLimits) -> VideoFrame:
    """A frame near the beginning. Raises PictureInvalid when no video stream decodes."""
    import av

    file.seek(0)
    try:
        with av.open(file, mode="r", metadata_errors="replace") as container:
            if not container.streams.video:
                raise PictureInvalid("a video without a video stream")
            stream = container.streams.video[0]
            codec = stream.codec_context
            if codec is None:
                raise PictureInvalid("a video in a codec that has no decoder here")
            limits.check((codec.width, codec.height))
            frame = _sought(container, stream)
            turn = _TURN_OF_DEGREES.get(round(frame.rotation) % 360, 1)
            facts = facts_of(container, file)
            return VideoFrame(frame.to_image(), turn, _space_of(codec), facts)
    except StopIteration as error:
        raise PictureInvalid("a video of which no frame decodes") from error
    except av.FFmpegError as error:  # its message contains the temporary file's name
        raise PictureInvalid(f"a video that FFmpeg refuses: {error.strerror}") from error
    except (OSError, ValueError) as error:
        raise PictureInvalid(reason_of(error)) from error


def facts_of(container: Any, file: BinaryIO) -> PictureFacts:
    """What an open container says, by its tags and its XMP; `file` is the same file."""
    streams = container.streams.video
    tags = {**(streams[0].metadata if streams else {}), **container.metadata}
    riff = riff_blocks(file)
    if date := riff.date or asf_date(file):  # FFmpeg understands few spellings of the former
        tags["creation_time"] = date
    said, xmp = container_facts(tags), xmp_facts(riff.xmp or xmp_packet(file))
    return merged((said, xmp), words=(xmp, said))


def container_facts(metadata: Mapping[str, str]) -> PictureFacts:
    """What the tags of a container say: QuickTime's keys, Android's, and FFmpeg's common names.

    `creation_time` is UTC (ISO/IEC 14496-12, 8.2.2); Apple's creation date has the local zone.
    """
    tags = {name.lower(): text.strip() for name, text in metadata.items() if text.strip()}

    def first(*names: str) -> str | None:
        return next((tags[name] for name in names if name in tags), None)

    created, date = first("creation_time"), moment_of(first("date"))
    is_day = date is not None and date.precision >= Precision.DAY  # QuickTime's, with its zone
    maker = first(_APPLE + "make", "make", "com.android.manufacturer")
    model = first(_APPLE + "model", "model", "com.android.model")
    words = re.split(r"[,;]", first(_APPLE + "keywords", "keywords", "wm/category") or "")
    place = first(_APPLE + "location.iso6709", "location", "location-eng")
    return PictureFacts(
        taken_from="video",
        original=moment_of(first(_APPLE + "creationdate", "date_recorded"))
        or (date if is_day else None),
        digitised=(None if (created or "").startswith(_NO_DATES) else _created(created)) or date,
        camera=made_by(maker, model),
        place=iso_6709(place),
        title=first(_APPLE + "title", "title"),
        description=first(_APPLE + "description", "description"),
        keywords=tuple(dict.fromkeys(filter(None, map(str.strip, words))))[:MOST_KEYWORDS],
        rating=_rating(first(_APPLE + "rating.user", "rating"), first("wm/shareduserrating")),
        live_id=identifier(first(_APPLE + "content.identifier")),
    )


def _rating(stars: str | None, percent: str | None) -> int | None:
    """Stars as QuickTime and Matroska have them, or Windows' percentage; none are no rating."""
    number, of_windows = number_of(stars), number_of(percent)
    if number is not None and 1 <= number <= 5:
        return int(number)
    is_percent = of_windows is not None and 1 <= of_windows <= 100
    return rating_of_percent(of_windows) if is_percent and of_windows else None


def _created(text: str | None) -> Moment | None:
    return moment_of(text) or mail_date(text or "")  # AVI has dates as C's asctime writes them


def _sought(container: Any, stream: Any) -> Any:
    """The frame at a tenth of the video, or the last one that decodes before it."""
    import av

    seconds = (container.duration or 0) / av.time_base / _PART
    container.seek(int(seconds * av.time_base))
    frames = container.decode(stream)  # one iterator: a second one finds the decoder drained
    frame = next(frames)
    for later in islice(frames, _MOST_FRAMES):
        if (frame.time or 0.0) >= seconds:
            break
        frame = later
    return frame


def _space_of(codec: Any) -> ColourSpace:
    """By the stream's code points where they are of a high dynamic range or a wide gamut; the
    primaries of television differ little from sRGB's."""
    primaries, transfer = int(codec.color_primaries or 0), int(codec.color_trc or 0)
    is_plain = transfer not in (PQ, HLG) and primaries not in _WIDE_PRIMARIES
    return ColourSpace() if is_plain else of_code_points(primaries, transfer)
