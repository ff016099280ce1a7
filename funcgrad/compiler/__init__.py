"""``torch.compiler``: what programs say to PyTorch's compiler.

See https://docs.pytorch.org/docs/stable/torch.compiler_api.html.
"""

from __future__ import annotations

import contextlib
import functools

from funcgrad._compile import compile as compile
from funcgrad.engine.state import state
from funcgrad.engine.structure import forget


def is_compiling() -> bool:
    """Whether a compiled function is being captured."""
    return state.capture is not None


is_dynamo_compiling = is_compiling


def is_exporting() -> bool:
    """False."""
    return False


def disable(fn=None, recursive: bool = True, *, reason: str | None = None):
    """Accepted; a function that reads values runs as it is anyway."""
    return functools.partial(disable, recursive=recursive) if fn is None else fn


def allow_in_graph(fn):
    """Accepted: returned as it is."""
    return fn


assume_constant_result = wrap_numpy = nested_compile_region = allow_in_graph


def substitute_in_graph(original_fn, **options):
    """Accepted; returns the decorated function."""
    return lambda traceable: traceable


def reset() -> None:
    """Forget every compiled program."""
    forget()


def cudagraph_mark_step_begin() -> None:
    """Accepted as in PyTorch."""


def list_backends(exclude_tags=()) -> list[str]:
    """The only one."""
    return ["xla"]


class set_stance(contextlib.ContextDecorator):
    """Accepted, also as a context or decorator."""

    def __init__(self, stance="default", *, skip_guard_eval_unsafe=False, force_backend=None):
        self.stance = stance

    def __enter__(self) -> set_stance:
        return self

    def __exit__(self, *error) -> None:
        return None
