"""``torch.jit``: what is scripted or traced stays the Python it is; every program is compiled by XLA in any case.

NOTE: [TorchScript without TorchScript]
    `script` and `trace` return their argument: the same results, from the same Python, which also runs where TorchScript
    would refuse. Annotations and decorators (`export`, `ignore`, `unused`, `Final`) are accepted and mean nothing more.
    What exists only in TorchScript (its files, graphs and source) raises NotImplementedError.

See https://docs.pytorch.org/docs/stable/jit.html.
"""

from __future__ import annotations

import contextlib
import typing
from typing import Any, Final

from funcgrad._errors import refusing
from funcgrad.futures import Future as Future
from funcgrad.nn.modules.module import Module

_T = typing.TypeVar("_T")
ScriptModule = RecursiveScriptModule = TracedModule = TopLevelTracedModule = Module


class ScriptFunction:
    """What `script` returns in PyTorch for a function; here it returns the function itself."""


class Error(RuntimeError):
    """An error inside scripted code; here errors are the code's own."""


def _identity(obj: _T, *args, **kwargs) -> _T:
    """Accepted as in PyTorch; returned as it is."""
    return obj


script = script_if_tracing = script_method = export = interface = freeze = optimize_for_inference = _identity
_overload = _overload_method = _identity


def trace(func=None, example_inputs=None, *args, example_kwarg_inputs=None, **kwargs):
    """Run `func` on the example inputs once, as PyTorch does, and return it as it is."""
    if func is not None:
        inputs = example_inputs if isinstance(example_inputs, tuple | list) else (example_inputs,)
        named = example_kwarg_inputs or {}
        func(*(() if example_inputs is None else inputs), **named)
    return func


def trace_module(mod: Module, inputs: dict, *args, **kwargs) -> Module:
    """Run the methods of `mod` on their example inputs once and return it as it is."""
    for name, given in inputs.items():
        getattr(mod, name)(*(given if isinstance(given, tuple) else (given,)))
    return mod


def ignore(drop=False, **kwargs):
    """Decorator for methods that TorchScript leaves to Python: accepted."""
    return drop if callable(drop) else _identity


def unused(fn: _T) -> _T:
    """Decorator for methods that TorchScript replaces by an error: accepted."""
    return fn


def annotate(the_type, the_value: _T) -> _T:
    """`the_value`; `the_type` is for TorchScript."""
    return the_value


class Attribute:
    """A value with a type for TorchScript; as an attribute of a module it is the pair."""

    def __init__(self, value, type):
        self.value, self.type = value, type


def isinstance(obj, target_type) -> bool:
    """As Python's, for container types with parameters too (``List[int]``)."""
    import builtins

    if builtins.isinstance(target_type, tuple):
        return any(isinstance(obj, t) for t in target_type)
    origin, args = typing.get_origin(target_type), typing.get_args(target_type)
    if origin is None:
        return target_type is Any or builtins.isinstance(obj, target_type)
    if origin is typing.Union:
        return any(isinstance(obj, t) for t in args)
    if not builtins.isinstance(obj, origin):
        return False
    if origin is dict:
        return all(isinstance(k, args[0]) and isinstance(v, args[1]) for k, v in obj.items())
    if origin is tuple:
        return len(obj) == len(args) and all(isinstance(x, t) for x, t in zip(obj, args))
    return all(isinstance(x, args[0]) for x in obj)


def is_scripting() -> bool:
    """False."""
    return False


is_tracing = is_scripting


def fork(func, *args, **kwargs) -> Future:
    """Call `func` at once; `wait` returns its result."""
    future: Future = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future: Future):
    """The result of `fork`."""
    return future.wait()


def enable_onednn_fusion(enabled: bool) -> None:
    """Accepted; XLA fuses."""


def onednn_fusion_enabled() -> bool:
    """False: XLA fuses."""
    return False


def set_fusion_strategy(strategy) -> list:
    """Accepted; XLA fuses."""
    return []


class strict_fusion(contextlib.nullcontext):
    """Accepted; XLA fuses."""


class optimized_execution(contextlib.nullcontext):
    """Accepted; programs are always compiled."""


save, load, export_opnames, CompilationUnit = (
    refusing(f"torch.jit.{name}") for name in ("save", "load", "export_opnames", "CompilationUnit")
)
__all__ = [
    "Attribute", "CompilationUnit", "Error", "Final", "Future", "ScriptFunction", "ScriptModule", "annotate",
    "enable_onednn_fusion", "export", "export_opnames", "fork", "freeze", "ignore", "interface", "isinstance", "load",
    "onednn_fusion_enabled", "optimize_for_inference", "save", "script", "script_if_tracing", "set_fusion_strategy",
    "strict_fusion", "trace", "trace_module", "unused", "wait",
]  # fmt: skip
