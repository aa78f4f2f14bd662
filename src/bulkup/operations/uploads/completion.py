"""The end of an upload: the object is looked at, and recorded with what was reserved.

Nothing is believed of what the client says. An object with another size or digest than the
reservation is removed if it was sent with one of its URLs, which is seen by the digest among its
metadata: URLs are signed with that. Any other object under the key is another program's: it stays,
and the content gets another key.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.errors import KeyTaken, ObjectMissing, SourceChanged
from bulkup.manifest.uploads.rows import Reservation, StoredUpload
from bulkup.model import ObjectInfo, Part
from bulkup.operations.uploads.broker import Broker, OpenDestination, part_size
from bulkup.stores.keys import spare_folder_key, spare_key


class Rekeyed(KeyTaken):
    """The key holds another program's object; the upload has another key now, and is to be sent
    again with a fresh URL."""


async def announce(
    broker: Broker, document: Mapping[str, Any], owner: str
) -> Reservation | StoredUpload:
    """Reserve a key, as `Broker.reserve` does. Where URLs do not bind the condition that the key is
    free, it is looked for first."""
    found = await broker.reserve(document, owner)
    to = await broker.destination()
    is_looked_for = to.bindings is not None and not to.bindings.absence
    if isinstance(found, StoredUpload) or found.part_bytes is not None or not is_looked_for:
        return found
    try:
        return (await complete(broker, found))._replace(is_duplicate=True)
    except ObjectMissing:
        return found
    except Rekeyed:
        return await broker.find(found.id, owner)


async def complete(
    broker: Broker,
    one: Reservation,
    parts: Sequence[tuple[int, str]] | None = None,
    *,
    etag: str | None = None,
) -> StoredUpload:
    """Check and record the object. May be called again. `parts` are numbers and ETags, as far as
    the client says which parts make the object; `etag` is what it says of the whole.

    Raises ObjectMissing when there is no object, SourceChanged when it is another than was
    announced or than the client says, and Rekeyed.
    """
    if one.is_done:
        key = await broker.manifest.read(lambda reader: reader.reservations.stored_key(one))
        return StoredUpload(key or one.key, is_duplicate=key != one.key)
    to = await broker.destination()
    is_joined = one.part_bytes is not None and await _join(broker, one, to, parts)
    info = await broker.tries(lambda: to.store.head(one.key, with_checksum=True))
    is_whole = await _is_whole(one, to, info)
    if is_whole is False:
        await _refuse(broker, one, to, is_ours=is_joined or info.digest == one.digest)
    _check_etag(one, to, info, etag)
    return await _settle(broker, one, info, is_proved=is_whole is True)


async def _join(
    broker: Broker,
    one: Reservation,
    to: OpenDestination,
    named: Sequence[tuple[int, str]] | None,
) -> bool:
    """Make the object of its parts; False when it was made before, or by another client."""
    found = {part.number: part for part in await broker.parts(one)}
    wanted = range(1, one.parts + 1)
    missing = [number for number in wanted if number not in found]
    if missing and not found:
        return False
    if missing:
        raise ObjectMissing(f"parts are missing: {', '.join(map(str, missing[:20]))}")
    etags = dict(named or ())
    for number in wanted:
        _check_part(one, found[number], etags.get(number))
    upload_id = one.store_upload_id
    assert upload_id is not None
    joined = [found[number] for number in wanted]
    try:
        await broker.tries(
            lambda: to.store.complete_parts(one.key, upload_id, joined, exclusive=True)
        )
    except KeyTaken:
        await broker.tries(lambda: to.store.abort_parts(one.key, upload_id))
        return False
    except ObjectMissing:  # the answer to an earlier try was lost
        return False
    return True


def _check_part(one: Reservation, part: Part, etag: str | None) -> None:
    if part.size_bytes != part_size(one, part.number):
        raise SourceChanged(f"part {part.number} has {part.size_bytes:,} bytes")
    if etag is not None and _bare(etag) != _bare(part.etag):
        raise SourceChanged(f"part {part.number} was sent again: its ETag is {part.etag}")


def _check_etag(one: Reservation, to: OpenDestination, info: ObjectInfo, etag: str | None) -> None:
    """A directory has no ETags: there it is the one that the answer to the PUT had."""
    found = one.digest if to.bindings is None else info.etag
    if etag is not None and found is not None and _bare(etag) != _bare(found):
        raise SourceChanged(f"{one.path}: the object has the ETag {_bare(found)}, not {etag!r}")


def _bare(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


async def _is_whole(one: Reservation, to: OpenDestination, info: ObjectInfo) -> bool | None:
    """Whether the object has the announced bytes; None: `process` is to prove it.

    What was sent whole is read only where nobody held the client to the digest. Of parts the
    endpoint knows no digest of the whole: a directory's are read, for others `process` does that.
    """
    if info.size_bytes != one.size_bytes:
        return False
    if info.digest is not None and info.digest != one.digest:
        return False
    is_local, is_whole = to.bindings is None, one.part_bytes is None
    if info.checksum is not None and is_whole:
        expected = b64encode(bytes.fromhex(one.digest)).decode()
        if info.checksum != expected:
            return False
    is_held = is_local if to.bindings is None else to.bindings.digest
    if info.digest is not None and is_whole and is_held:
        return True
    if info.digest is not None and not is_whole and not is_local:
        return None
    found = hashlib.sha256()
    async for chunk in to.store.open(one.key):
        found.update(chunk)
    return found.hexdigest() == one.digest


async def _refuse(broker: Broker, one: Reservation, to: OpenDestination, *, is_ours: bool) -> None:
    """Remove the object if this upload made it, and raise."""
    if is_ours:
        await broker.tries(lambda: to.store.delete(one.key))
        await broker.give_up(one)
        raise SourceChanged(f"{one.path}: other bytes arrived than were announced; none is kept")
    spare = spare_key(one.key, one.digest)
    if spare == one.key or spare in one.key:
        spare = spare_folder_key(one.key, one.digest, to.store.prefix) or spare
    await broker.manifest.write(lambda manifest: manifest.reservations.rekey(one, spare))
    raise Rekeyed(f"{one.key} holds another object: send it again with a fresh URL")


async def _settle(
    broker: Broker, one: Reservation, info: ObjectInfo, *, is_proved: bool
) -> StoredUpload:
    now = broker.clock.now()
    settled = await broker.manifest.write(
        lambda manifest: manifest.reservations.settle(
            one,
            etag=info.etag,
            checksum=info.checksum if one.part_bytes else None,
            is_proved=is_proved,
            spare=spare_key,
            now=now,
        )
    )
    if settled.key != one.key:
        to = await broker.destination()
        await broker.tries(lambda: to.store.delete(one.key))
    return settled
