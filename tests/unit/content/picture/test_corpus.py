"""Real pictures, and real damage."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps

from bulkup.content.picture import raw
from bulkup.content.picture.facts.xmp import read_xmp
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import PREVIEW
from bulkup.content.picture.types import Picture, Skipped
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import mean_error, opened

pytestmark = pytest.mark.corpus


def made_of(path: Path) -> Picture | Skipped:
    return make_variants(path, name=path.name)


def preview_of(path: Path) -> Image.Image:
    made = make_variants(path, (PREVIEW,), name=path.name)
    assert isinstance(made, Picture)
    return opened(made.variants[0].body)


@pytest.mark.parametrize("shape", ["Landscape", "Portrait"])
def test_all_eight_orientations_agree_with_the_upright_one(corpus: Path, shape: str) -> None:
    upright, *others = (
        preview_of(path) for path in sorted(corpus.glob(f"orientation/**/{shape}_?.jpg"))
    )
    assert len(others) == 7
    for other in others:
        assert other.size == upright.size
        # A number is painted into the middle of each; around it they are the same scene.
        box = (0, 0, upright.width, upright.height // 3)
        assert mean_error(other.crop(box), upright.crop(box)) < 4


@pytest.mark.parametrize("name", ["made Display P3.jpg", "Adobe RGB Canon EOS 7D.jpg"])
def test_colours_agree_with_little_cms_at_full_size(corpus: Path, name: str) -> None:
    """A mean ΔE (CIE76) below 2 is seen by nobody."""
    path = corpus / "formats/jpeg" / name
    with Image.open(path) as original:
        profile = original.info.get("icc_profile")
        if profile is None:
            pytest.skip("this Pillow does not find the profile")
        expected = ImageCms.profileToProfile(
            original,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    assert expected is not None
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    one, other = (
        list(
            zip(
                *[iter(to_lab.apply(image.convert("RGB").resize((64, 64))).tobytes())] * 3,
                strict=True,
            )
        )
        for image in (expected, preview_of(path))
    )

    def signed(value: int) -> int:
        return value - 256 if value > 127 else value

    errors = [
        (
            ((a[0] - b[0]) / 2.55) ** 2
            + sum((signed(a[i]) - signed(b[i])) ** 2 for i in (1, 2))
        ) ** 0.5
        for a, b in zip(one, other, strict=True)
    ]  # fmt: skip
    assert sum(errors) / len(errors) < 2


def test_cmyk_looks_like_its_twin_in_rgb(corpus: Path) -> None:
    folder = corpus / "formats/jpeg"
    twin = preview_of(folder / "made progressive.jpg")
    assert mean_error(preview_of(folder / "made cmyk.jpg"), twin) < 8
    p3 = preview_of(folder / "made Display P3.jpg")
    assert mean_error(p3, twin) < 8


def test_every_photo_is_processed(corpus: Path) -> None:
    photos = [p for p in corpus.glob("photos/**/*") if p.suffix.lower() in (".jpg", ".jpeg")]
    assert len(photos) >= 67
    places = 0
    for path in photos:
        made = made_of(path)
        assert isinstance(made, Picture), path
        assert not made.metadata.is_truncated, path
        with Image.open(path) as original:
            expected = ImageOps.exif_transpose(original)
            shown = opened(made.variants[0].body)
            assert mean_error(shown, expected) < 8, path
            assert (made.metadata.width_px, made.metadata.height_px) == expected.size
        places += made.metadata.facts.place is not None
        for variant in made.variants:
            assert not opened(variant.body).getexif()
    assert places >= 2  # others have directories full of zeros


def test_of_the_formats_only_one_raw_stub_is_invalid(corpus: Path) -> None:
    invalid = []
    for path in sorted(corpus.glob("formats/**/*.*")):
        try:
            made_of(path)
        except PictureInvalid:
            invalid.append(path.name)
    assert invalid in ([], ["Issue 419.rw2"])
    assert raw.has_libraw() == bool(invalid)


def test_alpha_of_the_formats_is_kept(corpus: Path) -> None:
    for name in ("png/made rgba gradient.png", "webp/Alpha Lossy (1).webp",
                 "gif/still with alpha.gif", "png/palette alpha 256x256.png"):  # fmt: skip
        shown = preview_of(corpus / "formats" / name)
        with Image.open(corpus / "formats" / name) as original:
            expected = original.convert("RGBA").getchannel("A")
        assert shown.mode == "RGBA", name
        assert mean_error(shown.getchannel("A"), expected) < 6, name


def test_every_malformed_file_gets_an_outcome_with_a_reason(corpus: Path) -> None:
    outcomes = {"picture": 0, "skipped": 0, "invalid": 0}
    for path in sorted(corpus.glob("malformed/**/*")):
        if not path.is_file():
            continue
        try:
            made = made_of(path)
        except PictureInvalid as error:
            assert str(error), path  # noqa: PT017 - three ends are allowed
            assert "0x" not in str(error), path  # noqa: PT017 - no addresses in reasons
            outcomes["invalid"] += 1
        else:
            outcomes["picture" if isinstance(made, Picture) else "skipped"] += 1
    assert min(outcomes.values()) > 20


BOMBS = (
    "bomb_60000x60000.png",
    "bomb_65535x65535_sof.jpg",
    "huge_canvas.gif",
    "huge_dimensions.bmp",
    "text_chunk_bomb_64MB.png",
    "icc_profile_bomb_64MB.png",
)


def test_every_bomb_is_refused(corpus: Path) -> None:
    for name in BOMBS:
        with pytest.raises(PictureInvalid, match=r"bomb|megapixels|too large"):
            made_of(corpus / "malformed/nasties" / name)


def test_every_sidecar_is_read(corpus: Path) -> None:
    said = {
        path.name: read_xmp(path.read_bytes()).facts for path in corpus.glob("formats/**/*.xmp")
    }
    assert len(said) >= 5
    assert any(sidecar.taken_at for sidecar in said.values())
    assert any(sidecar.keywords for sidecar in said.values())
