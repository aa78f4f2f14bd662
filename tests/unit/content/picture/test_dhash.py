"""The perceptual hash."""

from __future__ import annotations

from PIL import Image

from bulkup.content.picture.dhash import distance, perceptual_hash
from tests.unit.content.picture.made import opened, saved


def test_near_pictures_have_near_hashes_and_others_do_not() -> None:
    image = Image.effect_noise((40, 30), 90).resize((400, 300), Image.Resampling.BICUBIC)
    near = opened(saved(image.resize((200, 150)), quality=40))
    other = Image.effect_noise((40, 30), 90).resize((400, 300), Image.Resampling.BICUBIC)
    assert distance(perceptual_hash(image), perceptual_hash(near)) <= 6
    assert distance(perceptual_hash(image), perceptual_hash(other)) > 12


def test_the_hash_is_the_difference_hash() -> None:
    """Rows that get lighter give ones, rows that get darker zeros (imagehash.dhash agrees)."""
    lighter = Image.linear_gradient("L").rotate(90)
    assert perceptual_hash(lighter) == "f" * 16
    assert perceptual_hash(lighter.rotate(180)) == "0" * 16
    half = lighter.copy()
    half.paste(lighter.rotate(180).crop((0, 128, 256, 256)), (0, 128))
    assert perceptual_hash(half) == "f" * 8 + "0" * 8
