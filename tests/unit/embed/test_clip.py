"""The embedder `clip`: without its package, without its models, and with stand-ins for them."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from bulkup.content.picture.images import square_image
from bulkup.embed.clip import SIDE_PX, TEXT, VISION, ClipEmbedder
from bulkup.embed.embedder import Embedded
from bulkup.errors import EmbedderUnusable, PictureInvalid
from tests.servers.process import free_port


def picture(width: int = 300, height: int = 200, kind: str = "JPEG", turn: int = 0) -> bytes:
    image = Image.radial_gradient("L").convert("RGB").resize((width, height))
    image.paste((200, 30, 30), (0, 0, width // 3, height))
    body = io.BytesIO()
    image.rotate(turn).save(body, kind)
    return body.getvalue()


async def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fastembed", None)
    embedder = ClipEmbedder(str(tmp_path))
    with pytest.raises(EmbedderUnusable, match="fastembed") as error:
        await embedder.embed([picture()])
    assert error.value.hint is not None
    assert "install 'fastembed<1" in error.value.hint
    await embedder.close()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_an_encoder_sees_the_centre_square_of_a_variant(kind):
    """As CLIP was trained: the short side 224 px, the centre of the long one."""
    image = Image.new("RGB", (600, 300), (250, 0, 0))
    image.paste((0, 0, 250), (150, 0, 450, 300))
    body = io.BytesIO()
    image.save(body, kind)
    seen = square_image(body.getvalue(), SIDE_PX)
    assert (seen.mode, seen.size) == ("RGB", (224, 224))
    red, green, blue = np.asarray(seen.crop((4, 4, 220, 220))).reshape(-1, 3).T
    assert blue.min() > 230
    assert max(red.max(), green.max()) < 30


def test_what_is_no_variant_is_an_invalid_picture():
    with pytest.raises(PictureInvalid):
        square_image(b"no picture", SIDE_PX)


# With fastembed ----------------------------------------------------------------------------------

OFFLINE = """
import asyncio, sys
from bulkup.embed.clip import ClipEmbedder
from bulkup.errors import EmbedderUnusable

async def main():
    embedder = ClipEmbedder(sys.argv[1])
    try:
        await embedder.embed([b""])
    except EmbedderUnusable as error:
        print(error, error.hint)
    await embedder.close()

asyncio.run(main())
"""


def run_offline(directory, endpoint, timeout_seconds):
    """What a process of its own prints that looks for the hub at `endpoint`."""
    pytest.importorskip("fastembed")
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", OFFLINE, str(directory)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=True,
    )


def test_without_a_network_it_says_at_once_what_it_needs(tmp_path):
    """Which model, where it was looked for, why it did not come, and what to do once."""
    began = time.monotonic()
    ended = run_offline(tmp_path / "models", f"http://127.0.0.1:{free_port()}", 60)
    assert time.monotonic() - began < 30
    (line,) = ended.stdout.splitlines()
    assert VISION in line
    assert str(tmp_path / "models") in line
    assert "bulkup embed --model clip --limit 1" in line
    assert "600 MB" in line
    assert ended.stderr == ""


def test_a_hub_that_never_answers_is_not_waited_for(tmp_path):
    """It takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hub:
        endpoint = f"http://127.0.0.1:{hub.getsockname()[1]}"
        ended = run_offline(tmp_path / "models", endpoint, 60)
    assert "cannot be downloaded" in ended.stdout
    assert ended.stderr == ""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("fastembed")
    from tests.fakes.clip_models import write_models

    directory = tmp_path_factory.mktemp("models")
    write_models(directory)
    return directory


@pytest.fixture
async def embedder(models):
    embedder = ClipEmbedder(str(models), threads=1)
    yield embedder
    await embedder.close()


async def test_pictures_become_unit_vectors_in_their_order(embedder):
    bodies = [picture(), picture(turn=90, kind="WEBP"), picture(100, 300, "AVIF")]
    together = await embedder.embed(bodies)
    assert all(isinstance(one, Embedded) and one.vector.shape == (512,) for one in together)
    assert [np.linalg.norm(one.vector) for one in together] == pytest.approx([1, 1, 1], abs=1e-5)
    for body, one in zip(bodies, together, strict=True):
        (alone,) = await embedder.embed([body])
        assert np.abs(alone.vector - one.vector).max() < 1e-4
    assert together[0].vector @ together[1].vector < 0.999


async def test_a_bad_picture_costs_only_itself(embedder):
    one, bad, other = await embedder.embed([picture(), b"no picture", picture()])
    assert isinstance(bad, PictureInvalid)
    assert np.array_equal(one.vector, other.vector)
    (alone,) = await embedder.embed([b"no picture"])
    assert isinstance(alone, PictureInvalid)


async def test_words_become_unit_vectors_of_the_same_dimension(embedder):
    cat, dog, cat_again = [await embedder.embed_text(t) for t in ("a cat", "a dog", "a cat")]
    assert cat.shape == (embedder.dimension,)
    assert cat.dtype == np.float32
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(cat, cat_again)
    assert cat @ dog < 0.999
    assert np.linalg.norm(await embedder.embed_text("a cat " * 500)) == pytest.approx(1, abs=1e-5)


async def test_half_a_model_is_fetched_again_or_told(models, tmp_path, monkeypatch):
    """A download that was cut off leaves a directory without its largest file."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    shutil.copytree(models, tmp_path / "models")
    (largest,) = (tmp_path / "models").glob(f"models--{TEXT.replace('/', '--')}/*/*/model.onnx")
    largest.unlink()
    embedder = ClipEmbedder(str(tmp_path / "models"))
    with pytest.raises(EmbedderUnusable, match=f"{TEXT} is not in"):
        await embedder.embed([picture()])
    await embedder.close()


async def test_a_model_that_is_damaged_is_told(models, tmp_path):
    shutil.copytree(models, tmp_path / "models")
    for model in (tmp_path / "models").rglob("model.onnx"):
        model.write_bytes(b"no model")
    embedder = ClipEmbedder(str(tmp_path / "models"))
    with pytest.raises(EmbedderUnusable, match="cannot be loaded") as error:
        await embedder.embed([picture()])
    assert str(tmp_path / "models") in str(error.value.hint)
    await embedder.close()
