"""What the loss functions share: the reduction, its legacy spelling, and the check of sizes."""

from __future__ import annotations

import warnings

import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad.ops._elementwise import HALVES, derivatives
from funcgrad.ops._number import Array, cast
from funcgrad.ops._sizes import brackets

REDUCTIONS = ("none", "mean", "sum")


def size_text(x: Array) -> str:
    return f"torch.Size({brackets(x.shape)})"


def reduction_name(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """The reduction asked for, by name or by the two flags that it replaced.

    Raises:
        ValueError: there is no such reduction.
    """
    if size_average is not None or reduce is not None:
        average, reduces = size_average in (None, True), reduce in (None, True)
        name = ("mean" if average else "sum") if reduces else "none"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{name}' instead.", stacklevel=3
        )
        return name
    if reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=3)
        return "mean"
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(loss: Array, reduction: str, d=None) -> Array:
    """`loss` with the reduction applied, as dtype `d` (its own unless given)."""
    if reduction == "mean":
        own = _dtypes.to_dtype(loss.dtype)
        if own.category < _dtypes.FLOATING:
            raise RuntimeError(
                "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
                f"Got: {own.scalar_name}"
            )
        loss = jnp.sum(loss) / jnp.asarray(loss.size, loss.dtype)
    elif reduction == "sum":
        loss = jnp.sum(loss)
        d = _dtypes.int64 if d is not None and d.category < _dtypes.FLOATING else d
    return loss if d is None else cast(loss, d)


def widened(*xs: Array | None) -> list:
    """Each array, halves converted to float32."""
    return [x if x is None or _dtypes.to_dtype(x.dtype) not in HALVES else cast(x, _dtypes.float32) for x in xs]


def warn_of_sizes(input: Array, target: Array) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({size_text(target)}) that is different to the input size ({size_text(input)}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def at_least_zero(x: Array) -> Array:
    """``max(x, 0)``, with derivative 1 at 0, as PyTorch's clamp has it."""
    return jnp.where(x < 0, jnp.zeros((), x.dtype), x)


@derivatives(lambda y, x, low: jnp.ones_like(x), None)
def clamped_in_value(x: Array, low: Array) -> Array:
    """``max(x, low)``, with the derivative of `x` throughout: PyTorch clamps it outside its graph."""
    return jnp.maximum(x, low)


def check_result(own: _dtypes.dtype, result: _dtypes.dtype) -> None:
    """The error for a result that is written to a tensor of dtype `own`."""
    if not _dtypes.can_cast(result, own):
        raise RuntimeError(
            f"result type {result.scalar_name} can't be cast to the desired output type {own.scalar_name}"
        )
