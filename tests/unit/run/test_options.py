"""What a batch was started with survives the manifest."""

from __future__ import annotations

import json

from bulkup.run.options import BatchOptions, NamedRoot, Subtree, batch_options_of
from bulkup.stores.attributes import Extras
from bulkup.walk.filters import Selection


def test_an_order_comes_back_as_it_was() -> None:
    order = BatchOptions(
        roots=(NamedRoot("/a/b.zip", "/a", False), NamedRoot("/c\udcff", "/c\udcff", True)),
        selection=Selection(include=("*.jpg",), exclude=("no/",), hidden=True, newer_than=1.5),
        files_from="list",
        cwd="/home",
        subtrees=(Subtree("/a", "sub/", "x.zip"),),
        layout="content",
        copies_duplicates=True,
        extras=Extras(cache_control="max-age=1", metadata={"by": "me"}),
    )
    assert batch_options_of(json.loads(json.dumps(order.as_options()))) == order
    assert batch_options_of(json.loads(json.dumps(BatchOptions().as_options()))) == BatchOptions()
