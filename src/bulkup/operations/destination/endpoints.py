"""At which endpoint a bucket is: asked for, remembered, or Amazon S3.

Two servers are never one destination. A bucket that is known at one endpoint is looked for there
unless another is asked for, so that Amazon is never asked by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bulkup.errors import UsageError
from bulkup.manifest.destinations import Destination
from bulkup.settings.options import RunOptions
from bulkup.stores.aws_config import profile_settings
from bulkup.stores.s3.credentials import configured_endpoint
from bulkup.stores.s3.endpoint import normalise_endpoint


class Asked(NamedTuple):
    """An endpoint by boto3's chain; '' is Amazon S3.

    It is deliberate when a flag, a setting, the environment or a profile that was named says it,
    and not when the default profile of the AWS config file does.
    """

    endpoint_url: str
    is_deliberate: bool


def asked_endpoint(options: RunOptions, environ: Mapping[str, str]) -> Asked | None:
    """The endpoint that this call asks for; None when nothing says one. Raises UsageError."""
    if options.endpoint_url is not None:
        return Asked(normalise_endpoint(options.endpoint_url), is_deliberate=True)
    configured = configured_endpoint(environ, profile_settings(environ, options.profile))
    if configured is None:
        return None
    names = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    is_deliberate = options.profile is not None or any(environ.get(name) for name in names)
    return Asked(normalise_endpoint(configured), is_deliberate)


def choose_endpoint(
    url: str, known: Iterable[Destination], options: RunOptions, environ: Mapping[str, str]
) -> str:
    """The endpoint of `url`, a canonical one; '' for Amazon S3 and for directories.

    Where nothing of this URL is known, its bucket is where others of its prefixes were reached.
    Raises UsageError when several are possible.
    """
    if not url.startswith("s3://"):
        return ""
    asked = asked_endpoint(options, environ)
    endpoints = _known_endpoints(url, known)
    if asked is not None and (asked.is_deliberate or asked.endpoint_url in endpoints):
        return asked.endpoint_url
    possible = endpoints if asked is None else [*endpoints, asked.endpoint_url]
    if len(possible) > 1:
        raise UsageError(
            f"{url} may be at {' or at '.join(map(shown_endpoint, possible))}",
            hint="Choose one with --endpoint-url; Amazon S3 is https://s3.amazonaws.com.",
        )
    return possible[0] if possible else ""


def _known_endpoints(url: str, known: Iterable[Destination]) -> list[str]:
    """Where destinations of this URL are, those that were reached first; else its bucket."""
    everywhere = list(known)
    there = [one for one in everywhere if one.url == url]
    if not there:
        bucket = f"{bucket_of(url)}/"
        there = [one for one in everywhere if one.is_reached and f"{one.url}/".startswith(bucket)]
    reached = [one for one in there if one.is_reached]
    return list(dict.fromkeys(one.endpoint_url for one in reached or there))


def bucket_of(url: str) -> str:
    """The URL of the bucket of a canonical S3 URL: `s3://bucket`."""
    return "/".join(url.split("/", 3)[:3])


def require_same_endpoint(
    destination: Destination, options: RunOptions, environ: Mapping[str, str]
) -> None:
    """Raise UsageError when another endpoint than the destination's is asked for."""
    if not destination.url.startswith("s3://"):
        return
    asked = asked_endpoint(options, environ)
    if asked is None or not asked.is_deliberate or asked.endpoint_url == destination.endpoint_url:
        return
    raise UsageError(
        f"{destination.url} is remembered at {shown_endpoint(destination.endpoint_url)}, "
        f"and {shown_endpoint(asked.endpoint_url)} is asked for",
        hint=f"To push to another server, say so: --to {destination.url}",
    )


def shown_endpoint(endpoint_url: str) -> str:
    """The endpoint as messages name it."""
    return endpoint_url or "Amazon S3"
