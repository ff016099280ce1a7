"""Losses that ask for a margin: between scores, between distances, between a score and its label.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions

Halves are computed in float32 and rounded once. The arguments `size_average` and `reduce` are the deprecated spelling
of `reduction`, one of ``"none"``, ``"mean"`` (the default) and ``"sum"``.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._loss import REDUCTIONS, at_least_zero, check_result, reduced, reduction_name, size_text, widened
from funcgrad.ops._number import Array, Scalar, as_array, broadcast, cast, promote
from funcgrad.ops._sizes import brackets
from funcgrad.ops.activation import log_sigmoid
from funcgrad.ops.arithmetic import _refuse_bool
from funcgrad.ops.distance import pairwise_distance


def _refuse_complex(*xs: Array) -> None:
    if any(_dtypes.to_dtype(x.dtype).is_complex for x in xs):
        raise NotImplementedError("clamp is not supported for complex types")


# -- labels 1 and -1 --------------------------------------------------------------------------------------------------


def soft_margin_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``log(1 + exp(-t * x))`` for labels 1 and -1.

    Example:
        >>> soft_margin_loss(jnp.array([0.0]), jnp.array([1.0]))
        Array(0.6931472, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    d = _dtypes.to_dtype(input.dtype)
    if target.dtype == bool:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` or `logical_not()` operator instead."
        )
    x, t = widened(*promote(*broadcast(input, target)))
    (product,) = _number.promote_float(x * t)
    check_result(d, _dtypes.to_dtype(product.dtype))
    # Halves are rounded in between, as PyTorch does: the exponential may overflow.
    power = jnp.exp(-product)
    power = power.astype(promote(input, target)[0].dtype).astype(power.dtype) if d in HALVES else power
    return reduced(jnp.log1p(power), reduction, d)


def hinge_embedding_loss(
    input: Array,
    target: Array,
    margin: Scalar = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """The distance ``x`` where the label is 1, ``max(0, margin - x)`` where it is -1.

    Example:
        >>> hinge_embedding_loss(jnp.array([0.25, 0.25]), jnp.array([1, -1]), reduction="none")
        Array([0.25, 0.75], dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    _refuse_complex(input)
    if input.dtype == bool:
        _refuse_bool(input, input)
    _errors.broadcast_shapes(target.shape, input.shape)
    d = _dtypes.to_dtype(input.dtype)
    x, t = widened(*broadcast(input, target))
    far = at_least_zero(as_array(margin, x.dtype) - x)
    zero = jnp.zeros((), x.dtype)
    # Any other label counts as both.
    return reduced(jnp.where(t == -1, zero, x) + jnp.where(t == 1, zero, far), reduction, d)


def margin_ranking_loss(
    input1: Array,
    input2: Array,
    target: Array,
    margin: Scalar = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``max(0, margin - t * (x1 - x2))``: the first score should be higher where the label is 1, lower where -1.

    Example:
        >>> margin_ranking_loss(jnp.array([1.0]), jnp.array([3.0]), jnp.array([1.0]))
        Array(2., dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {size_text(input1)}, input2: {size_text(input2)}, target: {size_text(target)} "
        )
    _refuse_bool(input1, input2)
    _refuse_complex(input1, input2, target)
    _errors.broadcast_shapes(target.shape, _errors.broadcast_shapes(input1.shape, input2.shape))
    d = _number.result_type(input1, input2, target)
    a, b, t = widened(*_number.promote_float(*broadcast(input1, input2, target)))
    return reduced(
        at_least_zero(as_array(margin, a.dtype) - t * (a - b)), reduction, d if d.is_floating_point else None
    )


def multilabel_soft_margin_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """The mean over classes of the binary cross entropy of each class's logit.

    Shape:
        input, target: (*, C). Result: (*) if unreduced.

    Example:
        >>> multilabel_soft_margin_loss(jnp.array([[0.0, 0.0]]), jnp.array([[1.0, 0.0]]))
        Array(0.6931472, dtype=float32)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_name(reduction, size_average, reduce)
    _errors.check_dtype("log_sigmoid_cpu", _dtypes.to_dtype(input.dtype), "hf")
    _errors.broadcast_shapes(target.shape, input.shape)
    if target.dtype == bool:
        _refuse_bool(target, input)
    d = _number.result_type(input, target, *[] if weight is None else [weight])
    if input.ndim == 0:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    classes = input.shape[-1]
    x, t, weight = widened(*promote(input, target, weight))
    x, t = broadcast(x, t)
    loss = -(t * log_sigmoid(x) + (1 - t) * log_sigmoid(-x))
    if weight is not None:
        loss = jnp.multiply(*broadcast(loss, weight))
    loss = jnp.sum(loss, input.ndim - 1) / classes
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    return reduced(loss, reduction, d)


# -- classes ----------------------------------------------------------------------------------------------------------


def _check_matrix(input: Array) -> None:
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {brackets(input.shape)}"
        )


def _check_long(target: Array) -> None:
    d = _dtypes.to_dtype(target.dtype)
    if d is not _dtypes.int64:
        raise RuntimeError(f"expected scalar type Long but found {d.scalar_name}")


def multi_margin_loss(
    input: Array,
    target: Array,
    p: int = 1,
    margin: Scalar = 1.0,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``sum_j max(0, margin - x[t] + x[j])**p * weight[t] / C`` over the classes ``j`` other than the target.

    Shape:
        input: (C) or (N, C). target: () or (N). weight: (C).

    Example:
        >>> multi_margin_loss(jnp.array([[0.5, 1.0]]), jnp.array([0]))
        Array(0.75, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    _check_multi_margin(input, target, p, weight)
    x = input if input.ndim == 2 else input.reshape(1, -1)
    t = target.reshape(-1)[:, None]
    z = at_least_zero_strictly(as_array(margin, x.dtype) - jnp.take_along_axis(x, t, 1, mode="clip") + x)
    z = z if p == 1 else z * z
    if weight is not None:
        z = z * jnp.take(weight, t, axis=0, mode="clip")
    classes = jax.lax.broadcasted_iota(t.dtype, x.shape, 1)
    loss = jnp.sum(jnp.where(classes == t, jnp.zeros((), x.dtype), z), 1) / x.shape[1]
    return reduced(loss if target.ndim or reduction != "none" else loss.reshape(()), reduction)


def at_least_zero_strictly(x: Array) -> Array:
    """``max(x, 0)``, with derivative 0 at 0."""
    return jnp.where(x <= 0, jnp.zeros((), x.dtype), x)


def _check_multi_margin(input: Array, target: Array, p: int, weight: Array | None) -> None:
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _check_matrix(input)
    samples = input.shape[0] if input.ndim == 2 else 1
    classes = input.shape[-1] if input.ndim else 1
    if target.ndim > 1 or target.size != samples:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{samples}], but got {brackets(target.shape)}. "
            f"Input has shape {brackets(input.shape)}."
        )
    if weight is not None and weight.size != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {brackets(weight.shape)}")
    d = _dtypes.to_dtype(input.dtype)
    _errors.check_dtype("multi_margin_loss_cpu_kernel", d, "f")
    _check_long(target)
    if weight is not None and weight.dtype != input.dtype:
        other = _dtypes.to_dtype(weight.dtype)
        raise RuntimeError(f"expected scalar type {d.scalar_name} but found {other.scalar_name}")


def multilabel_margin_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``sum_ij max(0, 1 - (x[t[j]] - x[i])) / C`` over the targets ``t[j]`` and all other classes ``i``.

    A sample's targets are the indices in its row before the first -1.

    Shape:
        input, target: (C) or (N, C).

    Example:
        >>> multilabel_margin_loss(jnp.array([[0.5, 1.0]]), jnp.array([[0, -1]]))
        Array(0.75, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    _check_multilabel_margin(input, target)
    classes = input.shape[-1] if input.ndim else 1
    x, t = input.reshape(-1, classes), target.reshape(-1, classes)
    listed = jnp.cumsum(t < 0, axis=1) == 0
    index = jax.lax.broadcasted_iota(t.dtype, (*t.shape, classes), 2)
    is_target = jnp.any((index == t[:, :, None]) & listed[:, :, None], axis=1)
    own = jnp.take_along_axis(x, jnp.where(listed, t, jnp.zeros((), t.dtype)), 1, mode="clip")
    z = at_least_zero_strictly(1 - own[:, :, None] + x[:, None, :])
    counts = listed[:, :, None] & ~is_target[:, None, :]
    loss = jnp.sum(jnp.where(counts, z, jnp.zeros((), x.dtype)), (1, 2)) / classes
    return reduced(loss if input.ndim == 2 or reduction != "none" else loss.reshape(()), reduction)


def _check_multilabel_margin(input: Array, target: Array) -> None:
    _check_matrix(input)
    classes = input.shape[-1] if input.ndim else 1
    fits = target.shape == input.shape if input.ndim == 2 else target.ndim <= 1 and target.size == classes
    if not fits:
        raise RuntimeError(
            f"inconsistent target size: {brackets(target.shape)} for input of size: {brackets(input.shape)}"
        )
    _errors.check_dtype("multilabel_margin_loss_forward_out_frame", _dtypes.to_dtype(input.dtype), "f")
    _check_long(target)


# -- embeddings -------------------------------------------------------------------------------------------------------


def cosine_embedding_loss(
    input1: Array,
    input2: Array,
    target: Array,
    margin: Scalar = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``1 - cos(x1, x2)`` where the label is 1, ``max(0, cos(x1, x2) - margin)`` where it is -1.

    Shape:
        input1, input2: (N, D), or (D) with a target of no dimensions. target: (N) or ().

    Example:
        >>> cosine_embedding_loss(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]]), jnp.array([1]))
        Array(1., dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    _check_cosine_embedding(input1, input2, target)
    _refuse_complex(input1, input2)
    d = _number.result_type(input1, input2)
    d = d if d.is_floating_point else _dtypes.default_dtype()
    a, b = widened(*_number.promote_float(*broadcast(input1, input2)))
    tiny = jnp.asarray(1e-12, a.dtype)
    axis = a.ndim - 1
    squares = (jnp.sum(a * a, axis) + tiny) * (jnp.sum(b * b, axis) + tiny)
    cosine, t = broadcast(jnp.sum(a * b, axis) / jnp.sqrt(squares), target)
    zero = jnp.zeros((), a.dtype)
    apart = at_least_zero(cosine - as_array(margin, a.dtype))
    return reduced(jnp.where(t == 1, 1 - cosine, zero) + jnp.where(t == -1, apart, zero), reduction, d)


def _check_cosine_embedding(input1: Array, input2: Array, target: Array) -> None:
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes "
            f"{brackets(input1.shape)} and {brackets(input2.shape)}."
        )
    shape = _errors.broadcast_shapes(input1.shape, input2.shape)
    _errors.broadcast_shapes(target.shape, shape[:-1])


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2,
    eps: Scalar = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``max(0, margin + |a - p| - |a - n|)`` with the p-norm over the last dimension.

    Args:
        swap: take the smaller of the distances of the negative to the anchor and to the positive.

    Shape:
        anchor, positive, negative: (N, D) or (D).

    Example:
        >>> triplet_margin_loss(jnp.array([[0.0]]), jnp.array([[2.0]]), jnp.array([[0.5]]), eps=0.0)
        Array(2.5, dtype=float32)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    return _triplet(anchor, positive, negative, lambda a, b: pairwise_distance(a, b, p, eps), margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    distance_function=None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    """`triplet_margin_loss` with a distance of one's own, a function of two arrays.

    Example:
        >>> x = jnp.array([[1.0]])
        >>> triplet_margin_with_distance_loss(x, x, x, distance_function=lambda a, b: jnp.sum(abs(a - b), -1))
        Array(1., dtype=float32)
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(anchor, positive, negative, distance, margin: float, swap: bool, reduction: str) -> Array:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = jnp.minimum(*promote(far, distance(positive, negative)))
    near, far = promote(*broadcast(near, far))
    d = _dtypes.to_dtype(near.dtype)
    near, far = widened(near, far)
    return cast(reduced(at_least_zero(margin + near - far), reduction), d)
