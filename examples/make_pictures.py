#!/usr/bin/env python3
"""Make a directory of pictures to try bulkup on: painted, not photographed, but like photos.

    python examples/make_pictures.py photos [--count 60] [--seed 1] [--size 1600]

Landscapes, towns, portraits and letters with grain and fine detail; JPEG, PNG, WebP, TIFF and GIF;
EXIF with camera, lens, date, place and all common orientations; nested directories; names with
spaces, accents, emoji and signs that URLs dislike; about one file in eight is an exact copy of
an earlier one under another name. The same seed makes the same pictures. Needs Pillow.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps
from PIL.TiffImagePlugin import IFDRational

Size = tuple[int, int]
Colour = tuple[int, int, int]

FOLDERS = (
    "2019/Ærø in summer",
    "2021/Zoë & Jürgen's wedding",
    "2022/Łódź, day 2",
    "2023/📷 street",
    "phone/DCIM/100CAMRA",
    "scans/box #7 (50% sorted)",
)
NAMES = (
    "IMG_{:04d}",
    "Zürich ({})",
    "été {}",
    "sunset 🌅 {}",
    "a+b={}",
    "東京 {}",
    "DSC{:05d}",
    "50% off #{}",
)
CAMERAS = (("Kestrel", "K-7 Mark II", "35mm F2.0"), ("Lumo", "Pocket 4", "24-70mm F2.8"))
PLACES = ((54.8907, 10.4106), (47.3769, 8.5417), (51.7592, 19.456), (35.6762, 139.6503))
# (ending, Pillow's format), as often as they occur in an ordinary collection
FORMATS = (
    *[("JPG", "JPEG")] * 2,
    *[("jpg", "JPEG")] * 4,
    ("jpeg", "JPEG"),
    ("png", "PNG"),
    ("webp", "WEBP"),
    ("tif", "TIFF"),
    ("gif", "GIF"),
)
# EXIF orientation → how to store an upright picture so that a viewer turns it back
STORED: dict[int, Image.Transpose | None] = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
LINES = ("Dear Ada,", "the boats came in at six,", "we counted 14 of them.", "Love, N.", "No. 2041")
COPY_ONE_IN = 8


@dataclass(frozen=True, slots=True)
class Shot:
    """One file to make. `copy_of` is the path of an earlier file with the same bytes."""

    path: str
    format: str
    seed: int
    size: Size
    orientation: int
    taken_at: datetime
    copy_of: str | None = None


def plan(count: int, *, seed: int, longest: int) -> list[Shot]:
    """What to make, in order of time; every path occurs once."""
    rng = random.Random(seed)
    shots: list[Shot] = []
    taken_at = datetime(2019, 6, 1, 9, 30, tzinfo=UTC)
    for number in range(1, count + 1):
        taken_at += timedelta(hours=rng.randint(1, 400), seconds=rng.randint(0, 3599))
        ending, format_name = rng.choice(FORMATS)
        # Some programs write é as one code point, some as two (NFC and NFD).
        name = rng.choice(NAMES).format(number)
        stem = unicodedata.normalize("NFC" if rng.random() < 0.7 else "NFD", name)
        folder = rng.choice(FOLDERS)
        side = rng.randint(longest // 2, longest)
        size = rng.choice([(side, side * 2 // 3), (side, side * 3 // 4), (side * 3 // 4, side)])
        shot = Shot(
            f"{folder}/{stem}.{ending}",
            format_name,
            rng.getrandbits(32),
            size,
            rng.choice([1, 1, 1, 3, 6, 6, 8]),
            taken_at,
        )
        if shots and number % COPY_ONE_IN == 0:
            first = rng.choice([earlier for earlier in shots if earlier.copy_of is None])
            path = f"{folder}/copy of {stem}{Path(first.path).suffix}"
            shot = Shot(
                path, first.format, first.seed, first.size, 1, first.taken_at, copy_of=first.path
            )
        shots.append(shot)
    return shots


def clouds(rng: random.Random, size: Size, *, coarsest: int = 4) -> Image.Image:
    """A grey texture with detail at every scale, as skies, stone and skin have."""
    total = Image.new("L", size, 128)
    for octave in range(6):
        cells = coarsest << octave
        if cells > min(size):
            break
        raw = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells))
        layer = raw.resize(size, Image.Resampling.BICUBIC)
        total = Image.blend(total, layer, 0.5 / (1 + octave * 0.6))
    return ImageOps.autocontrast(total)


def grain(rng: random.Random, picture: Image.Image, strength: float) -> Image.Image:
    """The picture with the noise of a sensor."""
    noise = Image.frombytes("L", picture.size, rng.randbytes(picture.width * picture.height))
    noise = noise.filter(ImageFilter.GaussianBlur(0.6))
    return Image.blend(picture, ImageChops.overlay(picture, noise.convert("RGB")), strength)


def colour(rng: random.Random, low: int = 20, high: int = 235) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def landscape(rng: random.Random, size: Size) -> Image.Image:
    """A sky with clouds and a sun, and ranges of hills that darken towards the viewer."""
    width, height = size
    sky = ImageOps.colorize(
        clouds(rng, size),
        (rng.randint(30, 90), rng.randint(90, 140), rng.randint(170, 220)),
        (250, 240, rng.randint(200, 250)),
    )
    draw = ImageDraw.Draw(sky)
    x, y, radius = rng.randrange(width), rng.randrange(height // 3), width // rng.randint(14, 30)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 200))
    for depth in range(1, 5):
        base = height * (0.35 + 0.14 * depth)
        ridge, level = [(0.0, float(height))], base
        for column in range(0, width + 24, 24):
            level += rng.uniform(-1, 1) * height * 0.012 * depth
            ridge.append((float(column), level))
        mask = Image.new("L", size, 0)
        ImageDraw.Draw(mask).polygon([*ridge, (float(width + 24), float(height))], fill=255)
        dark = tuple(c // (depth + 1) for c in (90, 130, 80))
        light = tuple(c // depth + 40 for c in (120, 160, 90))
        ground = ImageOps.colorize(clouds(rng, size, coarsest=16), dark, light)
        sky.paste(ground, mask=mask)
    return sky


def town(rng: random.Random, size: Size) -> Image.Image:
    """Houses with windows, some of them lit, below an evening sky."""
    width, height = size
    picture = ImageOps.colorize(clouds(rng, size), (24, 20, 60), (220, 140, 110))
    draw = ImageDraw.Draw(picture)
    left = 0
    while left < width:
        wide, top = rng.randint(width // 14, width // 6), rng.randint(height // 5, height * 3 // 4)
        draw.rectangle((left, top, left + wide, height), fill=colour(rng, 25, 130))
        pane = max(4, wide // rng.randint(5, 9))
        for x in range(left + pane // 2, left + wide - pane // 2, pane):
            for y in range(top + pane // 2, height, pane * 3 // 2):
                lit = (255, 214, 130) if rng.random() < 0.3 else colour(rng, 15, 60)
                draw.rectangle((x, y, x + pane // 2, y + pane), fill=lit)
        left += wide
    return picture


def portrait(rng: random.Random, size: Size) -> Image.Image:
    """Somebody before a blurred wall."""
    width, height = size
    wall = ImageOps.colorize(clouds(rng, size), colour(rng, 20, 110), colour(rng, 110, 235))
    picture = wall.filter(ImageFilter.GaussianBlur(width / 150))
    draw = ImageDraw.Draw(picture)
    x, y, r = width * rng.uniform(0.4, 0.6), height * 0.42, min(size) * rng.uniform(0.16, 0.24)
    skin = rng.choice([(236, 200, 172), (198, 144, 108), (122, 82, 58)])
    shoulders = (x - 2 * r, y + r, x + 2 * r, y + 5 * r)
    draw.ellipse(shoulders, fill=colour(rng))
    draw.ellipse((x - r * 1.1, y - r * 1.4, x + r * 1.1, y + r * 0.9), fill=colour(rng, 10, 120))
    draw.ellipse((x - r * 0.85, y - r, x + r * 0.85, y + r * 1.2), fill=skin)
    for side in (-1, 1):
        eye = x + side * r * 0.35
        draw.ellipse((eye - r * 0.13, y - r * 0.1, eye + r * 0.13, y + r * 0.08), fill="white")
        draw.ellipse((eye - r * 0.06, y - r * 0.08, eye + r * 0.06, y + r * 0.06), fill="black")
    draw.arc(
        (x - r * 0.4, y + r * 0.2, x + r * 0.4, y + r * 0.75), 20, 160, "firebrick", int(r / 14)
    )
    return picture


def letter(rng: random.Random, size: Size) -> Image.Image:
    """A page of writing, photographed from above."""
    paper = ImageOps.colorize(clouds(rng, size, coarsest=8), (214, 202, 176), (248, 244, 230))
    draw = ImageDraw.Draw(paper)
    font = ImageFont.load_default(size=max(12, size[1] // 28))
    ink = colour(rng, 10, 90)
    for row in range(20):
        x, y = size[0] * 0.08 + rng.uniform(-3, 3), size[1] * (0.06 + 0.045 * row)
        words = " ".join(rng.choice(LINES) for _ in range(2))
        draw.text((x, y), words, fill=ink, font=font)
    table = (96, 70, 48)
    return paper.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=table)


SCENES: tuple[Callable[[random.Random, Size], Image.Image], ...] = (
    landscape,
    town,
    portrait,
    letter,
)


def exif_of(shot: Shot, rng: random.Random) -> Image.Exif:
    """Camera, lens, time with its offset, orientation and, for most, the place (EXIF 2.32)."""
    exif = Image.Exif()
    make, model, lens = rng.choice(CAMERAS)
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = make, model
    exif[ExifTags.Base.Orientation] = shot.orientation
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = f"{shot.taken_at:%Y:%m:%d %H:%M:%S}"
    details[ExifTags.Base.OffsetTimeOriginal] = "+00:00"
    details[ExifTags.Base.LensModel] = lens
    if rng.random() < 0.7:
        latitude, longitude = rng.choice(PLACES)
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef] = "N" if latitude >= 0 else "S"
        place[ExifTags.GPS.GPSLatitude] = sexagesimal(latitude)
        place[ExifTags.GPS.GPSLongitudeRef] = "E" if longitude >= 0 else "W"
        place[ExifTags.GPS.GPSLongitude] = sexagesimal(longitude)
    return exif


def sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes and seconds, as EXIF keeps them."""
    minutes, seconds = divmod(round(abs(degrees) * 360_000), 6_000)
    whole, minutes = divmod(minutes, 60)
    return IFDRational(whole), IFDRational(minutes), IFDRational(seconds, 100)


def make(shot: Shot, directory: Path) -> None:
    """Paint and save one picture, or copy an earlier one; its mtime is the time it was taken."""
    path = directory / shot.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if shot.copy_of is not None:
        shutil.copyfile(directory / shot.copy_of, path)
    else:
        rng = random.Random(shot.seed)
        picture = grain(rng, rng.choice(SCENES)(rng, shot.size), rng.uniform(0.08, 0.25))
        exif = exif_of(shot, rng)
        if shot.format == "GIF":  # 256 colours and no EXIF
            picture.quantize(128).save(path, "GIF")
        else:
            turn = STORED[shot.orientation]
            stored = picture if turn is None else picture.transpose(turn)
            stored.save(path, shot.format, exif=exif, quality=rng.randint(80, 93))
    taken = shot.taken_at.timestamp()
    os.utime(path, (taken, taken))


def main() -> None:
    """Make the pictures that the command line asks for, and say how many."""
    parser = argparse.ArgumentParser(description="Make a directory of pictures to try bulkup on.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=60, help="files, copies included")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=1600, help="longest side at most, in pixels")
    given = parser.parse_args()
    shots = plan(given.count, seed=given.seed, longest=given.size)
    for shot in shots:
        make(shot, given.directory)
    copies = sum(shot.copy_of is not None for shot in shots)
    sys.stdout.write(f"{len(shots)} pictures in {given.directory}, {copies} of them exact copies\n")


if __name__ == "__main__":
    main()
