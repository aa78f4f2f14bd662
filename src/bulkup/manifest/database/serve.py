"""The tables of `bulkup serve`.

token  who may use the server: a name, a role and the hash of a secret
"""

from __future__ import annotations

SERVE = """
CREATE TABLE token (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'uploader', 'operator')),
  secret_digest BLOB NOT NULL UNIQUE, -- SHA-256 of the token, which is kept nowhere
  is_browser INTEGER NOT NULL,     -- 1: it is a browser's cookie
  created_at REAL NOT NULL,
  expires_at REAL
);
"""
