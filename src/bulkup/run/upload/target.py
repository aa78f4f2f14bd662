"""Where the files of a batch go, as naming and registering need to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkup.content.reading import Loaded
from bulkup.manifest.queue.uploads import UploadQueue
from bulkup.manifest.rows import File, Read, Registered, WorkItem
from bulkup.run.upload.key_facts import key_facts
from bulkup.stores.attributes import Extras
from bulkup.stores.key_templates import is_template
from bulkup.stores.keys import Layout, key_for, spare_key


class UploadTarget(NamedTuple):
    """One batch at one destination. Can be pickled."""

    destination_id: int
    batch_id: int
    run_id: str
    prefix: str
    layout: Layout
    copies_duplicates: bool
    extras: Extras

    @property
    def needs_facts(self) -> bool:
        """Whether keys depend on what pictures say of themselves: `read_of` takes longer then."""
        return is_template(self.layout)

    def read_of(self, item: WorkItem, loaded: Loaded) -> Read:
        """What the manifest has to know of a file that was read."""
        digest, size_bytes, modified_ns, inode, changed_ns, media_type, *_ = loaded
        facts = key_facts(item, loaded) if self.needs_facts else None
        return Read(
            item,
            digest,
            File(item.name, size_bytes, modified_ns, inode, changed_ns),
            media_type,
            key_for(self.prefix, item.folder + item.name, digest, self.layout, facts),
        )

    def register(self, queue: UploadQueue, reads: Sequence[Read]) -> list[Registered]:
        """See `UploadQueue.register`."""
        return queue.register(
            reads,
            destination_id=self.destination_id,
            batch_id=self.batch_id,
            run_id=self.run_id,
            copy=self.copies_duplicates,
            spare_key=spare_key,
        )
