"""One frame of a video, by the extra `video` (PyAV)."""

from __future__ import annotations

import importlib.util
from itertools import islice
from typing import BinaryIO, Final

from PIL import Image

from bulkup.content.picture.decoding import check_pixels, reason_of
from bulkup.content.picture.spec import PictureLimits
from bulkup.errors import PictureInvalid

_PART: Final = 10
"""The frame is sought at a tenth of the video: the first one often is black."""

_MOST_FRAMES: Final = 120
"""A seek ends at the key frame before; this many may be decoded from there."""

_TURN_OF_DEGREES: Final = {0: 1, 90: 8, 180: 3, 270: 6}
"""EXIF's orientations for PyAV's rotation, which counts counter-clockwise."""


def has_pyav() -> bool:
    """The extra `video` is installed."""
    return importlib.util.find_spec("av") is not None


def frame_of(file: BinaryIO, limits: PictureLimits) -> tuple[Image.Image, int]:
    """A frame, as stored, and the EXIF orientation that turns it upright.

    Raises PictureInvalid when there is no video stream or nothing decodes.
    """
    import av

    file.seek(0)
    try:
        with av.open(file, mode="r", metadata_errors="replace") as container:
            if not container.streams.video:
                raise PictureInvalid("a video without a video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise PictureInvalid("a video in a codec that has no decoder here")
            check_pixels((stream.codec_context.width, stream.codec_context.height), limits)
            seconds = (container.duration or 0) / av.time_base / _PART
            container.seek(int(seconds * av.time_base))
            frame = next(container.decode(stream))
            for later in islice(container.decode(stream), _MOST_FRAMES):
                if (frame.time or 0.0) >= seconds:
                    break
                frame = later
            image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
            return image, _TURN_OF_DEGREES.get(round(frame.rotation) % 360, 1)
    except StopIteration as error:
        raise PictureInvalid("a video of which no frame decodes") from error
    except av.FFmpegError as error:  # its words name the file by where it lies just now
        raise PictureInvalid(f"a video that FFmpeg refuses: {error.strerror}") from error
    except (OSError, ValueError) as error:
        raise PictureInvalid(reason_of(error)) from error
