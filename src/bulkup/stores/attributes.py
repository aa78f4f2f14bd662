"""What is stored beside a picture's bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkup.model import Attributes
from bulkup.stores.keys import as_utf8


@dataclass(frozen=True, slots=True)
class Extras:
    """What the user wants on every object."""

    cache_control: str | None = None
    storage_class: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def attributes_for(path: str, modified_ns: int, media_type: str, extras: Extras) -> Attributes:
    """The attributes of one object: type, original name, and mtime in seconds with nine digits.

    `mtime` has rclone's form, so that rclone shows and restores it.
    """
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
