#!/usr/bin/env python3
"""Generate a directory of sample pictures for bulkup: drawn, but similar to photos.

    python examples/make_pictures.py photos [--count 60] [--seed 1] [--size 1600] [--only Wanduhr]

Hills, boats, balloons, houses, clocks, letters and more (painting.py), with grain and fine detail;
JPEG, PNG, WebP, TIFF and GIF; EXIF with camera, lens, date, place and all common orientations;
nested directories; names with spaces, accents, emoji and characters that URLs escape; about one
file in eight is an exact copy of an earlier one under another name. The same seed makes the same
pictures. Needs Pillow, which comes with bulkup.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from painting import SCENES, Size, grain
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

FOLDERS = (
    "2019/Ærø in summer",
    "2021/Zoë & Jürgen's wedding",
    "2022/Łódź, day 2",
    "2023/📷 street",
    "phone/DCIM/100CAMRA",
    "scans/box #7 (50% sorted)",
)
NAMES = (
    "IMG_{n:04d} {scene}",
    "{scene} ({n})",
    "{scene}, été {n}",
    "{scene} 🌅 {n}",
    "{scene} a+b={n}",
    "東京 {scene} {n}",
    "DSC{n:05d} {scene}",
    "{scene} 50% #{n}",
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
COPY_ONE_IN = 8


@dataclass(frozen=True, slots=True)
class Shot:
    """One file to make. `copy_of` is the path of an earlier file with the same bytes."""

    path: str
    format: str
    scene: str
    seed: int
    size: Size
    orientation: int
    taken_at: datetime
    copy_of: str | None = None


def plan(count: int, *, seed: int, longest: int, scenes: Sequence[str]) -> list[Shot]:
    """The files to make, in order of time; every path occurs once."""
    rng = random.Random(seed)
    shots: list[Shot] = []
    turn: list[str] = []  # scenes left before any is repeated
    taken_at = datetime(2019, 6, 1, 9, 30, tzinfo=UTC)
    for number in range(1, count + 1):
        taken_at += timedelta(hours=rng.randint(1, 400), seconds=rng.randint(0, 3599))
        ending, format_name = rng.choice(FORMATS)
        # Some programs write é as one code point, some as two (NFC and NFD).
        turn = turn or rng.sample(scenes, len(scenes))
        scene = turn.pop()
        name = rng.choice(NAMES).format(n=number, scene=scene)
        stem = unicodedata.normalize("NFC" if rng.random() < 0.7 else "NFD", name)
        folder = rng.choice(FOLDERS)
        side = rng.randint(longest // 2, longest)
        size = rng.choice([(side, side * 2 // 3), (side, side * 3 // 4), (side * 3 // 4, side)])
        shot = Shot(
            f"{folder}/{stem}.{ending}",
            format_name,
            scene,
            rng.getrandbits(32),
            size,
            rng.choice([1, 1, 1, 3, 6, 6, 8]),
            taken_at,
        )
        if shots and number % COPY_ONE_IN == 0:
            first = rng.choice([earlier for earlier in shots if earlier.copy_of is None])
            path = f"{folder}/copy {number} of {Path(first.path).name}"
            shot = replace(first, path=path, copy_of=first.path)
        shots.append(shot)
    return shots


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
    """Degrees, minutes and seconds, as in EXIF."""
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
        picture = grain(rng, SCENES[shot.scene](rng, shot.size), rng.uniform(0.08, 0.25))
        exif = exif_of(shot, rng)
        if shot.format == "GIF":  # 256 colours and no EXIF
            picture.quantize(128).save(path, "GIF")
        else:
            turn = STORED[shot.orientation]
            stored = picture if turn is None else picture.transpose(turn)
            # As bytes: of an Exif with directories in it Pillow writes none into a TIFF.
            stored.save(path, shot.format, exif=exif.tobytes(), quality=rng.randint(80, 93))
    taken = shot.taken_at.timestamp()
    os.utime(path, (taken, taken))


def main() -> None:
    """Make the pictures, and print how many."""
    parser = argparse.ArgumentParser(description="Make a directory of pictures to try bulkup on.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=60, help="files, copies included")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=1600, help="longest side at most, in pixels")
    parser.add_argument("--only", choices=list(SCENES), help="this scene; else all of them")
    given = parser.parse_args()
    scenes = [given.only] if given.only else list(SCENES)
    shots = plan(given.count, seed=given.seed, longest=given.size, scenes=scenes)
    for shot in shots:
        make(shot, given.directory)
    copies = sum(shot.copy_of is not None for shot in shots)
    pictures = f"{len(shots)} picture{'' if len(shots) == 1 else 's'} in {given.directory}"
    sys.stdout.write(f"{pictures}, {copies} of them exact copies\n" if copies else f"{pictures}\n")


if __name__ == "__main__":
    main()
