"""Cross-origin rules of a bucket: which pages may send to it from a browser.

Source: "Using cross-origin resource sharing (CORS)", Amazon S3 User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

METHODS = ("PUT", "GET", "HEAD")
EXPOSED = ("ETag", "x-amz-checksum-sha256")


def advice(origins: Sequence[str]) -> str:
    """The rules that uploads from pages of these origins need, as `aws s3api put-bucket-cors
    --cors-configuration` takes them."""
    rule = {
        "AllowedOrigins": list(origins),
        "AllowedMethods": list(METHODS),
        "AllowedHeaders": ["*"],
        "ExposeHeaders": list(EXPOSED),
        "MaxAgeSeconds": 3600,
    }
    return json.dumps({"CORSRules": [rule]}, indent=2)


def allows(headers: dict[str, str], origin: str, wanted: Sequence[str]) -> bool:
    """Whether the response to a preflight request (lower-case header names) lets a page of
    `origin` send a PUT with the headers `wanted`."""
    if headers.get("access-control-allow-origin") not in (origin, "*"):
        return False
    methods = _words(headers.get("access-control-allow-methods", ""))
    allowed = _words(headers.get("access-control-allow-headers", ""))
    return "put" in methods and ("*" in allowed or allowed.issuperset(wanted))


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",") if word.strip()}
