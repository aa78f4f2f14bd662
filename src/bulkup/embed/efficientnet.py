"""The default embedder: EfficientNet-Lite0 on the CPU, offline, with weights from a package."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.content.picture.pixels import View, view_pixels
from bulkup.embed.efficientnet_graph import (
    DIMENSION,
    EMBEDDING,
    LOGITS,
    PIXELS,
    SIDE_PX,
    efficientnet_lite0,
)
from bulkup.embed.embedder import Classes, Embedded, Embedder
from bulkup.embed.telemetry import onnxruntime
from bulkup.embed.weights import installed_weights
from bulkup.errors import EmbedderBroken, EmbedderUnusable, ItemError
from bulkup.installation import install_command

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NAME: Final = "efficientnet-lite0"

PLAIN: Final = (View(256),)
"""As the network was tested: the short side 256 px long, a square of 224 px from the centre."""

THOROUGH: Final = (
    View(None),
    *(View(384, across, down) for down in (0, 1) for across in (0, 1)),
    View(384),
)
"""The whole picture, its four corners and its centre: small things and those at the edge count,
too. Six times the work."""

_WEIGHTS: Final = "57934424"  # as their file is called: the first digits of its SHA-256
_PLAIN_VERSION: Final = f"{_WEIGHTS}.centre"
_THOROUGH_VERSION: Final = f"{_WEIGHTS}.six-views"

_MOST_PICTURES: Final = 16
"""Pictures are computed one by one. So many keep the threads busy between two calls."""

_CLASSES_KEPT: Final = 20
"""Of 1000: a search by words uses so many; the others are hardly more than noise."""


class EfficientNet(Embedder):
    """An Embedder; its classes are ImageNet's, 0 to 999 in the order of ILSVRC 2012.

    One thread decodes and computes a picture. No thread waits for another, and no result depends on
    the other pictures of a call. It is no slower than batches of 16 with ONNX Runtime's own threads
    (325 pictures a second, 309 with batches, on two cores: `benchmarks/embed.py`), and takes 20 MB
    instead of 200.

    The network is loaded for the first picture, in 0.2 s.
    """

    name = NAME
    dimension: int | None = DIMENSION
    most_pictures = _MOST_PICTURES

    def __init__(self, *, threads: int | None = None, thorough: bool = False) -> None:
        """`threads` is how many pictures are computed at a time; None: one per core."""
        self.version = _THOROUGH_VERSION if thorough else _PLAIN_VERSION
        self._views = THOROUGH if thorough else PLAIN
        self._pool = ThreadPoolExecutor(threads or _cores(), thread_name_prefix="embed")
        self._network: Network | None = None
        self._loader = threading.Lock()

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """See Embedder. Raises EmbedderUnusable without the weights or ONNX Runtime."""
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(self._pool, self._one, picture) for picture in pictures]
        return await asyncio.gather(*jobs)

    async def close(self) -> None:
        """Wait for the current pictures, and end the threads."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._network = None

    def _one(self, picture: bytes) -> Embedded | ItemError:
        network = self._loaded()
        try:
            squares = view_pixels(picture, self._views, crop_px=SIDE_PX)
        except ItemError as error:
            return error
        except MemoryError as error:
            raise EmbedderBroken("not enough memory to decode a picture") from error
        return combined([network.run(square) for square in squares])

    def _loaded(self) -> Network:
        with self._loader:
            if self._network is None:
                self._network = Network()
            return self._network


class Network:
    """The installed weights in a session of ONNX Runtime. For several threads at a time."""

    def __init__(self) -> None:
        """Raises EmbedderUnusable without the weights or without ONNX Runtime."""
        session = _session(efficientnet_lite0(installed_weights()))
        self._run = session.run

    def run(self, square: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The embedding, shape (DIMENSION,), not normalised, and the logits, shape (1000,), of RGB8
        pixels, SIDE_PX squared. Raises EmbedderBroken."""
        pixels = np.frombuffer(square, np.uint8).reshape(1, SIDE_PX, SIDE_PX, 3)
        try:
            embedding, logits = self._run([EMBEDDING, LOGITS], {PIXELS: pixels})
        except Exception as error:  # its errors have no class of their own
            raise EmbedderBroken(f"ONNX Runtime: {error}") from error
        return embedding[0], logits[0]


def combined(views: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> Embedded:
    """The result for one picture from its views: the normalised mean of their unit vectors, and the
    best classes by the mean of their probabilities."""
    units = np.stack([_unit(embedding) for embedding, _ in views])
    probabilities = np.stack([_softmax(logits) for _, logits in views]).mean(axis=0)
    best = np.argsort(-probabilities, kind="stable")[:_CLASSES_KEPT]
    return Embedded(
        _unit(units.mean(axis=0)),
        Classes(tuple(best.tolist()), tuple(probabilities[best].tolist())),
    )


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / np.linalg.norm(vector)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp(logits.astype(np.float64) - float(logits.max()))
    total: np.float64 = weights.sum()
    return weights / total


def _session(model: bytes) -> InferenceSession:
    """One without threads of its own, silent, and on the CPU."""
    try:
        runtime = onnxruntime()
    except Exception as error:  # ImportError; ValueError where numpy is of another version
        raise EmbedderUnusable(
            f"ONNX Runtime cannot be loaded: {error}",
            hint=install_command("onnxruntime", again=True),
        ) from error
    options: Any = runtime.SessionOptions()
    options.log_severity_level = 3  # errors; warnings are about graphics cards that are not there
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session: InferenceSession = runtime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # as above
        raise EmbedderUnusable(f"ONNX Runtime does not load the network: {error}") from error
    return session


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
