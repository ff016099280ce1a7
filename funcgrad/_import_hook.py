"""Make ``import torch`` mean funcgrad.

`install` puts a finder in front of Python's own: ``torch`` and ``torch.x`` become further names of the modules
``funcgrad`` and ``funcgrad.x`` (the same objects).

NOTE: [who sees torch]
    Every importer does, except the packages in `BLOCKED` (or the caller's own list) and, where ``only`` is given, every
    package outside it. For those ``import torch`` raises ModuleNotFoundError, also if PyTorch is installed: a process
    never holds two torches. A finder is not asked about what is imported already, so their modules are loaded with an
    ``__import__`` of their own; modules loaded before `install` are not reached. The array-API helpers that SciPy and
    scikit-learn carry import torch only once they have seen it in ``sys.modules``, and do not expect that to fail, so
    they are let through.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.abc
import importlib.machinery
import opcode
import sys
import types
from collections.abc import Iterable

import funcgrad
from funcgrad._missing import MissingModule, Placeholder, missing_attribute
from funcgrad._report import Report

BLOCKED = (
    *("jax", "jaxlib", "flax", "optax", "orbax", "chex", "haiku", "equinox", "tensorflow", "keras", "tensorboard"),
    *("numpy", "scipy", "sklearn", "pandas", "matplotlib", "xarray", "dask", "numba", "joblib", "cupy", "h5py"),
)
_LOOKS_BEFORE = ("array_api_compat", "array_api_extra", "_array_api")
_NEUTRAL = sys.stdlib_module_names | {"funcgrad", "__main__"}
_IMPORT_FROM = opcode.opmap["IMPORT_FROM"]


def install(only: Iterable[str] | None = None, block: Iterable[str] = BLOCKED, report: bool = False) -> None:
    """Serve ``import torch`` and ``import torch.x`` from funcgrad, from now on and for the whole process.

    Args:
        only: the top-level packages that, besides the program itself, see funcgrad as torch; all by default.
        block: packages that see no torch.
        report: note every torch name that is used; printed when the process ends.

    Raises:
        ImportError: PyTorch itself has been imported.

    Example:
        >>> import funcgrad
        >>> funcgrad.install()
        >>> import torch
        >>> torch is funcgrad
        True
    """
    global _installed
    present = sys.modules.get("torch")
    if present is not None and present is not funcgrad:
        where = getattr(present, "__file__", None)
        raise ImportError(
            f"PyTorch itself has been imported already (from {where}), and funcgrad cannot share a process's name "
            "'torch' with it. Call funcgrad.install() before anything imports torch, or run the program with "
            "`python -m funcgrad`."
        )
    uninstall()
    _installed = _Hook(None if only is None else frozenset(only), frozenset(block), Report() if report else None)
    _installed.start()


def uninstall() -> None:
    """Undo `install`: ``import torch`` is again what Python makes of it."""
    global _installed
    if _installed is not None:
        _installed.stop()
        _installed = None


class _Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The finder and loader of ``torch`` and everything below it."""

    def __init__(self, only: frozenset | None, block: frozenset, report: Report | None):
        self.only, self.block, self.report = only, block, report
        self.answering: dict[str, types.ModuleType] = {}  # modules that have been given a `_fallback`
        self.made_packages: list[types.ModuleType] = []
        self.blind_builtins = vars(builtins) | {"__import__": _import_without_torch}

    def start(self) -> None:
        sys.meta_path.insert(0, self)
        for name, module in list(sys.modules.items()):
            parts = name.split(".")
            if parts[0] == "funcgrad" and not any(p.startswith("_") or p in ("ops", "engine") for p in parts):
                self.answer_for(module)
        if self.report is not None:
            self.report.start()

    def stop(self) -> None:
        sys.meta_path.remove(self)
        self.blind_builtins["__import__"] = builtins.__import__
        for name in [n for n in sys.modules if n == "torch" or n.startswith("torch.")]:
            module = sys.modules.pop(name)
            parent, _, leaf = ours(name).rpartition(".")
            if isinstance(module, MissingModule) and parent in sys.modules:
                vars(sys.modules[parent]).pop(leaf, None)
        for module in self.answering.values():
            own = module.__dict__.pop("__getattr__").own
            if own is not None:
                module.__getattr__ = own
        for module in self.made_packages:
            del module.__path__
        if self.report is not None:
            self.report.stop()

    # -- finding and loading ------------------------------------------------------------------------------------------

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torch" or fullname.startswith("torch."):
            return importlib.machinery.ModuleSpec(fullname, self, origin="funcgrad", is_package=True)
        if self._may_see(fullname):
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _BlindLoader(spec.loader, self.blind_builtins)
                return spec
        return None

    def _may_see(self, importer: str) -> bool:
        package = importer.partition(".")[0]
        if package in self.block:
            return any(part in importer for part in _LOOKS_BEFORE)
        return self.only is None or package in self.only or package in _NEUTRAL

    def create_module(self, spec):
        module = _submodule(ours(spec.name))
        if module is None:
            parent, _, leaf = spec.name.rpartition(".")
            if leaf in vars(sys.modules[parent]):  # a class or function: whoever looks for a module there tries on
                raise ModuleNotFoundError(f"No module named {spec.name!r}; {parent!r} is not a package", name=spec.name)
            self._note_missing(spec.name)
            if _is_private(spec.name):
                raise ModuleNotFoundError(f"No module named {spec.name!r} in funcgrad", name=spec.name)
            return MissingModule(spec.name)
        spec.loader_state = module.__spec__
        if not hasattr(module, "__path__"):  # PyTorch may have a package where funcgrad has a file
            self.made_packages.append(module)
        return module

    def exec_module(self, module) -> None:
        if module.__spec__.loader_state is not None:
            module.__spec__ = module.__spec__.loader_state
            _keep_shadowing_names(module)
        self.answer_for(module)

    # -- names that funcgrad lacks ------------------------------------------------------------------------------------

    def answer_for(self, module: types.ModuleType) -> None:
        """Let `module` answer for the names it lacks."""
        if module.__name__ not in self.answering or self.answering[module.__name__] is not module:
            self.answering[module.__name__] = module
            module.__getattr__ = self._fallback(module, module.__dict__.get("__getattr__"))
        if self.report is not None:
            self.report.watch(module)

    def _fallback(self, module: types.ModuleType, own):
        path = module.__name__ if isinstance(module, MissingModule) else theirs(module.__name__)

        def __getattr__(name: str):
            if own is not None:
                try:
                    return own(name)
                except AttributeError:
                    pass
            if name.startswith("__"):
                raise AttributeError(f"module {path!r} has no attribute {name!r}")
            found = None if isinstance(module, MissingModule) else _submodule(f"{module.__name__}.{name}")
            if found is not None:
                return found
            frame = _caller()
            asked_by_import = frame.f_globals.get("__name__", "").partition(".")[0] == "importlib"
            if not asked_by_import:
                self._note_missing(f"{path}.{name}")
            if (_imports_from(frame) and not _is_private(path)) or (
                asked_by_import and isinstance(module, MissingModule)
            ):
                return Placeholder(f"{path}.{name}")
            raise missing_attribute(f"{path}.{name}")

        __getattr__.own = own
        return __getattr__

    def _note_missing(self, path: str) -> None:
        if self.report is not None:
            self.report.touch(path, has=False)


class _BlindLoader(importlib.abc.Loader):
    """Loads a module as its own loader does, but with builtins whose ``__import__`` finds no torch."""

    def __init__(self, loader, blind_builtins: dict):
        self.loader, self.blind_builtins = loader, blind_builtins

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        module.__builtins__ = self.blind_builtins
        self.loader.exec_module(module)


def _import_without_torch(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0 and (name == "torch" or name.startswith("torch.")):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return builtins.__import__(name, globals, locals, fromlist, level)


_installed: _Hook | None = None


def ours(name: str) -> str:
    """``torch.nn`` as ``funcgrad.nn``."""
    return "funcgrad" + name.removeprefix("torch")


def theirs(name: str) -> str:
    """``funcgrad.nn`` as ``torch.nn``."""
    return "torch" + name.removeprefix("funcgrad")


def _is_private(path: str) -> bool:
    """Whether a module is PyTorch's own business: versions differ in these, so importers expect an ImportError."""
    return "._" in path


def _submodule(name: str) -> types.ModuleType | None:
    """funcgrad's module of this name, or ``None`` if there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name is not None and (name == e.name or name.startswith(e.name + ".")):
            return None
        raise


def _keep_shadowing_names(module: types.ModuleType) -> None:
    """Where a name of `module` hides its submodule of that name, as ``torch.autograd.gradcheck`` does, let it go on.

    Importing the submodule would put it in that name's place; one that was imported already is only looked up.
    """
    prefix = module.__name__ + "."
    for name, child in list(sys.modules.items()):
        if name.startswith(prefix):
            leaf = name.removeprefix(prefix)
            if "." not in leaf and vars(module).get(leaf, child) is not child:
                sys.modules.setdefault(theirs(name), child)


def _caller() -> types.FrameType:
    """The frame outside this file and the report's that is reading an attribute."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__") in (__name__, "funcgrad._report"):
        frame = frame.f_back
    return frame


def _imports_from(frame: types.FrameType) -> bool:
    """Whether the frame is in the middle of ``from module import name`` (and not funcgrad's own)."""
    if frame.f_globals.get("__name__", "").partition(".")[0] == "funcgrad":
        return False
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM
