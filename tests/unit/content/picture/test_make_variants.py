"""make_variants on pictures whose pixels are known."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from bulkup.content.picture import video
from bulkup.content.picture.decoding import fitted
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import PREVIEW, THUMB, Format, PictureLimits, VariantSpec
from bulkup.content.picture.types import Picture, Skipped
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import DISPLAY_P3, mean_error, opened, saved, scene

TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored so that the orientation brings it upright again."""


def picture(data: bytes, **options: object) -> Picture:
    made = make_variants(data, **options)  # type: ignore[arg-type]
    assert isinstance(made, Picture)
    return made


def with_orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_comes_out_upright(orientation: int, kind: str) -> None:
    turn = TURNED[orientation]
    stored = scene() if turn is None else scene().transpose(turn)
    made = picture(saved(stored, kind, exif=with_orientation(orientation)))
    for variant in made.variants:
        shown = opened(variant.body)
        assert shown.size == (variant.width_px, variant.height_px)
        assert shown.width > shown.height
        assert mean_error(shown, scene()) < 6
    assert (made.metadata.width_px, made.metadata.height_px) == (640, 400)
    assert made.metadata.orientation == orientation


def test_one_call_makes_what_was_wanted_in_that_order() -> None:
    made = picture(saved(scene(3000, 2000)))
    thumb, preview = made.variants
    assert (thumb.name, thumb.format, thumb.width_px, thumb.height_px) == (
        "thumb", Format.WEBP, 256, 171)  # fmt: skip
    assert (preview.name, preview.format, preview.width_px, preview.height_px) == (
        "preview", Format.JPEG, 1440, 960)  # fmt: skip
    assert (thumb.content_type, preview.content_type) == ("image/webp", "image/jpeg")


def test_thumb_made_alone_is_the_same_picture() -> None:
    data = saved(scene(3000, 2000))
    alone, beside = picture(data, wanted=(THUMB,)), picture(data, wanted=(THUMB, PREVIEW))
    assert mean_error(opened(alone.variants[0].body), opened(beside.variants[0].body)) < 3


def test_small_pictures_are_not_enlarged() -> None:
    made = picture(saved(scene(100, 60)))
    assert {(v.width_px, v.height_px) for v in made.variants} == {(100, 60)}


@given(st.integers(1, 30000), st.integers(1, 30000), st.integers(1, 2000))
def test_a_fitted_size_fits_and_keeps_its_shape(width: int, height: int, size_px: int) -> None:
    w, h = fitted((width, height), size_px)
    assert 1 <= w <= min(width, size_px)
    assert 1 <= h <= min(height, size_px)
    assert max(w, h) == min(max(width, height), size_px)
    assert abs(w * height - h * width) <= max(width, height)  # half a pixel of rounding


def test_the_whole_length_of_a_panorama_is_kept() -> None:
    made = picture(saved(scene(6000, 40)))
    assert [(v.width_px, v.height_px) for v in made.variants] == [(256, 2), (1440, 10)]


@pytest.mark.parametrize("profile", [DISPLAY_P3], ids=["Display P3"])
def test_colours_of_other_spaces_are_converted(profile: bytes) -> None:
    """What little CMS makes of the original's pixels is what a viewer of the variant sees."""
    image = scene()
    expected = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert expected is not None
    assert mean_error(image, expected) > 3  # otherwise the test would not see a difference
    made = picture(saved(image, icc_profile=profile))
    for variant in made.variants:
        assert mean_error(opened(variant.body), expected) < 3
        assert "icc_profile" not in opened(variant.body).info


def test_adobe_rgb_that_only_exif_names_is_converted() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    plain, named = picture(saved(scene())), picture(saved(scene(), exif=exif.tobytes()))
    assert mean_error(opened(plain.variants[1].body), opened(named.variants[1].body)) > 3


def test_a_broken_profile_is_ignored() -> None:
    made = picture(saved(scene(), icc_profile=b"\0" * 300))
    assert mean_error(opened(made.variants[1].body), scene()) < 6


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    made = picture(saved(scene().convert("L"), icc_profile=DISPLAY_P3))
    assert mean_error(opened(made.variants[1].body), scene().convert("L")) < 6


def test_cmyk_is_not_inverted() -> None:
    made = picture(saved(scene().convert("CMYK")))
    assert mean_error(opened(made.variants[1].body), scene()) < 8


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_kept(kind: str) -> None:
    image = scene().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    made = picture(saved(image, kind))
    for variant in made.variants:
        assert variant.format is Format.WEBP
        shown = opened(variant.body)
        assert shown.mode == "RGBA"
        assert mean_error(shown.getchannel("A"), image.getchannel("A")) < 4


def test_a_palette_with_a_transparent_colour_keeps_it() -> None:
    image = Image.new("P", (64, 64), 1)
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.paste(0, (0, 0, 32, 64))
    made = picture(saved(image, "GIF", transparency=0))
    alpha = opened(made.variants[1].body).getchannel("A")
    assert (alpha.getpixel((4, 30)), alpha.getpixel((60, 30))) == (0, 255)


def test_alpha_that_hides_nothing_is_dropped() -> None:
    made = picture(saved(scene().convert("RGBA"), "PNG"))
    assert made.variants[1].format is Format.JPEG


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "I", "F", "CMYK", "YCbCr", "LAB"])
def test_every_mode_shows_the_scene(mode: str) -> None:
    grey = scene().convert("L")
    if mode == "I;16":
        data = saved(grey.convert("I").point(lambda v: v * 257).convert("I;16"), "PNG")
    elif mode in ("I", "F"):
        data = saved(grey.convert(mode), "TIFF")
    elif mode == "LAB":
        lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        data = saved(lab.apply(scene()), "TIFF")
    else:
        data = saved(scene().convert(mode), "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    expected = scene() if mode in ("P", "CMYK", "YCbCr", "LAB") else grey
    shown = opened(picture(data).variants[1].body)
    # Integers of 32 bits say nothing of their white: those up to 65535 are read as 16 bits.
    assert mode == "I" or mean_error(shown, expected) < 12


def test_of_an_animation_the_first_frame_is_shown() -> None:
    red, blue = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
    for kind in ("GIF", "PNG", "WEBP"):
        data = saved(red, kind, save_all=True, append_images=[blue])
        assert mean_error(opened(picture(data).variants[0].body), red) < 8


def test_nothing_private_is_carried_over() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretMake"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 30.0, 0.0), 3: "E", 4: (11.0, 15.0, 0.0)})
    data = saved(scene(), exif=exif.tobytes(), xmp=b"<x:xmpmeta>SecretXmp</x:xmpmeta>",
                 comment=b"SecretComment", icc_profile=DISPLAY_P3)  # fmt: skip
    wanted = [VariantSpec(kind, 300, kind, 80) for kind in Format]
    made = picture(data, wanted=wanted)
    assert made.metadata.facts.place is not None
    for variant in made.variants:
        assert b"Secret" not in variant.body
        assert b"Exif" not in variant.body
        shown = opened(variant.body)
        assert not shown.getexif()
        assert not {"exif", "xmp", "icc_profile", "comment"} & shown.info.keys()


def _tables(body: bytes) -> object:
    return opened(body).quantization  # type: ignore[attr-defined]


def test_quality_follows_a_source_of_low_quality() -> None:
    wanted = (VariantSpec("preview", 1440, Format.JPEG, 80),)
    poor, fine = (picture(saved(scene(), quality=q), wanted=wanted) for q in (45, 95))
    again = picture(poor.variants[0].body, wanted=wanted)
    assert len(poor.variants[0].body) < len(fine.variants[0].body)
    assert _tables(poor.variants[0].body) == _tables(saved(scene(), quality=45))
    assert len(again.variants[0].body) <= len(poor.variants[0].body) * 1.05


def test_more_pixels_than_allowed_are_refused_before_they_are_decoded() -> None:
    data = saved(scene(1000, 1000))
    with pytest.raises(PictureInvalid, match="megapixels; 1 are allowed"):
        make_variants(data, limits=PictureLimits(pixels=999_999))
    with pytest.raises(PictureInvalid, match="decompression bomb: 1 megapixels; 0 are allowed"):
        make_variants(data, limits=PictureLimits(pixels=400_000))
    before = Image.MAX_IMAGE_PIXELS
    assert picture(data, limits=PictureLimits(pixels=1_000_000))
    assert before == Image.MAX_IMAGE_PIXELS, "the limit is left to whoever uses Pillow next"


def test_a_file_over_the_limit_is_refused() -> None:
    data = saved(scene())
    with pytest.raises(PictureInvalid, match="bytes"):
        make_variants(data, limits=PictureLimits(file_bytes=len(data) - 1))


def _with_chunk(kind: bytes, data: bytes) -> bytes:
    """A small PNG with one more chunk behind its header."""
    png = saved(scene(20, 20), "PNG")
    chunk = struct.pack(">I", len(data)) + kind + data
    chunk += struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize(("kind", "head"), [(b"zTXt", b"Comment\0\0"), (b"iCCP", b"icc\0\0")])
def test_chunks_that_inflate_without_end_are_refused(kind: bytes, head: bytes) -> None:
    bomb = head + zlib.compress(bytes(PngImagePlugin.MAX_TEXT_CHUNK * 4), 9)
    with pytest.raises(PictureInvalid, match="too large"):
        make_variants(_with_chunk(kind, bomb))


def test_a_truncated_picture_is_shown_as_far_as_it_goes_and_marked() -> None:
    data = saved(scene())
    made = picture(data[: len(data) // 2])
    assert made.metadata.is_truncated
    top = opened(made.variants[1].body).crop((0, 0, 640, 120))
    assert mean_error(top, scene().crop((0, 0, 640, 120))) < 8
    assert not picture(data).metadata.is_truncated


def test_a_picture_of_which_nothing_decodes_is_invalid_with_pillows_reason() -> None:
    data = saved(scene())
    scan = data.index(b"\xff\xda")
    with pytest.raises(PictureInvalid, match=r"truncated|broken"):
        make_variants(data[: scan + 14])


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.jpg", "empty file"),
        (b"hello, world", "notes.txt", "text/plain"),
        (b"<?xpacket begin='' ?><x:xmpmeta/>", "a.jpg.xmp", "sidecar"),
        (b"%PDF-1.7", "a.pdf", "application/pdf"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a.wav", "audio"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "drawing"),
        (saved(scene(8, 8), "TGA"), "a.tga", "no decoder for TGA"),
        (b"SDPX\0\0\0\0V1.0", "a.dpx", "no decoder for DPX"),
    ],
)
def test_what_is_no_picture_is_skipped_with_the_reason(data: bytes, name: str, reason: str) -> None:
    made = make_variants(data, name=name)
    assert isinstance(made, Skipped)
    assert reason in made.reason


@pytest.mark.parametrize("data", [b"hello, world", b"<html>404</html>", b"%PDF-1.7"])
def test_anything_else_with_a_pictures_name_is_skipped_as_no_picture(data: bytes) -> None:
    made = make_variants(data, name="holiday.jpg")
    assert made == Skipped("named .jpg, but its bytes are no picture")


def test_a_picture_by_its_signature_that_does_not_decode_is_invalid() -> None:
    with pytest.raises(PictureInvalid):
        make_variants(b"\xff\xd8\xff\xe0" + bytes(200), name="holiday.jpg")


def test_the_signature_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(saved(scene(), "PNG"))
    made = make_variants(path, name=path.name)
    assert isinstance(made, Picture)
    assert made.metadata.format == "PNG"


def test_a_video_asks_for_the_extra_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "has_pyav", lambda: False)
    made = make_variants(b"\0\0\0\x18ftypmp42" + bytes(500), name="clip.mp4")
    assert isinstance(made, Skipped)
    assert "bulkup[video]" in made.reason


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_raises_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]))
    body = bytearray(saved(scene(48, 32), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(len(body) // 2, len(body))) :]
    try:
        made = make_variants(bytes(body), name="x.jpg", limits=PictureLimits(pixels=4_000_000))
    except PictureInvalid as error:
        assert str(error)  # noqa: PT017 - both ends are allowed
    else:
        assert isinstance(made, (Picture, Skipped))
