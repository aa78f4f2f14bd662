"""Our signer agrees with botocore's on every request."""

from __future__ import annotations

import datetime
from unittest.mock import patch

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.stores.s3 import credentials
from bulkup.stores.s3.sigv4 import EMPTY_SHA256, Signer, encode_path, encode_query

odd_keys = st.text(
    st.sampled_from(" +%#?~/.&=;:@$,!'()*[]{}|^`\"<>\\aZ09-_é日😀")
    | st.characters(exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=40,
)
header_values = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]) | st.sampled_from(" \t"),
    max_size=30,
)
meta = st.dictionaries(
    st.from_regex(r"x-amz-meta-[a-z0-9-]{1,12}", fullmatch=True), header_values, max_size=5
)
extra = st.dictionaries(
    st.sampled_from(["content-type", "if-none-match", "cache-control", "x-amz-storage-class"]),
    header_values,
)
hosts = st.sampled_from(["127.0.0.1:9000", "bucket.s3.eu-west-1.amazonaws.com", "[::1]:9000"])
moments = st.integers(min_value=0, max_value=4_000_000_000)


def keys(access_key, secret_key, token):
    return credentials.Credentials(
        access_key, secret_key, token, "r", region_given=True, endpoint_url=None
    )


def theirs(method, host, path, query, headers, payload, second, keys, region):
    """The Authorization header that botocore computes."""
    request = AWSRequest(
        method=method, url=f"http://{host}{path}" + (f"?{query}" if query else ""), headers=headers
    )
    signer = S3SigV4Auth(Credentials(*keys), "s3", region)
    moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
    with (
        patch("botocore.auth.get_current_datetime", lambda: moment),
        patch.object(signer, "payload", lambda request: payload),
    ):
        signer.add_auth(request)
    return request.headers["Authorization"]


@settings(max_examples=400, deadline=None)
@given(
    method=st.sampled_from(["PUT", "GET", "HEAD", "POST", "DELETE"]),
    host=hosts,
    key=odd_keys,
    parameters=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
        odd_keys | st.just(""),
        max_size=4,
    ),
    headers=meta,
    more=extra,
    second=moments,
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,60}", fullmatch=True),
    secret=st.text(min_size=1, max_size=40).filter(lambda s: s.isprintable()),
    region=st.sampled_from(["us-east-1", "eu-central-1", "default"]),
)
def test_agrees_with_botocore(
    method, host, key, parameters, headers, more, second, token, secret, region
):
    """For any key, query, headers, time and secret both compute the same Authorization."""
    path, query = "/" + encode_path(key), encode_query(parameters)
    signer = Signer(keys("AKID", secret, token), region=region, host=host, now=lambda: second)
    ours = {**headers, **more}
    signer.sign(method, path, query, ours, EMPTY_SHA256)
    expected = theirs(
        method, host, path, query, {**headers, **more}, EMPTY_SHA256, second,
        ("AKID", secret, token), region,
    )  # fmt: skip
    assert ours["authorization"] == expected


@given(st.lists(moments, min_size=2, max_size=6))
def test_kept_keys_never_outlive_their_day(seconds):
    """One signer that lives through several times signs as a fresh one does at each."""
    clock = [0.0]

    def signer():
        return Signer(keys("A", "s", None), region="r", host="h", now=lambda: clock[0])

    old = signer()
    for clock[0] in seconds:
        first, second = {}, {}
        old.sign("GET", "/k", "", first, EMPTY_SHA256)
        signer().sign("GET", "/k", "", second, EMPTY_SHA256)
        assert first == second


def test_signing_again_replaces_the_signature():
    """A dict that was signed once may be signed again; the old signature is not signed with it."""
    clock = [1_700_000_000.0]
    signer = Signer(keys("A", "s", "t"), region="r", host="h", now=lambda: clock[0])
    headers = {"x-amz-meta-a": "1"}
    signer.sign("PUT", "/k", "", headers, EMPTY_SHA256)
    once = dict(headers)
    signer.sign("PUT", "/k", "", headers, EMPTY_SHA256)
    assert headers == once
    clock[0] += 1
    signer.sign("PUT", "/k", "", headers, EMPTY_SHA256)
    assert headers["authorization"] != once["authorization"]


@given(odd_keys)
def test_paths_hold_only_what_no_url_parser_rewrites(key):
    """Everything but unreserved characters and '/' is percent-encoded."""
    assert set(encode_path(key)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%"
    )


def presigned_by_botocore(method, host, path, query, headers, second, keys, region, seconds):
    """The query of the URL that botocore signs."""
    request = AWSRequest(
        method=method, url=f"http://{host}{path}" + (f"?{query}" if query else ""), headers=headers
    )
    signer = S3SigV4QueryAuth(Credentials(*keys), "s3", region, expires=seconds)
    moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
    payload = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    with (
        patch("botocore.auth.get_current_datetime", lambda: moment),
        patch.object(signer, "payload", lambda request: payload),
    ):
        signer.add_auth(request)
    return sorted(request.url.partition("?")[2].split("&"))


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["PUT", "GET"]),
    host=hosts,
    key=odd_keys,
    parameters=st.dictionaries(
        st.sampled_from(["partNumber", "uploadId", "response-content-disposition"]),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
    ),
    headers=meta,
    more=extra,
    digest=st.none() | st.just(EMPTY_SHA256),
    second=moments,
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,60}", fullmatch=True),
)
def test_signed_urls_agree_with_botocore(
    method, host, key, parameters, headers, more, digest, second, token
):
    """For any key, query, headers and time both compute the same URL."""
    path, query = "/" + encode_path(key), encode_query(parameters)
    signer = Signer(keys("AKID", "secret", token), region="r", host=host, now=lambda: second)
    signed = {**headers, **more, "content-length": "7"}
    if digest is not None:
        signed["x-amz-content-sha256"] = digest
    ours = signer.presign(method, path, parameters, signed, seconds=300)
    expected = presigned_by_botocore(
        method, host, path, query, signed, second, ("AKID", "secret", token), "r", 300
    )
    assert sorted(ours.split("&")) == expected
