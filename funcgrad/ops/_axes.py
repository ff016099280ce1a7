"""Dimension arguments: `dim` and `keepdim`, their NumPy names, and PyTorch's errors for values they may not have."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable

from funcgrad import _errors

_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function: Callable) -> Callable:
    """Let `function` be called with NumPy's names too, as PyTorch's own ops can: `axis` for `dim`, and so on."""
    signature = inspect.signature(function)
    aliases = {a: name for a, name in _NUMPY_NAMES.items() if name in signature.parameters}

    @functools.wraps(function)
    def renamed(*args, **kwargs):
        for alias, name in aliases.items():
            if alias in kwargs:
                kwargs[name] = kwargs.pop(alias)
        return function(*args, **kwargs)

    extra = [inspect.Parameter(a, inspect.Parameter.KEYWORD_ONLY, default=None) for a in aliases]
    renamed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])
    return renamed


def _index(name: str, dim, wanted: str) -> int:
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"{name}(): argument 'dim' (position 2) must be {wanted}, not {type(dim).__name__}")
    return operator.index(dim)


def _check_ndim(ndim: int) -> None:
    if ndim > 64:
        raise RuntimeError("only tensors with up to 64 dims are supported")


def one_axis(name: str, dim, ndim: int) -> int:
    """`dim` as a non-negative axis; 0 for a tensor of no dimensions.

    Raises:
        TypeError: `dim` is no integer.
        IndexError: `dim` is out of range.
    """
    _check_ndim(ndim)
    return _errors.wrap_dim(_index(name, dim, "int"), ndim)


def many_axes(name: str, dim, ndim: int, empty_is_all: bool = True) -> tuple[int, ...]:
    """The axes that an integer, a sequence of integers or None (all of them) names, in the order given.

    Args:
        empty_is_all: whether an empty sequence names all axes (most reductions) or none (`all`, `any`).
    """
    _check_ndim(ndim)
    if dim is None or (empty_is_all and isinstance(dim, list | tuple) and not dim):
        return tuple(range(ndim))
    dims = dim if isinstance(dim, list | tuple) else [dim]
    wrapped = _errors.wrap_dims([_index(name, d, "tuple of ints") for d in dims], ndim)
    return wrapped if ndim else ()


def require_elements(name: str, shape: tuple[int, ...], axes: tuple[int, ...], all_named: bool = True) -> None:
    """Refuse to reduce over nothing where the reduction has no identity.

    Args:
        all_named: whether the user named `axes`; if not, they are all axes.
    """
    if 0 not in shape:
        return
    if not all_named:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for axis in axes:
        if shape[axis] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {axis} to have non-zero size.")


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with the sizes at `axes` set to 1."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
