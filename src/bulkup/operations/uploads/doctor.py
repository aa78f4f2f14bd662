"""Whether clients of `bulkup serve` can upload to a bucket: what URLs bind, and CORS."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Sequence

from bulkup.operations.doctor import CheckResult
from bulkup.stores.broker.store import BrokerStore
from bulkup.stores.s3.signed_urls import cors
from bulkup.stores.s3.store import S3Store
from bulkup.stores.store import URLBindings

_WORDS = {"length": "the length", "digest": "the SHA-256", "absence": "that the key is free"}
_LACKS = (
    "what URLs do not bind is checked by bulkup serve when an upload is completed, which takes "
    "more requests"
)


def says_bindings(url: str, names: Collection[str], how: str) -> CheckResult:
    """What signed URLs at a destination were found to bind."""
    bound = [words for name, words in _WORDS.items() if name in names]
    lacking = [words for name, words in _WORDS.items() if name not in names]
    found = f"bind {', '.join(bound) or 'nothing'}"
    if not lacking:
        return CheckResult("destination", url, "signed URLs", "ok", f"{found} ({how})")
    found = f"{found}; not {', '.join(lacking)} ({how})"
    return CheckResult("destination", url, "signed URLs", "warning", found, _LACKS)


async def check_uploads(store: S3Store, origins: Sequence[str]) -> AsyncIterator[CheckResult]:
    """Probe both, by a few bytes under a key of bulkup's own. Raises StoreError and
    DestinationError."""
    bindings = await store.probe_bindings(f"doctor-{secrets.token_hex(8)}")
    yield says_bindings(store.url, _names(bindings), "tried just now")
    for origin in origins:
        if await store.allows_origin(origin):
            found = f"pages of {origin} may upload and read"
            yield CheckResult("destination", store.url, "CORS", "ok", found)
        else:
            found = f"browsers refuse uploads from pages of {origin}"
            hint = (
                "Set these rules, for example with aws s3api put-bucket-cors --bucket BUCKET "
                f"--cors-configuration file://cors.json: {cors.advice(origins)}"
            )
            yield CheckResult("destination", store.url, "CORS", "warning", found, hint)


def _names(bindings: URLBindings) -> list[str]:
    return [name for name, is_bound in bindings._asdict().items() if is_bound]


async def check_server(store: BrokerStore) -> CheckResult:
    """Whether another `bulkup serve` takes uploads. Raises DestinationError and StoreError."""
    await store.check()
    return CheckResult("destination", store.url, "bulkup serve", "ok", "takes this token's uploads")
