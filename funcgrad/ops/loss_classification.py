"""Losses over classes: indices or probabilities as targets.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions

Halves are computed in float32 and rounded once. The arguments `size_average` and `reduce` are the deprecated spelling
of `reduction`, one of ``"none"``, ``"mean"`` (the default) and ``"sum"``. Targets outside the classes cannot be seen
here: see `index_bounds`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._elementwise import derivatives
from funcgrad.ops._loss import check_result, reduced, reduction_name, size_text, widened
from funcgrad.ops._number import Array, as_array, cast, promote
from funcgrad.ops._sizes import brackets
from funcgrad.ops.activation import log_sigmoid
from funcgrad.ops.softmax import log_normalized

# -- class indices ----------------------------------------------------------------------------------------------------


def _check_target_dtype(target: Array) -> None:
    d = _dtypes.to_dtype(target.dtype)
    if d not in (_dtypes.int64, _dtypes.uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {d.scalar_name}")


def _check_target_shape(input: Array, target: Array) -> None:
    ndim, shape = input.ndim, target.shape
    if ndim == 1 and target.ndim == 1 and shape[0] != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {shape[0]}")
    if ndim > 1 and input.shape[0] != (shape[0] if shape else 0):
        batch = shape[0] if shape else 0
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({batch}).")
    if ndim <= 2:
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        return
    if ndim == 4 and target.ndim != 3:
        raise RuntimeError(
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {target.ndim}"
        )
    expected = (input.shape[0], *input.shape[2:])
    if shape != expected and ndim == 4:
        raise RuntimeError(f"size mismatch (got input: {brackets(input.shape)} , target: {brackets(shape)}")
    if shape != expected:
        raise RuntimeError(f"Expected target size {brackets(expected)}, got {brackets(shape)}")


def _check_weight(input: Array, weight: Array | None) -> None:
    if weight is None:
        return
    classes = input.shape[min(input.ndim - 1, 1)]
    if weight.shape != (classes,):
        if input.ndim > 2:
            raise RuntimeError("weight tensor should be defined either for all or no classes")
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {brackets(weight.shape)}"
        )
    own, other = _dtypes.to_dtype(input.dtype), _dtypes.to_dtype(weight.dtype)
    if own is not other:
        raise RuntimeError(f"expected scalar type {own.scalar_name} but found {other.scalar_name}")


def _check_indices(input: Array, target: Array, weight: Array | None) -> None:
    _check_target_dtype(target)
    _check_target_shape(input, target)
    _check_weight(input, weight)
    if target.size and not input.shape[min(input.ndim - 1, 1)]:
        raise IndexError("Target 0 is out of bounds.")


def _picked(x: Array, target: Array, axis: int) -> Array:
    """``x`` at the index `target` along `axis`."""
    return jnp.take_along_axis(x, jnp.expand_dims(target, axis), axis, mode="clip").squeeze(axis)


def _class_weights(weight: Array | None, target: Array, valid: Array, dtype) -> Array:
    """Each target's weight, 0 where it is ignored."""
    if weight is None:
        return valid.astype(dtype)
    return jnp.where(valid, jnp.take(weight, target, axis=0, mode="clip"), jnp.zeros((), dtype))


def _safe_target(target: Array, ignore_index: int) -> tuple[Array, Array]:
    """The target with ignored entries replaced by class 0, and where it counts."""
    ignored = target == as_array(ignore_index, _dtypes.int64)
    return jnp.where(ignored, jnp.zeros((), target.dtype), target), ~ignored


def _reduced_by_weight(loss: Array, valid: Array, weights: Array, reduction: str) -> Array:
    # The selection comes last so that an ignored entry's gradient is 0 even where the mean divides by 0.
    loss = jnp.where(valid, loss * weights, jnp.zeros((), loss.dtype))
    if reduction == "none":
        return loss
    return jnp.sum(loss) / jnp.sum(weights) if reduction == "mean" else jnp.sum(loss)


def nll_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``-weight[t] * x[t]`` for log-probabilities `input`; the mean is by the sum of the targets' weights.

    Shape:
        input: (C), (N, C) or (N, C, ...). target: (), (N) or (N, ...), class indices. weight: (C).

    Raises:
        ValueError, RuntimeError: shapes or dtypes do not fit.

    Example:
        >>> nll_loss(jnp.array([[-0.5, -1.0]]), jnp.array([1]))
        Array(1., dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if input.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    _check_indices(input, target, weight)
    kernel = "nll_loss_out_frame" if input.ndim < 3 else "nll_loss2d_forward_out_frame"
    d = _dtypes.to_dtype(input.dtype)
    _errors.check_dtype(kernel, d, "hf")
    x, weight = widened(input, weight)
    if input.ndim == 1:
        target = target.reshape(())
    target, valid = _safe_target(target, ignore_index)
    loss = -_picked(x, target, min(input.ndim - 1, 1))
    return cast(_reduced_by_weight(loss, valid, _class_weights(weight, target, valid, x.dtype), reduction), d)


def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``-log_softmax(x)[t]``: the cross entropy of logits against class indices or class probabilities.

    Args:
        target: class indices, or probabilities where it has the input's shape.
        weight: of each class; the mean over indices is by the sum of the targets' weights.
        ignore_index: targets of this index count neither in the sum nor in the mean.
        label_smoothing: share of the target that is spread evenly over the classes.

    Shape:
        input: (C), (N, C) or (N, C, ...). target: the same without C, or the same. weight: (C).

    Raises:
        ValueError, RuntimeError: shapes or dtypes do not fit, or `label_smoothing` is above 1.

    Example:
        >>> cross_entropy(jnp.array([[0.0, 0.0]]), jnp.array([1]))
        Array(0.6931472, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if label_smoothing > 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if input.shape == target.shape:
        return _cross_entropy_soft(input, target, weight, ignore_index, reduction, label_smoothing)
    axis = min(input.ndim - 1, 1)
    d = _dtypes.to_dtype(input.dtype)
    _check_logits(input, d, axis)
    _check_indices(input, target, weight)
    x, weight = widened(input, weight)
    if input.ndim == 1:
        target = target.reshape(())
    target, valid = _safe_target(target, ignore_index)
    weights = _class_weights(weight, target, valid, x.dtype)
    # log(sum(exp(x))) - x[t], the element picked from the logits themselves: its gradient then adds a few entries to
    # the softmax. 7 ms with the gradient for 1024 x 5000, where picking from log_softmax or comparing with one-hot
    # rows takes 47; 203 ms against 390 and 490 for 512 x 50257; equal at 1024 x 65.
    largest = jax.lax.stop_gradient(jnp.max(x, axis, keepdims=True, initial=-jnp.inf))
    total = jnp.log(jnp.sum(jnp.exp(x - largest), axis))
    largest = largest.squeeze(axis)
    loss = total - (_picked(x, target, axis) - largest)
    out = _reduced_by_weight(loss, valid, weights, reduction)
    if label_smoothing > 0:
        log_mass = _smoothed_mass(x, largest + total, weight, axis)
        smooth = jnp.where(valid, log_mass, jnp.zeros((), x.dtype))
        if reduction != "none":
            smooth = jnp.sum(smooth) / (jnp.sum(weights) if reduction == "mean" else 1)
        out = (1 - label_smoothing) * out + smooth * (label_smoothing / x.shape[axis])
    return cast(out, d)


def _smoothed_mass(x: Array, log_total: Array, weight: Array | None, axis: int) -> Array:
    """Minus the (weighted) sum over the classes of the log-probabilities."""
    if weight is None:
        return x.shape[axis] * log_total - jnp.sum(x, axis)
    weight = weight.reshape(-1, *(1,) * (x.ndim - 1 - axis))
    return jnp.sum(weight * (jnp.expand_dims(log_total, axis) - x), axis)


def _check_logits(input: Array, d: _dtypes.dtype, axis: int) -> None:
    last = "_lastdim" if axis == input.ndim - 1 else ""
    _errors.check_dtype(f"log_softmax{last}_kernel_impl", d, "hf")


def _cross_entropy_soft(input, target, weight, ignore_index: int, reduction: str, smoothing: float) -> Array:
    """Cross entropy against probabilities; the mean is over the samples whatever the weights."""
    wanted = _dtypes.to_dtype(target.dtype)
    if not wanted.is_floating_point:
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {wanted.scalar_name}"
        )
    if input.ndim == 0:
        raise IndexError("Dimension specified as 1 but tensor has no dimensions")
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    axis = min(input.ndim - 1, 1)
    classes = input.shape[axis]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {classes} classes or no classes but got "
            f"weight tensor of shape: {brackets(weight.shape)}"
        )
    _check_logits(input, _dtypes.to_dtype(input.dtype), axis)
    d = _number.result_type(input, target, *[] if weight is None else [weight])
    x, target, weight = promote(*widened(input, target, weight))
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / classes
    terms = (log_normalized(x, axis) if x.size else x) * target
    if weight is not None:
        terms = terms * weight.reshape(-1, *(1,) * (x.ndim - 1 - axis))
    return reduced(-jnp.sum(terms, axis), reduction, d)


def linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    target: Array,
    *,
    linear_bias: Array | None = None,
    weight: Array | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options=None,
) -> Array:
    """`cross_entropy` of the logits ``input @ linear_weight.T + linear_bias``.

    Args:
        options: how PyTorch splits the work; accepted, without effect.

    Shape:
        input: (D) or (N, D). linear_weight: (C, ..., D). linear_bias: (C, ...).

    Raises:
        RuntimeError: shapes do not fit, or an index is to be ignored among probabilities.

    Example:
        >>> linear_cross_entropy(jnp.ones((1, 2)), jnp.ones((2, 2)), jnp.array([1]))
        Array(0.6931472, dtype=float32)
    """
    _check_linear(input, linear_weight, linear_bias)
    inner = linear_weight.shape[:-1]
    shape = (*input.shape[:-1], *inner)
    if target.shape == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    logits = jnp.matmul(input, linear_weight.reshape(-1, linear_weight.shape[-1]).T)
    if linear_bias is not None:
        logits = logits + linear_bias.reshape(-1)
    return cross_entropy(
        logits.reshape(shape),
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )


def _check_linear(input: Array, weight: Array, bias: Array | None) -> None:
    if not 1 <= input.ndim <= 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if weight.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.ndim}")
    if input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {weight.shape[-1]}, respectively"
        )
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise RuntimeError(f"expected linear_bias shape {weight.shape[:-1]}, got {bias.shape}")
    if weight.ndim > 2 and input.ndim == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {weight.shape} requires batched input, "
            f"(N, {input.shape[-1]}), got unbatched input with shape {input.shape}"
        )


# -- binary classes ---------------------------------------------------------------------------------------------------


@derivatives(
    lambda y, x, t: (x - t) / jnp.maximum((1 - x) * x, jnp.asarray(1e-12, x.dtype)),
    lambda y, x, t: jnp.log1p(-x) - jnp.log(x),
)
def _binary_entropy(x: Array, t: Array) -> Array:
    """``-(t log x + (1 - t) log(1 - x))``, logarithms at least -100; the derivative's denominator at least 1e-12."""
    floor = jnp.asarray(-100, x.dtype)
    return (t - 1) * jnp.maximum(jnp.log1p(-x), floor) - t * jnp.maximum(jnp.log(x), floor)


def binary_cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``-weight * (t * log(x) + (1 - t) * log(1 - x))`` of probabilities, each logarithm at least -100.

    Raises:
        ValueError: the sizes differ.
        RuntimeError: the dtypes differ. (PyTorch also wants every input between 0 and 1: see `index_bounds`.)

    Example:
        >>> binary_cross_entropy(jnp.array([0.5]), jnp.array([1.0]))
        Array(0.6931472, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({size_text(target)}) that is different to the input size ({size_text(input)}) is "
            "deprecated. Please ensure they have the same size."
        )
    d, wanted = _dtypes.to_dtype(input.dtype), _dtypes.to_dtype(target.dtype)
    if wanted is not d:
        raise RuntimeError(f"Found dtype {wanted.scalar_name} but expected {d.scalar_name}")
    _errors.check_dtype("binary_cross_entropy", d, "hf")
    x, t, weight = widened(input, target, weight)
    loss = _binary_entropy(x, t)
    return reduced(loss if weight is None else _scaled_in_place(loss, weight), reduction, d)


def _scaled_in_place(loss: Array, weight: Array) -> Array:
    """`loss` times `weight`, which may not enlarge it."""
    shape = _errors.broadcast_shapes(loss.shape, weight.shape)
    if shape != loss.shape:
        raise RuntimeError(
            f"output with shape {brackets(loss.shape)} doesn't match the broadcast shape {brackets(shape)}"
        )
    return loss * cast(weight, loss.dtype)


def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """`binary_cross_entropy` of ``sigmoid(x)``, without overflow.

    Args:
        pos_weight: factor of the positive term ``t * log(sigmoid(x))``.

    Raises:
        ValueError: the sizes differ.

    Example:
        >>> binary_cross_entropy_with_logits(jnp.array([0.0]), jnp.array([1.0]))
        Array(0.6931472, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({size_text(target)}) must be the same as input size ({size_text(input)})")
    _errors.check_dtype("log_sigmoid_cpu", _dtypes.to_dtype(input.dtype), "hf")
    d = _dtypes.to_dtype(target.dtype)
    check_result(d, _dtypes.to_dtype(input.dtype))
    x, t, weight, pos_weight = widened(input, target, weight, pos_weight)
    x, t = promote(x, t)
    factor = None
    if pos_weight is not None:
        _errors.broadcast_shapes(pos_weight.shape, t.shape)
        factor = _scaled_in_place(t, pos_weight - 1) + 1
    positive = log_sigmoid(x)
    loss = (1 - t) * x - (positive if factor is None else factor * positive)
    return reduced(loss if weight is None else _scaled_in_place(loss, weight), reduction, d)
