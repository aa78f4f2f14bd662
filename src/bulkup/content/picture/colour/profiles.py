"""ICC profiles (ICC.1:2001-04) made of primaries, a white point and a transfer function."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

Chromaticity = tuple[float, float]
Matrix = Sequence[Sequence[float]]

SRGB_CURVE: Final = 0.0
"""In place of a gamma: the curve of sRGB (IEC 61966-2-1)."""

LINEAR: Final = 1.0

_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)

# Red, green, blue and white by code point (ITU-T H.273, table 2).
PRIMARIES: Final[dict[int, tuple[Chromaticity, ...]]] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),  # BT.709, sRGB
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),  # DCI P3
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),  # Display P3
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}

ADOBE_RGB: Final = (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65), 563 / 256)
"""Primaries, white and gamma (Adobe RGB (1998) Color Image Encoding, 4.3)."""

_D50: Final = (0.9642, 1.0, 0.8249)
_BRADFORD: Final = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)
_CURVE_POINTS: Final = 1024


def matrix_profile(primaries: Sequence[Chromaticity], curve: float) -> bytes:
    """A display profile, version 2.1, of red, green, blue and white, and a gamma or SRGB_CURVE.

    Raises ZeroDivisionError for primaries that span no triangle.
    """
    adapted = multiplied(_adaptation(primaries[3]), rgb_to_xyz(primaries))
    trc = _curve(curve)
    named = b"desc" + struct.pack(">4xI", 7) + b"matrix\0" + bytes(78)
    blocks = {b"desc": named, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz(_D50)}
    for letter, colorant in zip((b"r", b"g", b"b"), zip(*adapted, strict=True), strict=True):
        blocks[letter + b"XYZ"] = _xyz(colorant)
        blocks[letter + b"TRC"] = trc
    table, body = struct.pack(">I", len(blocks)), b""
    start = 128 + 4 + 12 * len(blocks)
    for name, block in blocks.items():
        table += name + struct.pack(">II", start + len(body), len(block))
        body += block + bytes(-len(block) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x02100000, b"mntr", b"RGB ",
                       b"XYZ ", b"acsp")  # fmt: skip
    head += struct.pack(">3i", *(round(v * 65536) for v in _D50))
    return head.ljust(128, b"\0") + table + body


def rgb_to_xyz(primaries: Sequence[Chromaticity]) -> Matrix:
    """The matrix from linear RGB to XYZ, with the white at Y = 1 (SMPTE RP 177)."""
    columns = [_xyz_of(chromaticity) for chromaticity in primaries[:3]]
    matrix = [list(row) for row in zip(*columns, strict=True)]
    white = _xyz_of(primaries[3])
    scales = [sum(a * b for a, b in zip(row, white, strict=True)) for row in inverse(matrix)]
    return [[value * scale for value, scale in zip(row, scales, strict=True)] for row in matrix]


def multiplied(one: Matrix, other: Matrix) -> Matrix:
    """The product of two 3 by 3 matrices."""
    columns = list(zip(*other, strict=True))
    return [[sum(a * b for a, b in zip(row, col, strict=True)) for col in columns] for row in one]


def inverse(m: Matrix) -> Matrix:
    """The inverse of a 3 by 3 matrix. Raises ZeroDivisionError when there is none."""
    cofactors = [
        [
            m[(i + 1) % 3][(j + 1) % 3] * m[(i + 2) % 3][(j + 2) % 3]
            - m[(i + 1) % 3][(j + 2) % 3] * m[(i + 2) % 3][(j + 1) % 3]
            for i in range(3)
        ]
        for j in range(3)
    ]
    determinant = sum(m[0][j] * cofactors[j][0] for j in range(3))
    return [[value / determinant for value in row] for row in cofactors]


def srgb_to_linear(value: float) -> float:
    """The light, 0 to 1, of an sRGB value, 0 to 1."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _xyz_of(chromaticity: Chromaticity) -> tuple[float, float, float]:
    x, y = chromaticity
    return x / y, 1.0, (1 - x - y) / y


def _adaptation(white: Chromaticity) -> Matrix:
    """Bradford's matrix from `white` to D50, the white of all profiles."""
    cones = [[sum(a * b for a, b in zip(row, of, strict=True)) for row in _BRADFORD]
             for of in (_xyz_of(white), _D50)]  # fmt: skip
    scaled = [[value * cones[1][i] / cones[0][i] for value in _BRADFORD[i]] for i in range(3)]
    return multiplied(inverse(_BRADFORD), scaled)


def _curve(curve: float) -> bytes:
    if curve != SRGB_CURVE:
        return b"curv" + struct.pack(">4xIH2x", 1, round(curve * 256))
    points = (srgb_to_linear(at / (_CURVE_POINTS - 1)) for at in range(_CURVE_POINTS))
    values = (round(point * 65535) for point in points)
    return b"curv" + struct.pack(f">4xI{_CURVE_POINTS}H", _CURVE_POINTS, *values)


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(value * 65536) for value in values))
