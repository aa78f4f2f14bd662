"""Tokens of `bulkup serve`. Only the digest of a token is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements

_COLUMNS = "id, name, role, is_browser, created_at, expires_at"


class TokenRow(NamedTuple):
    """A token; times are seconds since 1970."""

    id: int
    name: str
    role: str  # viewer, uploader, operator
    is_browser: bool  # a browser's cookie
    created_at: float
    expires_at: float | None


class Tokens(Statements):
    """Who may use the server."""

    def add(
        self,
        name: str,
        role: str,
        secret_digest: bytes,
        *,
        now: float,
        expires_at: float | None,
        is_browser: bool = False,
    ) -> bool:
        """Record a token; False if the name is taken. Expired ones are forgotten."""
        with self._transaction():
            self._db.execute("DELETE FROM token WHERE expires_at <= ?", (now,))
            added = self._db.execute(
                "INSERT INTO token (name, role, secret_digest, is_browser, created_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                (name, role, secret_digest, is_browser, now, expires_at),
            )
        return added.rowcount == 1

    def find(self, secret_digest: bytes, *, now: float) -> TokenRow | None:
        """The token with this digest, unless it has expired."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM token WHERE secret_digest = ? "
            "AND (expires_at IS NULL OR expires_at > ?)",
            (secret_digest, now),
        ).fetchone()
        return None if row is None else _row(row)

    def all(self, *, now: float) -> list[TokenRow]:
        """The tokens that have not expired, oldest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM token WHERE expires_at IS NULL OR expires_at > ? ORDER BY id",
            (now,),
        )
        return [_row(row) for row in rows]

    def revoke(self, name: str) -> bool:
        """Forget the token; False if there is none of this name."""
        return self._write("DELETE FROM token WHERE name = ?", name) == 1

    def revoke_browser(self, secret_digest: bytes) -> None:
        """Forget a browser's cookie; a token that somebody typed in stays."""
        self._write("DELETE FROM token WHERE secret_digest = ? AND is_browser", secret_digest)


def _row(row: tuple[Any, ...]) -> TokenRow:
    return TokenRow(*row)._replace(is_browser=bool(row[3]))
