"""Keywords in a hierarchy, as Lightroom and digiKam write them, are albums."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import photo
from tests.e2e.trees import make_tree

_NAMESPACES = {
    "lr:hierarchicalSubject": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam:TagsList": "http://www.digikam.org/ns/1.0/",
    "dc:subject": "http://purl.org/dc/elements/1.1/",
}


@pytest.fixture(autouse=True)
def without_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKUP_STAGES", "upload,process")


def packet(**properties: list[str]) -> bytes:
    """An XMP packet; `lr_hierarchicalSubject` stands for lr:hierarchicalSubject."""
    said = ""
    for key, values in properties.items():
        name = key.replace("_", ":", 1)
        items = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
        prefix = name.partition(":")[0]
        said += f'<{name} xmlns:{prefix}="{_NAMESPACES[name]}"><rdf:Bag>{items}</rdf:Bag></{name}>'
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        f'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="">{said}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def tagged(seed: int, **properties: list[str]) -> bytes:
    """A picture with an XMP packet in it."""
    out = io.BytesIO()
    Image.open(io.BytesIO(photo(seed))).save(out, "JPEG", xmp=packet(**properties))
    return out.getvalue()


def albums(bulkup: Bulkup) -> dict[str, set[str]]:
    """The names of the files in each album."""
    found: dict[str, set[str]] = {}
    query = "SELECT album, path FROM albums WHERE source = 'keywords'"
    for row in bulkup("query", query, "--format", "json").json():
        found.setdefault(row["album"], set()).add(os.path.basename(row["path"]))
    return found


def test_keywords_of_lightroom_and_digikam_are_albums(bulkup: Bulkup, tmp_path: Path) -> None:
    """With those above them. What programs keep for themselves, and keywords that only stock
    agencies and cameras write, are none. A content is in the albums of all its files."""
    rome = tagged(1, lr_hierarchicalSubject=["Places|Italy|Rome", "darktable|format|jpg"])
    tree = {
        "rome.jpg": rome,
        "copy/rome again.jpg": rome,
        "anna.jpg": tagged(
            2,
            digiKam_TagsList=["People/Anna", "_Digikam_Internal_Tags_/Pick Label", "Places"],
            lr_hierarchicalSubject=["People|Anna", "Places"],
            dc_subject=["Anna", "flat"],
        ),
        "flat.jpg": tagged(3, dc_subject=["beach"]),
        "raw.jpg": photo(4),
        "raw.xmp": packet(lr_hierarchicalSubject=["Places|Italy"]),
    }
    make_tree(tmp_path / "photos", tree)
    bulkup("push", "photos", "--to", "store")
    both = {"rome.jpg", "rome again.jpg"}
    assert albums(bulkup) == {
        "Places": {*both, "anna.jpg", "raw.jpg"},
        "Places/Italy": {*both, "raw.jpg"},
        "Places/Italy/Rome": both,
        "People": {"anna.jpg"},
        "People/Anna": {"anna.jpg"},
    }
    bulkup("pull", "--album", "Places/Italy/Rome", "--into", "back")
    pulled = {path.name for path in (tmp_path / "back").rglob("*") if path.is_file()}
    assert pulled == both
    hits = bulkup("search", "jpg", "--album", "Places/Italy", "--json").json()
    assert {os.path.basename(hit["path"]) for hit in hits} & {"anna.jpg", "flat.jpg"} == set()


def test_albums_follow_the_keywords(bulkup: Bulkup, tmp_path: Path) -> None:
    """A sidecar that is new, changed or gone; a file that is another picture; a later duplicate."""
    own = tagged(1, digiKam_TagsList=["Own"])
    photos = make_tree(tmp_path / "photos", {"a.jpg": own, "b.jpg": photo(2)})
    bulkup("push", "photos", "--to", "store")
    assert albums(bulkup) == {"Own": {"a.jpg"}}
    make_tree(
        photos,
        {"a.xmp": packet(lr_hierarchicalSubject=["New|One"]), "b.jpg": photo(3), "c.jpg": own},
    )
    bulkup("push", "photos")
    assert albums(bulkup) == {"New": {"a.jpg"}, "New/One": {"a.jpg"}, "Own": {"c.jpg"}}
    (photos / "a.xmp").write_bytes(packet(lr_hierarchicalSubject=["Two"]))
    (photos / "c.jpg").write_bytes(photo(4))
    bulkup("push", "photos")
    assert albums(bulkup) == {"Two": {"a.jpg"}}
    (photos / "a.xmp").unlink()
    (photos / "b.jpg").write_bytes(own)
    bulkup("push", "photos")
    assert albums(bulkup) == {"Own": {"a.jpg", "b.jpg"}}
