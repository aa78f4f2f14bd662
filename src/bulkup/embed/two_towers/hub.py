"""Files of a model from a hub with the protocol of Hugging Face's, or from a mirror of it.

    HEAD {hub}/{repository}/resolve/{revision}/{path}   X-Repo-Commit: the commit of the revision,
                                                        X-Linked-ETag or ETag: SHA-256, or the SHA-1
                                                        of a Git blob; X-Linked-Size
    GET  the same of the commit, with a Range where a part is there

The commit and the digests of all files are read first and kept beside the parts, so a download
that continues tomorrow takes the same files. Proxies and certificates come from the environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urljoin, urlsplit

from bulkup.errors import EmbedderUnusable
from bulkup.proxies import proxy_for
from bulkup.redaction import foreign_text

if TYPE_CHECKING:
    import httpx

SNAPSHOT: Final = "snapshot.json"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_PART: Final = ".part"
_BLOCK: Final = 1 << 20
_SECONDS: Final = 30.0  # without a byte


@dataclass(frozen=True, slots=True)
class HubFiles:
    """The files of one commit of a repository, by path, with what the hub says of each."""

    repository: str
    revision: str  # as asked for
    commit: str  # what it is; the revision itself where a mirror does not say
    digests: Mapping[str, str]  # SHA-256, or SHA-1 of the Git blob, in hex; '' where it is not said
    sizes: Mapping[str, int]  # bytes; -1 where it is not said


class Hub:
    """Requests to one hub."""

    def __init__(
        self, url: str, *, ca_bundle: str | None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._url = url.rstrip("/")
        self._ca_bundle = ca_bundle
        self._environ = environ

    def fetch(
        self,
        repository: str,
        revision: str,
        paths: Iterable[str],
        directory: Path,
        report: Callable[[str, int], None],
    ) -> tuple[HubFiles, dict[str, Path]]:
        """Each of `paths` as a file in `directory`, which may hold parts of an earlier call.

        `report` is called with the path and the bytes that are missing before each. Raises
        EmbedderUnusable; what has arrived stays for the next call.
        """
        wanted = tuple(paths)
        with self._client() as client, self._named_errors(repository):
            snapshot = _kept(directory, repository, revision, wanted)
            if snapshot is None:
                snapshot = self._snapshot(client, repository, revision, wanted)
                _keep(directory, snapshot)
            found = {}
            for number, path in enumerate(wanted):
                target = directory / f"{number}"
                if not target.exists():
                    self._file(client, snapshot, path, target, report)
                found[path] = target
        return snapshot, found

    def _snapshot(
        self, client: httpx.Client, repository: str, revision: str, paths: tuple[str, ...]
    ) -> HubFiles:
        digests, sizes, commit = {}, {}, revision
        for path in paths:
            headers = self._head(client, self._file_url(repository, commit, path))
            commit = headers.get("x-repo-commit") or commit
            digest = headers.get("x-linked-etag") or headers.get("etag") or ""
            digest = digest.removeprefix("W/").strip('"').lower()
            is_known = _SHA256.fullmatch(digest) or _SHA1.fullmatch(digest)
            digests[path] = digest if is_known else ""
            size = headers.get("x-linked-size") or headers.get("content-length") or ""
            sizes[path] = int(size) if size.isdigit() else -1
        return HubFiles(repository, revision, commit, digests, sizes)

    def _head(self, client: httpx.Client, url: str) -> httpx.Headers:
        """Of the hub itself: a redirect to where the bytes are ends it, one to a name does not."""
        headers = {"Accept-Encoding": "identity"}
        response = client.head(url, headers=headers)
        to = urljoin(url, response.headers.get("location", ""))
        is_here = urlsplit(to).netloc == urlsplit(url).netloc
        if response.is_redirect and is_here and "x-linked-etag" not in response.headers:
            response = client.head(to, headers=headers)  # the repository has another name now
        if not response.is_redirect:
            response.raise_for_status()
        return response.headers

    def _file(
        self,
        client: httpx.Client,
        snapshot: HubFiles,
        path: str,
        target: Path,
        report: Callable[[str, int], None],
    ) -> None:
        part = target.with_name(target.name + _PART)
        have = part.stat().st_size if part.exists() else 0
        size = snapshot.sizes[path]
        report(path, size - have if size >= 0 else -1)
        if have != size or have == 0:
            url = self._file_url(snapshot.repository, snapshot.commit, path)
            headers = {"Accept-Encoding": "identity"} | (
                {"Range": f"bytes={have}-"} if have else {}
            )
            with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
                if response.status_code == 416:  # the part is as long as the file, or longer
                    part.unlink()
                response.raise_for_status()
                with part.open("ab" if response.status_code == 206 else "wb") as file:
                    for block in response.iter_raw():
                        file.write(block)
        if not _is_whole(part, snapshot.digests[path], size):
            part.unlink()
            raise EmbedderUnusable(
                f"{path} of {snapshot.repository} arrived damaged: its digest is not the hub's",
                hint="Try again.",
            )
        part.rename(target)

    def _file_url(self, repository: str, revision: str, path: str) -> str:
        return f"{self._url}/{quote(repository)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        import httpx

        try:
            verify = ssl.create_default_context(cafile=self._ca_bundle) if self._ca_bundle else True
            proxy = proxy_for(self._url, self._environ)
            direct = None if proxy else {"http://": None, "https://": None}
            client = httpx.Client(verify=verify, timeout=_SECONDS, proxy=proxy, mounts=direct)
        except (OSError, ValueError, ImportError) as error:
            raise EmbedderUnusable(f"no request to the hub can be made: {error}") from error
        with client:
            yield client

    @contextmanager
    def _named_errors(self, repository: str) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.HTTPStatusError as error:
            why = f"the hub answered {error.response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = foreign_text(str(error)) or type(error).__name__
        except OSError as error:
            why = error.strerror or str(error)
        else:
            return
        raise EmbedderUnusable(
            f"{repository} cannot be downloaded from {urlsplit(self._url).hostname}: {why}",
            hint="The same command continues where it stopped. Another hub: embed.hub; without a"
            " network: bulkup models add NAME --from DIRECTORY",
        )


def _kept(
    directory: Path, repository: str, revision: str, paths: tuple[str, ...]
) -> HubFiles | None:
    """The snapshot that an earlier call read for the same request. Parts of others are removed."""
    try:
        data: dict[str, Any] = json.loads((directory / SNAPSHOT).read_text("utf-8"))
        found = HubFiles(**data)
        if (found.repository, found.revision, *found.digests) == (repository, revision, *paths):
            return found
    except (OSError, ValueError, TypeError):
        pass  # nothing was kept, or not by this version
    if directory.is_dir():
        for one in directory.iterdir():
            one.unlink()
    return None


def _keep(directory: Path, snapshot: HubFiles) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    fields = {name: getattr(snapshot, name) for name in HubFiles.__slots__}
    (directory / SNAPSHOT).write_text(json.dumps(fields), "utf-8")


def _is_whole(part: Path, digest: str, size: int) -> bool:
    length = part.stat().st_size
    if size not in (-1, length):
        return False
    with part.open("rb") as file:
        if len(digest) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
        if len(digest) == 40:  # as Git names its blobs
            blob = hashlib.sha1(b"blob %d\0" % length, usedforsecurity=False)
            for block in iter(lambda: file.read(_BLOCK), b""):
                blob.update(block)
            return blob.hexdigest() == digest
    return True
