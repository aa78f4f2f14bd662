"""Compares what bulkup reads out of pictures with what exiftool reads.

    python -m benchmarks.compare_exiftool FOLDER [--all]

Date, zone, camera, place, orientation and size of every picture below FOLDER that bulkup can
process. A difference is no proof of a fault: exiftool shows what every block says, bulkup one
answer. Ends with 1 when there are differences, and does nothing where exiftool is absent.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.content.picture.types import Metadata, Picture
from bulkup.errors import BulkupError

TAGS = (
    "DateTimeOriginal", "CreateDate", "ModifyDate", "DateCreated", "DateTimeCreated",
    "DigitalCreationDateTime", "DateTimeDigitized", "CreationDate", "CreationTime",
    "SubSecDateTimeOriginal", "SubSecCreateDate", "SubSecModifyDate",
    "Make", "Model", "Orientation", "Rotation", "ImageWidth", "ImageHeight",
    "GPSLatitude", "GPSLongitude", "GPSCoordinates", "FileType", "ExifImageWidth",
    "ContentCreateDate", "GPSDateTime",
)  # fmt: skip
"""In the order of their rank, for dates: taken, stored, changed."""

DATES = (
    ("SubSecDateTimeOriginal", "DateTimeOriginal", "DateTimeCreated", "DateCreated",
     "CreationDate", "CreationTime", "ContentCreateDate"),
    ("SubSecCreateDate", "CreateDate", "DateTimeDigitized", "DigitalCreationDateTime"),
    ("SubSecModifyDate", "ModifyDate"),
    ("GPSDateTime",),
)  # fmt: skip
GROUPS = ("IFD", "SubIFD", "ExifIFD", "IPTC", "XMP", "PNG", "QuickTime", "Keys", "UserData",
          "ItemList", "Track", "File", "Composite", "GIF", "RIFF", "Photoshop", "Jpeg2000",
          "Meta", "Matroska")  # fmt: skip
SPEC = (VariantSpec("thumb", 64, Format.JPEG, 50),)
DEGREES = 1e-4
MOST_BYTES = 200 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="print agreements, too")
    options = parser.parse_args()
    if shutil.which("exiftool") is None:
        print("exiftool is not installed (Debian: libimage-exiftool-perl): nothing is compared")
        return 0
    counts: Counter[str] = Counter()
    for path, said in sorted(exiftool(options.folder).items()):
        metadata = processed(path)
        if metadata is None:
            counts["not processed"] += 1
            continue
        for name, ours, theirs, is_same in compared(metadata, said):
            counts[f"{name} {'same' if is_same else 'different'}"] += 1
            if options.all or not is_same:
                print(f"{path}: {name}: bulkup {ours}, exiftool {theirs}")
    for name, count in sorted(counts.items()):
        print(f"{count:7} {name}")
    return 1 if any(name.endswith("different") for name in counts) else 0


def exiftool(folder: Path) -> dict[Path, dict[str, Any]]:
    """What exiftool says of every file below `folder`, by path; numbers instead of words."""
    command = [
        "exiftool",
        "-json",
        "-n",
        "-r",
        "-G1",
        "-a",
        *(f"-{tag}" for tag in TAGS),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout.decode("utf-8", "replace") or "[]")
    return {Path(one["SourceFile"]): one for one in found}


def processed(path: Path) -> Metadata | None:
    """bulkup's metadata; None for what it does not process."""
    if path.stat().st_size > MOST_BYTES:
        return None
    try:
        made = make_variants(path, SPEC, name=path.name)
    except (BulkupError, MemoryError, OSError):
        return None
    return made.metadata if isinstance(made, Picture) else None


def compared(
    metadata: Metadata, said: dict[str, Any]
) -> Iterator[tuple[str, object, object, bool]]:
    """Name, bulkup's value, exiftool's values, and whether they agree, for all that one has."""
    facts = metadata.facts
    dates = [text for names in DATES for text in values(said, names)]
    if facts.taken_at is not None or any(map(is_date, dates)):
        ours = str(facts.taken_at or "")
        ranked = [text for names in DATES if (text := first_rank(said, names))]
        theirs = ranked[0] if ranked else []
        yield "date", ours, theirs, any(same_date(ours, text) for text in theirs)
    model = values(said, ("Model",)) or values(said, ("Make",))
    if facts.camera or model:
        known = [str(one).strip().lower() for one in model]
        yield (
            "camera",
            facts.camera,
            model,
            any(one[:40] in (facts.camera or "").lower() for one in known if one),
        )
    theirs_at = place_of(said)
    if facts.place or theirs_at:
        ours_at = facts.place and (facts.place.latitude_degrees, facts.place.longitude_degrees)
        yield (
            "place",
            ours_at,
            theirs_at,
            bool(
                ours_at
                and theirs_at
                and all(abs(a - b) < DEGREES for a, b in zip(ours_at, theirs_at, strict=True))
            ),
        )
    orientations = values(said, ("Orientation",))
    if orientations:
        yield (
            "orientation",
            metadata.orientation,
            orientations,
            (
                metadata.orientation in orientations
                or (metadata.orientation == 1 and orientations[0] not in range(1, 9))
            ),
        )
    sizes = [
        tuple(sorted((int(w), int(h))))
        for w, h in zip(values(said, ("ImageWidth",)), values(said, ("ImageHeight",)), strict=False)
        if str(w).isdigit() and str(h).isdigit()
    ]
    if sizes:
        size = tuple(sorted((metadata.width_px, metadata.height_px)))
        yield "size", size, sizes, size in sizes


def is_read(key: str, name: str) -> bool:
    """Whether the tag is in a block that bulkup reads: not in makers' notes, for instance."""
    group = key.rpartition(":")[0]
    if group == "PNG" and name == "ModifyDate":  # the file's date
        return False
    return group.startswith(GROUPS)


def values(said: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    """The values of tags in all groups, in the order of `names`."""
    return [
        value
        for name in names
        for key, value in said.items()
        if key.rpartition(":")[2] == name and value not in ("", None) and is_read(key, name)
    ]


def first_rank(said: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    return [str(value) for value in values(said, names) if is_date(value)]


def is_date(value: object) -> bool:
    return re.match(r"(?!0000)\d{4}", str(value)) is not None


def same_date(ours: str, theirs: str) -> bool:
    """As far as both go: exiftool gives one block's answer, bulkup completes it by others."""
    one, other = (re.sub(r"\D", "", text[:19]) for text in (ours, theirs))
    if other[12:14] > "59":  # exiftool prints any numbers
        other = other[:12]
    length = min(len(one), len(other))
    zone = re.search(r"(?:[+-]\d\d:\d\d|Z)$", theirs)
    is_same_zone = zone is None or zone[0].replace("Z", "+00:00") == ours[-6:]
    return length >= 4 and one[:length] == other[:length] and (is_same_zone or len(other) <= 8)


def place_of(said: dict[str, Any]) -> tuple[float, float] | None:
    signed: dict[str, float] = {}
    for name in ("GPSLatitude", "GPSLongitude"):
        found = [v for k, v in said.items() if k in (f"Composite:{name}", f"XMP-exif:{name}")]
        numbers = [v for v in found if isinstance(v, (int, float))]
        if numbers:
            signed[name] = numbers[0]
    if len(signed) == 2 and any(signed.values()):
        return signed["GPSLatitude"], signed["GPSLongitude"]
    return None


if __name__ == "__main__":
    sys.exit(main())
