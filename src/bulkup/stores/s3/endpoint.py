"""The address of a bucket: scheme, host and path prefix of its requests. Pure.

AWS buckets are addressed by virtual host ("Virtual hosting of buckets", Amazon S3 User Guide),
unless their name has dots, which no TLS wildcard matches; all other endpoints by path.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from bulkup.errors import StoreRefused, UsageError
from bulkup.stores.keys import KEY_LIMIT_BYTES
from bulkup.stores.urls import BUCKET_RULES

_DEFAULT_PORTS = {"http": 80, "https": 443}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]").fullmatch
_AMAZON = re.compile(r"s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com").fullmatch


class Address(NamedTuple):
    """`origin` + `path_prefix` + '/' + encoded key is the URL of an object."""

    origin: str  # scheme://host[:port], no slash at the end
    host: str  # the Host header as sent: lower case, no default port
    path_prefix: str  # '' or '/bucket'
    is_aws: bool


def locate(
    bucket: str, *, endpoint_url: str | None, region: str, addressing_style: str = "auto"
) -> Address:
    """The address of `bucket`, at `endpoint_url` or in AWS. Raises UsageError for a bad URL.

    The style is 'path', 'virtual' (the bucket is part of the host name) or 'auto'.
    """
    if endpoint_url:
        return _elsewhere(bucket, endpoint_url, is_virtual=addressing_style == "virtual")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if addressing_style == "path" or (addressing_style == "auto" and "." in bucket):
        host = f"s3.{region}.{suffix}"
        return Address(f"https://{host}", host, f"/{bucket}", is_aws=True)
    host = f"{bucket}.s3.{region}.{suffix}"
    return Address(f"https://{host}", host, "", is_aws=True)


def normalise_endpoint(endpoint_url: str) -> str:
    """The one way to write an endpoint: lower case, no default port, no slash at the end.

    '' for Amazon S3 at one of its own regional or global endpoints. Raises UsageError.
    """
    scheme, host, path = _split(endpoint_url)
    if scheme == "https" and not path and _AMAZON(host):
        return ""
    return f"{scheme}://{host}{path}"


def _elsewhere(bucket: str, endpoint_url: str, *, is_virtual: bool) -> Address:
    scheme, host, path = _split(endpoint_url)
    if is_virtual:
        host = f"{bucket}.{host}"
        return Address(f"{scheme}://{host}", host, path, is_aws=False)
    return Address(f"{scheme}://{host}", host, f"{path}/{bucket}", is_aws=False)


def _split(endpoint_url: str) -> tuple[str, str, str]:
    """Scheme, host with its port unless that is the default, and path without a closing slash."""
    try:
        parts = urlsplit(endpoint_url.strip())
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--endpoint-url is no URL: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise UsageError(
            "--endpoint-url must begin with http:// or https://",
            hint="For example --endpoint-url https://s3.example.net",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "--endpoint-url must not hold a user, a password, a query or a fragment",
            hint="Give keys by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return parts.scheme, host, parts.path.rstrip("/")


def suspicion(address: Address, bucket: str) -> str | None:
    """What is odd about the address of a bucket that is not found there; None for nothing."""
    if bucket != bucket.lower():
        return f"Bucket names are lower case: --to s3://{bucket.lower()}"
    if not _BUCKET(bucket):
        return BUCKET_RULES
    if address.is_aws:
        return None
    scheme, _, host = address.origin.partition("://")
    path = address.path_prefix.removesuffix(f"/{bucket}")
    if path.endswith(f"/{bucket}"):
        return f"--endpoint-url ends with the bucket: leave it out, {address.origin}"
    if path:
        return f"--endpoint-url has the path {path}: most servers have none, {address.origin}"
    if address.path_prefix and host.startswith(f"{bucket}."):
        rest = host.removeprefix(f"{bucket}.")
        return f"--endpoint-url begins with the bucket: leave it out, {scheme}://{rest}"
    return None


def require_addressable(key: str) -> None:
    """Raise StoreRefused for keys that no URL can name.

    URL parsers, those of pyreqwest and of proxies, resolve the segments '.' and '..', encoded
    or not (WHATWG URL, "path state"): a request for such a key would reach another object.
    """
    if not key or len(key.encode()) > KEY_LIMIT_BYTES:
        size = len(key.encode())
        raise StoreRefused(f"the key {key[:60]!r} has {size} bytes, not 1 to {KEY_LIMIT_BYTES}")
    if ("./" in key or key.endswith(".")) and not {".", ".."}.isdisjoint(key.split("/")):
        raise StoreRefused(f"the key {key!r} has a segment '.' or '..', which no URL can name")
