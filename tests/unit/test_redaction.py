"""No text from elsewhere brings a secret into a message."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest

from bulkup.redaction import foreign_text, redact

SIGNATURE = "0f" * 32
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN/abc+def=="
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"you sent Authorization: {AUTHORIZATION}", SIGNATURE),
        (f"you sent Authorization: {AUTHORIZATION}", "AKIDEXAMPLE"),
        (f'{{"authorization": "{AUTHORIZATION}"}}', SIGNATURE),
        (f"no such signature {SIGNATURE}", SIGNATURE),
        (f"x-amz-security-token: {TOKEN}", TOKEN[6:]),
        (f"the token {TOKEN} is unknown", TOKEN[6:]),
        (f"GET /b?X-Amz-Signature={SIGNATURE[:20]}&x=1", SIGNATURE[:20]),
        ("Authorization: Bearer sk-abc.def", "sk-abc.def"),
        ("Proxy-Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("wrong key Bearer r8_Qwerty1234", "r8_Qwerty1234"),
        ("http://user:pa55@proxy:3128 refuses", "pa55"),
        ("password=hunter2", "hunter2"),
        ("Invalid header value: FooBarBaz\n", "FooBarBaz"),
        ("Invalid header value b'FooBarBaz\\n'", "FooBarBaz"),
        ("the key AKIAIOSFODNN7EXAMPLE is blocked", "AKIAIOSFODNN7EXAMPLE"),
        (f"you sent {quote(AUTHORIZATION, safe='')}", SIGNATURE),
        (f"you sent {quote(AUTHORIZATION, safe='')}", "AKIDEXAMPLE"),
        (f"GET %2Fb%3FX-Amz-Signature%3D{SIGNATURE[:20]}%26x%3D1", SIGNATURE[:20]),
        ("<SecretAccessKey>abcdefGHIJ</SecretAccessKey>", "abcdefGHIJ"),
        ("<SignatureProvided>0a1b2c3d</SignatureProvided>", "0a1b2c3d"),
        ("x-amz-server-side-encryption-customer-key: MDEyMzQ1Njc4OUE=", "MDEyMzQ1Njc4OUE"),
        ("Cookie: theme=dark; session=hunter2hunter2", "hunter2hunter2"),
        ("the token ghp_0123456789abcdefABCDEF is revoked", "ghp_0123456789abcdefABCDEF"),
        ("no r8_0123456789abcdefABCDEF", "r8_0123456789abcdefABCDEF"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123 has expired", "eyJzdWIiOiIxIn0"),
    ],
)
def test_secrets_are_known_by_their_form(text, secret):
    assert secret in text
    assert secret not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "The request signature we calculated does not match the signature you provided.",
        "The provided token has expired",
        "basic authentication is required",
        "key 'trips/2024/a.jpg': SlowDown (503): Please reduce your request rate.",
        "Error when retrieving token from sso: Token has expired and refresh failed",
        "The config profile (photos) could not be found",
    ],
)
def test_other_words_stay(text):
    assert redact(text) == text


def test_own_secrets_are_replaced_in_every_form():
    secret = "a/b+c d'é"
    text = f"{secret} a%2Fb%2Bc%20d%27%C3%A9"
    assert redact(text, [secret]) == "*** ***"


def test_a_short_secret_does_not_hide_words():
    assert redact("a test", ["test"]) == "a test"


def test_a_secret_is_replaced_before_the_text_is_cut():
    secret = "S" * 40
    text = foreign_text(f"{'x' * 290} {secret}", [secret])
    assert "S" not in text
    assert len(text) <= 300


def test_foreign_text_is_one_printable_line():
    assert foreign_text("a\n\x1b[31mb\u2028c\r\n") == "a [31mb c"


@pytest.mark.parametrize("shown", [str.upper, str.lower, lambda s: quote(s, safe="").lower()])
def test_a_secret_is_known_in_other_capitals(shown):
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
    assert redact(f"you sent {shown(secret)}!", [secret]) == "you sent ***!"


def test_a_secret_is_known_in_base64():
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
    assert redact(f"got {b64encode(secret.encode()).decode()}", [secret]).startswith("got ***")


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        (lambda s: s[:24], "***"),
        (lambda s: s[9:], "***"),
        (lambda s: f"{s[:17]}\n  {s[17:]}", "***\n  ***"),
        (lambda s: s.replace("/", r"\/"), "***"),
        (lambda s: f"{quote(s, safe='')[:24]}...", "***..."),
        (lambda s: s[:12], "wJalrXUtnFEM"),
    ],
)
def test_a_long_part_of_a_secret_is_one_too(shown, left):
    secret = "wJalrXUtnFEMIxyz7MDE/G+bPxRfiCYEXAMPLEKEY"
    assert redact(f"got {shown(secret)} of you", [secret]) == f"got {left} of you"


def test_the_key_of_an_object_is_no_secret():
    assert redact("<Key>photos/a.jpg</Key> key 'a.jpg'") == "<Key>photos/a.jpg</Key> key 'a.jpg'"
