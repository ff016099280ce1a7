"""Layers that are rows of a table: constructors that only keep their arguments."""

from __future__ import annotations

import inspect

REQUIRED = inspect.Parameter.empty


def constructor(name: str, parameters: dict):
    """An ``__init__`` that stores each of `parameters` (name: default) as an attribute.

    It is compiled from source, as `collections.namedtuple` does: so Python itself checks the arguments and words the
    errors, and calls cost what they cost elsewhere.
    """
    from funcgrad.nn.modules.module import Module

    listed = "".join(f", {p}" if d is REQUIRED else f", {p}={p}_" for p, d in parameters.items())
    body = "".join(f"\n    self.{p} = {p}" for p in parameters)
    scope = {"Module": Module, **{f"{p}_": d for p, d in parameters.items()}}
    exec(f"def __init__(self{listed}):\n    Module.__init__(self){body}", scope)
    made = scope["__init__"]
    made.__qualname__ = f"{name}.__init__"
    return made
