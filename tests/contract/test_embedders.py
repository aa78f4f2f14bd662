"""What every embedder does."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from bulkup.embed.embedder import Embedded
from bulkup.errors import ItemError
from tests.contract.embedders import EMBEDDERS
from tests.unit.content.picture.made import saved, scene

TOLERANCE = 1e-4
"""In each component: what the protocol allows."""


def pictures() -> list[bytes]:
    """Six that look different, in all formats of variants, one of them with alpha."""
    cut_out = scene(300, 200)
    cut_out.putalpha(Image.radial_gradient("L").resize(cut_out.size))
    return [
        saved(scene()),
        saved(ImageOps.mirror(scene()).rotate(30), "WEBP"),
        saved(ImageOps.invert(scene(200, 300)), "AVIF"),
        saved(cut_out, "WEBP"),
        saved(Image.radial_gradient("L")),
        saved(ImageOps.flip(scene(31, 17))),
    ]


@pytest.fixture(params=EMBEDDERS)
async def embedder(request):
    with ExitStack() as beside:
        embedder = EMBEDDERS[request.param](beside)
        yield embedder
        await embedder.close()


async def vectors(embedder, bodies):
    answers = await embedder.embed(bodies)
    assert all(isinstance(answer, Embedded) for answer in answers), answers
    return np.stack([answer.vector for answer in answers])


async def test_it_has_a_name_a_version_and_room_for_a_picture(embedder):
    assert embedder.name
    assert embedder.version
    assert embedder.most_pictures >= 1


async def test_vectors_are_of_length_1_and_of_its_dimension(embedder):
    found = await vectors(embedder, pictures())
    assert found.dtype == np.float32
    assert found.shape == (len(pictures()), embedder.dimension)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


async def test_pictures_that_look_different_get_different_vectors(embedder):
    found = await vectors(embedder, pictures())
    assert np.triu(found @ found.T, 1).max() < 0.99


async def test_no_picture_is_no_call(embedder):
    assert await embedder.embed([]) == []


async def test_a_picture_gets_the_same_vector_alone_and_in_any_company(embedder):
    """And in the order of the pictures, not of their being done."""
    bodies = pictures()
    alone = np.concatenate([await vectors(embedder, [body]) for body in bodies])
    together = await vectors(embedder, bodies)
    turned = await vectors(embedder, bodies[::-1])
    assert np.abs(together - alone).max() < TOLERANCE
    assert np.abs(turned[::-1] - alone).max() < TOLERANCE


async def test_several_calls_at_once_do_not_mix(embedder):
    bodies = pictures()
    expected = await vectors(embedder, bodies)
    calls = [vectors(embedder, bodies[start:] + bodies[:start]) for start in range(len(bodies))]
    for start, found in enumerate(await asyncio.gather(*calls)):
        assert np.abs(np.roll(found, start, axis=0) - expected).max() < TOLERANCE


@pytest.mark.parametrize("name", EMBEDDERS)
async def test_another_of_the_same_version_gives_the_same_vectors(name):
    found = []
    for _ in range(2):
        with ExitStack() as beside:
            embedder = EMBEDDERS[name](beside)
            found.append((embedder.version, await vectors(embedder, pictures()[:2])))
            await embedder.close()
    (version, one), (other_version, other) = found
    assert version == other_version
    assert np.abs(one - other).max() < TOLERANCE


@pytest.mark.parametrize("bad", [b"", b"no picture", saved(scene())[:2000]], ids=len)
async def test_a_bad_picture_is_an_error_at_its_place_only(embedder, bad):
    good = pictures()[:2]
    expected = await vectors(embedder, good)
    one, error, other = await embedder.embed([good[0], bad, good[1]])
    assert isinstance(error, ItemError)
    assert str(error)
    assert np.abs(np.stack([one.vector, other.vector]) - expected).max() < TOLERANCE


async def test_classes_are_the_most_probable_first(embedder):
    for answer in await embedder.embed(pictures()[:2]):
        if answer.classes is None:
            continue
        probabilities = answer.classes.probabilities
        assert len(answer.classes.numbers) == len(set(answer.classes.numbers)) == len(probabilities)
        assert sorted(probabilities, reverse=True) == list(probabilities)
        assert probabilities[0] <= 1
        assert probabilities[-1] >= 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_does_not_grow_with_the_number_of_calls(embedder):
    body = saved(scene(1440, 960))
    batch = [body] * embedder.most_pictures
    await embedder.embed(batch)
    before = resident_bytes()
    for _ in range(4):
        await embedder.embed(batch)
    assert resident_bytes() - before < 32 << 20


async def test_it_may_be_closed_twice_and_without_having_worked(embedder):
    await embedder.close()
    await embedder.close()


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
