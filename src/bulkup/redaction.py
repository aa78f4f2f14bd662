"""Secrets removed from text that comes from elsewhere: servers, proxies, libraries. Pure.

Such text is cleaned once, where it enters bulkup; everything after that may print and store it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote

REPLACEMENT = "***"
KEPT_CHARACTERS = 300
"""Of one message: some servers send whole pages."""

_LEAST_CHARACTERS = 6  # a shorter "secret" may be part of any word
_PART_CHARACTERS = 16
"""So much of a secret is a secret, too: servers cut values, and break them into lines."""

_SCHEMES = r"AWS4-HMAC-SHA256|AWS4-ECDSA-P256-SHA256|AWS|Bearer|Basic|Digest|Token|ApiKey"
_NAMES = (
    r"secret|token|passw(?:or)?d|signature|credential|api[_-]?key|access[_-]?key|customer[_-]?key"
)
_VALUE = r"""["']?[^\s"'<>,;&]"""
_PATTERNS = (
    # Headers, with a scheme or without; the other parts of SigV4 have names of their own
    rf"""(?P<kept>\b(?:proxy-)?authorization\b["']?\s*[:=]\s*)["']?(?:(?:{_SCHEMES})\s+)?[^\s"'<>,;&]+""",
    rf"(?P<kept>\b(?:AWS4-HMAC-SHA256|AWS4-ECDSA-P256-SHA256)\s+){_VALUE}+",
    r"(?P<kept>\b(?:set-)?cookie\s*:\s*)[^\r\n<>\"']+",
    # <SecretAccessKey>…</SecretAccessKey>; the key of an object is <Key>
    rf"(?P<kept><[\w:-]*(?:{_NAMES})[\w:-]*>)[^<]+",
    # AWS4-HMAC-SHA256 Credential=…, Signature=…; X-Amz-Security-Token; password=…; apiKey: …
    rf"(?P<kept>\b[\w-]*(?:{_NAMES})"
    rf"""[\w-]*["']?\s*(?:(?:=|%3D)\s*{_VALUE}+|(?::|%3A)\s*{_VALUE}{{8,}}))""",
    r"(?P<kept>\b(?:bearer|basic)\s+)(?=\S*[0-9._~+/=-])[\w.~+/=-]{8,}",
    r"(?P<kept>\bInvalid header value:? ?)(?:b?'[^']*'?|b?\"[^\"]*\"?|.+)",
    r"(?P<kept>://)[^\s/@]+@",
    # Identifiers and session tokens of AWS; a signature (a digest looks the same)
    r"(?P<kept>)\b(?:AKIA|ASIA|AROA)[A-Z0-9]{12,}",
    r"(?P<kept>)\b(?:FwoG|IQoJ)[\w+/=%-]{16,}",
    r"(?P<kept>)(?:\b|(?<=%3D))[0-9a-f]{64}\b",
    # Tokens of other services, and JSON Web Tokens, by their beginnings
    r"(?P<kept>)\b(?:gh[opsur]_|github_pat_|glpat-|hf_|r8_|sk-|xox[abeprs]-)[\w-]{12,}",
    r"(?P<kept>)\beyJ[\w-]{6,}\.[\w-]+\.[\w-]+",
)
_NAME_AND_SIGN = r"(?:(?!%3[AD])[^:=])*(?:[:=]|%3[AD])\s*"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without credentials, tokens, signatures and the values in `secrets`."""
    known = sorted({one for one in secrets if len(one) >= _LEAST_CHARACTERS}, key=len, reverse=True)
    forms = [form for secret in known for form in _forms(secret)]
    for form in forms:
        text = re.sub(re.escape(form), REPLACEMENT, text, flags=re.IGNORECASE)
    text = _without_parts(text, forms)
    for pattern in _patterns():
        text = pattern.sub(_replaced, text)
    return text


def _forms(secret: str) -> set[str]:
    """How a text may repeat it; capitals do not matter."""
    raw = secret.encode(errors="surrogateescape")
    bare = b64encode(raw).decode().rstrip("=")
    return {
        secret,
        quote(raw, safe=""),
        secret.encode("unicode_escape").decode(),
        secret.replace("/", r"\/"),  # as PHP writes JSON
        bare,
    }


def _without_parts(text: str, secrets: Iterable[str]) -> str:
    """`text` without the longer parts of the secrets."""
    lower, is_secret = text.lower(), bytearray(len(text))
    if len(lower) != len(text):  # a few capitals are longer in lower case
        lower = text
    for secret in map(str.lower, secrets):
        for start in range(len(secret) - _PART_CHARACTERS + 1):
            at = lower.find(secret[start : start + _PART_CHARACTERS])
            while at >= 0:
                is_secret[at : at + _PART_CHARACTERS] = b"\1" * _PART_CHARACTERS
                at = lower.find(secret[start : start + _PART_CHARACTERS], at + 1)
    kept = []
    for at, character in enumerate(text):
        if not is_secret[at]:
            kept.append(character)
        elif not at or not is_secret[at - 1]:
            kept.append(REPLACEMENT)
    return "".join(kept) if any(is_secret) else text


def foreign_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` for a message: redacted, on one printable line, of KEPT_CHARACTERS at most."""
    line = " ".join(redact(text, secrets).split())
    return "".join(c for c in line if c.isprintable())[:KEPT_CHARACTERS]


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compiled when there is a text to clean: most runs meet none."""
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS)


def _replaced(match: re.Match[str]) -> str:
    kept = match["kept"]
    if kept == match[0]:  # a name with its value
        name = re.match(_NAME_AND_SIGN, kept, re.IGNORECASE)
        kept = name[0] if name else ""
    return kept + REPLACEMENT
