"""Where requests to a bucket go and what signs them; renewed when credentials expire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import NamedTuple

from bulkup.clock import Clock
from bulkup.errors import BulkupError, CredentialsExpired, WrongRegion
from bulkup.model import Body
from bulkup.stores.s3.credentials import AskCredentials, Credentials
from bulkup.stores.s3.endpoint import Address, locate
from bulkup.stores.s3.sigv4 import Signer, encode_path

_HEAD_BYTES = 1 << 13
_signed_by = re.compile(rb"Credential=([^/]+)/[0-9]{8}/([^/]+)/").search


class Session(NamedTuple):
    """Credentials, region and address that are used together."""

    credentials: Credentials
    region: str
    address: Address
    signer: Signer

    def presign(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        seconds: int,
    ) -> str:
        """A URL with which anybody may make this request, for so long."""
        path = f"{self.address.path_prefix}/{encode_path(key)}"
        signed = self.signer.presign(method, path, query, headers, seconds=seconds)
        return f"{self.address.origin}{path}?{signed}"

    def has_signed(self, request: Body) -> bool:
        """Whether a request (head and body) was signed with these credentials for this region."""
        found = _signed_by(bytes(request[:_HEAD_BYTES]))
        mine = (self.credentials.access_key.encode(), self.region.encode())
        return found is not None and found.groups() == mine


class Sessions:
    """The current session of one bucket. For use from one event loop."""

    def __init__(
        self, bucket: str, credentials: Credentials | AskCredentials, clock: Clock
    ) -> None:
        """Raises UsageError for an endpoint URL that is none."""
        self.current: Session | None = None
        self.secrets: set[str] = set()
        """Keys and tokens of all sessions: none of them may be in a message."""
        self._bucket = bucket
        self._clock = clock
        self._ask = None if isinstance(credentials, Credentials) else credentials
        self._renewing = asyncio.Lock()
        self._renew_at = 0.0
        self._has_only_expired = False  # these credentials were refused, and no others found
        if isinstance(credentials, Credentials):
            self._use(credentials)

    @property
    def is_due(self) -> bool:
        """Whether credentials must be asked for before the next request."""
        return self._clock.now() >= self._renew_at

    async def get(self) -> Session:
        """The session for the next request. Raises CredentialsRefused when there are no keys."""
        if self._clock.now() >= self._renew_at:
            async with self._renewing:
                if self.is_due:
                    await self._renew(refresh=self._has_only_expired)
        assert self.current is not None
        return self.current

    async def recover(self, error: BulkupError, used: Session | None) -> bool:
        """Whether a request that was refused with `error` should be sent again.

        `used` is the session that signed it, None for one that is not current any more. Renews
        expired credentials, once for however many requests were refused, and follows AWS to the
        bucket's region when the user named none.
        """
        if isinstance(error, WrongRegion):
            return self._move(error.region, used)
        if not isinstance(error, CredentialsExpired) or self._ask is None:
            return False
        async with self._renewing:
            if used is None or used is not self.current:
                return True
            if not self._has_only_expired:
                await self._renew(refresh=True)
                self._has_only_expired = used is self.current
            return not self._has_only_expired

    def _move(self, region: str | None, used: Session | None) -> bool:
        current = self.current
        if used is not current or current is None:
            return True
        is_fixed = current.credentials.region_given or not current.address.is_aws
        if is_fixed or region in (None, current.region):
            return False
        self._use(current.credentials, region)
        return True

    async def _renew(self, *, refresh: bool) -> None:
        assert self._ask is not None
        credentials = await asyncio.to_thread(self._ask, refresh=refresh)
        keeps_region = self.current is not None and not credentials.region_given
        self._use(credentials, self.current.region if self.current and keeps_region else None)

    def _use(self, credentials: Credentials, region: str | None = None) -> None:
        """Change the session, unless it is the same; `region` overrides that of `credentials`."""
        lifetime = credentials.good_for_seconds
        self._renew_at = float("inf") if lifetime is None else self._clock.now() + lifetime
        region = region or credentials.region
        self.secrets.update(credentials.secrets)
        current = self.current
        if current is not None and (current.credentials, current.region) == (credentials, region):
            return
        address = locate(
            self._bucket,
            endpoint_url=credentials.endpoint_url,
            region=region,
            addressing_style=credentials.addressing_style,
        )
        if current is not None and address == current.address:
            address = current.address
        signer = Signer(credentials, region=region, host=address.host, now=self._clock.now)
        self.current = Session(credentials, region, address, signer)
        self._has_only_expired = False
