"""Uploads by clients without keys: what arrives is what was announced, at every destination."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from hashlib import sha256
from random import Random

import httpx
import pytest

from bulkup.clock import SystemClock
from bulkup.manifest.server import ServerManifest
from bulkup.model import Attributes, Digest
from bulkup.serve.app import make_app
from bulkup.serve.context import new_context
from bulkup.serve.tokens import Role, add_token
from bulkup.settings.load import load
from tests.sql import sql

HOST = "127.0.0.1:8765"
PHOTO = b"\xff\xd8\xff\xe0 a photo" * 1000
MIB = 1024**2
FILM = b"0123456789abcdef" * (12 * MIB // 16)


class Clients:
    """A server over a destination, and clients that have tokens and no keys."""

    def __init__(self, context, app, manifest_path, sender):
        self.context = context
        self.manifest_path = manifest_path
        self._app = app
        self._sender = sender

    def client(self, name):
        with ServerManifest(self.manifest_path) as manifest:
            token = add_token(manifest.tokens, name, Role.UPLOADER, now=0.0, expires_seconds=None)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url=f"http://{HOST}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
        )

    async def send(self, client, signed, body):
        """The status, of the server's own URL or the bucket's."""
        return (await self.response(client, signed, body)).status_code

    async def response(self, client, signed, body):
        sender = client if HOST in signed["url"] else self._sender
        return await sender.request(
            signed["method"], signed["url"], headers=signed["headers"], content=body
        )

    async def process(self):
        """Run it as a server does."""
        await self.context.child_runs.start("process", [])
        await self.context.child_runs.wait()


@pytest.fixture
async def clients(place, tmp_path):
    flags = {"manifest": str(tmp_path / "broker.db"), "to": place.url}
    if place.endpoint_url:
        flags |= {"endpoint_url": place.endpoint_url, "region": "us-east-1"}
    if place.ca_bundle:
        flags["ca_bundle"] = place.ca_bundle
    names = {"AWS_ENDPOINT_URL": place.endpoint_url, "AWS_CA_BUNDLE": place.ca_bundle}
    environ = {name: value for name, value in names.items() if value} | dict(place.environ)
    loaded = load(flags, {}, tmp_path, warn=print)
    run = replace(loaded.run, part_threshold_bytes=6 * MIB, part_size_bytes=5 * MIB)
    context = new_context(
        replace(loaded, run=run), clock=SystemClock(), random=Random(1), environ=environ, readers=1
    )
    trusted = ssl.create_default_context(cafile=place.ca_bundle) if place.ca_bundle else True
    async with AsyncExitStack() as stack:
        stack.push_async_callback(context.close)
        sender = await stack.enter_async_context(httpx.AsyncClient(verify=trusted, timeout=60))
        yield Clients(context, make_app(context), loaded.manifest, sender)


async def begin(client, body, name="a.jpg"):
    document = {"name": name, "size_bytes": len(body), "sha256": sha256(body).hexdigest()}
    response = await client.post("/uploads", json=document)
    return response.status_code, response.json()


async def complete(client, found, **fields):
    response = await client.post(f"/uploads/{found['upload_id']}/complete", json=fields)
    return response.status_code, response.json()


async def upload_parts(clients, client, body, sent):
    """Announce `body`, send other bytes; the status of the completion."""
    status, found = await begin(client, body, "film.mov")
    assert status == 201
    size = found["parts"]["part_bytes"]
    for number in range(1, found["parts"]["count"] + 1):
        signed = (await client.post(f"/uploads/{found['upload_id']}/parts/{number}")).json()
        part = sent[(number - 1) * size : number * size]
        assert await clients.send(client, signed, part) == 200
    return (await complete(client, found))[0]


async def objects(store):
    """The keys of the originals."""
    keys = [info.key async for page in store.list(store.prefix) for info in page]
    return [key for key in keys if "/.bulkup/" not in key]


@pytest.mark.parametrize("sent", [PHOTO[::-1], PHOTO + b"x", PHOTO[:-1]])
async def test_other_bytes_than_were_announced_leave_nothing(clients, store, sent):
    """Refused when they are sent where the endpoint compares them, else when they are completed."""
    async with clients.client("laptop") as client:
        _, found = await begin(client, PHOTO)
        try:
            arrived = await clients.send(client, found, sent)
        except httpx.TransportError:  # closed by a server that waits for more
            arrived = 400
        status, _ = await complete(client, found)
        assert status == (422 if arrived == 200 else 409)
        assert await objects(store) == []
        _, again = await begin(client, PHOTO)
        assert await clients.send(client, again, PHOTO) == 200
        assert (await complete(client, again))[0] == 200
    assert len(await objects(store)) == 1


async def test_a_wrong_etag_records_nothing(clients, store):
    async with clients.client("one") as client:
        _, found = await begin(client, PHOTO)
        sent = await clients.response(client, found, PHOTO)
        assert (await complete(client, found, etag='"0123"'))[0] == 422
        assert (await client.get("/uploads")).json()["files"] == []
        assert (await complete(client, found, etag=sent.headers["etag"]))[0] == 200


async def test_an_object_that_is_there_stays_as_it_is(clients, store):
    async with clients.client("laptop") as client:
        _, found = await begin(client, PHOTO)
        other = b"somebody's"
        await store.put(
            found["key"],
            other,
            digest=Digest(sha256(other).hexdigest()),
            attributes=Attributes("image/jpeg"),
            exclusive=True,
        )
        assert await clients.send(client, found, PHOTO) == 412
        assert (await complete(client, found))[0] == 409
        fresh = (await client.post(f"/uploads/{found['upload_id']}/url")).json()
        assert await clients.send(client, fresh, PHOTO) == 200
        status, done = await complete(client, found)
    assert (status, done["key"] != found["key"]) == (200, True)
    assert await store.read(found["key"]) == other
    assert await store.read(done["key"]) == PHOTO


async def test_two_clients_at_once_make_one_object(clients, store):
    async with clients.client("laptop") as one, clients.client("phone") as two:
        (_, first), (_, second) = await begin(one, PHOTO), await begin(two, PHOTO, "b.jpg")
        sent = {await clients.send(one, first, PHOTO), await clients.send(two, second, PHOTO)}
        assert sent == {200, 412}
        done = [(await complete(two, second))[1], (await complete(one, first))[1]]
    assert [one["duplicate"] for one in done] == [False, True]
    assert await objects(store) == [done[0]["key"]]


async def test_parts_of_other_bytes_are_found_out(clients, store, place):
    """By the completion where the whole can be read at once, else by `process`, which removes them;
    until they are right they are nobody's duplicate."""
    async with clients.client("laptop") as client:
        status = await upload_parts(clients, client, FILM, FILM[::-1])
        assert status == (422 if place.kind == "directory" else 200)
        if status == 200:
            await clients.process()

            states = "SELECT stage, state, error_class FROM item ORDER BY stage"
            assert sql(clients.manifest_path, states) == [
                ("process", "dead", "invalid"),
                ("upload", "dead", "invalid"),
            ]
        assert await objects(store) == []

        assert await upload_parts(clients, client, FILM, FILM) == 200
        assert (await begin(client, FILM, "copy.mov"))[0] == 200
        await clients.process()
    states = dict(sql(clients.manifest_path, "SELECT stage, state FROM item"))
    assert states["upload"] == "done"
    unproved = "SELECT count(*) FROM reservation WHERE is_done <> 1"
    assert sql(clients.manifest_path, unproved) == [(0,)]
    (key,) = await objects(store)
    assert sha256(b"".join([chunk async for chunk in store.open(key)])).digest() == (
        sha256(FILM).digest()
    )


async def test_parts_that_are_gone_before_they_are_read_are_nobodys_duplicate(
    clients, store, place
):
    """As after a run that was killed when it had just removed other bytes."""
    if place.kind == "directory":
        pytest.skip("the completion reads the whole")
    async with clients.client("laptop") as client:
        assert await upload_parts(clients, client, FILM, FILM[::-1]) == 200
        (key,) = await objects(store)
        await store.delete(key)
        await clients.process()
        assert sql(clients.manifest_path, "SELECT DISTINCT state FROM item") == [("dead",)]
        assert (await begin(client, FILM, "copy.mov"))[0] == 201
