"""What is stored beside a file's bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bulkup.errors import UsageError
from bulkup.model import Attributes
from bulkup.stores.keys import as_utf8

DIGEST_NAME = "sha256"
"""The metadata name under which S3 objects carry their digest."""

_TOKEN = re.compile(r"[a-z0-9!#$&'*+.^_`|~-]+").fullmatch  # RFC 9110 §5.6.2, lower case only


def is_metadata_name(name: str) -> bool:
    """Whether objects can carry metadata of this name: a lower-case HTTP token, and free."""
    return name != DIGEST_NAME and _TOKEN(name) is not None


@dataclass(frozen=True, slots=True)
class Extras:
    """What the user adds to every object.

    Raises UsageError for a metadata name that is not a lower-case header name: S3 stores them in
    lower case, and a signature with others is wrong.
    """

    cache_control: str | None = None
    storage_class: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.metadata:
            if not is_metadata_name(name):
                hint = f"Use lower-case letters, digits and '-'; {DIGEST_NAME!r} is bulkup's own."
                if is_metadata_name(name.lower()):
                    hint = f"Names are lower case: --metadata {name.lower()}=…"
                raise UsageError(f"the metadata name {name!r} cannot be stored", hint=hint)


def attributes_for(path: str, modified_ns: int, media_type: str, extras: Extras) -> Attributes:
    """The attributes of one object: type, original name, and mtime in seconds with nine digits,
    the form that rclone shows and restores."""
    seconds, nanoseconds = divmod(abs(modified_ns), 1_000_000_000)
    sign = "-" if modified_ns < 0 else ""  # before 1970
    return Attributes(
        content_type=media_type,
        metadata={
            **extras.metadata,
            "name": as_utf8(path.rpartition("/")[2]),
            "mtime": f"{sign}{seconds}.{nanoseconds:09d}",
        },
        cache_control=extras.cache_control,
        storage_class=extras.storage_class,
        tags=extras.tags,
    )
