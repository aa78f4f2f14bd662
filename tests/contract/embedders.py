"""The embedders that must pass the suite. A further one is a line here.

Each is made by a function that is given an ExitStack, for what has to run beside it: a server that
stands in for a service, say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from bulkup.embed.efficientnet import EfficientNet
from bulkup.embed.embedder import Embedder

EMBEDDERS: dict[str, Callable[[ExitStack], Embedder]] = {
    "efficientnet": lambda _: EfficientNet(threads=2),
    "efficientnet, thorough": lambda _: EfficientNet(threads=2, thorough=True),
}
