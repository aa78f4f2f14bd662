"""PUT requests made ready in another process, which then only have to be sent.

Making and signing the head of a request takes a third of what a small file costs. It needs nothing
that only the sending process knows: so whoever reads and hashes the file can do it.
"""

from __future__ import annotations

from collections.abc import Callable

from bulkup.errors import StoreRefused
from bulkup.model import Attributes, Digest
from bulkup.stores.s3.endpoint import require_addressable
from bulkup.stores.s3.headers import object_headers
from bulkup.stores.s3.heads import head_of
from bulkup.stores.s3.sigv4 import Signer, encode_path


class S3RequestSigner:
    """A `Preparing` for one bucket: what S3Store.put would send, as far as the body. It can be
    pickled, and holds a secret key: for processes of our own only."""

    def __init__(
        self,
        *,
        fixed: str,
        path_prefix: str,
        host: str,
        access_key: str,
        secret_key: str,
        token: str | None,
        region: str,
        checksums: bool,
        conditional: bool,
    ) -> None:
        """`fixed` is what all heads have in common, see `heads.fixed_lines`."""
        self._fixed = fixed
        self._path_prefix = path_prefix
        self._host = host
        self._access_key = access_key
        self._secret_key = secret_key
        self._token = token
        self._region = region
        self._checksums = checksums
        self._conditional = conditional

    def begin(
        self, now: Callable[[], float]
    ) -> Callable[[str, Digest, int, Attributes], bytes | None]:
        """What makes the head for a key, digest, size and attributes; None for what the store
        itself must look at. `now` gives seconds since 1970."""
        signer = Signer(
            access_key=self._access_key,
            secret_key=self._secret_key,
            token=self._token,
            region=self._region,
            host=self._host,
            now=now,
        )

        def prepare(
            key: str, digest: Digest, size_bytes: int, attributes: Attributes
        ) -> bytes | None:
            try:
                require_addressable(key)
                headers = object_headers(
                    attributes, digest, checksums=self._checksums, conditional=self._conditional
                )
            except StoreRefused:
                return None
            path = f"{self._path_prefix}/{encode_path(key)}"
            signer.sign("PUT", path, "", headers, digest)
            return head_of("PUT", path, self._fixed, headers, size_bytes)

        return prepare
