"""Stand-ins for what PyTorch has and funcgrad has not: they can be imported, and fail when they are used."""

from __future__ import annotations

import types
from typing import Any

from funcgrad import _errors


class MissingAttribute(AttributeError, NotImplementedError):
    """What reading a torch name that funcgrad lacks raises; ``hasattr`` says no, and the message says why."""


def missing_attribute(path: str) -> MissingAttribute:
    module, _, name = path.rpartition(".")
    return MissingAttribute(f"module {module!r} has no attribute {name!r}: {path} is not supported by funcgrad")


class Placeholder:
    """What ``from torch.x import y`` gives where funcgrad has no ``torch.x.y``.

    It may stand in annotations, in unions and in ``isinstance`` (nothing is an instance of it). Calling it, reading an
    attribute or deriving a class from it raises NotImplementedError with the name.
    """

    def __init__(self, path: str):
        object.__setattr__(self, "_path", path)

    def _refuse(self, *args, **kwargs):
        raise _errors.unsupported(self._path)

    __call__ = __enter__ = __iter__ = __len__ = __mro_entries__ = __setattr__ = _refuse

    def __getattr__(self, name: str):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise _errors.unsupported(f"{self._path}.{name}")

    def __instancecheck__(self, instance) -> bool:
        return False

    __subclasscheck__ = __instancecheck__

    def __getitem__(self, item):
        return self

    def __or__(self, other):
        return Any

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"<{self._path}, which funcgrad does not have>"


class MissingModule(types.ModuleType):
    """What ``import torch.x`` gives where funcgrad has no ``torch.x``."""

    def __init__(self, path: str):
        super().__init__(path, f"PyTorch's {path}, which funcgrad does not have.")
        self.__path__ = []
