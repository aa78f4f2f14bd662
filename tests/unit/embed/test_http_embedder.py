"""The embedder `http` against a service that runs as a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
import shutil
import socket
import time
from contextlib import suppress
from email.utils import formatdate
from importlib.util import find_spec
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bulkup.clock import SystemClock
from bulkup.embed import http_client
from bulkup.embed.embedder import Embedded
from bulkup.embed.http_embedder import TRIES, HttpEmbedder
from bulkup.embed.openai import embeddings_in
from bulkup.embed.replicate import prediction_in
from bulkup.embed.responses import ServiceResponse, error_of, vector_of, wait_wished
from bulkup.errors import (
    EmbedderBroken,
    EmbedderBusy,
    EmbedderRefused,
    EmbedderUnreachable,
    EmbedderUnusable,
    EmbedError,
)
from bulkup.settings.stage_options import EmbedOptions
from tests.fakes.clock import FakeClock
from tests.servers import certificate, embedding
from tests.servers.embedding import PATH, PREDICTIONS, vector_for
from tests.servers.process import free_port

KEY = "sk-very-secret-0123456789"


def picture(shade: int = 0, kind: str = "JPEG") -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, 90, 200)).save(body, kind)
    return body.getvalue()


def unit(values: list[float]) -> np.ndarray:
    return np.asarray(values) / np.linalg.norm(values)


class Sleeper(FakeClock):
    """Nobody who sleeps by it wakes up."""

    def __init__(self) -> None:
        super().__init__()
        self.fell_asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.fell_asleep.set()
        await asyncio.Event().wait()


class Highest(Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture(scope="module")
def service():
    with embedding.running() as server:
        yield server


@pytest.fixture
def server(service):
    service.reset()
    return service


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def make(server, clock):
    """Makes embedders over the service, and closes them."""
    made = []

    def make(*, clock=clock, tries=TRIES, **options):
        service = EmbedOptions(**{"url": server.url, "remote_model": "m", **options})
        made.append(HttpEmbedder(service, clock=clock, random=Highest(), tries=tries))
        return made[-1]

    yield make
    for embedder in made:
        await embedder.close()


async def vectors(embedder, bodies):
    outcomes = await embedder.embed(bodies)
    assert all(isinstance(outcome, Embedded) for outcome in outcomes), outcomes
    return np.stack([outcome.vector for outcome in outcomes])


# What goes over the wire ------------------------------------------------------------------------


@pytest.mark.parametrize("pictures_as", ["url", "image", "message"])
async def test_each_shape_of_pictures_and_words_is_understood(make, pictures_as):
    """Vectors are those of the pictures, in their order, though the service answers in another."""
    bodies = [picture(shade, kind) for shade, kind in [(1, "JPEG"), (2, "WEBP"), (3, "AVIF")]]
    embedder = make(pictures_as=pictures_as)
    found = await vectors(embedder, bodies)
    assert found == pytest.approx(np.stack([unit(vector_for(body)) for body in bodies]), abs=1e-6)
    assert await embedder.embed_text("a cat") == pytest.approx(unit(vector_for(b"a cat")), abs=1e-6)
    assert embedder.dimension == embedding.DIMENSION


async def test_several_pictures_are_one_request(make, server):
    await make().embed([picture(n) for n in range(8)])
    assert [(r["inputs"], r["modality"]) for r in server.requests(PATH)] == [(8, "image")]


@pytest.mark.parametrize("end", ["", "/", "/embeddings", "/embeddings/", "/embeddings?v=1"])
async def test_the_base_or_the_endpoint_may_be_given(make, server, end):
    await make(url=server.url + end).embed([picture()])
    assert [r["path"] for r in server.requests()] == [PATH]


async def test_a_prediction_is_created_and_asked_for_until_it_has_ended(make, server, clock):
    server.fault({"polls": 3})
    embedder = make(api="replicate")
    assert await vectors(embedder, [picture()]) == pytest.approx(
        unit(vector_for(picture()))[None], abs=1e-6
    )
    assert [r["method"] for r in server.requests()] == ["POST", "GET", "GET", "GET"]
    assert clock.slept == [0.5, 1.0, 2.0]
    asked = server.requests()[0]["headers"]
    assert (asked["prefer"], asked["cancel-after"]) == ("wait=30", "60s")
    assert await embedder.embed_text("a cat") == pytest.approx(unit(vector_for(b"a cat")), abs=1e-6)


async def test_the_key_goes_to_the_service_and_into_nothing_else(make, server, caplog):
    caplog.set_level(logging.DEBUG)
    with embedding.running("--key", KEY) as locked:
        embedder = make(url=locked.url.replace("http://", "http://user:pa55word@"), key=KEY)
        await embedder.embed([picture()])
        wrong = make(url=locked.url, key=f"{KEY}-wrong")
        with pytest.raises(EmbedderUnusable) as refusal:
            await wrong.embed([picture()])
    said = f"{refusal.value} {refusal.value.hint} {embedder!r} {vars(embedder)!r} {caplog.text}"
    assert "401" in str(refusal.value)
    assert KEY not in said
    assert "pa55word" not in said


async def test_a_password_in_the_url_is_sent_where_there_is_no_key(make, server):
    await make(url=server.url.replace("http://", "http://us%20er:pa55@")).embed([picture()])
    assert server.requests()[0]["headers"]["authorization"] == "Basic dXMgZXI6cGE1NQ=="


@pytest.mark.parametrize("key", ["clé", "two\nlines"])
def test_a_key_that_no_header_holds_is_told_without_being_repeated(key):
    options = EmbedOptions(url="http://h/v1", remote_model="m", key=key)
    with pytest.raises(EmbedderUnusable) as refusal:
        HttpEmbedder(options, clock=FakeClock(), random=Random())
    assert key not in str(refusal.value)


@pytest.mark.parametrize("url", ["http://h/\udcff", "ftp://host/v1", "host/v1", "http://", "http://[::1", "http://h:x"])  # fmt: skip # noqa: E501 - a list
def test_a_url_that_is_none_is_refused(url):
    options = EmbedOptions(url=url, remote_model="m")
    with pytest.raises(EmbedderUnusable, match="URL"):
        HttpEmbedder(options, clock=FakeClock(), random=Random())


# The bucket, and waits ---------------------------------------------------------------------------


def fits_bucket(times: list[float], *, per_second: float, burst: int, slack: float = 0.0) -> bool:
    """Whether in every interval there are at most burst + rate x length requests."""
    return all(
        last - first + 1 <= burst + per_second * (times[last] - times[first] + slack)
        for first in range(len(times))
        for last in range(first, len(times))
    )


async def test_five_go_at_once_and_then_five_a_minute(make, server, clock):
    """The default, with 12 calls at once: the last goes out 7 x 12 s after the first."""
    embedder = make()
    await asyncio.gather(*(embedder.embed([picture(n)]) for n in range(12)))
    assert clock.monotonic() == pytest.approx(84)
    assert len(server.requests(PATH)) == 12


async def test_retry_after_is_waited_for_and_no_longer(make, server, clock):
    """429 with Retry-After: 7: asked again after 7 s, and the bucket still had a token."""
    server.fault({"status": 429, "headers": {"Retry-After": "7"}})
    await vectors(make(), [picture()])
    assert [r["status"] for r in server.requests()] == [429, 200]
    assert clock.monotonic() == pytest.approx(7)


async def test_retry_after_holds_all_calls_back(make, server, clock):
    """And those that were held back do not go out in one burst larger than the bucket's."""
    server.fault({"status": 429, "headers": {"Retry-After": "120"}})
    embedder = make()
    await asyncio.gather(*(embedder.embed([picture(n)]) for n in range(9)))
    assert [r["status"] for r in server.requests()].count(429) == 1
    assert clock.monotonic() >= 120 + (9 - 5) * 12 - 1e-3


async def test_retry_after_may_be_a_date(make, server, clock):
    date = formatdate(clock.now() + 30, usegmt=True)
    server.fault({"status": 503, "headers": {"Retry-After": date}})
    await vectors(make(), [picture()])
    assert clock.monotonic() == pytest.approx(30, abs=1)


async def test_a_service_that_stays_busy_says_when_to_come_back(make, server, clock):
    server.fault({"status": 429, "headers": {"Retry-After": "9"}, "repeat": True})
    with pytest.raises(EmbedderBusy) as busy:
        await make(tries=3).embed([picture()])
    assert busy.value.retry_after_seconds == 9
    assert len(server.requests()) == 3
    assert clock.monotonic() == pytest.approx(18)


async def test_a_wait_of_an_hour_is_left_to_the_next_attempt(make, server, clock):
    server.fault({"status": 429, "headers": {"Retry-After": "3600"}})
    with pytest.raises(EmbedderBusy) as busy:
        await make().embed([picture()])
    assert busy.value.retry_after_seconds == 3600
    assert clock.monotonic() == 0


async def test_with_real_time_the_service_sees_no_request_too_many(server):
    """Retry-After: 2 among a burst of calls, the times those that the service measured."""
    server.fault(None, {"status": 429, "headers": {"Retry-After": "2"}})
    clock = SystemClock()
    options = EmbedOptions(url=server.url, remote_model="m", requests_per_minute=300, burst=3)
    embedder = HttpEmbedder(options, clock=clock, random=Random(0))
    started = time.monotonic()
    await embedder.embed([picture(200)])
    await asyncio.gather(*(embedder.embed([picture(n)]) for n in range(8)))
    await embedder.close()
    asked = server.requests(PATH)
    refused = next(r["at"] for r in asked if r["status"] == 429)
    later = [r["at"] for r in asked if r["at"] > refused]
    assert sorted(r["status"] for r in asked) == [200] * 9 + [429]
    # Those that were on their way already when the refusal came back are not late.
    assert all(at - refused < 0.2 or at - refused >= 1.99 for at in later)
    # What the network adds to one request and not to the next is allowed for.
    assert fits_bucket([r["at"] for r in asked], per_second=5, burst=3, slack=0.05)
    assert time.monotonic() - started < 5


async def test_polls_and_cancellations_take_no_token(make, server, clock):
    """Only what the service bills counts: 5 predictions with 3 polls each go out in one burst."""
    server.fault({"polls": 3, "repeat": True})
    embedder = make(api="replicate")
    await asyncio.gather(*(embedder.embed([picture(n)]) for n in range(5)))
    assert len(server.requests(PREDICTIONS)) == 5
    assert len(server.requests()) == 20
    assert set(clock.slept) == {0.5, 1.0, 2.0}


# Failures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500}, EmbedderBroken),
        ({"status": 503}, EmbedderBroken),
        ({"status": 429}, EmbedderBusy),
        ({"drop": True}, EmbedderUnreachable),
        ({"hang": 0.4}, EmbedderUnreachable),
        ({"status": 408}, EmbedderUnreachable),
        ({"status": 499}, EmbedderUnreachable),
    ],
)
@pytest.mark.parametrize("api", ["openai", "replicate"])
async def test_what_may_pass_is_tried_again_then_told(make, server, clock, fault, kind, api):
    """One failure goes unnoticed; when it stays, it is reported after all tries, as what it is."""
    server.fault(fault)
    embedder = make(api=api, timeout_seconds=0.2, tries=3, requests_per_minute=6000)
    await vectors(embedder, [picture()])
    server.reset()
    server.fault({**fault, "repeat": True})
    with pytest.raises(kind, match=r"127\.0\.0\.1"):
        await embedder.embed([picture()])
    assert len(server.requests()) == 3


@pytest.mark.parametrize("status", [301, 401, 402, 403, 404, 405])
async def test_what_no_picture_can_change_stops_the_run(make, server, status):
    server.fault({"status": status, "headers": {"Location": "http://127.0.0.1:1/"}, "repeat": True})
    with pytest.raises(EmbedderUnusable) as error:
        await make().embed([picture()])
    assert str(status) in str(error.value)
    assert error.value.hint
    assert len(server.requests()) == 1


async def test_nobody_there_is_unreachable(make):
    embedder = make(url=f"http://127.0.0.1:{free_port()}/v1", tries=1)
    with pytest.raises(EmbedderUnreachable, match="connection"):
        await embedder.embed([picture()])


async def test_a_service_without_tls_is_unreachable_by_https(make, server):
    embedder = make(url=server.url.replace("http:", "https:"), tries=1)
    with pytest.raises(EmbedderUnreachable, match="SSL"):
        await embedder.embed([picture()])


async def test_a_missing_ca_bundle_is_told(make, tmp_path):
    with pytest.raises(EmbedderUnusable, match=r"none\.pem"):
        await make(ca_bundle=str(tmp_path / "none.pem")).embed([picture()])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_only_the_ca_bundle_makes_a_private_authority_trusted(make, tmp_path):
    made = certificate.make(tmp_path)
    with embedding.running("--tls", str(made.chain), str(made.key)) as private:
        await vectors(make(url=private.url, ca_bundle=str(made.ca)), [picture()])
        with pytest.raises(EmbedderUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await make(url=private.url, tries=1).embed([picture()])


async def test_the_proxy_of_the_environment_is_used(make, monkeypatch):
    """Nothing listens there, so what is asked of it fails."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EmbedderUnreachable):
        await make(tries=1).embed([picture()])
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8,localhost")
    await make(tries=1).embed([picture()])


async def test_a_proxy_without_a_usable_url_is_told(make, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "gopher://somewhere")
    with pytest.raises(EmbedderUnusable, match="proxy"):
        await make(tries=1).embed([picture()])


@pytest.mark.skipif(find_spec("socksio") is not None, reason="SOCKS works here")
async def test_a_socks_proxy_that_cannot_be_used_is_named(make, monkeypatch):
    """httpx needs a package for SOCKS that bulkup does not install."""
    monkeypatch.setenv("HTTP_PROXY", f"socks5://127.0.0.1:{free_port()}")
    with pytest.raises(EmbedderUnusable, match="proxy"):
        await make(tries=1).embed([picture()])


async def test_certificates_of_the_environment_that_are_missing_are_named(
    make, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(EmbedderUnusable, match=r"none\.pem"):
        await make(tries=1).embed([picture()])


async def test_the_server_s_own_words_are_told_on_one_line(make, server):
    server.fault(
        {"status": 500, "body": {"error": {"message": "out\nof\x1b[31m GPUs " + "x" * 999}}}
    )
    with pytest.raises(EmbedderBroken) as error:
        await make(tries=1).embed([picture()])
    assert "500: out of[31m GPUs" in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("as_basic", [False, True])
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_no_secret_of_a_request_is_in_the_error(make, server, status, as_basic):
    """Some servers repeat what they were sent."""
    said = {
        "message": f"you sent Authorization: Bearer {KEY}; the key {KEY} is wrong, "
        "pa55word/é too, AWS4-HMAC-SHA256 Credential=x/y, Signature=0123abcd"
    }
    server.fault({"status": status, "body": {"error": said}, "repeat": True})
    url = server.url.replace("http://", "http://user:pa55word%2F%C3%A9@")
    embedder = make(url=url, tries=1) if as_basic else make(key=KEY, tries=1)
    with pytest.raises((EmbedError, EmbedderUnusable)) as error:
        await embedder.embed([picture()])
    shown = str(error.value)
    assert "you sent" in shown
    for secret in ("0123abcd", "pa55word/é" if as_basic else KEY):
        assert secret not in shown


async def test_a_failed_prediction_s_words_hold_no_key(make, server):
    body = {"status": "failed", "error": f"the key {KEY} has no GPU"}
    server.fault({"status": 201, "body": body})
    with pytest.raises(EmbedderBroken, match="has no GPU") as error:
        await make(api="replicate", key=KEY, tries=1).embed([picture()])
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    "body", ["<html>Log in to the hotel</html>", "[]", '{"data": 5}', "", "[" * 99_999]
)
async def test_a_page_of_something_else_is_no_picture_s_fault(make, server, body):
    server.fault({"status": 200, "body": body, "repeat": True})
    with pytest.raises(EmbedderBroken):
        await make().embed([picture()])


async def test_an_endless_answer_is_not_read_to_its_end(make, server, monkeypatch):
    monkeypatch.setattr(http_client, "MOST_RESPONSE_BYTES", 1000)
    server.fault({"status": 200, "body": "1" * 2000})
    with pytest.raises(EmbedderBroken, match="more than"):
        await make(tries=1).embed([picture()])


# Pictures that are refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "pictures_as"), [("openai", "url"), ("openai", "message"), ("replicate", "url")]
)
async def test_one_picture_that_is_refused_costs_only_itself(make, server, api, pictures_as):
    """A batch that is refused for it is asked for one by one."""
    bodies = [picture(1), b"no picture at all", picture(3)]
    embedder = make(api=api, pictures_as=pictures_as, requests_per_minute=6000)
    one, refused, other = await embedder.embed(bodies)
    assert isinstance(refused, EmbedderRefused)
    assert "cannot identify the picture" in str(refused)
    assert one.vector == pytest.approx(unit(vector_for(bodies[0])), abs=1e-6)
    assert other.vector == pytest.approx(unit(vector_for(bodies[2])), abs=1e-6)


BAD_VECTORS = {
    "of another dimension": [1.0, 2.0],
    "with NaN": [math.nan] * embedding.DIMENSION,
    "with infinity": [math.inf] + [1.0] * (embedding.DIMENSION - 1),
    "zero": [0.0] * embedding.DIMENSION,
    "of words": ["0.5"] * embedding.DIMENSION,
    "empty": [],
    "null": None,
    "of immense integers": [10**400] * embedding.DIMENSION,
}


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=BAD_VECTORS)
@pytest.mark.parametrize("api", ["openai", "replicate"])
async def test_an_answer_that_is_no_vector_is_refused(make, server, vector, api):
    """As long as the service can do better with other pictures."""
    embedder = make(api=api, requests_per_minute=6000)
    await vectors(embedder, [picture()])
    server.fault({"vector": vector})
    (outcome,) = await embedder.embed([picture()])
    assert isinstance(outcome, EmbedderRefused)


@pytest.mark.parametrize("count", [1, 3])
async def test_too_few_or_too_many_vectors_are_asked_for_one_by_one(make, server, count):
    """Nobody could say whose they are."""
    embedder = make()
    await vectors(embedder, [picture()])
    server.reset()
    server.fault({"count": count})
    bodies = [picture(1), picture(2)]
    found = await vectors(embedder, bodies)
    assert found == pytest.approx(np.stack([unit(vector_for(body)) for body in bodies]), abs=1e-6)
    assert [r["inputs"] for r in server.requests()] == [2, 1, 1]


async def test_settings_that_fit_no_picture_stop_the_run(make, server):
    """Else a wrong model would put 100,000 pictures among the dead letters."""
    server.fault({"status": 400, "body": {"detail": "model 'm' not found"}, "repeat": True})
    with pytest.raises(EmbedderUnusable, match="model 'm' not found"):
        await make().embed([picture(n) for n in range(8)])
    assert len(server.requests()) == 2
    server.reset()
    with pytest.raises(EmbedderUnusable, match="8 dimensions instead of 512"):
        await make(dimension=512).embed([picture()])


async def test_the_very_first_picture_may_be_a_bad_one(make, server):
    """A grey picture goes through, so it was the picture."""
    (outcome,) = await make().embed([b"no picture at all"])
    assert isinstance(outcome, EmbedderRefused)
    assert [r["status"] for r in server.requests()] == [400, 200]


async def test_what_was_embedded_is_kept_when_the_service_goes_away(make, server):
    server.fault(None, {"status": 500, "repeat": True})
    embedder = make(pictures_as="message", tries=1)
    one, other, third = await embedder.embed([picture(1), picture(2), picture(3)])
    assert isinstance(one, Embedded)
    assert isinstance(other, EmbedderBroken)
    assert isinstance(third, EmbedderBroken)
    assert len(server.requests()) == 2


# Predictions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["failed", "canceled", "aborted"])
async def test_a_prediction_that_fails_is_the_service_s_failure(make, server, end):
    server.fault({"ends": end, "polls": 1})
    with pytest.raises(EmbedderBroken, match=end):
        await make(api="replicate").embed([picture()])
    assert [r["method"] for r in server.requests()] == ["POST", "GET"]


async def test_a_prediction_that_takes_too_long_is_cancelled(make, server, clock):
    server.fault({"polls": 1000})
    with pytest.raises(EmbedderUnreachable, match="processing"):
        await make(api="replicate", timeout_seconds=20).embed([picture()])
    assert server.requests()[-1]["path"].endswith("/p0/cancel")
    assert clock.monotonic() == pytest.approx(20)


async def test_who_is_interrupted_cancels_the_prediction(make, server):
    server.fault({"polls": 1000})
    waiting = Sleeper()
    task = asyncio.create_task(make(api="replicate", clock=waiting).embed([picture()]))
    await waiting.fell_asleep.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [r["path"] for r in server.requests()] == [PREDICTIONS, f"{PREDICTIONS}/p0/cancel"]


async def test_the_key_is_not_sent_where_the_answer_says(make, server):
    """A prediction whose URLs lie on another server is believed by nobody."""
    with socket.create_server(("127.0.0.1", 0)) as thief:
        url = f"http://127.0.0.1:{thief.getsockname()[1]}/p"
        server.fault({"polls": 1, "urls": {"get": url, "cancel": url}})
        with pytest.raises(EmbedderBroken, match="another server"):
            await make(api="replicate", key=KEY).embed([picture()])
        thief.setblocking(False)
        with pytest.raises(BlockingIOError):
            thief.accept()


@pytest.mark.parametrize("url", ["http://[", "http://h:99999/", "//", 7])
async def test_a_prediction_with_a_malformed_url_is_broken(make, server, url):
    server.fault({"polls": 1, "urls": {"get": url, "cancel": url}})
    with pytest.raises(EmbedderBroken, match="another server"):
        await make(api="replicate", tries=1).embed([picture()])


# Pure --------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["data", "embedding", "index", "status", "urls", "get", "output"])
            | st.text(),
            inner,
        )
    ),
)


@given(JSON, st.integers(1, 3))
def test_no_json_of_a_service_is_a_bug(response, count):
    """Whatever it sends: embeddings, a prediction, or an error of the embedder."""
    for read in (
        lambda: [vector_of(one, None) for one in embeddings_in(response, count)],
        lambda: prediction_in(response, "https://host/predictions"),
    ):
        with suppress(EmbedError):
            read()


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, min_size=1, max_size=40).filter(any))
def test_every_direction_becomes_a_vector_of_length_1(numbers):
    """However large or small its numbers are."""
    vector = vector_of(numbers, None)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector.astype(np.float64)) == pytest.approx(1, abs=1e-5)


@given(st.text() | st.integers().map(str) | st.floats().map(str))
def test_retry_after_is_never_negative_or_endless(text):
    wait = wait_wished(ServiceResponse(429, {"retry-after": text}, b""), 0.0)
    assert wait is None or 0 <= wait < math.inf


@given(st.integers(300, 599), st.binary(max_size=40) | st.recursive(st.text(), st.lists).map(json.dumps).map(str.encode))  # fmt: skip # noqa: E501 - a strategy
def test_every_refusal_has_a_printable_error(status, body):
    error = error_of(ServiceResponse(status, {}, body), 0.0, "The service")
    assert error is not None
    assert str(error).isprintable()
