"""Live Photos, motion photos and bursts: all files are pushed, a search shows one of each."""

from __future__ import annotations

import io
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Bulkup
from tests.e2e.test_serve import fetch, serving
from tests.unit.content.picture.facts.test_apple import BURST, LIVE, apple_note
from tests.unit.content.picture.facts.test_motion import VIDEO, packet

av = pytest.importorskip("av")


def jpeg(path: Path, seed: int, *, note: bytes = b"", xmp: bytes = b"", tail: bytes = b"") -> None:
    image = Image.effect_noise((320, 240), 40 + seed).convert("RGB")
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x9003] = "2024:05:01 12:00:00"
    if note:
        tags.get_ifd(0x8769)[0x927C] = note
    body = io.BytesIO()
    image.save(body, "JPEG", exif=tags, xmp=xmp)
    path.write_bytes(body.getvalue() + tail)


def movie(path: Path, live_id: str) -> None:
    """A QuickTime film with a content identifier, as an iPhone makes one for a Live Photo."""
    with av.open(str(path), "w", format="mov", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata["com.apple.quicktime.content.identifier"] = live_id
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(5):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), (level * 40, 90, 30)))
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def dng(path: Path, taken: str) -> None:
    """A linear raw picture."""
    tags = Image.Exif()
    tags[0xC612] = b"\1\4\0\0"  # DNGVersion
    tags[0x0132] = taken
    Image.effect_noise((320, 240), 99).convert("RGB").save(path, "TIFF", exif=tags)


def gallery(bulkup: Bulkup, count: int) -> set[str]:
    """The names of the pictures in the gallery of `serve`, as soon as they are so many."""
    token = re.search(r"bku_\S+", bulkup("token", "add", "me", "--role", "viewer").stdout)
    assert token is not None
    end, digests = time.monotonic() + 60, set[str]()
    with serving(bulkup.home) as served:
        while time.monotonic() < end:
            page = fetch(served.url, token[0]).decode()
            digests = set(re.findall(r"/picture/([0-9a-f]{64})", page))
            if len(digests) == count:
                break
            time.sleep(0.2)
    files = bulkup("files", "--json").json()
    return {Path(one["path"]).name for one in files if one["digest"] in digests}


def test_pairs_of_real_files(bulkup: Bulkup, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    jpeg(photos / "IMG_0001.JPG", 1, note=apple_note(t11=LIVE))
    movie(photos / "IMG_0099.MOV", LIVE)
    movie(photos / "IMG_0002.MOV", "00000000-1111-2222-3333-444444444444")
    jpeg(photos / "IMG_0002.JPG", 2)  # has the name of a film, which is another one's
    for n in (3, 4, 5):
        jpeg(photos / f"IMG_000{n}.JPG", n, note=apple_note(t0b=BURST))
    offset = f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(VIDEO)}"'
    jpeg(photos / "MVIMG_6.jpg", 6, xmp=packet("", offset), tail=VIDEO)
    jpeg(photos / "MVIMG_7.jpg", 7, xmp=packet("", offset))  # its video was dropped
    dng(photos / "DSC_8.DNG", "2024:05:01 12:00:00")
    jpeg(photos / "DSC_8.JPG", 8)
    dng(photos / "DSC_9.DNG", "2024:05:02 12:00:00")
    jpeg(photos / "DSC_9.JPG", 9)  # of another moment
    (photos / "IMG_0001.AAE").write_text("<?xml version='1.0'?><plist></plist>")
    bulkup("push", "photos", "--to", "store")
    assert len([path for path in (tmp_path / "store").iterdir() if path.is_file()]) == 14
    with (
        closing(sqlite3.connect(f"file:{bulkup.home / 'manifest.db'}?mode=ro", uri=True)) as db,
        db,
    ):
        pairs = db.execute("SELECT kind, path, partner FROM pairs ORDER BY path, partner")
        assert pairs.fetchall() == [
            ("raw", "DSC_8.JPG", "DSC_8.DNG"),
            ("live", "IMG_0001.JPG", "IMG_0099.MOV"),
            ("burst", "IMG_0003.JPG", "IMG_0004.JPG"),
            ("burst", "IMG_0003.JPG", "IMG_0005.JPG"),
            ("motion", "MVIMG_6.jpg", None),
        ]
    like = bulkup("search", "--like", "photos/IMG_0003.JPG", "--json").json()
    shown = {Path(hit["path"]).name for hit in like}
    assert {"IMG_0001.JPG", "IMG_0003.JPG"} <= shown
    assert not shown & {"IMG_0004.JPG", "IMG_0005.JPG", "IMG_0099.MOV"}
    others = ("search", "--like", "photos/IMG_0003.JPG", "--path", "*IMG_0004*", "--json")
    assert [Path(hit["path"]).name for hit in bulkup(*others).json()] == ["IMG_0004.JPG"]
    second = {"IMG_0004.JPG", "IMG_0005.JPG", "IMG_0099.MOV", "DSC_8.DNG"}
    pictures = {path.name for path in photos.iterdir() if path.suffix != ".AAE"}
    assert gallery(bulkup, len(pictures - second)) == pictures - second
