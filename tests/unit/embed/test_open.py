from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest

from bulkup.embed.open import EMBEDDERS, open_embedder
from bulkup.errors import ExitCode, UsageError
from bulkup.settings.stage_options import EmbedOptions
from tests.fakes.clock import FakeClock


def opened(name, **options):
    options = EmbedOptions(model=name, models_directory="/nowhere", **options)
    return open_embedder(options, clock=FakeClock(), random=Random())


@pytest.mark.parametrize("name", EMBEDDERS)
async def test_every_name_opens_the_embedder_that_calls_itself_so(name):
    """And nothing is loaded or asked for: neither models nor the service are there."""
    embedder = opened(name, url="http://127.0.0.1:1/v1", remote_model="m")
    assert embedder.name == name
    assert embedder.version
    assert embedder.most_pictures >= 1
    await embedder.close()


def test_the_password_of_a_url_in_the_place_of_a_name_is_not_repeated():
    with pytest.raises(UsageError, match="the nearest is") as caught:
        opened("https://user:pa55word@host/v1?token=pa55word")
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("CLIP", "clip"), ("efficientnet", "efficientnet-lite0"), ("https", "http"), ("", "")],
)
def test_an_unknown_name_gets_the_nearest_known_one(name, nearest):
    with pytest.raises(UsageError, match=f'no embedder "{name}"; the nearest is "{nearest}') as e:
        opened(name)
    assert e.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("options", "lacking"), [({}, "url"), ({"url": "http://h/v1"}, "remote_model")]
)
def test_http_needs_a_url_and_a_model(options, lacking):
    with pytest.raises(UsageError, match=f"embed.{lacking}") as error:
        opened("http", **options)
    assert f"{lacking} = " in str(error.value.hint)


async def test_replicate_takes_one_picture_a_call():
    """A call that fails costs no finished prediction."""
    embedder = opened("http", url="http://h/v1", remote_model="m", api="replicate")
    assert embedder.most_pictures == 1
    assert embedder.version == "replicate m"
    await embedder.close()


def test_what_was_not_chosen_is_not_imported():
    """Neither httpx nor ONNX Runtime is paid for before it is needed."""
    code = (
        "import sys; from bulkup.embed.open import open_embedder;"
        "from bulkup.clock import SystemClock; from random import Random;"
        "from bulkup.settings.stage_options import EmbedOptions;"
        "options = EmbedOptions(model='http', url='http://h/v1', remote_model='m');"
        "open_embedder(options, clock=SystemClock(), random=Random());"
        "assert not {'httpx', 'onnxruntime', 'fastembed', 'PIL', 'tenacity'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
