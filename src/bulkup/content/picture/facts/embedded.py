"""The metadata blocks of a decoded picture, wherever its format keeps them."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, Final

from PIL import Image, TiffTags

from bulkup.content.picture.facts.exif import (
    IPTC_BLOCK,
    ORIENTATION,
    PHOTOSHOP_RESOURCES,
    XMP_PACKET,
    exif_facts,
    exif_of,
    orientation,
    tags_of,
)
from bulkup.content.picture.facts.iptc import appended_iptc, iptc_facts
from bulkup.content.picture.facts.merge import merged
from bulkup.content.picture.facts.moments import mail_date, moment_of
from bulkup.content.picture.facts.motion import motion_bytes
from bulkup.content.picture.facts.riff import riff_blocks
from bulkup.content.picture.facts.segments import (
    Segments,
    exif_block,
    more_xmp,
    photoshop_resources,
    xmp_packet,
)
from bulkup.content.picture.facts.xmp import read_xmp
from bulkup.content.picture.isobmff import MetadataBoxes, metadata_boxes, sequence_created
from bulkup.content.picture.types import PictureFacts
from bulkup.errors import PictureInvalid

# Photoshop's image resources (Adobe Photoshop File Formats Specification, 2019).
_IPTC, _EXIF, _XMP = 1028, 1058, 1060

_RESOURCE_MARKS: Final = (b"8BIM", b"PHUT", b"AgHg", b"DCSR", b"MeSa")  # and of other programs

_RAW_PROFILE: Final = "Raw profile type "
_PROFILE: Final = re.compile(r"\s*[^\n]+\n\s*(\d+)\s+([0-9a-fA-F\s]*)")
_GIF_XMP: Final = b"!\xff\x0bXMP DataXMP"  # XMP specification, part 3, 1.1.2
_GIF_SEARCHED_BYTES: Final = 1 << 20  # at the beginning, and at the end
_XMP_HEADER: Final = b"http://ns.adobe.com/xap/1.0/\0"

# Pillow drops all but the first of the 32-bit numbers, as it expects one value.
TiffTags.TAGS_V2[IPTC_BLOCK] = TiffTags.TAGS_V2[IPTC_BLOCK]._replace(length=0)


class Blocks:
    """The EXIF tags, IPTC block, XMP packet and plain texts of a picture, decoded from `file`."""

    def __init__(self, image: Image.Image, file: BinaryIO) -> None:
        info = image.info
        boxes = _boxes_of(image, file)
        segments = getattr(image, "applist", ())
        resources = dict(_resources_of(image, segments))
        profiles = dict(_raw_profiles(info))
        self.tags = tags_of(image)
        if set(self.tags) <= {ORIENTATION}:  # Pillow takes that from XMP, where EXIF is silent
            blocks = (
                info.get("exif"),
                resources.get(_EXIF),
                profiles.get("exif"),
                boxes.exif,
                exif_block(segments),
            )
            tags = exif_of(_first_bytes((*blocks, profiles.get("app1"))))
            self.tags = tags if len(tags) else self.tags
        self._iptc = _first_bytes(
            (
                resources.get(_IPTC),
                profiles.get("iptc"),
                profiles.get("8bim"),
                boxes.iptc,
                self._tag(image, IPTC_BLOCK),
            )
        )
        self._iptc = self._iptc or appended_iptc(file)
        self._xmp = _first_bytes(
            (info.get("xmp"), resources.get(_XMP), profiles.get("xmp"), profiles.get("app1 xmp"),
             info.get("XML:com.adobe.xmp"), boxes.xmp, xmp_packet(segments),
             self._tag(image, XMP_PACKET))
        )  # fmt: skip
        self._more_xmp = more_xmp(segments, self._xmp)
        self._created = sequence_created(file) if image.format in ("HEIF", "AVIF") else None
        self._texts = getattr(image, "text", None) or {}
        self._file = file

    def orientation(self) -> int:
        """1 to 8, by EXIF, else by XMP."""
        if ORIENTATION in self.tags or not self._xmp:
            return orientation(self.tags)
        try:
            return read_xmp(self._xmp).orientation
        except PictureInvalid:
            return 1

    def facts(self) -> PictureFacts:
        """What all of them say."""
        exif, iptc = exif_facts(self.tags), iptc_facts(self._iptc)
        xmp, texts = xmp_facts(self._xmp), _text_facts(self._texts)
        if self._more_xmp:
            xmp = merged((xmp, xmp_facts(self._more_xmp)))
        created = None if self._created is None else moment_of(self._created.isoformat())
        container = PictureFacts(digitised=created, taken_from="video")
        found = merged((exif, iptc, xmp, texts, container), words=(xmp, iptc, exif, texts))
        return replace(found, motion_bytes=motion_bytes(self._file, found.motion_bytes))

    def _tag(self, image: Image.Image, number: int) -> object:
        """A block that is a TIFF tag; IPTC blocks are often declared as 32-bit numbers."""
        tags = getattr(image, "tag_v2", None)
        value = self.tags.get(number) if tags is None else tags.get(number)
        if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], bytes):
            return value[0]
        if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
            order = "<" if getattr(self.tags, "endian", "<") == "<" else ">"
            try:
                is_bytes = max(value, default=0) < 256 and number != IPTC_BLOCK
                return bytes(value) if is_bytes else struct.pack(f"{order}{len(value)}I", *value)
            except struct.error:
                return None
        return value


def of_tags(tags: Image.Exif) -> PictureFacts:
    """What the directories of a raw file say, with the XMP packet and IPTC block in them."""
    packet, block = tags.get(XMP_PACKET), tags.get(IPTC_BLOCK)
    xmp = xmp_facts(packet if isinstance(packet, bytes) else b"")
    iptc = iptc_facts(block if isinstance(block, bytes) else b"")
    exif = exif_facts(tags)
    return merged((exif, iptc, xmp), words=(xmp, iptc, exif))


def xmp_facts(packet: bytes) -> PictureFacts:
    """What the packet says; nothing where it is broken or empty."""
    if not packet:
        return PictureFacts()
    try:
        return read_xmp(packet).facts
    except PictureInvalid:  # a broken packet is no reason to refuse the pixels
        return PictureFacts()


def _boxes_of(image: Image.Image, file: BinaryIO) -> MetadataBoxes:
    """The blocks that Pillow leaves in the file."""
    if image.format == "JPEG2000":
        return metadata_boxes(file)
    if image.format == "WEBP":
        found = riff_blocks(file)
        return MetadataBoxes(exif=found.exif, xmp=found.xmp)
    if image.format == "GIF":
        for at in (0, max(0, file.seek(0, io.SEEK_END) - _GIF_SEARCHED_BYTES)):
            file.seek(at)
            _, mark, packet = file.read(_GIF_SEARCHED_BYTES).partition(_GIF_XMP)
            if mark:
                return MetadataBoxes(xmp=packet)
    return MetadataBoxes()


def _text_facts(texts: Mapping[str, str]) -> PictureFacts:
    """PNG's keywords (PNG specification, third edition, 11.3.3.1)."""
    found = {str(name).lower(): " ".join(str(text).split()) for name, text in texts.items()}
    created = found.get("creation time", "")
    return PictureFacts(
        taken_from="exif",
        original=(moment_of(created) or mail_date(created)) if created else None,
        digitised=moment_of(found.get("create-date")),  # ImageMagick: of the file that it read
        title=found.get("title") or None,
        description=found.get("description") or None,
    )


def _resources_of(image: Image.Image, segments: Segments) -> Iterable[tuple[int, bytes]]:
    """Photoshop's image resources, by number."""
    if joined := photoshop_resources(segments):  # JPEG
        return _resources(joined)
    resources = getattr(image, "resources", None)
    if resources:  # PSD
        return ((number, data) for number, _, data in resources)
    tags = getattr(image, "tag_v2", None)
    block = None if tags is None else tags.get(PHOTOSHOP_RESOURCES)
    return _resources(block) if isinstance(block, bytes) else ()


def _resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Signature, number, a padded name, and data: its length, then the data, padded."""
    at = 0
    while block[at : at + 4] in _RESOURCE_MARKS and at + 8 <= len(block):
        number, name_bytes = struct.unpack_from(">HB", block, at + 4)
        at += 6 + name_bytes + 1 + (name_bytes + 1) % 2
        if at + 4 > len(block):
            return
        (size,) = struct.unpack_from(">I", block, at)
        yield number, block[at + 4 : at + 4 + size]
        at += 4 + size + size % 2


def _raw_profiles(info: Mapping[Any, Any]) -> Iterator[tuple[str, bytes]]:
    """The blocks that ImageMagick writes into PNG texts: name, length, hexadecimal digits."""
    for name, text in info.items():
        if not (isinstance(name, str) and name.startswith(_RAW_PROFILE) and isinstance(text, str)):
            continue
        found = _PROFILE.fullmatch(text.rstrip("\0 \n"))
        if found is None:
            continue
        digits = "".join(found[2].split())
        block = bytes.fromhex(digits[: len(digits) // 2 * 2])
        kind = name.removeprefix(_RAW_PROFILE).lower()
        if block.startswith(_XMP_HEADER):
            yield "app1 xmp", block.removeprefix(_XMP_HEADER)
        elif kind in ("iptc", "8bim"):
            yield kind, dict(_resources(block)).get(_IPTC, block)
        else:
            yield kind, block


def _first_bytes(values: Iterable[object]) -> bytes:
    for value in values:
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes) and value:
            return value
    return b""
