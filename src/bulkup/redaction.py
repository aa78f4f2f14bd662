"""Secrets removed from text that comes from elsewhere: servers, proxies, libraries. Pure.

Such text is cleaned once, where it enters bulkup; everything after that may print and store it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote

REPLACEMENT = "***"
KEPT_CHARACTERS = 300
"""Of one message: some servers send whole pages."""

_LEAST_CHARACTERS = 6  # a shorter "secret" may be part of any word

_SCHEMES = r"AWS4-HMAC-SHA256|AWS4-ECDSA-P256-SHA256|AWS|Bearer|Basic|Digest|Token|ApiKey"
_VALUE = r"""["']?[^\s"'<>,;&]"""
_PATTERNS = (
    # Headers, with a scheme or without; the other parts of SigV4 have names of their own
    rf"""(?P<kept>\b(?:proxy-)?authorization\b["']?\s*[:=]\s*)["']?(?:(?:{_SCHEMES})\s+)?[^\s"'<>,;&]+""",
    rf"(?P<kept>\b(?:AWS4-HMAC-SHA256|AWS4-ECDSA-P256-SHA256)\s+){_VALUE}+",
    r"(?P<kept>\b(?:set-)?cookie\s*:\s*)\S+",
    # AWS4-HMAC-SHA256 Credential=…, Signature=…; X-Amz-Security-Token; password=…; apiKey: …
    r"(?P<kept>\b[\w-]*(?:secret|token|passw(?:or)?d|signature|credential|api[_-]?key"
    rf"""|access[_-]?key)[\w-]*["']?\s*(?:=\s*{_VALUE}+|:\s*{_VALUE}{{8,}}))""",
    r"(?P<kept>\b(?:bearer|basic)\s+)(?=\S*[0-9._~+/=-])[\w.~+/=-]{8,}",
    r"(?P<kept>\bInvalid header value:? ?)(?:b?'[^']*'?|b?\"[^\"]*\"?|.+)",
    r"(?P<kept>://)[^\s/@]+@",
    # Identifiers and session tokens of AWS; a signature (a digest looks the same)
    r"(?P<kept>)\b(?:AKIA|ASIA|AROA)[A-Z0-9]{12,}",
    r"(?P<kept>)\b(?:FwoG|IQoJ)[\w+/=%-]{16,}",
    r"(?P<kept>)\b[0-9a-f]{64}\b",
)
_NAME_AND_SIGN = r"[^:=]*[:=]\s*"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without credentials, tokens, signatures and the values in `secrets`."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _LEAST_CHARACTERS:
            for form in {secret, quote(secret, safe=""), secret.encode("unicode_escape").decode()}:
                text = text.replace(form, REPLACEMENT)
    for pattern in _patterns():
        text = pattern.sub(_replaced, text)
    return text


def foreign_text(
    text: str, secrets: Iterable[str] = (), *, characters: int = KEPT_CHARACTERS
) -> str:
    """`text` for a message: redacted, on one printable line, of so many characters at most."""
    line = " ".join(redact(text, secrets).split())
    return "".join(c for c in line if c.isprintable())[:characters]


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compiled when there is a text to clean: most runs meet none."""
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS)


def _replaced(match: re.Match[str]) -> str:
    kept = match["kept"]
    if kept == match[0]:  # a name with its value
        name = re.match(_NAME_AND_SIGN, kept)
        kept = name[0] if name else ""
    return kept + REPLACEMENT
