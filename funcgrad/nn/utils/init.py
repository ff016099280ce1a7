"""Making modules without initialising them.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.skip_init.html.
"""

from __future__ import annotations

import inspect

from funcgrad.nn.modules.module import Module
from funcgrad.random import fork_rng


def skip_init(module_cls, *args, **kwargs) -> Module:
    """Make a module whose parameters have no meaningful values yet; no random number is drawn.

    Args:
        module_cls: the module's class; its constructor takes ``device``.
        args: its arguments.
        kwargs: its keyword arguments; ``device`` says where the module is to be.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with fork_rng():
        return module_cls(*args, **kwargs)
