"""The three ways to read a checkpoint's pickle: look at it, load weights from it, or trust it."""

from __future__ import annotations

import io
import pickle
import types
from collections import Counter, OrderedDict
from pickle import UnpicklingError

from funcgrad._checkpoint import rebuild, tensors
from funcgrad._checkpoint.machine import Machine
from funcgrad._checkpoint.storages import StorageType

_BLOCKED_MODULES = ("sys", "os", "posix", "nt")
_PYTHON2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class Named:
    """An object of the pickle that `Inspector` knows only by its global's name."""

    def __init__(self, name: str):
        self.name = name


class Inspector(Machine):
    """Goes through a pickle without making anything of it.

    Attributes:
        globals: every global's full name, in order.
        uses: how many tensors look into each storage, by its key.
        storages: the persistent id each storage was first mentioned with.
    """

    def __init__(self, file, encoding: str = "utf-8"):
        super().__init__(file, encoding)
        self.globals: dict[str, None] = {}
        self.uses: Counter = Counter()
        self.storages: dict[str, tuple] = {}

    def find(self, module: str, name: str):
        full = full_name(module, name)
        self.globals[full] = None
        return rebuild.VALUES.get(full) or Named(full)

    def call(self, function, args):
        return Named("")

    def new(self, cls, args, kwargs):
        return Named("")

    def build(self, target, state) -> None:
        pass

    def fill(self, target, kinds):
        return target if type(target) in kinds else None

    def persistent(self, pid):
        if type(pid) is tuple and len(pid) > 4 and type(pid[2]) is str:
            self.uses[pid[2]] += 1
            self.storages.setdefault(pid[2], pid)
        return Named("storage")


class WeightsUnpickler(Machine):
    """Loads tensors, numbers, strings and plain containers; of anything else only what the user has allowed.

    Args:
        file: of bytes, at the start of the pickle.
        load_storage: makes the `Storage` for a persistent id.
        allowed: global names to the objects the user allowed.
    """

    def __init__(self, file, load_storage, allowed: dict[str, object], encoding: str = "utf-8"):
        super().__init__(file, encoding)
        self._load_storage, self._allowed = load_storage, allowed
        self._user = tuple(a for a in allowed.values() if isinstance(a, type))

    def find(self, module: str, name: str):
        full = full_name(module, name)
        if full in rebuild.VALUES:
            return rebuild.VALUES[full]
        if full.split(".")[0] in _BLOCKED_MODULES:
            raise UnpicklingError(f"Trying to load unsupported GLOBAL {full} whose module {module} is blocked.")
        if full in self._allowed:
            return self._allowed[full]
        if full in rebuild.TENSOR_TYPES:
            return rebuild.TENSOR_TYPES[full]
        if full in rebuild.FUNCTIONS:
            return rebuild.FUNCTIONS[full]
        raise UnpicklingError(
            f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
            f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` "
            "context manager to allowlist this global if you trust this class/function."
        )

    def call(self, function, args: tuple):
        if function is tensors.Parameter:
            function = rebuild.FUNCTIONS["torch.nn.parameter.Parameter"]
        elif isinstance(function, StorageType):
            function = rebuild.FUNCTIONS["torch.storage.UntypedStorage"]
        elif not (_among(function, rebuild.FUNCTIONS.values()) or _among(function, self._allowed.values())):
            raise UnpicklingError(f"Trying to call reduce for unrecognized function {function!r}")
        return function(*args)

    def new(self, cls, args: tuple, kwargs: dict):
        if cls is OrderedDict or cls is tensors.Parameter:
            return self.call(cls, args)
        if not _among(cls, self._user):
            raise UnpicklingError(f"Trying to create new object for unallowed class {cls!r}")
        return cls.__new__(cls, *args, **kwargs)

    def build(self, target, state) -> None:
        if type(target) is OrderedDict:
            target.__dict__.update(_plain(state))
        elif tensors.is_tensor(target):
            rebuild.set_tensor_state(target, state)
        elif not _among(type(target), self._user):
            raise UnpicklingError(f"Can only build Tensor, Parameter or OrderedDict objects, but got {type(target)}")
        elif hasattr(target, "__setstate__"):
            target.__setstate__(state)
        else:
            attributes, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
            target.__dict__.update(_plain(attributes or {}))
            for name, value in _plain(slots or {}).items():
                setattr(target, name, value)

    def fill(self, target, kinds):
        if type(target) in kinds or (_among(type(target), self._user) and isinstance(target, kinds)):
            return target
        return super().fill(target, kinds)

    def persistent(self, pid):
        return self._load_storage(checked_pid(pid))


def full_name(module: str, name: str) -> str:
    """A global's full name, Python 2's module names brought up to date."""
    return f"{_PYTHON2_MODULES.get(module, module)}.{name}"


def checked_pid(pid) -> tuple:
    """``("storage", type, key, location, number of elements[, view])``, the kinds of its parts verified."""
    if (
        type(pid) is not tuple
        or len(pid) not in (5, 6)
        or pid[0] != "storage"
        or not isinstance(pid[1], StorageType)
        or type(pid[2]) is not str
        or type(pid[3]) is not str
        or type(pid[4]) is not int
        or pid[4] < 0
    ):
        raise UnpicklingError(f"persistent id {pid!r} is no storage's")
    return pid


def _among(x, candidates) -> bool:
    """Whether `x` is one of `candidates`, by identity: the file's objects must not get to answer ``==``."""
    return any(x is c for c in candidates)


def _plain(state) -> dict:
    if type(state) is not dict or not all(type(k) is str for k in state):
        raise UnpicklingError("an object's state is not a dict of attributes")
    return state


def trusting_unpickler(pickle_module, file, load_storage, resolve, **options):
    """`pickle_module`'s own unpickler, which runs whatever the file says, with torch's names meaning funcgrad's.

    Args:
        resolve: the object for a global ``torch.…`` name that a checkpoint's tensors do not need.
    """

    class TrustingUnpickler(pickle_module.Unpickler):
        def find_class(self, module, name):
            full = full_name(module, name)
            for table in (rebuild.VALUES, rebuild.TENSOR_TYPES, rebuild.FUNCTIONS):
                if full in table and full.startswith("torch"):
                    return table[full]
            if module == "torch" or module.startswith("torch."):
                return resolve(module, name)
            return super().find_class(module, name)

        def persistent_load(self, pid):
            return load_storage(checked_pid(pid))

    return TrustingUnpickler(file, **options)


def is_plain_pickle(module) -> bool:
    return module is None or (isinstance(module, types.ModuleType) and module is pickle)


def inspect(data: bytes, encoding: str = "utf-8") -> Inspector:
    """An `Inspector` that has gone through `data`."""
    inspector = Inspector(io.BytesIO(data), encoding)
    inspector.load()
    return inspector
