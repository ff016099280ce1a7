"""The module that ``torch.compile(module)`` returns."""

from __future__ import annotations

from funcgrad.nn.modules.module import Module


class OptimizedModule(Module):
    """A module whose calls are captured; everything else is the original module's."""

    def __init__(self, module: Module, compiled):
        super().__init__()
        self._orig_mod = module
        self.__dict__["_compiled"] = compiled
        self.__dict__["training"] = module.training

    def forward(self, *args, **kwargs):
        return self.__dict__["_compiled"](*args, **kwargs)

    def train(self, mode: bool = True):
        super().train(mode)
        return self

    def __getattr__(self, name: str):
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._modules["_orig_mod"], name)
