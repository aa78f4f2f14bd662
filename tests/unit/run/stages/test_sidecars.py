"""XMP sidecars: each belongs to a file, and is read again when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.model import Stage
from bulkup.settings.stage_options import ProcessOptions
from tests.e2e.pictures import asked, photo, sidecar
from tests.e2e.trees import objects_in
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing

PICTURE_ATTEMPTS = (
    "SELECT count(*) FROM attempt JOIN item ON item.id = item_id "
    "JOIN picture USING (content_id) WHERE stage = 'process'"
)
SMALL = VariantSpec("thumb", 64, Format.WEBP, 80)


@pytest.fixture
def pushing(tmp_path: Path, clock: FakeClock, store: ScriptedStore) -> Pushing:
    made = Pushing(
        tmp_path,
        str(tmp_path / "to"),
        clock=clock,
        store=store,
        options={
            "stages": (Stage.UPLOAD, Stage.PROCESS),
            "process": ProcessOptions(workers=1, seconds=20.0, variants=(SMALL,)),
            "patience_seconds": 0.0,
        },
    )
    made.root.mkdir()
    return made


def ratings(pushing: Pushing) -> dict[str, int | None]:
    """By path, of pictures."""
    return dict(asked(Path(pushing.manifest), "SELECT path, rating FROM pictures"))


async def test_a_new_a_changed_and_a_removed_sidecar_are_noticed(pushing: Pushing) -> None:
    pushing.write(
        {
            "changed.jpg": photo(1), "changed.xmp": sidecar(rating=1),
            "new.jpg": photo(2),
            "removed.jpg": photo(3), "removed.jpg.xmp": sidecar(rating=1),
            "same.jpg": photo(4), "same.xmp": sidecar(rating=2),
        }
    )  # fmt: skip
    await pushing.push()
    first = {"changed.jpg": 1, "new.jpg": None, "removed.jpg": 1, "same.jpg": 2}
    assert ratings(pushing) == first
    thumbs = {
        k: v for k, v in objects_in(Path(pushing.to)).items() if k.startswith(".bulkup/thumb")
    }
    attempts = asked(Path(pushing.manifest), PICTURE_ATTEMPTS)
    pushing.write({"changed.xmp": sidecar(rating=5), "new.xmp": sidecar(rating=4)})
    (pushing.root / "removed.jpg.xmp").unlink()
    summary = await pushing.push()
    assert ratings(pushing) == {"changed.jpg": 5, "new.jpg": 4, "removed.jpg": None, "same.jpg": 2}
    later = objects_in(Path(pushing.to))
    assert {k: v for k, v in later.items() if k.startswith(".bulkup/thumb")} == thumbs
    assert summary.exit_code == 0
    assert asked(Path(pushing.manifest), PICTURE_ATTEMPTS) == attempts, "none is made again"
    await pushing.push()
    assert ratings(pushing)["changed.jpg"] == 5


async def test_equal_files_in_two_folders_have_their_own_sidecars(pushing: Pushing) -> None:
    pushing.write({"a/x.jpg": photo(1), "b/x.jpg": photo(1), "c/x.jpg": photo(1)})
    pushing.write({"a/x.xmp": sidecar(rating=1), "b/x.xmp": sidecar(rating=2)})
    await pushing.push()
    assert ratings(pushing) == {"a/x.jpg": 1, "b/x.jpg": 2, "c/x.jpg": None}
    pushing.write({"d/x.jpg": photo(1), "d/x.jpg.xmp": sidecar(rating=4)})
    await pushing.push()
    assert ratings(pushing)["d/x.jpg"] == 4


IN_CASES = [
    ("IMG_4.JPG", "img_4.xmp"), ("IMG_4.JPG", "IMG_4.Xmp"), ("img_4.jpg", "IMG_4.XMP"),
    ("a.b.jpg", "a.b.xmp"), ("a.b.jpg", "a.b.jpg.XMP"), ("Photo_1.JPG", "Photo_1.jpg.xmp"),
    ("Photo_1.jpg", "Photo_1.JPG.XMP"), ("Photo.JPG", "photo.xmp"), ("photo.jpg", "Photo.xmp"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "beside"), IN_CASES)
async def test_a_sidecar_is_found_in_any_case_of_letters(
    pushing: Pushing, name: str, beside: str
) -> None:
    pushing.write({name: photo(1)})
    await pushing.push()
    pushing.write({beside: sidecar(rating=4)})
    await pushing.push()
    assert ratings(pushing) == {name: 4}


async def test_a_sidecar_in_any_case_that_comes_with_its_picture_is_found(pushing: Pushing) -> None:
    for at, (name, beside) in enumerate(IN_CASES):
        pushing.write({f"{at}/{name}": photo(at), f"{at}/{beside}": sidecar(rating=4)})
    await pushing.push()
    assert set(ratings(pushing).values()) == {4}


async def test_a_sidecar_of_another_name_is_nobodys(pushing: Pushing) -> None:
    pushing.write({"IMG_1.JPG": photo(1), "IMG_10.xmp": sidecar(rating=4)})
    await pushing.push()
    assert ratings(pushing) == {"IMG_1.JPG": None}


async def test_a_picture_that_is_made_again_keeps_what_its_sidecar_says(pushing: Pushing) -> None:
    pushing.write({"a.jpg": photo(1), "a.xmp": sidecar(rating=4)})
    await pushing.push()
    pushing.write({"a.jpg": photo(2)})
    await pushing.push()
    assert ratings(pushing) == {"a.jpg": 4}


async def test_what_a_sidecar_said_outlives_the_files(pushing: Pushing) -> None:
    pushing.write({"a.jpg": photo(1), "a.xmp": sidecar(rating=4), "b.jpg": photo(2)})
    await pushing.push()
    (pushing.root / "a.jpg").unlink()
    (pushing.root / "a.xmp").unlink()
    await pushing.push()
    assert ratings(pushing)["a.jpg"] == 4
