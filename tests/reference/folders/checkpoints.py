"""Weights out of checkpoints, without the libraries that wrote them: nothing of a file is run.

A pickle is a program that may call anything. The readers here know the few names that checkpoints need, and refuse all others.
"""

import collections
import io
import pickle
import struct
import zipfile

import numpy as np

STORAGES = {
    "FloatStorage": np.dtype(np.float32),
    "DoubleStorage": np.dtype(np.float64),
    "HalfStorage": np.dtype(np.float16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ByteStorage": np.dtype(np.uint8),
    "BFloat16Storage": np.dtype(np.uint16),
}


class Refusing(pickle.Unpickler):
    """Reads a pickle of names that are known."""

    def __init__(self, content: io.BytesIO, known: dict) -> None:
        super().__init__(content)
        self.known = known

    def find_class(self, module: str, name: str):
        if (module, name) in self.known:
            return self.known[module, name]
        raise pickle.UnpicklingError(f"{module}.{name} is not read")

    def persistent_load(self, pid):
        return pid


class Kept:
    """Stands for an object of some class: what it would have been made of is kept."""

    def __init__(self, *arguments, **named) -> None:
        self.state: object = arguments

    def __setstate__(self, state) -> None:
        self.state = state


def pickled(content: bytes, classes: list[tuple[str, str]]):
    """A pickle in which the objects of these classes are only kept."""
    plain = {("builtins", "int"): int}
    plain |= {("collections", name): getattr(collections, name) for name in ("OrderedDict", "defaultdict")}
    known = {name: Kept for name in classes} | plain
    return Refusing(io.BytesIO(content), known).load()


class Tensor:
    """Where a tensor's numbers are."""

    def __init__(self, storage, offset: int, size: tuple, stride: tuple, *_) -> None:
        self.kind, self.key = storage[1], storage[2]
        self.offset, self.size, self.stride = offset, size, stride

    def read(self, stored: dict[str, bytes]) -> np.ndarray:
        numbers = np.frombuffer(stored[self.key], STORAGES[self.kind])
        if self.kind == "BFloat16Storage":  # the upper half of a 32-bit float
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        steps = [step * numbers.itemsize for step in self.stride]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, steps))


def torch(content: bytes):
    """A PyTorch checkpoint of either format: dictionaries, with arrays for tensors."""
    known = {("torch", kind): kind for kind in STORAGES} | {("torch.storage", kind): kind for kind in STORAGES}
    known[("collections", "OrderedDict")] = collections.OrderedDict
    known[("torch._utils", "_rebuild_tensor_v2")] = Tensor
    known[("torch._utils", "_rebuild_parameter")] = lambda tensor, *_: tensor
    opened = io.BytesIO(content)
    if zipfile.is_zipfile(opened):
        archive = zipfile.ZipFile(opened)
        (inside,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        tree = Refusing(io.BytesIO(archive.read(inside)), known).load()
        at = inside.removesuffix("data.pkl") + "data/"
        stored = {name.removeprefix(at): archive.read(name) for name in archive.namelist() if name.startswith(at)}
    else:
        # A magic number, a version, what the machine was; then the tree, the storages' keys, and their numbers.
        opened.seek(0)
        _, _, _, tree, keys = (Refusing(opened, known).load() for _ in range(5))
        kinds = {tensor.key: tensor.kind for tensor in tensors(tree)}
        stored = {}
        for key in keys:
            (count,) = struct.unpack("<q", opened.read(8))
            stored[key] = opened.read(count * STORAGES[kinds[key]].itemsize)
    return filled(tree, stored)


def tensors(tree):
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (dict, list, tuple)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from tensors(part)


def filled(tree, stored: dict[str, bytes]):
    if isinstance(tree, Tensor):
        return tree.read(stored)
    if isinstance(tree, dict):
        return {name: filled(part, stored) for name, part in tree.items()}
    return [filled(part, stored) for part in tree] if isinstance(tree, (list, tuple)) else tree


def tensorflow(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The 32-bit floats of a TensorFlow checkpoint: `index` is a table of LevelDB's kind, whose values say what is where."""
    (_, _, (offset, size)) = footer(index[-48:])
    found = {}
    for _, handle in entries(index, offset, size):
        begin, at = varint(handle, 0)
        length, _ = varint(handle, at)
        for name, value in entries(index, begin, length):
            fields = dict(message(value))
            if name and fields.get(1) == 1:  # DT_FLOAT
                shape = [dict(message(part)).get(1, 1) for field, part in message(fields.get(2, b"")) if field == 2]
                count = int(np.prod(shape))
                found[name.decode()] = np.frombuffer(data, np.float32, count, fields.get(4, 0)).reshape(shape)
    return found


def footer(content: bytes) -> tuple:
    at, numbers = 0, []
    for _ in range(4):
        number, at = varint(content, at)
        numbers.append(number)
    return numbers[0], numbers[1], (numbers[2], numbers[3])


def varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def entries(content: bytes, offset: int, size: int):
    """The names and values of a table's block. Names leave out what they share with the one before."""
    if content[offset + size] != 0:
        raise ValueError("the table is compressed")
    block = content[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    at, name = 0, b""
    while at < len(block) - 4 - 4 * restarts:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        name = name[:shared] + block[at : at + own]
        yield name, block[at + own : at + own + length]
        at += own + length


def message(content: bytes):
    """The fields of a message as protobuf writes them: numbers, and bytes."""
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        if tag & 7 == 0:
            value, at = varint(content, at)
        else:
            length, at = varint(content, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            value, at = content[at : at + length], at + length
        yield tag >> 3, value
