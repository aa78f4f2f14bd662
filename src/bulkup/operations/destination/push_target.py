"""Where a push goes: the destination given, the one its root remembers, or the local store.

A folder inside a known root, a link to one, and a root that moved go where that root went, under
the keys that its files have there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from bulkup.errors import UsageError
from bulkup.manifest.destinations import Destination, Destinations
from bulkup.operations.destination.endpoints import (
    asked_endpoint,
    bucket_of,
    choose_endpoint,
    require_same_endpoint,
)
from bulkup.run.options import NamedRoot, Subtree, named
from bulkup.settings.options import RunOptions, UploadOptions
from bulkup.stores.urls import canonical, is_directory, redact, require_no_lookalike


class KnownRoot(NamedTuple):
    """The known root that a path lies in; `place` is where it is now, if it moved."""

    path: str
    place: str
    destination: Destination


class PushTarget(NamedTuple):
    """The destination of a push and what is walked. `notices` say what was not typed."""

    url: str
    endpoint_url: str
    is_first_use_of_default: bool
    roots: tuple[NamedRoot, ...]
    subtrees: tuple[Subtree, ...] = ()
    notices: tuple[str, ...] = ()


def resolve_target(
    roots: Sequence[str],
    upload: UploadOptions,
    options: RunOptions,
    destinations: Destinations,
    environ: Mapping[str, str],
) -> PushTarget:
    """The target of a push of `roots`, absolute paths. Writes nothing. Raises UsageError."""
    known = destinations.all()
    if upload.to is not None:
        url = canonical(upload.to)
        _require_outside(url, roots)
        endpoint_url = choose_endpoint(url, known, options, environ)
        notices = _endpoint_notices(url, endpoint_url, known, options, environ)
        return PushTarget(url, endpoint_url, False, tuple(map(named, roots)), notices=notices)
    _require_sources(roots, known)
    found = [find_known_root(root, destinations) for root in roots]
    remembered = {one.destination.id: one.destination for one in found if one is not None}
    if len(remembered) > 1:
        urls = " and ".join(one.url for one in remembered.values())
        raise UsageError(
            f"these paths go to different destinations: {urls}",
            hint="Push them one by one, or give --to.",
        )
    if not remembered:
        return _to_local_store(roots, upload, known)
    (destination,) = remembered.values()
    require_same_endpoint(destination, options, environ)
    _require_outside(destination.url, roots)
    return _like_known_roots(roots, found, destination)


def _endpoint_notices(
    url: str,
    endpoint_url: str,
    known: Sequence[Destination],
    options: RunOptions,
    environ: Mapping[str, str],
) -> tuple[str, ...]:
    """What the user did not say of the endpoint: that another prefix of the bucket is there."""
    is_said = asked_endpoint(options, environ) is not None or any(one.url == url for one in known)
    if not endpoint_url or is_said:
        return ()
    return (f"{bucket_of(url)} is at {endpoint_url}, as before",)


def _to_local_store(
    roots: Sequence[str], upload: UploadOptions, known: Sequence[Destination]
) -> PushTarget:
    url = canonical(upload.default_to)
    others = [one.url for one in sorted(known, key=lambda one: one.is_reached) if one.url != url]
    if others:
        raise UsageError(
            f"{roots[0]} has no destination yet",
            hint=f"To use the last one: bulkup push {roots[0]} --to {others[-1]}",
        )
    for root in roots:  # a hidden directory in it is not walked
        if "/." not in url.removeprefix(root):
            _require_outside(url, [root])
    return PushTarget(url, "", True, tuple(map(named, roots)))


def _like_known_roots(
    roots: Sequence[str], found: Sequence[KnownRoot | None], destination: Destination
) -> PushTarget:
    """Each root as a part of the known root that it lies in."""
    parts = [_part(root, inside) for root, inside in zip(roots, found, strict=True)]
    walked, subtrees = zip(*parts, strict=True)
    notices = map(_notice, roots, found, (destination.url,) * len(roots))
    if all(one.name == "./" or not (one.folder or one.name.endswith("/")) for one in subtrees):
        walked = tuple(
            named(place.path if part.name == "./" else root)
            for root, (place, part) in zip(roots, parts, strict=True)
        )
        subtrees = ()
    return PushTarget(
        destination.url,
        destination.endpoint_url,
        False,
        tuple(dict.fromkeys(walked)),
        subtrees,
        tuple(notice for notice in notices if notice is not None),
    )


def _part(root: str, inside: KnownRoot | None) -> tuple[NamedRoot, Subtree]:
    """The known root of `root`, and what of it `root` is."""
    place = named(root).path if inside is None else inside.place
    rest = os.path.relpath(root, place)
    if rest.startswith(".."):  # a link leads there
        rest = os.path.relpath(os.path.realpath(root), os.path.realpath(place))
    whole = NamedRoot(place, place, is_whole=True)
    if rest == ".":
        return whole, Subtree(place, "", "./")
    folder, slash, name = rest.rpartition("/")
    return whole, Subtree(place, folder + slash, f"{name}/" if os.path.isdir(root) else name)


def _notice(root: str, inside: KnownRoot | None, url: str) -> str | None:
    """What the user did not say of one root; None when there is nothing."""
    if inside is None:
        return f"{root} goes to {url}, as the other paths do"
    if inside.place != inside.path:
        return f"{inside.path} is {inside.place} now: pushing to {url}"
    if named(root).path != inside.path:
        return f"{root} lies in {inside.path}: pushing to {url}"
    return None


def require_paths(paths: Sequence[str], *, has_destination: bool = False) -> None:
    """Raise UsageError when one of the paths, as typed, is meant as a destination.

    `has_destination`: it was named elsewhere.
    """
    for path in paths:
        if os.path.lexists(path):
            continue
        others = " ".join(other for other in paths if other != path) or "PATH"
        if re.match(r"s3:(?!//)", path, re.IGNORECASE):
            to = f"s3://{path[3:].lstrip('/')}"
        elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
            to = redact(path)
        else:
            require_no_lookalike(path)
            if path == paths[-1] and others != "PATH" and not has_destination and "~" not in path:
                raise UsageError(
                    f"{path}: No such file or directory",
                    hint="Check the path you gave.\n"
                    f"If it is where the files should go: bulkup push {others} --to {path}",
                )
            continue
        raise UsageError(
            f"{redact(path)} is a destination, not a source", hint=f"bulkup push {others} --to {to}"
        )


def find_known_root(root: str, destinations: Destinations) -> KnownRoot | None:
    """The known root that `root` is, lies in, links to, or was moved with; None without one.

    Those whose destination was never reached come last.
    """
    of_roots = destinations.of_roots()
    reached = {path: one for path, one in of_roots.items() if one.is_reached}
    return _find_among(reached, root, destinations) or _find_among(of_roots, root, destinations)


def _find_among(
    known: Mapping[str, Destination], root: str, destinations: Destinations
) -> KnownRoot | None:
    for path in _with_parents(root):
        if path in known:
            return KnownRoot(path, path, known[path])
    real = {os.path.realpath(path): path for path in known if os.path.isdir(path)}
    for path in _with_parents(os.path.realpath(root)):
        if path in real:
            return KnownRoot(real[path], real[path], known[real[path]])
    gone = [path for path in known if not os.path.lexists(path)]
    for place in _with_parents(root):
        for path in gone:
            if _is_moved(place, destinations.some_files(path)):
                return KnownRoot(path, place, known[path])
    return None


def _is_moved(place: str, files: Sequence[tuple[str, int, int]]) -> bool:
    """Whether most of a root's files are below `place` now."""
    there = 0
    for path, size_bytes, modified_ns in files:
        try:
            found = os.stat(os.path.join(place, path))
        except OSError:
            continue
        there += (found.st_size, found.st_mtime_ns) == (size_bytes, modified_ns)
    return there * 2 > len(files)


def _with_parents(path: str) -> list[str]:
    """The path and the directories above it, from the innermost outwards, without '/'."""
    found = []
    while path not in ("/", ""):
        found.append(path)
        path = os.path.dirname(path)
    return found


def _require_sources(roots: Sequence[str], known: Sequence[Destination]) -> None:
    """Raise UsageError when one of several paths is or holds a known destination."""
    if len(roots) < 2:
        return
    directories = [one.url for one in known if is_directory(one.url)]
    for root in roots:
        for url in directories:
            if _is_within(url, root):
                others = " ".join(other for other in roots if other != root)
                raise UsageError(
                    f"{url} is a destination, not a source",
                    hint=f"bulkup push {others} --to {root}",
                )


def _require_outside(url: str, roots: Sequence[str]) -> None:
    """Raise UsageError when a directory destination is one of the roots or lies in one."""
    if not is_directory(url):
        return
    for root in roots:
        if _is_within(url, root):
            raise UsageError(
                f"the destination {url} lies in the source {root}",
                hint="Choose a directory outside of it.",
            )


def _is_within(path: str, directory: str) -> bool:
    """Also by another mount of the same file system, which has other paths."""
    inner, outer = os.path.realpath(path), os.path.realpath(directory)
    if inner == outer or inner.startswith(outer.rstrip("/") + "/"):
        return True
    with suppress(OSError):
        found = os.stat(outer)
        while (above := os.path.dirname(inner)) != inner:
            with suppress(FileNotFoundError, NotADirectoryError):
                if os.path.samestat(os.stat(inner), found):
                    return True
            inner = above
    return False
