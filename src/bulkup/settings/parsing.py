"""What values settings may have, and how they are parsed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from bulkup.content.picture.spec import VariantSpec
from bulkup.model import Stage
from bulkup.settings.units import GIB, MIB, parse_age_or_date, parse_duration, parse_size


class Kind(NamedTuple):
    """The values of a setting: `parse` raises ValueError for anything but what `expects` says.

    `parse` gets text (from the environment or a flag) or a value of TOML or of the flag parser.
    `metavar` is what `--help` calls it. With `anchored`, relative paths are made absolute from
    where they were written. A `secret` value is not repeated in an error message.
    """

    expects: str
    parse: Callable[[object], Any]
    metavar: str = "TEXT"
    anchored: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    flag_expects: str | None = None  # where a flag takes something simpler


def _text(value: object) -> str:
    if isinstance(value, (str, Path)):
        return str(value)
    raise ValueError


def _named(value: object) -> str:
    name = _text(value).strip()
    if not name:
        raise ValueError
    return name


def _destination(value: object) -> str:
    """Raises UsageError for what would be taken for a path by mistake."""
    from bulkup.stores.urls import require_no_lookalike

    text = _text(value)
    require_no_lookalike(text)
    return text


def _layout(value: object) -> str:
    text = _text(value)
    if text in ("path", "content"):  # at each start: the default
        return text
    from bulkup.stores.key_templates import check_template, is_template

    if not is_template(text):
        raise ValueError
    check_template(text)
    return text


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = _text(value).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError


def _number(value: object) -> float:
    """A finite number, not negative. TOML's true and nan are none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        number = float(_text(value))
    if not 0 <= number < float("inf"):
        raise ValueError
    return number


def _whole_from_1(value: object) -> int:
    number = int(value) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError
    return number


def _port(value: object) -> int:
    number = _whole_from_0(value)
    if number > 65_535:
        raise ValueError(value)
    return number


def _whole_from_0(value: object) -> int:
    return 0 if str(value).strip() == "0" else _whole_from_1(value)


def _auto_or_count(value: object) -> int | None:
    return None if value == "auto" else _whole_from_1(value)


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return parse_size(_text(value))


def _duration(value: object) -> float:
    return parse_duration(value) if isinstance(value, str) else _number(value)


def _span_or_never(value: object) -> float | None:
    return None if value == "never" else _positive(_duration)(value)


def _positive(parse: Callable[[object], float]) -> Callable[[object], float]:
    def parse_positive(value: object) -> float:
        number = parse(value)
        if number <= 0:
            raise ValueError
        return number

    return parse_positive


def _size_between(least: int, most: int) -> Callable[[object], int]:
    def parse_bounded(value: object) -> int:
        size_bytes = _size(value)
        if not least <= size_bytes <= most:
            raise ValueError
        return size_bytes

    return parse_bounded


def _rate(value: object) -> float:
    return _number(value.removesuffix("/s") if isinstance(value, str) else value)


def _bandwidth(value: object) -> int:
    return _size(value.removesuffix("/s") if isinstance(value, str) else value)


def _share(value: object) -> float:
    if isinstance(value, str) and value.strip().endswith("%"):
        share = _number(value.strip().removesuffix("%")) / 100
    else:
        share = _number(value)
    if not 0 < share <= 1:
        raise ValueError
    return share


_DASK = re.compile(r"dask://(?:(?:[\w][\w.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})/?)?", re.ASCII)


def _engine(value: object) -> str:
    text = _text(value)
    found = _DASK.fullmatch(text)
    if text != "local" and not (found and (found[1] is None or 0 < int(found[1]) < 1 << 16)):
        raise ValueError
    return text


def _web_url(value: object) -> str:
    from urllib.parse import urlsplit

    text = _text(value).strip()
    parts = urlsplit(text)
    _ = parts.port  # ValueError for one that is no port
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    return text


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)):
        raise ValueError  # noqa: TRY004  # a wrong value in the file
    return tuple(_text(part) for part in value)


def _folders(value: object) -> tuple[str, ...]:
    found = _texts(value)
    if not all(
        text.strip() and not text.startswith("file:") and "://" not in text for text in found
    ):
        raise ValueError
    return found


def _stages(value: object) -> tuple[Stage, ...]:
    chosen = _texts(value)
    if not chosen or not set(chosen) <= set(Stage):
        raise ValueError
    return tuple(stage for stage in Stage if stage in chosen)


def _variants(value: object) -> tuple[VariantSpec, ...]:
    found = [VariantSpec.parse(text.strip()) for text in _texts(value)]
    names = {spec.name for spec in found}
    if not found or len(names) < len(found) or names & {"original", "copy"}:  # other objects' kinds
        raise ValueError
    return tuple(found)


def _moment(value: object) -> timedelta | datetime:
    if isinstance(value, date):  # TOML has dates of its own
        value = value.isoformat()
    return parse_age_or_date(_text(value))


def _pairs(value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {_text(name): _text(text) for name, text in value.items()}
    pairs = [part.partition("=") for part in _texts(value)]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError
    return {name: text for name, _, text in pairs}


def _choice(*words: str) -> Kind:
    def parse(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(" or ".join(f'"{word}"' for word in words), parse, choices=words)


TEXT = Kind("a text", _text)
URL = TEXT._replace(metavar="URL")
PATH = Kind("a path", _text, "FILE", anchored=True)
DESTINATION = PATH._replace(parse=_destination, metavar="DEST")
TRUTH = Kind("true or false", _truth)
COUNT = Kind("a whole number from 1", _whole_from_1, "N")
COUNT_OR_NONE = Kind("a whole number from 0", _whole_from_0, "N")
PORT = Kind("a port from 0 to 65535", _port, "PORT")
SIZE = Kind('a size such as "64MiB", "10M" or 1024', _size, "SIZE")
DURATION = Kind('a duration such as "90", "10m" or "1h30m"', _duration, "TIME")
SPAN = Kind('a duration above 0 such as "90", "10m" or "1h30m"', _positive(_duration), "TIME")
SPAN_OR_NEVER = Kind('"never" or a duration above 0 such as "1h"', _span_or_never, "TIME")
MOMENT = Kind('an age such as "30d" or "12h", or a date such as "2026-01-31"', _moment, "WHEN")
RATE = Kind('a rate above 0 such as "100/s"', _positive(_rate), "N/s")
BANDWIDTH = Kind('a size per second above 0 such as "10M"', _positive(_bandwidth), "RATE")
SHARE = Kind('a share above 0 such as "10%" or 0.1', _share)
# Whoever knows the URL of a webhook can post to it.
WEB_URL = Kind('a URL that begins with "http://" or "https://"', _web_url, secret=True)
TEXTS = Kind("a list of texts (in the environment: separated by commas)", _texts, "GLOB")
FOLDERS = Kind(
    "a list of folders (in the environment: separated by commas)", _folders, "DIR", anchored=True
)
PAIRS = Kind(
    'a table of texts (elsewhere: "KEY=VALUE", separated by commas)',
    _pairs,
    "K=V",
    flag_expects="KEY=VALUE",
)
STAGE_LIST = Kind(f"some of {', '.join(Stage)}", _stages, "STAGES")
EMBEDDER = Kind("the name of a model", _named, "NAME")
EMBED_API = _choice("openai", "replicate")
PICTURES_AS = _choice("url", "image", "message")
NUMBER = Kind("a number above 0", _positive(_number))
SECRET = Kind("a text", _text, secret=True)
VARIANTS = Kind(
    'a list of "name:size:format:quality": a size from 16 to 16384 pixels, jpeg, webp or avif, '
    "a quality from 1 to 100; each name once",
    _variants,
)
# Less is not enough for an ordinary photo; RLIMIT_DATA takes what a pointer can address.
WORKER_MEMORY = Kind('a size from "256MiB"', _size_between(256 * MIB, 1 << 60))
AUTO_OR_COUNT = Kind('"auto" or a whole number from 1', _auto_or_count, "auto|N")
LAYOUT = Kind(
    '"path", "content" or a template of {taken:%Y-%m-%d}, {name}, {stem}, {ext}, {folder}, '
    "{camera} and {digest}",
    _layout,
    "path|content|TEMPLATE",
)
ON_DUPLICATE = _choice("skip", "copy")
ENGINE = Kind('"local", "dask://HOST:PORT" or "dask://"', _engine, "ENGINE")
ADDRESSING_STYLE = _choice("auto", "path", "virtual")
NOTIFY_ON = _choice("always", "failure", "never")
# Amazon S3's "Multipart upload limits": a part has 5 MiB to 5 GiB, a single PUT at most 5 GiB.
PART_SIZE = Kind('a size from "5MiB" to "5GiB"', _size_between(5 * MIB, 5 * GIB))
