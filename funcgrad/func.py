"""``torch.func``: functions of parameters, and JAX's transformations over tensors.

See https://docs.pytorch.org/docs/stable/func.html.
"""

from __future__ import annotations

from collections.abc import Sequence

from funcgrad import _operators
from funcgrad.autograd._transforms import debug_unwrap as debug_unwrap
from funcgrad.autograd._transforms import functionalize as functionalize
from funcgrad.autograd._transforms import grad as grad
from funcgrad.autograd._transforms import grad_and_value as grad_and_value
from funcgrad.autograd._transforms import hessian as hessian
from funcgrad.autograd._transforms import jacfwd as jacfwd
from funcgrad.autograd._transforms import jacrev as jacrev
from funcgrad.autograd._transforms import jvp as jvp
from funcgrad.autograd._transforms import linearize as linearize
from funcgrad.autograd._transforms import vjp as vjp
from funcgrad.autograd._vmap import vmap as vmap
from funcgrad.nn.modules.batchnorm import _BatchNorm
from funcgrad.nn.utils.stateless import call_with


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Call a module with other tensors in the place of its parameters and buffers.

    Args:
        module: the module; it is left as it was.
        parameter_and_buffer_dicts: tensors (or JAX arrays) by dotted name, or several such dicts.
        args: the positional arguments, a tuple; anything else is the only one.
        kwargs: the keyword arguments.
        tie_weights: whether parameters that are the same tensor are replaced together.
        strict: whether every parameter and buffer must be given.

    Raises:
        RuntimeError: with `strict`, a name is missing or unknown.

    Example:
        >>> import funcgrad as torch
        >>> line = torch.nn.Linear(1, 1, bias=False)
        >>> torch.func.functional_call(line, {"weight": torch.ones(1, 1)}, torch.ones(1, 1)).item()
        1.0
    """
    return call_with(module, _merged(parameter_and_buffer_dicts), args, kwargs, tie_weights=tie_weights, strict=strict)


def _merged(dicts) -> dict:
    """One dict, or several that have no name in common, as one."""
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, list | tuple):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}"
        )
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for d in dicts for name in d]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
    return {name: value for d in dicts for name, value in d.items()}


def stack_module_state(models: Sequence) -> tuple[dict, dict]:
    """The parameters of several models of one kind, stacked by name along a new first dimension, and their buffers.

    Example:
        >>> import funcgrad as torch
        >>> parameters, _ = torch.func.stack_module_state([torch.nn.Linear(2, 3) for _ in range(5)])
        >>> parameters["weight"].shape
        torch.Size([5, 3, 2])

    Raises:
        RuntimeError: no models, or models of different classes or in different modes.
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {name: _stacked([dict(m.named_parameters())[name] for m in models]) for name in _names(models[0], 0)}
    buffers = {name: _stacked([dict(m.named_buffers())[name] for m in models]) for name in _names(models[0], 1)}
    return parameters, buffers


def _names(module, kind: int) -> list[str]:
    return [name for name, _ in (module.named_buffers() if kind else module.named_parameters())]


def _stacked(tensors: list):
    """Leaves are stacked into a leaf."""
    if not all(t.is_leaf for t in tensors):
        return _operators.call("stack", tensors)
    if len({t.requires_grad for t in tensors}) > 1:
        raise RuntimeError("Expected tensors from each model to have the same .requires_grad")
    return _operators.call("stack", [t.detach() for t in tensors]).requires_grad_(tensors[0].requires_grad)


def replace_all_batch_norm_modules_(root):
    """Make every batch norm in `root` one without running statistics, as `vmap` needs it; returns `root`."""
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
