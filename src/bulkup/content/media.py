"""Content types by signature and by extension. Pure and table-driven.

Sources: the media-types registry of IANA; ISO/IEC 14496-12 and mp4ra.org (brands of `ftyp`
boxes), ISO/IEC 23008-12 (HEIF), AV1 Image File Format 1.1, ISO/IEC 18181-2 (JPEG XL), TIFF 6.0
and BigTIFF, Microsoft's RIFF and BITMAPINFOHEADER pages, ISO/IEC 13818-1 (MPEG-2 streams). Raw
formats have no registered types; theirs are the `image/x-…` names of shared-mime-info.
"""

from __future__ import annotations

from typing import Final

from bulkup.content.extensions import (
    JPEG,
    MEDIA_TYPES,
    OTHER_TYPES,
    RAW_TYPES,
    SIDECAR_TYPES,
    TIFF,
    UNKNOWN_TYPE,
)

HEAD_BYTES: Final = 512
"""How much of a file's beginning the functions here use. Less works too; an MPEG transport stream
needs the most, its sync bytes (three packets of 192 bytes)."""

# First bytes that determine the type by themselves.
_SIGNATURES: Final = {
    b"\xff\xd8\xff": JPEG,
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": "image/jxl",
    b"\xff\x4f\xff\x51": "image/j2c",
    b"8BPS\x00\x01": "image/vnd.adobe.photoshop",
    b"8BPS\x00\x02": "image/vnd.adobe.photoshop",
    b"IIU\x00": "image/x-panasonic-rw2",
    b"IIRO": "image/x-olympus-orf",
    b"IIRS": "image/x-olympus-orf",
    b"MMOR": "image/x-olympus-orf",
    b"FUJIFILMCCD-RAW": "image/x-fuji-raf",
    b"FOVb": "image/x-sigma-x3f",
    b"\x00MRM": "image/x-minolta-mrw",
    b"II\xbc\x01": "image/jxr",
    b"\x76\x2f\x31\x01": "image/x-exr",
    b"#?RADIANCE\n": "image/vnd.radiance",
    b"DDS \x7c\x00\x00\x00": "image/vnd.ms-dds",
    b"qoif": "image/qoi",
    b"gimp xcf ": "image/x-xcf",
    b"FLV\x01": "video/x-flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c": "video/x-ms-asf",
    b"\x00\x00\x01\xba": "video/mpeg",
    b"\x00\x00\x01\xb3": "video/mpeg",
    b"%PDF-": "application/pdf",
}

_STARTS: Final = tuple(_SIGNATURES)

_TIFF_MARKS: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

# Major brands of an `ftyp` box that determine the type; 3gp and 3g2 have one more character.
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"avci": "image/avci",
    b"mif1": "image/heif",
    b"mif2": "image/heif",
    b"msf1": "image/heif-sequence",
    b"crx ": "image/x-canon-cr3",
    b"qt  ": "video/quicktime",
    b"M4V ": "video/x-m4v",
    b"M4VH": "video/x-m4v",
    b"M4VP": "video/x-m4v",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"F4A ": "audio/mp4",
}
_GENERIC_HEIF_BRANDS: Final = (b"mif1", b"mif2", b"msf1")
_IS_HEIF: Final = frozenset((*_GENERIC_HEIF_BRANDS, b"miaf", b"MA1B", b"MA1A"))
_HEIF_KINDS: Final = ("image/avif", "image/heic", "image/heif", "image/avci")
_JP2_BRANDS: Final = {b"jp2 ": "image/jp2", b"jpx ": "image/jpx", b"jpm ": "image/jpm"}

# QuickTime files older than `ftyp` begin with one of these atoms (QuickTime File Format, 2001).
_QUICKTIME_ATOMS: Final = (b"moov", b"mdat", b"wide", b"pnot")

# Sizes of the header that follows BITMAPFILEHEADER, from OS/2 1.x to BITMAPV5HEADER.
_BMP_HEADER_BYTES: Final = frozenset((12, 16, 40, 52, 56, 64, 108, 124))

_SYNC_BYTE: Final = 0x47  # ISO/IEC 13818-1, 2.4.3.2


def extension(name: str) -> str:
    """The text after the last dot of `name`, in lower case; '' when there is none.

    A leading dot marks a hidden file, not an extension: `.jpg` has none.
    """
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if dot and stem and not stem.endswith("/") else ""


def media_type(name: str, head: bytes) -> str:
    """The content type of a file called `name` that begins with `head` (`HEAD_BYTES` at best).

    A specific signature wins over the extension. Where the signature is shared by a family of
    formats (TIFF and most raw formats), the extension selects one of them.
    """
    ending = extension(name)
    found = _type_of_head(head, ending)
    if found is not None:
        return found
    return MEDIA_TYPES.get(ending) or OTHER_TYPES.get(ending) or UNKNOWN_TYPE


def is_media_name(name: str) -> bool:
    """Whether the extension is that of a picture, a raw picture, a video or an XMP sidecar."""
    return extension(name) in MEDIA_TYPES


def is_other_name(name: str) -> bool:
    """Whether the extension is known to be neither a picture's nor a video's."""
    return extension(name) in OTHER_TYPES


def is_media_head(head: bytes) -> bool:
    """Whether the first bytes are those of a picture or video. For names of unknown extension."""
    found = _type_of_head(head, "") or _weak_type(head)
    return found is not None and found.startswith(("image/", "video/"))


def media_endings() -> frozenset[str]:
    """The extensions of pictures, videos and sidecars, without the dot, in lower case."""
    return frozenset(MEDIA_TYPES)


_TEXT_STARTS = frozenset((b"<", b"\xef", b" ", b"\t", b"\r", b"\n", b"\v", b"\f"))
"""A sidecar begins with a tag, a byte-order mark or white space."""


def _type_of_head(head: bytes, ending: str) -> str | None:
    kind = _type_of_signature(head)
    if kind is not None:
        return _refined(kind, ending)
    if head.startswith(_TIFF_MARKS):
        if head[8:10] == b"CR":  # Canon's CR2 note, page 1: magic word after the IFD offset
            return "image/x-canon-cr2"
        return RAW_TYPES.get(ending, TIFF)
    if head[4:8] == b"ftyp":
        return _type_of_brand(head, ending)
    if head[6:14] == b"HEAPCCDR":
        return "image/x-canon-crw"
    if head.startswith(b"\x00\x00\x00\x0cjP  \r\n\x87\n"):
        return _JP2_BRANDS.get(head[20:24], "image/jp2")
    if head.startswith(b"RIFF"):
        return _type_of_riff(head)
    if head.startswith(b"\x1a\x45\xdf\xa3"):  # EBML, RFC 8794
        return "video/webm" if b"webm" in head else "video/x-matroska"
    if head.startswith(b"OggS"):
        return "video/ogg" if b"\x80theora" in head else OTHER_TYPES["ogg"]
    if _is_bmp(head):
        return "image/bmp"
    if head[4:8] in _QUICKTIME_ATOMS:
        return "video/quicktime"
    return _sidecar_or_stream(head)


def _type_of_signature(head: bytes) -> str | None:
    if head.startswith(_STARTS):  # one call for all: most files without a signature end here
        for start, kind in _SIGNATURES.items():
            if head.startswith(start):
                return kind
    return None


def _refined(kind: str, ending: str) -> str:
    """`kind`, or the more specific type that the extension names."""
    if kind == "image/png" and ending == "apng":
        return MEDIA_TYPES[ending]
    if kind == "video/x-ms-asf" and ending in ("wma", "wmv"):
        return OTHER_TYPES.get(ending) or MEDIA_TYPES[ending]
    return kind


def _type_of_brand(head: bytes, ending: str) -> str:
    """The type by the `ftyp` box: size, `ftyp`, major brand, version, compatible brands."""
    major = head[8:12]
    if major in _BRANDS and major not in _GENERIC_HEIF_BRANDS:
        return _BRANDS[major]
    box_bytes = int.from_bytes(head[:4], "big")
    if major.startswith(b"3g"):
        return "video/3gpp2" if major.startswith(b"3g2") else "video/3gpp"
    # A generic brand tells the structure only; the coding is among the compatible brands, or, for
    # `mif3`, in place of the version.
    others = [head[at : at + 4] for at in (12, *range(16, min(box_bytes, len(head)) - 3, 4))]
    for brand in others:
        kind = _BRANDS.get(brand, "")
        if brand not in _GENERIC_HEIF_BRANDS and kind.startswith(_HEIF_KINDS):
            return kind
    if major in _BRANDS:
        return _BRANDS[major]
    if not _IS_HEIF.isdisjoint(others) or _holds_picture(head[box_bytes : box_bytes + 64]):
        kind = MEDIA_TYPES.get(ending, "")
        return kind if kind.startswith(_HEIF_KINDS) else "image/heif"
    return OTHER_TYPES["m4a"] if ending == "m4a" else "video/mp4"


def _holds_picture(box: bytes) -> bool:
    """A `meta` box for pictures, or the `mini` box that replaces it, follows the brands."""
    return box[4:8] == b"mini" or (box[4:8] == b"meta" and b"pict" in box)


def _type_of_riff(head: bytes) -> str | None:
    form = head[8:12]
    if form == b"WEBP":
        return "image/webp"
    if form == b"AVI ":
        return "video/x-msvideo"
    return "audio/wav" if form == b"WAVE" else None


def _is_bmp(head: bytes) -> bool:
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES


def _sidecar_or_stream(head: bytes) -> str | None:
    if head[:1] in _TEXT_STARTS:
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if text.startswith((b"<?xpacket", b"<x:xmpmeta")):
            return SIDECAR_TYPES["xmp"]
    for first, packet_bytes in ((0, 188), (4, 192)):  # plain, and M2TS with its time codes
        if len(head) > first + packet_bytes and (
            head[first] == _SYNC_BYTE == head[first + packet_bytes]
        ):
            return "video/mp2t"
    return None


def _weak_type(head: bytes) -> str | None:
    """The type by a signature that is too short or too common to win over an extension."""
    if head.startswith(b"\xff\x0a"):  # a bare JPEG XL codestream
        return "image/jxl"
    if b"<svg" in head and head.lstrip().startswith(b"<"):
        return "image/svg+xml"
    return None
