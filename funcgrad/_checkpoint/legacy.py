"""The file format PyTorch wrote before version 1.6: pickles one after another, then the storages' bytes.

In order: a magic number, a protocol version, facts about the writing machine, the object, the list of storage keys
(five pickles), and for every key the number of elements (eight bytes) and the elements.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Callable
from pickle import UnpicklingError

import numpy as np

from funcgrad._checkpoint.machine import Machine
from funcgrad._checkpoint.storages import Storage
from funcgrad._checkpoint.unpickle import Inspector, checked_pid

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_SYSTEM = {
    "protocol_version": PROTOCOL_VERSION,
    "little_endian": sys.byteorder == "little",
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def read(data: bytes, unpickle: Callable, encoding: str):
    """The object in `data`; ``unpickle(file, load_storage)`` reads its pickle at the file's position."""
    file = io.BytesIO(data)
    if Machine(file).load() != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = Machine(file).load()
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version}")
    system = Machine(file).load()
    start = file.tell()
    inspector = Inspector(file, encoding)
    inspector.load()
    keys = Machine(file).load()
    swapped = type(system) is dict and system.get("little_endian", True) != (sys.byteorder == "little")
    storages = _read_storages(file, keys, inspector, swapped)

    def load_storage(pid) -> Storage:
        checked_pid(pid)
        if pid[2] not in storages:
            raise UnpicklingError(f"storage {pid[2]} is not in the file")
        view = pid[5] if len(pid) > 5 else None
        return storages[pid[2]] if view is None else _view(storages, pid[2], view)

    file.seek(start)
    return unpickle(file, load_storage)


def _read_storages(file, keys, inspector: Inspector, swapped: bool) -> dict[str, Storage]:
    storages = {}
    for key in keys if type(keys) is list else ():
        if key not in inspector.storages:
            raise UnpicklingError("the list of storages does not agree with the object")
        _, kind, _, location, numel = checked_pid(inspector.storages[key])[:5]
        header = file.read(8)
        count = struct.unpack("<q", header)[0] if len(header) == 8 else -1
        if count < 0 or count > numel:
            raise RuntimeError("unexpected EOF, expected more bytes. The file might be corrupted.")
        raw = file.read(count * kind.dtype.itemsize)
        if len(raw) < count * kind.dtype.itemsize:
            missing = count * kind.dtype.itemsize - len(raw)
            raise RuntimeError(f"unexpected EOF, expected {missing} more bytes. The file might be corrupted.")
        array = np.frombuffer(raw, kind.dtype.numpy)
        array = array.byteswap() if swapped else array
        storages[key] = Storage(array, kind.dtype, location, count, inspector.uses[key] > 1)
    return storages


def _view(storages: dict[str, Storage], root: str, view) -> Storage:
    """A storage that is a slice of another (very old files have these)."""
    if type(view) is not tuple or len(view) != 3 or not all(type(v) is int and v >= 0 for v in view[1:]):
        raise UnpicklingError("invalid view of a storage")
    key, offset, size = view
    whole = storages[root]
    if offset + size > whole.numel:
        raise UnpicklingError("invalid view of a storage")
    part = Storage(whole.array[offset : offset + size], whole.dtype, whole.location, size, whole.shared)
    return storages.setdefault(f"{root}/{key}", part)


def write(file, data: bytes, storages: dict[str, Storage], protocol: int) -> None:
    """Write the object pickled as `data` (by a `Pickler` with ``legacy=True``) and its storages."""
    for header in (MAGIC_NUMBER, PROTOCOL_VERSION, _SYSTEM):
        pickle.dump(header, file, protocol)
    file.write(data)
    pickle.dump(sorted(storages), file, protocol)
    for key in sorted(storages):
        file.write(struct.pack("<q", storages[key].numel))
        file.write(np.ascontiguousarray(storages[key].array).tobytes())
