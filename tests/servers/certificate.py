"""A throw-away certificate authority for 127.0.0.1."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.packages import program

NEEDED = {"openssl": "openssl"}

# A leaf of its own below the authority: some clients refuse an authority as a leaf.
CONFIG = """\
[req]
prompt = no
distinguished_name = name
[name]
CN = localhost
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1,DNS:localhost
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the authority to trust, and what the server shows."""

    ca: Path
    chain: Path
    key: Path


def make(directory: Path) -> Certificate:
    """Make an authority and a certificate for 127.0.0.1 and localhost, good for a year."""
    directory.mkdir(parents=True, exist_ok=True)
    found = Certificate(*(directory / name for name in ("ca.pem", "cert.pem", "key.pem")))
    (directory / "openssl.cnf").write_text(CONFIG)
    fresh = ["-newkey", "rsa:2048", "-nodes", "-sha256", "-config", "openssl.cnf"]
    authority = ["-x509", "-days", "365", "-extensions", "ca", "-subj", "/CN=bulkup test CA"]
    signed = ["-req", "-sha256", "-days", "365", "-CAcreateserial", "-extensions", "leaf"]
    for arguments in (
        ["req", *authority, *fresh, "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *fresh, "-keyout", "key.pem", "-out", "leaf.csr"],
        [
            "x509",
            *signed,
            "-in",
            "leaf.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-extfile",
            "openssl.cnf",
            "-out",
            "cert.pem",
        ],
    ):
        subprocess.run(
            [program("openssl"), *arguments], cwd=directory, check=True, capture_output=True
        )
    return found
