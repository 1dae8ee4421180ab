"""Constructors for the types that the pickle of a weight file may name: tensors, arrays, storages and containers."""

from __future__ import annotations

from typing import Any

from ...errors import WeightsError
from .pickles import Constructors, Name, PickleMachine, Placeholder, Stream
from .records import ITEM_BYTES, Storage, TensorRecord, checked_count, contiguous

_STORAGE_TYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_ARRAY_TYPES = {
    "f8": "float64",
    "f4": "float32",
    "f2": "float16",
    "i8": "int64",
    "i4": "int32",
    "i2": "int16",
    "i1": "int8",
    "u1": "uint8",
    "b1": "bool",
}


class Storages:
    """Storages that a torch pickle refers to, by their keys in the file; their bytes are added later."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def persistent(self, value: Any) -> Storage:
        """Return the storage of a persistent id ``("storage", type, key, device, numel)``; the device is ignored.

        Raises:
            WeightsError: if it is anything else, or contradicts an earlier id of the same key.
        """
        if not (isinstance(value, tuple) and len(value) in (5, 6) and value[0] == "storage"):
            raise WeightsError("it holds whole program objects, not weights", cure="Use a file of state dicts.")
        kind, key, numel = value[1], value[2], checked_count(value[4], "length")
        dtype = _STORAGE_TYPES.get(kind.name) if isinstance(kind, Name) and kind.module in _TORCH else None
        if dtype is None or not isinstance(key, str) or value[5:] not in ((), (None,)):
            raise WeightsError("it has a kind of storage that is not known")
        storage = self.by_key.setdefault(key, Storage(dtype, numel))
        if (storage.dtype, storage.numel) != (dtype, numel):
            raise WeightsError("it describes one storage in two ways")
        return storage


class ArrayPlaceholder(Placeholder):
    """A NumPy array; empty until ``BUILD`` sets its bytes."""

    def __init__(self) -> None:
        self.record: TensorRecord | None = None

    def build(self, state: Any) -> None:
        """Set the array from (version, shape, type, Fortran order, bytes).

        Raises:
            WeightsError: if the bytes are not those of the shape, or the array holds Python objects.
        """
        if not (isinstance(state, tuple) and len(state) == 5):
            raise WeightsError("it has an array of unknown make")
        _, shape, dtype, fortran, data = state
        if not (isinstance(dtype, DtypePlaceholder) and isinstance(shape, tuple) and isinstance(data, bytes)):
            raise WeightsError("it has an array of Python objects", cure="Nothing of it was run.")
        self.record = contiguous(dtype.dtype, shape, memoryview(data), fortran=fortran is True)


class DtypePlaceholder(Placeholder):
    """A NumPy number type, such as ``f4``; ``BUILD`` sets its byte order."""

    def __init__(self, code: Any) -> None:
        name = code.lstrip("<|=") if isinstance(code, str) else ""
        if name not in _ARRAY_TYPES:
            raise WeightsError("it has an array that does not hold plain numbers", cure="Nothing of it was run.")
        self.dtype = _ARRAY_TYPES[name]

    def build(self, state: Any) -> None:
        """Check (version, byte order, ...); only little-endian numbers are read."""
        if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", "|", "=")):
            raise WeightsError("its numbers are not little-endian")


class Latin1Encoder:
    """Converter of the Latin-1 text that stands for bytes in a pickle of protocol 2.

    Args:
        limit: largest number of bytes in all, so that one text cannot be expanded again and again.
    """

    def __init__(self, limit: int) -> None:
        self.remaining = limit

    def __call__(self, arguments: tuple[Any, ...]) -> bytes:
        text, encoding = arguments if len(arguments) == 2 else (None, None)
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise WeightsError("it holds text in an unexpected encoding")
        self.remaining -= len(text)
        if self.remaining < 0:
            raise WeightsError("its text unfolds to more than the size of the file")
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise WeightsError("it holds bytes that are none") from error


_TORCH = ("torch", "torch.cuda")


def _tensor(arguments: tuple[Any, ...]) -> TensorRecord:
    """``_rebuild_tensor_v2(storage, offset, shape, stride, ...)``: gradients and hooks are left out."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise WeightsError("it has a tensor of unknown make")
    storage, offset, shape, stride = arguments[:4]
    return TensorRecord(storage, offset, shape, stride)


def _parameter(arguments: tuple[Any, ...]) -> TensorRecord:
    if not arguments or not isinstance(arguments[0], TensorRecord):
        raise WeightsError("it has a parameter of unknown make")
    return arguments[0]


def _empty_dict(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if arguments:
        raise WeightsError("it has an ordered dictionary of unknown make")
    return {}


def _tuple(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or not isinstance(arguments[0], tuple):
        raise WeightsError("it has a tuple of unknown make")
    return arguments[0]


def _scalar(arguments: tuple[Any, ...]) -> TensorRecord:
    """A NumPy scalar (an epoch, a best score) as a tensor without axes."""
    if len(arguments) != 2 or not isinstance(arguments[0], DtypePlaceholder) or not isinstance(arguments[1], bytes):
        raise WeightsError("it has a number of unknown make")
    return contiguous(arguments[0].dtype, (), memoryview(arguments[1]))


def _array_constructors(limit: int) -> Constructors:
    constructors: Constructors = {
        "numpy.dtype": lambda arguments: DtypePlaceholder(arguments[0] if arguments else None),
        "_codecs.encode": Latin1Encoder(limit),
    }
    for package in ("numpy.core", "numpy._core"):
        constructors[f"{package}.multiarray._reconstruct"] = lambda _: ArrayPlaceholder()
        constructors[f"{package}.multiarray.scalar"] = _scalar
    return constructors


_PLAIN: Constructors = {
    "collections.OrderedDict": _empty_dict,
    "builtins.tuple": _tuple,
    "__builtin__.tuple": _tuple,
    "torch.Size": _tuple,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}


def load_pickle(stream: Stream, file_bytes: int, storages: Storages | None = None) -> Any:
    """Read the next pickle of a stream as dictionaries, lists, numbers, text and tensor records.

    Args:
        stream: positioned behind the pickle afterwards.
        file_bytes: size of the file in bytes; limits the expansion of its text.
        storages: collects the storages that a torch pickle names; None where it must not name any.

    Raises:
        WeightsError: if the pickle holds anything but data, or is malformed.
    """
    constructors = {**_PLAIN, **_array_constructors(file_bytes)}
    machine = PickleMachine(constructors, storages.persistent if storages else None)
    return machine.run(stream)


def record_of(value: Any) -> TensorRecord | None:
    """Tensor record of a pickled value, None for other values; Paddle writes (name, array) pairs."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    record = value.record if isinstance(value, ArrayPlaceholder) else value
    return record if isinstance(record, TensorRecord) and record.storage.dtype in ITEM_BYTES else None
