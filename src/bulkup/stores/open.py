"""From a destination URL to its store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bulkup.errors import UsageError
from bulkup.stores.store import Capabilities, PartStore
from bulkup.stores.urls import BrokerURL, parse, prefix_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkup.clock import Clock


class Access(NamedTuple):
    """How a bucket is reached; None: the environment or the AWS profile says it."""

    endpoint_url: str | None = None  # '' is Amazon S3
    region: str | None = None
    profile: str | None = None
    addressing_style: str | None = None
    ca_bundle: str | None = None  # the path of a PEM file; by default AWS_CA_BUNDLE


_AS_CONFIGURED = Access()


def open_store(
    url: str,
    access: Access = _AS_CONFIGURED,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    capabilities: Capabilities | None = None,
    holds_objects: bool = False,
) -> PartStore:
    """The store at `url`, see `stores.urls`. Makes no request.

    `capabilities` are what an earlier run learned; `holds_objects` is for directories. Raises
    UsageError; missing credentials raise CredentialsRefused at the first request.
    """
    place = parse(url)
    if isinstance(place, str):
        from bulkup.stores.directory.store import DirectoryStore

        return DirectoryStore(place, clock=clock, holds_objects=holds_objects)
    if isinstance(place, BrokerURL):
        return _open_broker(place, environ, clock, access.ca_bundle)
    pem = read_pem(access.ca_bundle or environ.get("AWS_CA_BUNDLE"))
    from bulkup.stores.s3.credentials import find_credentials
    from bulkup.stores.s3.store import S3Store
    from bulkup.stores.s3.transport import S3Transport

    credentials = find_credentials(
        environ,
        profile=access.profile,
        region=access.region,
        endpoint_url=access.endpoint_url,
        addressing_style=access.addressing_style,
    )
    transport = S3Transport(place.bucket, credentials, ca_pem=pem, clock=clock)
    return S3Store(place.canonical, prefix_of(url), transport, capabilities or Capabilities())


def _open_broker(
    place: BrokerURL, environ: Mapping[str, str], clock: Clock, ca_bundle: str | None
) -> PartStore:
    from bulkup.stores.broker.calls import Calls
    from bulkup.stores.broker.store import BrokerStore

    token = environ.get("BULKUP_TOKEN", "").strip() or None
    base, pem = place.origin + place.path, read_pem(ca_bundle)
    calls = Calls(place.canonical, base, token, ca_pem=pem, clock=clock)
    return BrokerStore(place.canonical, calls)


def read_pem(path: str | None) -> bytes | None:
    """The certificates of a CA bundle; None without a path. Raises UsageError."""
    if not path:
        return None
    try:
        pem = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"the CA bundle {path!r} cannot be read: {error.strerror}") from error
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise UsageError(f"the CA bundle {path!r} holds no PEM certificate")
    return pem
