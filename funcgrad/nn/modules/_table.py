"""Constructors of layers that only keep their arguments."""

from __future__ import annotations

import inspect

REQUIRED = inspect.Parameter.empty


def constructor(name: str, parameters: dict, keyword_only: bool = False):
    """An ``__init__`` that stores each of `parameters` (name: default) as an attribute.

    Args:
        name: the class it is for, as errors name it.
        keyword_only: whether the parameters must be given by name.
    """
    kind = inspect.Parameter.KEYWORD_ONLY if keyword_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.Signature([me, *[inspect.Parameter(n, kind, default=d) for n, d in parameters.items()]])

    def __init__(self, *args, **kwargs):
        from funcgrad.nn.modules.module import Module

        Module.__init__(self)
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as e:
            raise TypeError(f"{name}.__init__() {e}") from None
        bound.apply_defaults()
        for key in parameters:
            setattr(self, key, bound.arguments[key])

    __init__.__signature__ = signature
    return __init__
