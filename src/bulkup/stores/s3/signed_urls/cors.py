"""Cross-origin rules of a bucket: which pages may send to it from a browser.

Source: "Using cross-origin resource sharing (CORS)", Amazon S3 User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from bulkup.stores.s3.http1 import Response

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
    return json.dumps({"CORSRules": [rule]})


def allows(response: Response, origin: str, wanted: Iterable[str]) -> bool:
    """Whether the response to a preflight request lets a page of `origin` send a PUT with the
    headers `wanted`, in lower case."""
    if response.get_header("access-control-allow-origin") not in (origin, "*"):
        return False
    methods = _words(response.get_header("access-control-allow-methods") or "")
    allowed = _words(response.get_header("access-control-allow-headers") or "")
    return "put" in methods and ("*" in allowed or allowed.issuperset(wanted))


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",") if word.strip()}
