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
_is_word = re.compile(r"[A-Za-z0-9_.-]+").fullmatch
METADATA_BYTES = 2048
"""Of names and values together."""


def is_metadata_name(name: str) -> bool:
    """Whether objects can carry metadata of this name: a lower-case HTTP token, and free."""
    return name != DIGEST_NAME and _TOKEN(name) is not None


@dataclass(frozen=True, slots=True)
class Extras:
    """What the user adds to every object. Raises UsageError for what no object can carry.

    S3 stores metadata names in lower case, and a signature with others is wrong. Limits: "User-
    defined object metadata" and "Object tagging", Amazon S3 User Guide.
    """

    cache_control: str | None = None
    storage_class: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cache_control is not None:
            _require_one_line("--cache-control", self.cache_control)
            if not self.cache_control.isascii():
                raise UsageError(f"--cache-control {self.cache_control!r} is not ASCII")
        if self.storage_class is not None and not _is_word(self.storage_class):
            raise UsageError(
                f"--storage-class {self.storage_class!r} is not a storage class",
                hint="Storage classes are single words, for example STANDARD_IA.",
            )
        self._check_metadata()
        self._check_tags()

    def _check_metadata(self) -> None:
        for name in self.metadata:
            if not is_metadata_name(name):
                hint = f"Use lower-case letters, digits and '-'; {DIGEST_NAME!r} is bulkup's own."
                if is_metadata_name(name.lower()):
                    hint = f"Names are lower case: --metadata {name.lower()}=…"
                raise UsageError(f"the metadata name {name!r} cannot be stored", hint=hint)
        size = sum(len(f"{name}{value}".encode()) for name, value in self.metadata.items())
        if size > METADATA_BYTES:
            raise UsageError(
                f"--metadata holds {size:,} bytes; objects can carry {METADATA_BYTES:,}",
                hint="Put less into it.",
            )

    def _check_tags(self) -> None:
        if len(self.tags) > 10:
            raise UsageError(
                f"{len(self.tags)} tags were given; an object has 10 at most",
                hint="Leave some of the --tag options out.",
            )
        for name, value in self.tags.items():
            _require_one_line(f"--tag {name}", f"{name}{value}")
            if not 1 <= len(name) <= 128:
                raise UsageError(f"the name of the tag {name!r} has not 1 to 128 characters")
            if len(value) > 256:
                raise UsageError(f"the value of --tag {name} has more than 256 characters")
            if name.lower().startswith("aws:"):
                raise UsageError(
                    f"the tag {name!r} is reserved", hint="Tag names do not begin with aws:."
                )


def _require_one_line(option: str, text: str) -> None:
    import unicodedata

    if any(unicodedata.category(character) == "Cc" for character in text):
        raise UsageError(
            f"{option} contains a line break or another control character",
            hint="It is sent as one line of text: remove them.",
        )


def attributes_for(path: str, modified_ns: int, media_type: str, extras: Extras) -> Attributes:
    """The attributes of one object: type, original name, and mtime in seconds with nine digits,
    the form that rclone shows and restores."""
    digits = str(abs(modified_ns)).zfill(10)
    sign = "-" if modified_ns < 0 else ""  # before 1970
    return Attributes(
        content_type=media_type,
        metadata={
            **extras.metadata,
            "name": as_utf8(path.rpartition("/")[2]),
            "mtime": f"{sign}{digits[:-9]}.{digits[-9:]}",
        },
        cache_control=extras.cache_control,
        storage_class=extras.storage_class,
        tags=extras.tags,
    )
