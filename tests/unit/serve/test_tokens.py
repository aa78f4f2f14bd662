"""Tokens: shown once, kept as digests, with an end."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from bulkup.errors import UsageError
from bulkup.manifest.server import ServerManifest
from bulkup.serve.tokens import Role, add_token, find_token, revoke_token


def added(manifest: ServerManifest, name: str = "phone", seconds: float | None = None) -> str:
    return add_token(manifest.tokens, name, Role.VIEWER, now=0.0, expires_seconds=seconds)


def test_a_token_is_found_until_it_is_revoked(manifest: ServerManifest) -> None:
    token = added(manifest)
    found = find_token(manifest.tokens, token, now=1.0)
    assert found is not None
    assert (found.name, found.role) == ("phone", "viewer")

    revoke_token(manifest.tokens, "phone")

    assert find_token(manifest.tokens, token, now=1.0) is None
    with pytest.raises(UsageError, match="no token phone"):
        revoke_token(manifest.tokens, "phone")


def test_the_manifest_has_no_token(manifest: ServerManifest) -> None:
    token = added(manifest)

    with closing(sqlite3.connect(manifest.path)) as db, db:
        rows = db.execute("SELECT * FROM token").fetchall()

    assert token not in repr(rows)
    assert token.removeprefix("bku_") not in repr(rows)


def test_a_name_is_free_again_when_its_token_has_expired(manifest: ServerManifest) -> None:
    added(manifest, seconds=10.0)
    with pytest.raises(UsageError, match="already"):
        add_token(manifest.tokens, "phone", Role.VIEWER, now=5.0, expires_seconds=None)

    add_token(manifest.tokens, "phone", Role.VIEWER, now=10.0, expires_seconds=None)

    assert [one.name for one in manifest.tokens.all(now=20.0)] == ["phone"]


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 65, "a\n", "é"])
def test_a_name_is_short_and_plain(manifest: ServerManifest, name: str) -> None:
    with pytest.raises(UsageError, match="no name"):
        added(manifest, name)


def test_roles_include_those_before_them() -> None:
    assert [one for one in Role if Role.UPLOADER.includes(one)] == [Role.VIEWER, Role.UPLOADER]
