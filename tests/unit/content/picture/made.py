"""Pictures made for tests: what is in them is known to the pixel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageDraw

from bulkup.content.picture.colour.profiles import PRIMARIES, matrix_profile

DISPLAY_P3 = matrix_profile(PRIMARIES[12], 563 / 256)
"""The primaries of Display P3 (SMPTE EG 432-1, D65) with a plain gamma, which is enough here."""


def scene(width: int = 640, height: int = 400) -> Image.Image:
    """A picture without symmetry: a gradient, and a coloured block in each corner but one."""
    image = Image.merge(
        "RGB",
        [
            Image.linear_gradient("L").resize((width, height)),
            Image.linear_gradient("L").rotate(90).resize((width, height)),
            Image.new("L", (width, height), 90),
        ],
    )
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 4, height // 4), fill=(230, 30, 30))
    draw.rectangle((width * 3 // 4, 0, width, height // 4), fill=(30, 200, 30))
    draw.rectangle((0, height * 3 // 4, width // 4, height), fill=(30, 30, 220))
    return image


def saved(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:  # noqa: A002 - Pillow's word
    out = io.BytesIO()
    if format == "JPEG":
        options = {"quality": 92, "subsampling": 0, **options}
    image.save(out, format, **options)
    return out.getvalue()


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def mean_error(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures' pixels, 0 to 255, after both were made 64 px small."""
    small = [image.convert("RGB").resize((64, 64)).tobytes() for image in (one, other)]
    return sum(abs(a - b) for a, b in zip(*small, strict=True)) / len(small[0])


def xmp(*elements: str, **attributes: str) -> bytes:
    """A packet; attributes as `xmp_Rating="4"`."""
    said = " ".join(f'{name.replace("_", ":")}="{value}"' for name, value in attributes.items())
    return (
        "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>"
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        f" {said}>{''.join(elements)}</rdf:Description></rdf:RDF></x:xmpmeta>"
        "<?xpacket end='w'?>"
    ).encode()


def iptc(**values: str | list[str]) -> bytes:
    """An IIM block of data sets of record 2, as `d55="19850704"`."""
    block = b""
    for name, value in values.items():
        for text in [value] if isinstance(value, str) else value:
            data = text.encode()
            block += struct.pack(">BBBH", 0x1C, 2, int(name[1:]), len(data)) + data
    return block


def resource(number: int, data: bytes) -> bytes:
    """One of Photoshop's image resources."""
    return struct.pack(">4sH2xI", b"8BIM", number, len(data)) + data + bytes(len(data) % 2)


def with_app13(jpeg: bytes, block: bytes) -> bytes:
    """A JPEG with an IPTC block, as Photoshop embeds it."""
    data = b"Photoshop 3.0\0" + resource(1028, block)
    return jpeg[:2] + struct.pack(">HH", 0xFFED, len(data) + 2) + data + jpeg[2:]


def with_code_points(data: bytes, primaries: int, transfer: int) -> bytes:
    """A HEIF or AVIF file whose `nclx` box has these code points in place of sRGB's."""
    assert data.count(b"colrnclx\0\1\0\x0d") == 1
    return data.replace(
        b"colrnclx\0\1\0\x0d", b"colrnclx" + struct.pack(">HH", primaries, transfer)
    )


def with_property(data: bytes, box: bytes) -> bytes:
    """A HEIF or AVIF file whose first item has one more property, an essential one.

    For `ipma` of version 0 with small indices, and `iloc` with offsets of four bytes.
    """
    out = bytearray(data)

    def start(kind: bytes) -> int:
        return out.index(kind) - 4

    def grow(kind: bytes, by: int) -> None:
        at = start(kind)
        out[at : at + 4] = struct.pack(">I", struct.unpack_from(">I", out, at)[0] + by)

    ipco, ipma = start(b"ipco"), start(b"ipma")
    count = sum(1 for _ in _boxes(bytes(out[ipco + 8 : ipma])))
    associations = ipma + 8 + 4 + 4 + 2
    out[associations] += 1
    end = associations + out[associations]
    out[end:end] = bytes([0x80 | (count + 1)])  # readers must know it
    out[ipma:ipma] = box
    grow(b"ipco", len(box))
    grow(b"ipma", 1)
    for kind in (b"iprp", b"meta"):
        grow(kind, len(box) + 1)
    at = start(b"iloc") + 8 + 4
    base_bytes = out[at + 1] >> 4
    (items,) = struct.unpack_from(">H", out, at + 2)
    at += 4
    for _ in range(items):
        offset = at + 4 if base_bytes else at + 6
        (value,) = struct.unpack_from(">I", out, offset)
        out[offset : offset + 4] = struct.pack(">I", value + len(box) + 1)
        at += 4 + base_bytes + 2 + 8
    return bytes(out)


def _boxes(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind
        at += size


def clap(width: int, height: int, across: int, down: int) -> bytes:
    """A clean aperture of this size whose centre is moved by so many halves of a pixel."""
    return struct.pack(">I4sIIIIiIiI", 40, b"clap", width, 1, height, 1, across, 2, down, 2)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_png_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def colours_of(body: bytes, count: int) -> list[tuple[int, ...]]:
    """The colours in the middles of `count` patches side by side."""
    image = opened(body).convert("RGB")
    middles = ((2 * at + 1) * image.width // (2 * count) for at in range(count))
    return [image.getpixel((x, image.height // 2)) for x in middles]  # type: ignore[misc]


def patches(*colours: tuple[int, int, int], side: int = 64) -> Image.Image:
    """Squares of these colours, side by side."""
    image = Image.new("RGB", (side * len(colours), side))
    for at, colour in enumerate(colours):
        image.paste(colour, (at * side, 0, (at + 1) * side, side))
    return image
