"""`save` and `load` of PyTorch's own ``.pt`` files, in both directions, without PyTorch.

NOTE: [what a file may do]
    With ``weights_only=True``, the default, nothing in a file is ever executed. The pickle is carried out by
    `funcgrad._checkpoint.machine`, which knows tensors, dtypes, devices, sizes, numbers, strings and plain containers,
    and besides them only the classes and functions that the user has passed to `add_safe_globals`. Every other name
    is an error, also when the file would not have called it. With ``weights_only=False`` the user states that they
    trust the file: it is then an ordinary pickle, which can run any code. Whole modules (``torch.save(model, f)``)
    need it, as in PyTorch. A name that starts with ``torch`` always means funcgrad's object of that name, so PyTorch is
    never imported.

Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from funcgrad import _errors
from funcgrad._checkpoint import legacy, tensors
from funcgrad._checkpoint.archive import MAGIC, ArchiveReader, ArchiveWriter
from funcgrad._checkpoint.pickler import Pickler
from funcgrad._checkpoint.rebuild import FUNCTIONS, TENSOR_TYPES, VALUES
from funcgrad._checkpoint.storages import Storage
from funcgrad._checkpoint.unpickle import WeightsUnpickler, checked_pid, inspect, trusting_unpickler

__all__ = [
    "SourceChangeWarning",
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
]

DEFAULT_PROTOCOL = 2


class SourceChangeWarning(Warning):
    """PyTorch's warning of a module whose source has changed since it was saved; never given here."""


# -- saving -----------------------------------------------------------------------------------------------------------


def save(
    obj: object,
    f: str | os.PathLike | IO[bytes],
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write `obj` to a file that PyTorch's ``torch.load`` and this `load` can read.

    Args:
        obj: tensors, numbers, strings and containers of them, or anything that can be pickled.
        f: a path, or a file-like object with ``write``.
        pickle_protocol: 2 is what ``weights_only`` loading in PyTorch understands.

    Tensors that are views of one another stay so in the file. funcgrad's classes are written under PyTorch's names.

    Example:
        >>> torch.save(model.state_dict(), "model.pt")
    """
    _check_writable(f)
    if pickle_module is not pickle:
        raise _errors.unsupported("torch.save(pickle_module=...)", "checkpoints are written by the standard pickle")
    data = io.BytesIO()
    pickler = Pickler(data, pickle_protocol, legacy=not _use_new_zipfile_serialization)
    pickler.dump(obj)
    with _opened(f, "wb") as file:
        if _use_new_zipfile_serialization:
            _write_archive(file, _archive_name(f), data.getvalue(), pickler.storages)
        else:
            legacy.write(file, data.getvalue(), pickler.storages, pickle_protocol)


def _write_archive(file, folder: str, data: bytes, storages: dict[str, Storage]) -> None:
    archive = ArchiveWriter(file, folder)
    archive.write("data.pkl", data)
    archive.write(".format_version", b"1")
    archive.write(".storage_alignment", b"64")
    archive.write("byteorder", sys.byteorder.encode())
    for key, storage in storages.items():
        archive.write(f"data/{key}", np.ascontiguousarray(storage.array).view(np.uint8))
    archive.close()


def _check_writable(f) -> None:
    if isinstance(f, str | os.PathLike):
        parent = os.path.dirname(os.fspath(f))
        if parent and not os.path.isdir(parent):
            raise RuntimeError(f"Parent directory {parent} does not exist.")
    elif not hasattr(f, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")


def _archive_name(f) -> str:
    """The folder inside the archive: the file's name without its extension."""
    if not isinstance(f, str | os.PathLike):
        return "archive"
    stem = os.path.splitext(os.path.basename(os.fspath(f)))[0]
    return stem if stem and stem.isascii() else "archive"


def _opened(f, mode: str):
    if isinstance(f, str | os.PathLike):
        return open(f, mode)
    return contextlib.nullcontext(f)


# -- loading ----------------------------------------------------------------------------------------------------------


def load(
    f: str | os.PathLike | IO[bytes],
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what PyTorch's ``torch.save`` or this `save` wrote.

    Args:
        f: a path, or a file-like object that can seek.
        map_location: where tensors go: a device, a dict from saved to wanted devices, or a function of a storage and
            its saved device; otherwise to the device they were saved from.
        pickle_module: only with ``weights_only=False``.
        weights_only: see NOTE [what a file may do]; ``None`` means ``True``.
        mmap: map the file's storages into memory rather than read them (`f` must be a path).

    Raises:
        pickle.UnpicklingError: the file names something that is not allowed, or its pickle is damaged.
        RuntimeError: the archive is damaged, or holds tensors of a device that this machine does not have.

    Example:
        >>> model.load_state_dict(torch.load("model.pt", map_location="cpu"))
    """
    if pickle_module is not None and (weights_only or os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == "1"):
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if weights_only is None:
        weights_only = pickle_module is None
    if mmap and not isinstance(f, str | os.PathLike):
        raise ValueError("f must be a file path in order to use the mmap argument")
    if not isinstance(f, str | os.PathLike):
        _check_seekable(f)
    encoding = pickle_load_args.setdefault("encoding", "utf-8")
    unpickle = _weights_reader(encoding) if weights_only else _trusting_reader(pickle_module, pickle_load_args)
    restore = _restorer(map_location)
    with _opened(f, "rb") as file, _explained(weights_only):
        if _starts_with_magic(file):
            return _load_archive(file, os.fspath(f) if mmap else None, restore, unpickle, encoding)
        if mmap:
            raise RuntimeError("mmap can only be used with files saved with torch.save(…) in the zip format")
        data = file.read()
        if not data:
            raise EOFError("Ran out of input")
        return legacy.read(data, lambda main, storages: unpickle(main, lambda p: restore(storages(p))), encoding)


def _load_archive(file, path: str | None, restore, unpickle, encoding: str):
    archive = ArchiveReader(file, path)
    if "constants.pkl" in archive:
        raise _errors.unsupported("torch.load of TorchScript archives", "it holds a compiled program")
    data = archive.read("data.pkl")
    uses = inspect(data, encoding).uses
    order = archive.read("byteorder").decode() if "byteorder" in archive else "little"
    if order not in ("little", "big"):
        raise ValueError(f"Unknown endianness type: {order}")
    storages: dict[str, Storage] = {}

    def load_storage(pid) -> Storage:
        _, kind, key, location, numel = checked_pid(pid)[:5]
        if key not in storages:
            array = archive.storage(f"data/{key}", numel * kind.dtype.itemsize).view(kind.dtype.numpy)
            array = array if order == sys.byteorder else array.byteswap()
            storages[key] = restore(Storage(array, kind.dtype, location, numel, uses[key] > 1))
        return storages[key]

    return unpickle(io.BytesIO(data), load_storage)


def _weights_reader(encoding: str) -> Callable:
    return lambda file, load_storage: WeightsUnpickler(file, load_storage, _allowed_names(), encoding).load()


def _trusting_reader(pickle_module, options: dict) -> Callable:
    module = pickle_module or pickle
    return lambda file, load_storage: trusting_unpickler(module, file, load_storage, _resolve, **options).load()


def _resolve(module: str, name: str):
    """funcgrad's object for a global below ``torch``."""
    try:
        target = importlib.import_module("funcgrad" + module.removeprefix("torch"))
        for part in name.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError):
        raise _errors.unsupported(f"{module}.{name}", "the file needs it") from None
    return target


def _starts_with_magic(file) -> bool:
    start = file.tell()
    head = file.read(len(MAGIC))
    file.seek(start)
    return head == MAGIC


def _check_seekable(f) -> None:
    try:
        f.seek(f.tell())
    except (AttributeError, io.UnsupportedOperation) as e:
        raise type(e)(
            f"{e}. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer like "
            "io.BytesIO and try to load from it instead."
        ) from None


@contextlib.contextmanager
def _explained(weights_only: bool):
    """Say what a refusal means and what can be done about it."""
    try:
        yield
    except pickle.UnpicklingError as e:
        if not weights_only:
            raise
        advice = ""
        if "Unsupported global" in str(e):
            advice = (
                "The file names something other than tensors and plain containers, which `torch.load` does not touch "
                "by default. If you trust the file's source you can\n\t(1) load it with `weights_only` set to `False`, "
                "which lets the file run any code, or\n\t(2) allow the one name.\n\t"
            )
        raise pickle.UnpicklingError(f"Weights only load failed. {advice}WeightsUnpickler error: {e}") from e


# -- devices ----------------------------------------------------------------------------------------------------------


def _restorer(map_location) -> Callable[[Storage], Storage]:
    """What gives a storage the device that its tensors will be on."""
    if map_location is None:
        return lambda storage: _placed(storage, storage.location)
    if isinstance(map_location, dict):
        names = {str(k): str(v) for k, v in map_location.items()}
        return lambda storage: _placed(storage, names.get(storage.location, storage.location))
    if isinstance(map_location, str | tensors.device):
        return lambda storage: _placed(storage, str(map_location))

    def restore(storage: Storage) -> Storage:
        mapped = map_location(storage, storage.location)
        return _placed(storage, storage.location) if mapped is None else _placed(mapped, mapped.location)

    return restore


def default_restore_location(storage: Storage, location: str) -> Storage:
    """What `load` does without ``map_location``: the storage, to be on the device called `location`."""
    return _placed(storage.to(location), location)


def _placed(storage: Storage, location: str) -> Storage:
    kind = location.split(":")[0]
    if kind not in ("cpu", "cuda", "meta", "mps", "tpu", "xla"):
        raise RuntimeError(
            f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
        )
    if kind not in ("cpu", "meta") and not tensors.is_available(location):
        name = "CUDA" if kind == "cuda" else kind.upper()
        raise RuntimeError(
            f"Attempting to deserialize object on a {name} device but torch.{kind}.is_available() is False. If you are "
            "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
            "storages to the CPU."
        )
    storage.location = location
    return storage


# -- what the user allows ---------------------------------------------------------------------------------------------

_safe_globals: dict[int, Any] = {}
_lock = threading.Lock()


def add_safe_globals(safe_globals: list) -> None:
    """Let `load` use these classes and functions although ``weights_only`` is set.

    Args:
        safe_globals: classes and functions, or pairs of one and the full name it has in the file.

    A file can then make objects of such a class, set their attributes and call such a function with any arguments.
    """
    with _lock:
        _safe_globals.update({id(g): g for g in safe_globals})


def get_safe_globals() -> list:
    """What `add_safe_globals` has been given."""
    return list(_safe_globals.values())


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` has been given."""
    with _lock:
        _safe_globals.clear()


class safe_globals:
    """`add_safe_globals` for the duration of a ``with`` block."""

    def __init__(self, safe_globals: list):
        self.safe_globals = safe_globals

    def __enter__(self):
        self._before = dict(_safe_globals)
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exc):
        with _lock:
            _safe_globals.clear()
            _safe_globals.update(self._before)


def _allowed_names() -> dict[str, Any]:
    """The allowed objects by the names that files call them."""
    names = {}
    for entry in _safe_globals.values():
        obj, given = entry if isinstance(entry, tuple) else (entry, None)
        name = given or f"{obj.__module__}.{obj.__qualname__}"
        names[name] = obj
        if name.startswith("funcgrad."):
            names["torch" + name.removeprefix("funcgrad")] = obj
    return names


def get_unsafe_globals_in_checkpoint(f: str | os.PathLike | IO[bytes]) -> list[str]:
    """The names in a file that ``load(f)`` would refuse; nothing of the file is executed.

    Example:
        >>> torch.serialization.get_unsafe_globals_in_checkpoint("model.pt")
        ['__main__.Net']
    """
    with _opened(f, "rb") as file:
        if not _starts_with_magic(file):
            raise RuntimeError("Expected input to be a checkpoint returned by torch.save")
        start = file.tell()
        names = inspect(ArchiveReader(file).read("data.pkl")).globals
        file.seek(start)
    known = {*VALUES, *TENSOR_TYPES, *FUNCTIONS, *_allowed_names()}
    return [name for name in names if name not in known]


def set_default_mmap_options(flags: int) -> None:
    """Accepted and ignored: a mapped file is only ever read."""
    warnings.warn("funcgrad maps checkpoints read-only; the flags have no effect", stacklevel=2)
