"""A request that was made ready elsewhere is the one that the store itself would have sent."""

from __future__ import annotations

import pickle
import ssl
from hashlib import sha256

import pytest

from bulkup.errors import CredentialsRefused, KeyTaken, StoreBusy, StoreUnreachable
from bulkup.model import Attributes, Digest, Stored
from bulkup.stores.open import Access, open_store
from bulkup.stores.s3.credentials import Credentials
from bulkup.stores.s3.endpoint import locate
from bulkup.stores.s3.request_signer import S3RequestSigner
from bulkup.stores.s3.store import S3Store
from bulkup.stores.s3.transport import S3Transport
from bulkup.stores.store import Capabilities
from tests.fakes.clock import FakeClock
from tests.servers.certificate import NEEDED
from tests.servers.certificate import make as make_certificate
from tests.servers.packages import missing
from tests.unit.stores.raw_server import OK, answer, raw_server, refusal

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "very-secret"}
ABLE = Capabilities(conditional_writes=True, checksums=True)
BODY = b"the bytes"
DIGEST = Digest(sha256(BODY).hexdigest())
PLAIN = Attributes("image/jpeg", {"name": "a.jpg", "mtime": "1.000000000"})
RICH = Attributes("image/png", {"name": "ß  %"}, "max-age=1,  private", "GLACIER", {"a b": "c&d"})


def store_at(
    url: str,
    *,
    conditional: bool | None = True,
    checksums: bool = True,
    ca_bundle: str | None = None,
    **environ: str,
):
    store = open_store(
        "s3://bucket/p",
        Access(endpoint_url=url, ca_bundle=ca_bundle),
        environ={**KEYS, **environ},
        clock=FakeClock(),
        capabilities=Capabilities(conditional_writes=conditional, checksums=checksums),
    )
    assert isinstance(store, S3Store)
    return store


async def signed(store, key="p/k", attributes=PLAIN) -> bytes:
    """A whole request, made as another process makes it."""
    await store.check()  # whose account it is, is known from the first request on
    request_signer = pickle.loads(pickle.dumps(store.request_signer()))
    head = request_signer.begin(FakeClock().now)(key, DIGEST, len(BODY), attributes)
    assert head is not None
    return head + BODY


LIST = answer(200, b"<ListBucketResult/>")
FULL_LIST = answer(
    200,
    b"<ListBucketResult><Contents><Key>p/k</Key><Size>1</Size></Contents></ListBucketResult>",
)


@pytest.mark.parametrize("attributes", [PLAIN, RICH], ids=["plain", "rich"])
@pytest.mark.parametrize("key", ["p/k", "p/é /日本+%2e.jpg", "p/...", "p/a?b#c"])
@pytest.mark.parametrize("checksums", [True, False])
@pytest.mark.parametrize("token", [None, "tok/en=="])
async def test_it_is_byte_for_byte_the_same(attributes, key, checksums, token):
    environ = {} if token is None else {"AWS_SESSION_TOKEN": token}
    async with raw_server() as server:
        server.answers = [LIST, OK, OK]
        store = store_at(server.url, checksums=checksums, **environ)
        request = await signed(store, key, attributes)
        assert await store.put_signed(key, request) is not None
        await store.put(key, BODY, digest=DIGEST, attributes=attributes, exclusive=True)
        assert server.heads[-1] == server.heads[-2]
        assert server.bodies[-2:] == [BODY, BODY]
        await store.close()


async def test_what_the_store_refuses_is_left_to_it():
    async with raw_server() as server:
        server.answers = [LIST]
        store = store_at(server.url)
        await store.check()
        head = store.request_signer().begin(FakeClock().now)
        for key in ("a/../b", "k" * 1025):
            assert head(key, DIGEST, 1, PLAIN) is None
        assert head("k", DIGEST, 1, Attributes(metadata={"No Token": "x"})) is None
        assert head("k", DIGEST, 1, Attributes(cache_control="a\r\nb: c")) is None
        await store.close()


async def test_behind_a_proxy_nothing_is_made_ready(monkeypatch):
    """There pyreqwest sends everything."""
    async with raw_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        proxy.answers = [LIST]
        store = store_at("http://store.invalid")
        await store.check()
        assert store.request_signer() is None
        await store.put("k", BODY, digest=DIGEST, attributes=PLAIN, exclusive=True)
        assert proxy.targets[-1] == "http://store.invalid/bucket/k"
        assert proxy.bodies[-1] == BODY
        await store.close()


async def test_it_stays_the_same_object_while_requests_stay_the_same():
    async with raw_server() as server:
        server.answers = [LIST]
        store = store_at(server.url)
        first = store.request_signer()
        assert first is not None
        assert store.request_signer() is first
        await store.close()


@pytest.mark.skipif(bool(missing(NEEDED)), reason="needs openssl")
async def test_over_tls_it_is_the_same_too(tmp_path):
    certificate = make_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.chain, certificate.key)
    async with raw_server(tls) as server:
        server.answers = [LIST, OK, OK]
        store = store_at(server.url, ca_bundle=str(certificate.ca))
        request = await signed(store, "p/é.jpg", RICH)
        assert await store.put_signed("p/é.jpg", request) == Stored("e")
        await store.put("p/é.jpg", BODY, digest=DIGEST, attributes=RICH, exclusive=True)
        assert server.heads[-1] == server.heads[-2]
        assert server.bodies[-2:] == [BODY, BODY]
        await store.close()


def test_it_shows_no_secret():
    credentials = Credentials("A", "very-secret", "tok", "r", region_given=True, endpoint_url=None)
    address = locate("b", endpoint_url=None, region="r")
    signer = S3RequestSigner(credentials, "r", address, "a", checksums=True, conditional=True)
    assert "secret" not in f"{signer!r}{signer}"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (refusal(412, "PreconditionFailed"), KeyTaken),
        (refusal(503, "SlowDown"), StoreBusy),
        (refusal(403, "InvalidAccessKeyId"), CredentialsRefused),
        (b"", StoreUnreachable),
    ],
)
async def test_refusals_mean_what_they_mean_for_put(said, error):
    async with raw_server() as server:
        server.answers = [LIST, said]
        store = store_at(server.url)
        request = await signed(store)
        with pytest.raises(error):
            await store.put_signed("p/k", request)
        await store.close()


async def test_renewed_credentials_send_put_instead():
    """What was signed with the old ones is refused; the store has new ones by then."""
    asked = 0

    def credentials(*, refresh: bool) -> Credentials:
        nonlocal asked
        asked += 1
        return Credentials(
            access_key=f"KEY{asked}",
            secret_key="s",
            token=None,
            region="us-east-1",
            region_given=True,
            endpoint_url=server.url,
        )

    async with raw_server() as server:
        server.answers = [LIST, refusal(400, "ExpiredToken"), OK]
        transport = S3Transport("bucket", credentials, ca_pem=None, clock=FakeClock())
        store = S3Store("s3://bucket/p", "p/", transport, ABLE)
        assert store.request_signer() is None, "no credentials are known yet"
        request = await signed(store)
        before = store.request_signer()
        assert await store.put_signed("p/k", request) is None
        assert store.request_signer() is not before
        await store.put("p/k", BODY, digest=DIGEST, attributes=PLAIN, exclusive=True)
        assert "KEY2" in server.heads[-1]
        await store.close()


async def test_without_conditional_writes_the_key_is_looked_for_first():
    missing, there = answer(404, b""), answer(200)
    async with raw_server() as server:
        server.answers = [LIST, missing, OK, there]
        store = store_at(server.url, conditional=False)
        request = await signed(store)
        assert b"if-none-match" not in request
        assert await store.put_signed("p/k", request) == Stored("e")
        with pytest.raises(KeyTaken):
            await store.put_signed("p/k", request)
        assert len(server.heads) == 4
        await store.close()


async def test_nothing_is_signed_ahead_to_a_destination_with_objects_before_it_is_probed():
    async with raw_server() as server:
        server.answers = [FULL_LIST]
        store = store_at(server.url, conditional=None)
        await store.check()
        assert store.request_signer() is None
        await store.close()
