"""Which torch names a program uses, and which of them funcgrad has."""

from __future__ import annotations

import atexit
import sys
import types

from funcgrad._tensor import Tensor


class Report:
    """Notes the torch names that code outside funcgrad reads; prints them to stderr when the process ends."""

    def __init__(self):
        self.names: dict[str, tuple[bool, str]] = {}
        self.watched: list[types.ModuleType] = []

    def start(self) -> None:
        atexit.register(self.print)
        report = self

        def __getattribute__(tensor, name):
            try:
                value = object.__getattribute__(tensor, name)
            except AttributeError:
                report.touch(f"torch.Tensor.{name}", has=False)
                raise
            report.touch(f"torch.Tensor.{name}", has=True)
            return value

        Tensor.__getattribute__ = __getattribute__

    def stop(self) -> None:
        atexit.unregister(self.print)
        del Tensor.__getattribute__
        for module in self.watched:
            module.__class__ = types.ModuleType

    def watch(self, module: types.ModuleType) -> None:
        """Note every attribute that is read from `module`."""
        if type(module) is types.ModuleType:
            vars(module)["__funcgrad_report__"] = self
            self.watched.append(module)
            module.__class__ = _Watched

    def touch(self, path: str, has: bool) -> None:
        """Note that the code that is running now uses a name."""
        if path.rpartition(".")[2].startswith("_"):
            return
        frame = _outside(sys._getframe(1))
        importer = frame.f_globals.get("__name__", "").partition(".")[0]
        if importer == "funcgrad" or (importer == "importlib" and has):
            return
        known = self.names.get(path)
        if known is None or (known[0] and not has):
            while frame.f_globals.get("__name__", "").partition(".")[0] == "importlib" and frame.f_back is not None:
                frame = frame.f_back
            self.names[path] = has, f"{frame.f_code.co_filename}:{frame.f_lineno}"

    def print(self) -> None:
        """One line a name, those that funcgrad lacks at the end, with the place of their first use."""
        packages = {name[:i] for name in self.names for i in range(len(name)) if name[i] == "."}
        shown = {name: entry for name, entry in sorted(self.names.items()) if name not in packages}
        lacking = {name: where for name, (has, where) in shown.items() if not has}
        lines = [f"funcgrad: {len(shown)} torch names used, {len(lacking)} of them missing"]
        lines += [f"  has    {name}" for name in shown if name not in lacking]
        lines += [f"  lacks  {name}  ({where})" for name, where in lacking.items()]
        print("\n".join(lines), file=sys.stderr)


def _outside(frame: types.FrameType) -> types.FrameType:
    """The frame that reads a name through this file's or the import hook's functions."""
    while frame.f_globals.get("__name__") in (__name__, "funcgrad._import_hook") and frame.f_back is not None:
        frame = frame.f_back
    return frame


class _Watched(types.ModuleType):
    def __getattribute__(self, name):
        value = types.ModuleType.__getattribute__(self, name)
        if not name.startswith("_"):
            attributes = types.ModuleType.__getattribute__(self, "__dict__")
            if name in attributes:
                path = "torch" + attributes["__name__"].removeprefix("funcgrad")
                attributes["__funcgrad_report__"].touch(f"{path}.{name}", has=True)
        return value
