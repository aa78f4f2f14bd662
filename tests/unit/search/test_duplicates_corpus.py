"""Near-duplicates among real photos and edits of them, by real hashes and vectors."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from bulkup.content.picture.dhash import perceptual_hash
from bulkup.embed.efficientnet import EfficientNet
from bulkup.embed.embedder import Embedded
from bulkup.search.duplicates import DuplicateCandidate, DuplicateGroup, find_groups
from bulkup.search.matrix import Matrix
from bulkup.search.matrix_file import MatrixPart

pytestmark = pytest.mark.corpus


def saved(image: Image.Image, quality: int = 90) -> bytes:
    body = io.BytesIO()
    image.save(body, "JPEG", quality=quality)
    return body.getvalue()


def cropped(image: Image.Image) -> Image.Image:
    """Without a tenth of its width and height."""
    aside, above = image.width // 20, image.height // 20
    return image.crop((aside, above, image.width - aside, image.height - above))


EDITS: dict[str, Callable[[Image.Image], bytes]] = {
    "small": lambda image: saved(image.resize((image.width // 3, image.height // 3))),
    "quality 20": lambda image: saved(image, 20),
    "cropped": lambda image: saved(cropped(image)),
    "darker": lambda image: saved(ImageEnhance.Brightness(image).enhance(0.75)),
    "grey": lambda image: saved(image.convert("L")),
    "turned": lambda image: saved(cropped(image.rotate(3, Image.Resampling.BICUBIC))),
}


async def groups_of(pictures: list[bytes]) -> list[DuplicateGroup]:
    embedder = EfficientNet()
    vectors, candidates = [], []
    for number, body in enumerate(pictures):
        (found,) = await embedder.embed([body])
        assert isinstance(found, Embedded), found
        vectors.append(found.vector)
        with Image.open(io.BytesIO(body)) as image:
            bits, pixels = perceptual_hash(image), image.width * image.height
        candidates.append(DuplicateCandidate(number, bits, pixels, len(body), number))
    await embedder.close()
    ids = np.stack([np.arange(len(pictures))] * 2, axis=1)
    matrix = Matrix([MatrixPart(ids, np.stack(vectors))], len(vectors[0]))
    return find_groups(candidates, matrix)


@pytest.fixture(scope="module")
def photos(corpus: Path) -> dict[str, Image.Image]:
    """Distinct photos as their previews would be, by name."""
    found, seen = {}, set()
    for path in sorted((corpus / "photos").rglob("*.[jJ][pP]*")):
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest in seen:
            continue
        seen.add(digest)
        with Image.open(path) as opened:
            opened.draft("RGB", (1440, 1440))
            image = ImageOps.exif_transpose(opened).convert("RGB")
        image.thumbnail((1024, 1024))
        found[path.name] = image
    return found


async def test_of_all_photos_only_the_two_exposures_of_one_scene_are_near(
    photos: dict[str, Image.Image],
) -> None:
    groups = await groups_of([saved(image) for image in photos.values()])
    names = list(photos)
    found = [{names[member.candidate.content_id] for member in group.members} for group in groups]
    assert found == [{"canon_hdr_NO.jpg", "canon_hdr_YES.jpg"}]


async def test_edits_are_found_with_their_photo_and_with_no_other(
    photos: dict[str, Image.Image],
) -> None:
    chosen = [image for name, image in photos.items() if "hdr" not in name][::4]
    each = 1 + len(EDITS)
    pictures = [make(image) for image in chosen for make in (saved, *EDITS.values())]
    groups = await groups_of(pictures)
    members = [[one.candidate.content_id for one in group.members] for group in groups]
    assert all(len({number // each for number in group}) == 1 for group in members)
    originals = {number - number % each for group in members for number in group}
    assert len(originals) == len(chosen)
    largest = {}
    for group in members:
        photo = group[0] // each
        largest[photo] = max(largest.get(photo, 0), len(group))
    # 95 % of a photo and its edits are in one group: an edit may be near another edit alone.
    assert sum(largest.values()) >= 0.95 * len(pictures)
