"""What a worker does with one content."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from bulkup.content.picture.spec import Format, PictureLimits
from bulkup.content.picture.types import Picture, PictureFacts, Skipped
from bulkup.errors import PictureInvalid, SourceChanged, SourceInvalid, SourceMissing
from bulkup.model import Digest
from bulkup.process.task import (
    MODULES,
    PictureTask,
    SidecarTask,
    process,
    read_sidecars,
    variant_key,
)
from bulkup.process.worker_pool import Workers
from tests.unit.content.picture.made import saved, scene, xmp

DIGEST = Digest("ab" + "0" * 62)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(scene()))
    return path


def digest_of(path: Path) -> Digest:
    return Digest(hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_whose_digest_holds_is_processed(photo: Path) -> None:
    made = process(PictureTask(str(photo), photo.name, digest=digest_of(photo)))
    assert isinstance(made, Picture)
    assert [variant.name for variant in made.variants] == ["thumb", "preview"]


def test_a_file_that_changed_is_not(photo: Path) -> None:
    job = PictureTask(str(photo), photo.name, digest=digest_of(photo))
    photo.write_bytes(saved(scene(10, 10)))
    with pytest.raises(SourceChanged):
        process(job)


def test_a_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        process(PictureTask(str(tmp_path / "gone.jpg"), "gone.jpg"))


def test_members_of_archives_are_sources(tmp_path: Path, photo: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(photo, "inner/photo.jpg")
        archive.writestr("inner/read me.txt", "hello")
    job = PictureTask(str(path), "photo.jpg", member="inner/photo.jpg", digest=digest_of(photo))
    assert isinstance(process(job), Picture)
    assert isinstance(
        process(PictureTask(str(path), "read me.txt", member="inner/read me.txt")), Skipped
    )
    limits = PictureLimits(file_bytes=1000)
    with pytest.raises((SourceInvalid, PictureInvalid)):
        process(PictureTask(str(path), "photo.jpg", member="inner/photo.jpg", limits=limits))


PACKET = xmp(photoshop_SidecarForExtension="HEIC", xmp_Rating="5", xmp_CreateDate="2024-01-02")
OWN = PictureFacts(title="own", rating=1)


@pytest.mark.parametrize(("name", "rating"), [("IMG_1.JPG", None), ("IMG_1.heic", 5)])
def test_a_sidecar_of_another_extension_is_not_this_files(name: str, rating: int | None) -> None:
    (found,) = read_sidecars([SidecarTask(name, OWN, (PACKET,))])
    assert (found and found.rating) == rating


def test_the_most_specific_of_two_sidecars_comes_first_and_the_other_completes_it() -> None:
    specific = xmp("<dc:subject><rdf:Bag><rdf:li>dhow</rdf:li></rdf:Bag></dc:subject>")
    (found,) = read_sidecars([SidecarTask("a.jpg", OWN, (specific, xmp(xmp_Rating="3")))])
    assert found is not None
    assert (found.title, found.rating, found.keywords) == ("own", 3, ("dhow",))


def test_a_broken_sidecar_and_none_change_nothing() -> None:
    broken = SidecarTask("a.jpg", OWN, (b"<x:xmpmeta><rdf:RDF>",))
    assert read_sidecars([broken, SidecarTask("a.jpg", OWN, ())]) == [None, None]


def test_variants_lie_beside_the_originals() -> None:
    key = variant_key("photos/", "thumb", DIGEST, Format.WEBP)
    assert key == f"photos/.bulkup/thumb/ab/{DIGEST}.webp"
    assert variant_key("", "preview", DIGEST, Format.JPEG).endswith(f"{DIGEST}.jpg")


async def test_workers_do_it_and_send_outcomes_and_errors_back(tmp_path: Path, photo: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    liar = tmp_path / "liar.jpg"
    liar.write_bytes(b"\xff\xd8\xff\xe0 hello")
    async with Workers(1, modules=MODULES) as workers:
        made = await workers.run(process, PictureTask(str(photo), photo.name))
        assert made == process(PictureTask(str(photo), photo.name))
        assert isinstance(await workers.run(process, PictureTask(str(text), text.name)), Skipped)
        with pytest.raises(PictureInvalid):
            await workers.run(process, PictureTask(str(liar), liar.name))


def test_half_a_gigabyte_is_refused_without_being_read(photo: Path) -> None:
    """Its size decides; it takes no room on the disk here, and no time."""
    with photo.open("ab") as file:
        file.truncate((500 << 20) + 1)
    job = PictureTask(str(photo), photo.name, digest=DIGEST, size_bytes=(500 << 20) + 1)
    with pytest.raises(PictureInvalid, match="524288001 bytes; 524288000 are allowed"):
        process(job)


def test_a_file_of_another_size_has_changed_whatever_its_size(photo: Path) -> None:
    with photo.open("ab") as file:
        file.truncate((500 << 20) + 1)
    with pytest.raises(SourceChanged):
        process(PictureTask(str(photo), photo.name, digest=DIGEST, size_bytes=(500 << 20) + 2))
