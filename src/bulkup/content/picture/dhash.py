"""A perceptual hash: similar pictures differ in few bits.

The difference hash, equal to imagehash.dhash. The package imagehash would need scipy and
PyWavelets (0.2 s at each start of a worker) for these ten lines.
"""

from __future__ import annotations

from PIL import Image

_WIDTH, _HEIGHT = 8, 8


def perceptual_hash(image: Image.Image) -> str:
    """64 bits as 16 hex characters: whether greys get lighter, along 8 rows of 9.

    Transparent parts count as white.
    """
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    grey = image.convert("L").resize((_WIDTH + 1, _HEIGHT), Image.Resampling.LANCZOS).tobytes()
    bits = 0
    for row in range(_HEIGHT):
        for column in range(_WIDTH):
            at = row * (_WIDTH + 1) + column
            bits = bits << 1 | (grey[at + 1] > grey[at])
    return f"{bits:016x}"


def distance(one: str, other: str) -> int:
    """The number of bits, of 64, in which two hashes differ: up to 10 for similar pictures."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
