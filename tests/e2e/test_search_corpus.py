"""Real photos pushed through all three stages, without a network, and found again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import VARIANTS
from bulkup.content.picture.types import Picture
from bulkup.embed.efficientnet import EfficientNet
from bulkup.embed.embedder import Embedded
from bulkup.manifest.reader import Reader
from tests.conftest import foreign
from tests.e2e.conftest import Bulkup
from tests.e2e.searched import EDITS, as_jpeg, cropped, searching, turned, upright

pytestmark = pytest.mark.corpus

PREVIEW = [spec for spec in VARIANTS if spec.name == "preview"]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> tuple[Bulkup, dict[str, str]]:
    """The corpus' photos, pushed by a command whose every request to the network would fail."""
    bulkup = Bulkup(tmp_path_factory.mktemp("corpus"))
    nowhere = "http://127.0.0.1:9"
    with pytest.MonkeyPatch.context() as patch:
        for name in list(bulkup.environment()):
            if foreign(name):
                patch.delenv(name, raising=False)
        env = {"http_proxy": nowhere, "https_proxy": nowhere, "HOME": str(bulkup.directory)}
        bulkup("push", corpus / "photos", "--hidden", "--to", "store", env=env)
    return bulkup, env


def manifest_of(bulkup: Bulkup) -> Path:
    return bulkup.home / "manifest.db"


def labels_of(corpus: Path) -> dict[str, set[str]]:
    """The labels of each photo, by its absolute path."""
    found = json.loads((corpus / "labels.json").read_text("utf-8"))
    return {str(corpus / path): set(labels) for path, labels in found.items()}


def test_label_words_find_their_photos(pushed: tuple[Bulkup, Any], corpus: Path) -> None:
    labels = labels_of(corpus)
    first = []
    with searching(manifest_of(pushed[0])) as asked:
        for word in sorted(set().union(*labels.values())):
            hits = asked.text(word, 1000).hits
            paths = [
                {f"{root}/{path}" for root, path in hit.picture.files} & labels.keys()
                for hit in hits
            ]
            labelled = [some for some in paths if some]
            place = next(
                (
                    number
                    for number, some in enumerate(labelled, 1)
                    if any(word in labels[path] for path in some)
                ),
                None,
            )
            assert place is not None, word
            first.append(place)
    places = np.array(first)
    measured = ((places <= 1).mean(), (places <= 3).mean(), (1 / places).mean())
    assert measured >= (0.52, 0.0, 0.0), measured
    assert measured[1] >= 0.70, measured
    assert measured[2] >= 0.62, measured


def test_edits_find_their_originals_by_the_manifests_vectors(
    pushed: tuple[Bulkup, Any], corpus: Path
) -> None:
    """At least 45 photos, six edits of each; the vectors in the manifest are float16."""
    with Reader(str(manifest_of(pushed[0]))) as reader:
        row = reader.embeddings.newest()
        assert row is not None
        pictures = {one.content_id: one for one in reader.searchable.embedded(row.id)}
        kept = list(reader.embeddings.rows(row.id, 0))
    vectors = np.stack([np.frombuffer(blob, "<f2").astype(np.float32) for *_, blob in kept])
    assert len(kept) >= 45
    right = asyncio.run(_right(vectors, [pictures[content].path for _, content, _ in kept]))
    assert np.mean(right) >= 0.98, f"{np.mean(right):.3f} of {len(right)}"


async def _right(vectors: np.ndarray, paths: list[str]) -> list[bool]:
    """For each edit of each photo whether the nearest vector is the photo's own."""
    embedder, right = EfficientNet(), []
    for number, path in enumerate(paths):
        image = upright(Path(path))
        previews = []
        for edit in EDITS.values():
            made = make_variants(edit(image), PREVIEW, name="edit.jpg")
            assert isinstance(made, Picture)
            previews.append(made.variants[0].body)
        for found in await embedder.embed(previews):
            assert isinstance(found, Embedded)
            right.append(int(np.argmax(vectors @ found.vector)) == number)
    await embedder.close()
    return right


def test_forty_cropped_rotated_and_saved_again_give_the_original_first(
    pushed: tuple[Bulkup, Any], corpus: Path, tmp_path: Path
) -> None:
    with Reader(str(manifest_of(pushed[0]))) as reader:
        pictures = list(reader.searchable.processed())[:40]
    right = []
    with searching(manifest_of(pushed[0])) as asked:
        for number, picture in enumerate(pictures):
            example = tmp_path / f"{number}.jpg"
            example.write_bytes(as_jpeg(turned(cropped(upright(Path(picture.path)))), 80))
            (hit,) = asked.like(str(example), 1).hits
            right.append(hit.picture.digest == picture.digest)
    assert len(right) == 40
    assert np.mean(right) >= 0.95, right


def test_the_hdr_pair_is_a_near_duplicate(pushed: tuple[Bulkup, dict[str, str]]) -> None:
    bulkup, env = pushed
    hits = bulkup("search", "--duplicates", "--json", env=env).json()
    names = {hit["path"].rpartition("/")[2] for hit in hits if hit["group"] == 1}
    assert names == {"canon_hdr_NO.jpg", "canon_hdr_YES.jpg"}
    assert {hit["group"] for hit in hits} == {1}


def test_a_camera_a_folder_and_a_year_are_words_too(
    pushed: tuple[Bulkup, dict[str, str]],
) -> None:
    bulkup, env = pushed
    hits = bulkup("search", "reconyx", "--json", "--limit", "2", env=env).json()
    assert all("Reconyx" in hit["path"] for hit in hits)
    hits = bulkup("search", "2015", "--json", "--limit", "2", env=env).json()
    assert all(hit["taken_at"].startswith("2015") for hit in hits)
    hits = bulkup("search", "londres", "--json", "--limit", "1", env=env).json()
    assert "Londres" in hits[0]["path"]


def test_a_place_is_asked_by_degrees(pushed: tuple[Bulkup, dict[str, str]]) -> None:
    bulkup, env = pushed
    with Reader(str(manifest_of(bulkup))) as reader:
        placed = [one for one in reader.searchable.processed() if one.latitude is not None]
    assert placed
    one = placed[0]
    near = f"--near={one.latitude},{one.longitude},1"
    hits = bulkup("search", "photo", near, "--json", env=env).json()
    assert one.digest in {hit["digest"] for hit in hits}
    far = bulkup("search", "photo", "--near=-89,0,1", "--json", env=env)
    assert far.json() == []


def test_the_sheet_has_every_hits_thumbnail(
    pushed: tuple[Bulkup, dict[str, str]], tmp_path: Path
) -> None:
    bulkup, env = pushed
    sheet = tmp_path / "hits.html"
    ended = bulkup("search", "sea", "--limit", "12", "--html", sheet, env=env)
    text = sheet.read_text()
    assert text.count("data:image/webp;base64,") == 12
    assert sheet.stat().st_mode & 0o777 == 0o600
    assert ended.stderr == f"Wrote 12 pictures to {sheet}\n"
