"""Tokens for `bulkup serve`: added, listed, revoked, looked up."""

from __future__ import annotations

import hashlib
import re
import secrets
from enum import StrEnum

from bulkup.errors import UsageError
from bulkup.manifest.tokens import TokenRow, Tokens

PREFIX = "bku_"
"""Secret scanners find tokens by it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Role(StrEnum):
    """What a token allows. Each role may do what those before it may."""

    VIEWER = "viewer"  # sees
    UPLOADER = "uploader"  # uploads
    OPERATOR = "operator"  # retries, starts work

    def includes(self, other: Role) -> bool:
        """Whether this role may do what `other` may."""
        roles = list(Role)
        return roles.index(self) >= roles.index(other)


def add_token(
    tokens: Tokens,
    name: str,
    role: Role,
    *,
    now: float,
    expires_seconds: float | None,
    is_browser: bool = False,
) -> str:
    """Make a token; returns it: nobody can read it again. Raises UsageError."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} is no name for a token",
            hint="Use letters, digits, '.', '_', '@' and '-', 64 at most.",
        )
    token = PREFIX + secrets.token_urlsafe(32)
    added = tokens.add(
        name,
        role.value,
        digest_of(token),
        now=now,
        expires_at=None if expires_seconds is None else now + expires_seconds,
        is_browser=is_browser,
    )
    if not added:
        raise UsageError(
            f"there is a token {name} already", hint=f"Revoke it: bulkup token revoke {name}"
        )
    return token


def revoke_token(tokens: Tokens, name: str) -> None:
    """Make the token useless from now on. Raises UsageError when there is none of this name."""
    if not tokens.revoke(name):
        raise UsageError(f"there is no token {name}", hint="List them: bulkup token list")


def find_token(tokens: Tokens, token: str, *, now: float) -> TokenRow | None:
    """The token's row; None for a wrong, expired or revoked one."""
    return tokens.find(digest_of(token), now=now)


def digest_of(token: str) -> bytes:
    """What the manifest keeps. A token has 256 random bits: no salt or slow hash is needed."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
