"""Calling a module with other parameters: what ``torch.func.functional_call`` does.

See https://docs.pytorch.org/docs/stable/generated/torch.func.functional_call.html.
"""

from __future__ import annotations

import jax

from funcgrad._facade._interop import from_jax
from funcgrad._tensor import Tensor
from funcgrad.nn.modules.module import Module
from funcgrad.nn.utils._deprecated import deprecated

_ABSENT = object()


@deprecated(
    "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be removed in a future version of "
    "PyTorch. Please use `torch.func.functional_call` instead which is a drop-in replacement."
)
def functional_call(
    module: Module, parameters_and_buffers: dict, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """As ``torch.func.functional_call``."""
    return call_with(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def call_with(module: Module, given: dict, args=None, kwargs=None, *, tie_weights: bool = True, strict: bool = False):
    """Call a module with the tensors `given` (by dotted name) in the place of its parameters and buffers."""
    given = {name: from_jax(value) if isinstance(value, jax.Array) else value for name, value in given.items()}
    if tie_weights:
        given = _tied(module, given)
    if strict:
        _require_all(module, given)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    undo: list = []
    try:
        for name, value in given.items():
            undo.append(_put(module, name, value))
        return module(*args, **(kwargs or {}))
    finally:
        for registry, key, before in reversed(undo):
            if before is _ABSENT:
                del registry[key]
            else:
                registry[key] = before


def _put(module: Module, path: str, value) -> tuple:
    """Put a tensor in the place of another; returns what undoes it: (registry, key, what was there)."""
    prefix, _, name = path.rpartition(".")
    owner = module.get_submodule(prefix)
    registries = [r for r in (owner._parameters, owner._buffers) if name in r]
    before = registries[0][name] if registries else getattr(owner, name, None)
    if before is not None and not isinstance(before, Tensor):
        raise TypeError(f"attribute `{name}`: {before} is not an instance of torch.Tensor")
    if value is not None and not isinstance(value, Tensor):
        raise TypeError(f"{value} is not an instance of torch.Tensor")
    registry = registries[0] if registries else owner.__dict__
    undo = registry, name, registry.get(name, _ABSENT)
    registry[name] = value
    return undo


def _names(module: Module) -> dict:
    """Every parameter and buffer by each of its names."""
    return dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))


def _tied(module: Module, given: dict) -> dict:
    """`given`, extended to the other names of the tensors it replaces."""
    groups: dict[int, list[str]] = {}
    for name, tensor in _names(module).items():
        groups.setdefault(id(tensor), []).append(name)
    complete = dict(given)
    for names in groups.values():
        present = [name for name in names if name in given]
        if len({id(given[name]) for name in present}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(present)}, which are tied. Consider using "
                "tie_weights=False"
            )
        complete.update({name: given[present[0]] for name in names if present and name not in given})
    return complete


def _require_all(module: Module, given: dict) -> None:
    have = _names(module)
    lines = []
    for what, names in (("Unexpected", set(given) - set(have)), ("Missing", set(have) - set(given))):
        if names:
            lines.append(f"{what} key(s): " + ", ".join(f"'{name}'" for name in sorted(names)) + ".")
    if lines:
        listed = "\n\t".join(lines)
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t{listed}")
