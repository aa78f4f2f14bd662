"""Real pictures for the tests of the stages after the upload, made by a script."""

from __future__ import annotations

import io
import sqlite3
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from bulkup.content.picture.spec import Format
from tests.unit.content.picture.made import saved, scene

PLACE = {1: "N", 2: (47.0, 30.0, 0.0), 3: "E", 4: (8.0, 15.0, 0.0)}
"""EXIF's GPS directory of a place in Switzerland: 47.5, 8.25."""


def photo(seed: int, width: int = 320, height: int = 240, **options: Any) -> bytes:
    """A JPEG like no other: the scene with a spot of random colour and place."""
    random, image = Random(seed), scene(width, height)
    spot = Image.new("RGB", (width // 8, height // 8), tuple(random.randbytes(3)))
    image.paste(spot, (random.randrange(width), random.randrange(height)))
    image.putpixel((0, 0), (seed & 255, seed >> 8 & 255, 0))
    return saved(image, **options)


def with_place(body: bytes, **more: Any) -> bytes:
    """The JPEG again, with GPS and a name in its EXIF, and once more in its XMP."""
    image = Image.open(io.BytesIO(body))
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8825).update(PLACE)
    packet = sidecar(place="47,30N 8,15E") if not more else b""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, exif=exif, xmp=packet, **more)
    return out.getvalue()


def sidecar(*, taken: str | None = None, place: str | None = None, rating: int = 3) -> bytes:
    """An XMP packet. `place` is 'latitude longitude' in XMP's own notation."""
    said = [f'xmp:Rating="{rating}"']
    if taken:
        said.append(f'exif:DateTimeOriginal="{taken}"')
    if place:
        latitude, longitude = place.split(" ")
        said += [f'exif:GPSLatitude="{latitude}"', f'exif:GPSLongitude="{longitude}"']
    return f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 {" ".join(said)}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def photos(root: Path, count: int, *, first: int = 0, **options: Any) -> Path:
    """A folder of `count` different pictures."""
    root.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        (root / f"{seed:03}.jpg").write_bytes(photo(seed, **options))
    return root


def variant_keys(*bodies: bytes) -> set[str]:
    """The keys of the variants of opaque pictures with the settings' defaults."""
    found = set()
    for body in bodies:
        digest = sha256(body).hexdigest()
        for name, form in (("thumb", Format.WEBP), ("preview", Format.JPEG)):
            found.add(f".bulkup/{name}/{digest[:2]}/{digest}.{form.extension}")
    return found


def asked(manifest: Path, query: str, *values: object) -> list[Any]:
    """What a query finds; a list of values where it asks for one column."""
    db = sqlite3.connect(manifest)
    try:
        rows = db.execute(query, values).fetchall()
    finally:
        db.close()
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


def wrong_variants(manifest: Path, objects: dict[str, bytes], prefix: str = "") -> list[str]:
    """Keys of variants of which the manifest says something else than the destination holds."""
    said = asked(
        manifest,
        "SELECT key, size_bytes, lower(hex(variant_digest)) FROM object "
        "WHERE variant_digest IS NOT NULL",
    )
    held = {key: body for key, body in objects.items() if key.startswith(".bulkup/")}
    true = {(prefix + key, len(body), sha256(body).hexdigest()) for key, body in held.items()}
    return sorted(key for key, *_ in true ^ set(said))
