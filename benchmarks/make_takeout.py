"""Makes a Google Takeout as it is delivered: parts, ZIP and tgz, with all that is odd in real ones.

    python -m benchmarks.make_takeout FOLDER [--pictures 2000] [--seed 1]

Writes four parts and `truth.json`: the JSON of each picture (or null), the pictures of each album.
The names follow public descriptions of Takeout: GooglePhotosTakeoutHelper #92, #381, #449, #460;
immich-go #405, #634, #674, #766; ente #4953, #4956; photoprism #2133.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

STAMP = "takeout-20240131T101112Z"
HOME = "Takeout/Google Photos/"
WORD = ".supplemental-metadata"
WORDS = (".supplemental-metadata", ".métadonnées-supplémentaires", ".zusätzliche-metadaten")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"


@dataclass
class Takeout:
    """The files of an export, and what is true of them."""

    random: Random
    files: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, str | None] = field(default_factory=dict)  # picture → its JSON
    albums: dict[str, list[str]] = field(default_factory=dict)
    _count: int = 0

    def picture(self, folder: str, name: str, note: str | None, body: bytes | None = None) -> bytes:
        """Add a picture whose JSON is called `note`; its bytes, new ones unless given."""
        if body is None:
            self._count += 1
            start = MP4 if name.upper().endswith((".MP4", ".MP", ".MOV")) else JPEG
            body = start + self._count.to_bytes(4, "big") + self.random.randbytes(40)
        self.files[folder + name] = body
        self.notes[folder + name] = None if note is None else folder + note
        return body

    def note(self, folder: str, file: str, title: str) -> None:
        """Add a JSON file."""
        text = {
            "title": title,
            "description": "",
            "photoTakenTime": {"timestamp": str(self.random.randrange(-(10**8), 17 * 10**8))},
            "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
        }
        self.files[folder + file] = json.dumps(text).encode()

    def whole(self, folder: str, name: str, title: str | None = None, word: str = "") -> str:
        """A picture with its JSON, cut as Google cuts; the JSON's name."""
        file = cut(name + word) + ".json"
        self.picture(folder, name, file)
        self.note(folder, file, title or name)
        return file


def cut(name: str) -> str:
    """A JSON's name before `.json`."""
    return name[:46]


def make_takeout(pictures: int = 2000, seed: int = 1) -> Takeout:
    """An export with about so many pictures, the oddities spread over them."""
    made = Takeout(Random(seed))
    oddities = (_plain, _numbered, _edited, _live, _motion, _long, _replaced, _rare)
    number = 0
    while len(made.notes) < pictures:
        year = f"{HOME}Photos from {2004 + number % 20}/"
        oddities[number % len(oddities)](made, year, number)
        number += 1
    _add_albums(made)
    for name in ("print-subscriptions.json", "shared_album_comments.json"):
        made.files[HOME + name] = b'{"comments": []}'
    made.files["Takeout/archive_browser.html"] = b"<html>"
    return made


def _plain(made: Takeout, folder: str, n: int) -> None:
    made.whole(folder, f"IMG_{n:05}.jpg")
    made.whole(folder, f"DSC{n:05}.JPG", word=made.random.choice(WORDS))
    made.whole(folder, f"Screenshot_2021-01-01-{n:06}_com.example.jpg", word=WORD)


def _numbered(made: Takeout, folder: str, n: int) -> None:
    """Several pictures of one name: the number comes after the extension, or after the word."""
    word = made.random.choice(("", WORD))
    made.whole(folder, f"image{n}.jpg", word=word)
    for at in (1, 2):
        file = cut(f"image{n}.jpg{word}") + f"({at}).json"
        made.picture(folder, f"image{n}({at}).jpg", file)
        made.note(folder, file, f"image{n}.jpg")
    own = f"called {n}(1).jpg"  # when it was uploaded
    made.whole(folder, own)


def _edited(made: Takeout, folder: str, n: int) -> None:
    word = made.random.choice(("edited", "bearbeitet", "modifié", "編集済み"))
    file = made.whole(folder, f"P{n:04}.jpg", word=made.random.choice(("", WORD)))
    made.picture(folder, f"P{n:04}-{word}.jpg", file)
    twin = f"P{n:04}.jpg(1).json"
    made.picture(folder, f"P{n:04}(1).jpg", twin)
    made.note(folder, twin, f"P{n:04}.jpg")
    made.picture(folder, f"P{n:04}-{word}(1).jpg", twin)
    made.whole(folder, f"P{n:04}-COLLAGE.jpg")  # has its own
    made.picture(folder, f"P{n:04}-ANIMATION.gif", file)
    made.picture(folder, f"P{n:04}-EFFECTS-{word}.jpg", file)
    made.picture(folder, f"P{n:04}(1)-PANO.jpg", twin)


def _live(made: Takeout, folder: str, n: int) -> None:
    file = made.whole(folder, f"IMG_E{n:04}.HEIC", word=WORD)
    made.picture(folder, f"IMG_E{n:04}.MP4", file)
    made.whole(folder, f"VID_{n:04}.MP4")


def _motion(made: Takeout, folder: str, n: int) -> None:
    name = f"PXL_20210102_{n:09}.MP"
    file = made.whole(folder, f"{name}.jpg")
    made.picture(folder, name, file)


def _long(made: Takeout, folder: str, n: int) -> None:
    """Names that are cut at 46 characters, some equal up to there."""
    made.whole(folder, f"{n:04} a name of forty-seven characters, all in.jpg"[:47])
    title = f"{n:04} {'ThisIsAPhotoWithAVeryLongName' * 2}"
    for at, ending in enumerate(("one", "two")):
        mark = f"({at})" if at else ""
        stem = title[:47]
        file = f"{title[:46]}{mark}.json"
        made.picture(folder, f"{stem}{mark}.jpg", file)
        made.note(folder, file, f"{title}{ending}.jpg")
    made.whole(folder, f"{'x' * 30}{n:05}.jpg", word=WORD)  # the word is cut


def _replaced(made: Takeout, folder: str, n: int) -> None:
    """Titles with characters that file names may not have."""
    made.whole(folder, f"Tom _ Ann_s _{n}.jpg", f"Tom & Ann's ?{n}.jpg")
    made.whole(folder, f"Zürich 🏔 {n}.jpg", word=WORD)


def _rare(made: Takeout, folder: str, n: int) -> None:
    file = f"Peanut Butter {n}{WORD}.json"  # without the extension
    made.picture(folder, f"Peanut Butter {n}.jpg", file)
    made.note(folder, file, f"Peanut Butter {n}")
    made.picture(folder, f"no json {n}.jpg", None)
    made.note(folder, f"deleted {n}.jpg.json", f"deleted {n}.jpg")  # its picture is gone
    made.note(folder, f"no json {n}.jpeg.json", f"another {n}.jpeg")  # not this one's


def _add_albums(made: Takeout) -> None:
    """Albums have copies of pictures and of their JSON, and a `metadata.json` with the title."""
    pictures = [name for name, note in made.notes.items() if note is not None]
    for number in range(20):
        folder, title = f"{HOME}Album {number}/", f"Album {number}: a & b"
        if number % 5 == 4:
            folder, title = f"{HOME}Untitled({number})/", f"No name {number}"
        word = ("metadata", "Metadaten", "métadonnées")[number % 3]
        made.files[f"{folder}{word}.json"] = json.dumps(
            {"title": title, "description": "", "access": "", "date": {"timestamp": "0"}}
        ).encode()
        made.albums[title] = []
        for path in made.random.sample(pictures, 12):
            name, note = path.rpartition("/")[2], made.notes[path]
            assert note is not None
            if folder + name in made.files:
                continue
            file = note.rpartition("/")[2]
            made.picture(folder, name, file, made.files[path])
            made.files[folder + file] = made.files[note]
            made.albums[title].append(folder + name)


def write_parts(made: Takeout, folder: Path, parts: int = 4) -> list[Path]:
    """Four parts, ZIP and tgz in turn; a picture and its JSON are often in different ones."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(made.files)
    Random(3).shuffle(names)
    paths = []
    for number in range(parts):
        mine = {name: made.files[name] for name in names[number::parts]}
        paths.append(folder / f"{STAMP}-00{number + 1}.{('zip', 'tgz')[number % 2]}")
        write_part(paths[-1], mine)
    return paths


def write_part(path: Path, files: dict[str, bytes]) -> None:
    """One archive with these members."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, body in files.items():
                archive.writestr(name, body)
        return
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(body), 1_700_000_000
            tar.addfile(info, io.BytesIO(body))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    made = make_takeout(options.pictures, options.seed)
    write_parts(made, options.folder)
    truth = {"notes": made.notes, "albums": made.albums}
    (options.folder / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
