"""Videos: a frame, and what the container says."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

import pytest
from PIL import Image

from bulkup.content.picture.header import header_facts
from bulkup.content.picture.isobmff import xmp_packet
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture, Place
from bulkup.content.picture.video import container_facts
from tests.unit.content.picture.made import colours_of, xmp

av = pytest.importorskip("av")

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def clip(
    frames: int,
    *,
    codec: str = "libx264",
    format: str = "mp4",  # noqa: A002 - PyAV's word
    image: Image.Image | None = None,
    metadata: dict[str, str] | None = None,
    **settings: Any,
) -> bytes:
    out = io.BytesIO()
    options = {"movflags": "use_metadata_tags"} if metadata else {}
    with av.open(out, "w", format=format, options=options) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        shown = image or Image.new("RGB", (128, 64), (200, 40, 40))
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_image(shown)))
        container.mux(stream.encode())
    return out.getvalue()


def picture(data: bytes, name: str = "clip.mp4") -> Picture:
    made = make_variants(data, name=name)
    assert isinstance(made, Picture)
    return made


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_a_frame_of_the_shortest_video_is_shown(frames: int) -> None:
    made = picture(clip(frames))
    assert math.dist(colours_of(made.variants[0].body, 1)[0], (200, 40, 40)) < 12


def test_the_facts_of_a_video_come_from_its_container() -> None:
    apple = {
        "com.apple.quicktime.creationdate": "2019-07-24T11:25:57+0300",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 6",
        "com.apple.quicktime.location.ISO6709": "+32.0929+034.8620+028.516/",
    }
    facts = picture(clip(3, format="mov", metadata=apple), "clip.mov").metadata.facts
    assert str(facts.taken_at) == "2019-07-24T11:25:57+03:00"
    assert facts.camera == "Apple iPhone 6"
    assert facts.place == Place(32.0929, 34.862, 28.516)


def test_the_creation_time_of_a_container_is_utc() -> None:
    made = picture(clip(3, metadata={"creation_time": "2020-01-05T10:00:00Z"}))
    assert str(made.metadata.facts.taken_at) == "2020-01-05T10:00:00+00:00"


@pytest.mark.parametrize(
    ("tags", "date", "place"),
    [
        ({"creation_time": "2020-01-05T10:00:00.000000Z", "location": "+48.8583+002.3500/"},
         "2020-01-05T10:00:00+00:00", Place(48.8583, 2.35)),
        ({"creation_time": "1904-01-01T00:00:00.000000Z"}, "None", None),
        ({"creation_time": "1970-01-01T00:00:00.000000Z", "location": "+00.0000+000.0000/"},
         "None", None),
        ({"com.apple.quicktime.creationdate": "2019-07-24T11:25:57+0300",
          "creation_time": "2019-07-24T08:25:57.000000Z", "location": "nowhere"},
         "2019-07-24T11:25:57+03:00", None),
        ({"date": "2019-07-24T11:25:57+0300", "creation_time": "2019-07-24T08:25:57.000000Z"},
         "2019-07-24T11:25:57+03:00", None),
        ({"date": "2019", "creation_time": "2020-01-05T10:00:00.000000Z"},
         "2020-01-05T10:00:00+00:00", None),
        ({"date": "2019"}, "2019", None),
    ],
)  # fmt: skip
def test_containers_say_it_in_several_ways(
    tags: dict[str, str], date: str, place: Place | None
) -> None:
    facts = container_facts(tags)
    assert (str(facts.taken_at), facts.place) == (date, place)


def test_a_frame_of_a_high_dynamic_range_is_mapped_to_srgb() -> None:
    """White at 75 % of HLG's signal is white."""
    image = Image.new("RGB", (128, 64), (191, 191, 191))
    hdr = {"color_primaries": 9, "color_trc": 18, "colorspace": 9, "color_range": 1}
    made = picture(clip(3, codec="libx265", image=image, **hdr))
    assert min(colours_of(made.variants[0].body, 1)[0]) >= 245


@pytest.mark.parametrize(
    ("primaries", "stored"),
    [(9, (164, 69, 49)), (12, (184, 55, 49))],
    ids=["BT.2020", "Display P3"],
)
def test_a_wide_gamut_without_a_high_range_is_shown_in_its_colours(
    primaries: int, stored: tuple[int, int, int]
) -> None:
    """`stored` is sRGB's 200, 40, 40 in these primaries."""
    image = Image.new("RGB", (128, 64), stored)
    said = {"color_primaries": primaries, "color_trc": 1, "colorspace": 5, "color_range": 1}
    made = picture(clip(3, codec="libx265", image=image, **said))
    assert math.dist(colours_of(made.variants[0].body, 1)[0], (200, 40, 40)) < 12


def avi(*chunks: tuple[bytes, bytes]) -> bytes:
    """An AVI with these chunks in its header."""
    plain = clip(3, codec="mpeg4", format="avi")
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks
    )
    at = plain.index(b"hdrl") - 4
    (size,) = struct.unpack_from("<I", plain, at)
    end = at + 4 + size
    return (
        plain[:at] + struct.pack("<I", size + len(body)) + plain[at + 4 : end] + body + plain[end:]
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("MON MAR 10 15:04:43 2003\n\0", "2003-03-10T15:04:43"),
        ("2003:03:10 15:04:43\0", "2003-03-10T15:04:43"),
        ("2003-03-10 15:04:43", "2003-03-10T15:04:43"),
        ("2003/03/10/ 15:04\0", "2003-03-10T15:04:00"),
        ("2003/ 3/10 15: 4", "2003-03-10T15:04:00"),
    ],
)
def test_the_date_of_an_avi_is_read_as_cameras_write_it(text: str, moment: str) -> None:
    data = avi((b"IDIT", text.encode()))
    assert str(picture(data, "clip.avi").metadata.facts.taken_at) == moment
    assert str(header_facts(io.BytesIO(data), "clip.avi").taken_at) == moment


@pytest.mark.parametrize(
    ("ticks", "moment"),
    [
        (128_271_382_742_500_000, "2007-06-24T05:57:54.250000+00:00"),
        (0, "None"),
        (2**64 - 1, "None"),
    ],
)
def test_the_date_of_a_wmv_is_read(ticks: int, moment: str) -> None:
    """Windows' time: 100 ns since 1601, UTC."""
    plain = clip(3, codec="msmpeg4v3", format="asf")
    at = plain.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + 48
    data = plain[:at] + struct.pack("<Q", ticks) + plain[at + 8 :]
    assert str(picture(data, "clip.wmv").metadata.facts.taken_at) == moment
    assert str(header_facts(io.BytesIO(data), "clip.wmv").taken_at) == moment


def test_the_xmp_of_an_avi_is_read() -> None:
    packet = xmp(xmp_Rating="4", exif_DateTimeOriginal="1985-07-04T12:00:00")
    plain = clip(3, codec="mpeg4", format="avi")
    facts = picture(plain + b"_PMX" + struct.pack("<I", len(packet)) + packet).metadata.facts
    assert (facts.rating, str(facts.taken_at)) == (4, "1985-07-04T12:00:00")


@pytest.mark.parametrize("where", ["uuid", "udta"])
def test_the_xmp_of_a_video_is_read(where: str) -> None:
    packet = xmp(xmp_Rating="4", exif_DateTimeOriginal="1985-07-04T12:00:00")
    if where == "uuid":
        box = struct.pack(">I4s", len(packet) + 24, b"uuid") + XMP_UUID + packet
    else:
        inner = struct.pack(">I4s", len(packet) + 8, b"XMP_") + packet
        udta = struct.pack(">I4s", len(inner) + 8, b"udta") + inner
        box = struct.pack(">I4s", len(udta) + 8, b"moov") + udta
    assert b"1985" in xmp_packet(io.BytesIO(box))
    if where == "uuid":
        facts = picture(clip(3) + box).metadata.facts
        assert (facts.rating, str(facts.taken_at)) == (4, "1985-07-04T12:00:00")
        assert header_facts(io.BytesIO(clip(3) + box), "a.mp4").rating == 4


def test_keywords_of_quicktime_are_read() -> None:
    facts = container_facts({"com.apple.quicktime.keywords": "dhow, sea,dhow,"})
    assert facts.keywords == ("dhow", "sea")


@pytest.mark.parametrize(
    ("tags", "keywords"),
    [({"keywords": "dhow; big boat, sea"}, ("dhow", "big boat", "sea")),
     ({"KEYWORDS": "dhow"}, ("dhow",)), ({"WM/Category": "dhow"}, ("dhow",))],
    ids=["mp4", "mkv", "wmv"],
)  # fmt: skip
def test_keywords_of_other_containers_are_read(
    tags: dict[str, str], keywords: tuple[str, ...]
) -> None:
    assert container_facts(tags).keywords == keywords


@pytest.mark.parametrize(
    ("name", "said", "stars"),
    [("com.apple.quicktime.rating.user", "4", 4), ("RATING", "5.0", 5),
     ("WM/SharedUserRating", "75", 4), ("RATING", "PG-13", None), ("RATING", "0", None)],
)  # fmt: skip
def test_ratings_of_containers_are_read(name: str, said: str, stars: int | None) -> None:
    assert container_facts({name: said}).rating == stars


@pytest.mark.parametrize(
    ("text", "latitude", "longitude", "metres"),
    [("+4851.498+00221.000/", 48.8583, 2.35, None),
     ("-335124.48+1511255.1+35.0/", -33.8568, 151.2153, 35),
     ("+48.8583+2.3500/", 48.8583, 2.35, None), ("+48+002/", 48, 2, None)],
)  # fmt: skip
def test_a_place_in_minutes_and_seconds_is_read(
    text: str, latitude: float, longitude: float, metres: float | None
) -> None:
    place = container_facts({"location": text}).place
    assert place is not None
    assert (round(place.latitude_degrees, 4), round(place.longitude_degrees, 4)) == (
        latitude,
        longitude,
    )
    assert place.altitude_metres == metres


def test_a_place_with_too_many_minutes_is_none() -> None:
    assert container_facts({"location": "+4871.498+00221.000/"}).place is None
