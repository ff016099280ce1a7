"""Losses that compare numbers with numbers, and likelihoods of given distributions.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions

Halves are computed in float32 and rounded once. The arguments `size_average` and `reduce` are the deprecated spelling
of `reduction`, one of ``"none"``, ``"mean"`` (the default) and ``"sum"``.
"""

from __future__ import annotations

import math
import warnings

import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._loss import (
    REDUCTIONS,
    check_result,
    clamped_in_value,
    reduced,
    reduction_name,
    warn_of_sizes,
    widened,
)
from funcgrad.ops._number import Array, Scalar, as_array, broadcast, cast, promote
from funcgrad.ops.arithmetic import _refuse_bool
from funcgrad.ops.pointwise import abs

# -- distances --------------------------------------------------------------------------------------------------------


def _paired(kernel: str, input: Array, target: Array) -> tuple[Array, _dtypes.dtype]:
    """``input - target``, halves in float32, and the operands' common dtype."""
    a, b = broadcast(input, target)
    d = _number.result_type(input, target)
    _errors.check_dtype(kernel, d, "hf")
    a, b = widened(*promote(a, b))
    return a - b, d


def _difference(input: Array, target: Array) -> tuple[Array, _dtypes.dtype]:
    """As `_paired`, where PyTorch subtracts tensors of any dtype."""
    _errors.broadcast_shapes(input.shape, target.shape)
    _refuse_bool(input, target)
    d = _number.result_type(input, target)
    a, b = widened(*promote(*broadcast(input, target)))
    return a - b, d


def _weighted(loss: Array, d, input: Array, weight: Array, reduction: str, by_weight: bool) -> Array:
    """`loss` times `weight`; its mean is by the sum of weights if `by_weight`."""
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    if reduction not in REDUCTIONS:
        raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    d = _dtypes.promote_types(d, _dtypes.to_dtype(weight.dtype))
    loss, weight = widened(*promote(loss, weight))
    if reduction == "mean" and by_weight:
        return cast(jnp.sum(loss * weight) / jnp.sum(weight), d)
    return reduced(loss * weight, reduction, d)


def mse_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """``(input - target)**2``, weighted if `weight` is given (the mean is then by the sum of weights).

    Example:
        >>> mse_loss(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0]))
        Array(2., dtype=float32)
    """
    warn_of_sizes(input, target)
    if weight is not None:
        delta, d = _difference(input, target)
        return _weighted(delta * delta, d, input, weight, reduction, by_weight=True)
    _errors.broadcast_shapes(input.shape, target.shape)
    reduction = reduction_name(reduction, size_average, reduce)
    delta, d = _paired("mse_cpu", input, target)
    return reduced(delta * delta, reduction, d)


def l1_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """``|input - target|``, weighted if `weight` is given (the mean is then by the sum of weights).

    Example:
        >>> l1_loss(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0]))
        Array(1., dtype=float32)
    """
    warn_of_sizes(input, target)
    _errors.broadcast_shapes(input.shape, target.shape)
    if weight is None:
        reduction = reduction_name(reduction, size_average, reduce)
    delta, d = _difference(input, target)
    loss, d = abs(delta), d.to_real()
    return reduced(loss, reduction, d) if weight is None else _weighted(loss, d, input, weight, reduction, True)


def smooth_l1_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Array:
    """``z**2 / (2 * beta)`` where ``z = |input - target|`` is below `beta`, else ``z - beta / 2``.

    Raises:
        RuntimeError: `beta` is negative.

    Example:
        >>> smooth_l1_loss(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0]))
        Array(0.75, dtype=float32)
    """
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    warn_of_sizes(input, target)
    _errors.broadcast_shapes(input.shape, target.shape)
    reduction = reduction_name(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    delta, d = _paired("smooth_l1_cpu", input, target)
    z = jnp.abs(delta)
    return reduced(jnp.where(z < beta, (0.5 / beta) * delta * delta, z - 0.5 * beta), reduction, d)


def huber_loss(
    input: Array, target: Array, reduction: str = "mean", delta: float = 1.0, weight: Array | None = None
) -> Array:
    """``z**2 / 2`` where ``z = |input - target|`` is at most `delta`, else ``delta * (z - delta / 2)``.

    Raises:
        RuntimeError: `delta` is not positive.

    Example:
        >>> huber_loss(jnp.array([1.0, 3.0]), jnp.array([1.0, 1.0]))
        Array(0.75, dtype=float32)
    """
    warn_of_sizes(input, target)
    _errors.broadcast_shapes(input.shape, target.shape)
    if weight is None:
        reduction = reduction_name(reduction)
    elif weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    own = _dtypes.to_dtype(input.dtype)
    check_result(own, _number.result_type(input, target))
    difference, _ = _paired("huber_cpu", input, target)
    z = jnp.abs(difference)
    loss = jnp.where(z <= delta, 0.5 * difference * difference, delta * (z - 0.5 * delta))
    return reduced(loss, reduction, own) if weight is None else _weighted(loss, own, input, weight, reduction, False)


# -- likelihoods ------------------------------------------------------------------------------------------------------


def poisson_nll_loss(
    input: Array,
    target: Array,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: Scalar = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """Minus the log-likelihood of a Poisson variable: ``exp(x) - target * x``, or ``x - target * log(x + eps)``.

    Args:
        log_input: `input` is the logarithm of the rate; else it is the rate.
        full: add Stirling's approximation of ``log(target!)`` where ``target > 1``.

    Example:
        >>> poisson_nll_loss(jnp.array([0.0]), jnp.array([2.0]))
        Array(1., dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if log_input and input.dtype == bool and target.dtype == bool:
        _refuse_bool(as_array(1.0, _dtypes.float32), target)
    _errors.broadcast_shapes(target.shape, input.shape)
    d = _number.result_type(input, target)
    target, x = widened(*broadcast(target, input))
    (floating,) = _number.promote_float(x)
    if log_input:
        loss = jnp.exp(floating) - jnp.multiply(*promote(target, x))
    else:
        _refuse_bool(x, as_array(1.0, _dtypes.float32))
        log = jnp.log(floating + as_array(eps, floating.dtype))
        loss = jnp.subtract(*promote(x, jnp.multiply(*promote(target, log))))
    if full:
        (count,) = _number.promote_float(target)
        large = count > 1
        safe = jnp.where(large, count, jnp.ones((), count.dtype))
        stirling = safe * jnp.log(safe) - safe + 0.5 * jnp.log(2 * math.pi * safe)
        loss = jnp.add(*promote(loss, jnp.where(large, stirling, jnp.zeros((), count.dtype))))
    return reduced(loss, reduction, d if d.category >= _dtypes.FLOATING else None)


def gaussian_nll_loss(
    input: Array, target: Array, var: Array | float, full: bool = False, eps: Scalar = 1e-6, reduction: str = "mean"
) -> Array:
    """``(log(var) + (input - target)**2 / var) / 2`` with `var` at least `eps`.

    Args:
        var: one number, or an array of the input's shape, of that without its last dimension, or with one size of 1.
        full: add ``log(2 * pi) / 2``.

    Raises:
        ValueError: `var` is a negative number or of another shape.

    Example:
        >>> gaussian_nll_loss(jnp.array([1.0]), jnp.array([3.0]), 1.0)
        Array(2., dtype=float32)
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = jnp.full(input.shape, var, input.dtype)
    var = _fitting_variance(input, var)
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    delta, d = _difference(input, target)
    d = _dtypes.promote_types(d, _dtypes.to_dtype(var.dtype))
    own = widened(var)[0]
    own = clamped_in_value(own, as_array(eps, own.dtype))
    delta, own = promote(*broadcast(delta, own))
    loss = 0.5 * (jnp.log(own) + delta * delta / own)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction, d)


def _fitting_variance(input: Array, var: Array) -> Array:
    if var.shape == input.shape:
        return var
    if input.shape[:-1] == var.shape:
        return var[..., None]
    if input.ndim == var.ndim and sum(y for x, y in zip(input.shape, var.shape) if x != y) == 1:
        return var
    raise ValueError("var is of incorrect size")


_KL_MEAN = (
    "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by "
    "the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
    "'batchmean' in the next major release."
)


def kl_div(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Array:
    """``target * (log(target) - input)`` with log-probabilities `input`.

    Args:
        log_target: `target` holds log-probabilities too.
        reduction: also ``"batchmean"``, the sum divided by the first dimension's size.

    Example:
        >>> kl_div(jnp.array([0.0]), jnp.array([1.0]), reduction="sum")
        Array(0., dtype=float32)
    """
    batchmean = reduction == "batchmean" and input.ndim > 0
    if size_average is None and reduce is None and reduction == "mean":
        warnings.warn(_KL_MEAN, stacklevel=2)
    name = reduction_name("sum" if reduction == "batchmean" else reduction, size_average, reduce)
    for x in (input, target):
        d = _dtypes.to_dtype(x.dtype)
        if not d.is_floating_point:
            raise RuntimeError(f"kl_div: {'Complex' if d.is_complex else 'Integral'} inputs not supported.")
    d = _number.result_type(input, target)
    target, x = widened(*promote(*broadcast(target, input)))
    if log_target:
        loss = jnp.exp(target) * (target - x)
    else:
        zero = target == 0
        safe = jnp.where(zero, jnp.ones((), target.dtype), target)
        loss = jnp.where(zero, jnp.zeros((), target.dtype), target * jnp.log(safe)) - target * x
    loss = reduced(loss, name, None if batchmean else d)
    return cast(loss / input.shape[0], d) if batchmean else loss
