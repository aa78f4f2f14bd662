"""The probe learns the truth from every kind of endpoint, and never overwrites a foreign object."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import KeyTaken, ObjectMissing, StoreRefused
from bulkup.model import Attributes, Digest, ObjectInfo, Stored
from bulkup.stores.s3.capabilities import probe
from bulkup.stores.store import Capabilities

DIGEST = Digest("0" * 64)


@dataclass
class Endpoint:
    """`condition` and `checksum`: 'does', 'ignores' or 'refuses' it."""

    condition: str
    checksum: str
    capabilities: Capabilities = Capabilities()  # noqa: RUF009 (frozen)
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0

    async def head(self, key):
        if key not in self.objects:
            raise ObjectMissing(key)
        return ObjectInfo(key, len(self.objects[key]))

    async def put_as(self, key, body, *, digest, attributes, conditional, checksums):
        self.puts += 1
        if (conditional and self.condition == "refuses") or (
            checksums and self.checksum == "refuses"
        ):
            raise StoreRefused("NotImplemented")
        if conditional and self.condition == "does" and key in self.objects:
            raise KeyTaken(key)
        self.objects[key] = body
        return Stored("e")


kinds = st.sampled_from(["does", "ignores", "refuses"])


@given(condition=kinds, checksum=kinds)
async def test_every_kind_of_endpoint(condition, checksum):
    """The object is stored, and only true abilities are claimed, in six requests at most."""
    endpoint = Endpoint(condition, checksum)
    capabilities, stored = await probe(endpoint, "k", b"x", DIGEST, Attributes())
    assert endpoint.objects == {"k": b"x"}
    assert stored == Stored("e")
    assert capabilities.conditional_writes is (condition == "does")
    assert capabilities.checksums is (checksum != "refuses")
    assert endpoint.puts <= 5


@given(condition=kinds, checksum=kinds)
async def test_a_taken_key_is_left_alone(condition, checksum):
    """Nothing is sent at all."""
    endpoint = Endpoint(condition, checksum, objects={"k": b"foreign"})
    with pytest.raises(KeyTaken):
        await probe(endpoint, "k", b"x", DIGEST, Attributes())
    assert endpoint.objects == {"k": b"foreign"}
    assert endpoint.puts == 0


async def test_what_is_known_is_not_asked_again():
    """One put suffices."""
    endpoint = Endpoint("does", "does", capabilities=Capabilities(True, False))
    assert (await probe(endpoint, "k", b"x", DIGEST, Attributes()))[0] == Capabilities(True, False)
    assert endpoint.puts == 1


async def test_a_refusal_of_the_object_itself_comes_through():
    """When no way of putting it is accepted, the endpoint's reason is raised."""

    class Strict(Endpoint):
        async def put_as(self, key, body, **options):
            raise StoreRefused("EntityTooLarge")

    with pytest.raises(StoreRefused, match="EntityTooLarge"):
        await probe(Strict("does", "does"), "k", b"x", DIGEST, Attributes())
