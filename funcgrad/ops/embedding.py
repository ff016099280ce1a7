"""Rows of a table looked up by index: embeddings, bags of embeddings, one-hot vectors.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#sparse-functions

The gradient of a lookup is XLA's scatter-add: 0.14 ms for 1,024 tokens of 256 features into 65 or 1,000 rows, where a
product with one-hot rows takes 0.6 and 6, and sorting the indices first 0.4 and 0.6; for 50,257 rows all that scatter
take 22 ms, the time to fill the gradient with zeros. Indices outside the table are not seen here: see `index_bounds`.
"""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes
from funcgrad.ops import _marks
from funcgrad.ops._elementwise import derivatives
from funcgrad.ops._loss import size_text, widened
from funcgrad.ops._number import Array, cast
from funcgrad.ops.norms import vector_norm

_LEGACY = {"Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double"}


def _type_name(d: _dtypes.dtype) -> str:
    return f"torch.{d.scalar_name}Tensor" if d.scalar_name in _LEGACY else f"CPU{d.scalar_name}Type"


def _check_type(argument: str, x: Array, allowed: tuple, function: str) -> None:
    d = _dtypes.to_dtype(x.dtype)
    if d not in allowed:
        names = ", ".join(a.scalar_name for a in allowed)
        raise RuntimeError(
            f"Expected tensor for argument #1 '{argument}' to have one of the following scalar types: {names}; but got "
            f"{_type_name(d)} instead (while checking arguments for {function})"
        )


_INDICES = (_dtypes.int64, _dtypes.int32)
_WEIGHTS = (_dtypes.float16, _dtypes.bfloat16, _dtypes.float32, _dtypes.float64)


@derivatives(lambda y, x, scale: jnp.broadcast_to(scale, x.shape), None)
def _with_gradient_times(x: Array, scale: Array) -> Array:
    return x


@derivatives(lambda y, x, new: jnp.ones_like(x), None)
def _replaced_in_value(x: Array, new: Array) -> Array:
    """`new`, with the gradient going to `x`."""
    return new


def _rows(weight: Array, indices: Array) -> Array:
    if not weight.shape[0]:
        return jnp.zeros((*indices.shape, weight.shape[1]), weight.dtype)
    return jnp.take(weight, indices, axis=0, mode="clip")


def _counts(indices: Array, rows: int) -> Array:
    """How often each row is looked up."""
    return jnp.zeros((rows,), jnp.int32).at[indices.reshape(-1)].add(1, mode="clip")


# -- single rows ------------------------------------------------------------------------------------------------------


def embedding(
    input: Array,
    weight: Array,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Array:
    """``weight[input]``.

    Args:
        padding_idx: a row that gets no gradient.
        max_norm: look up rows scaled down to at most this norm; `embedding_renorm` gives the table so changed.
        scale_grad_by_freq: divide each row's gradient by how often the row is looked up.
        sparse: PyTorch's layout of the gradient; gradients here are dense.

    Shape:
        input: (*). weight: (V, D). Result: (*, D).

    Raises:
        AssertionError: `padding_idx` is outside the table.
        RuntimeError: `weight` is no matrix, or `input` is not int64 or int32.

    Example:
        >>> embedding(jnp.array([1]), jnp.array([[1.0, 2.0], [3.0, 4.0]]))
        Array([[3., 4.]], dtype=float32)
    """
    if padding_idx is not None:
        rows = weight.shape[0] if weight.ndim else 0
        if padding_idx >= max(rows, 1) or padding_idx < -rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx = padding_idx + rows if padding_idx < 0 else padding_idx
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    _check_type("indices", input, _INDICES, "embedding")
    out = _rows(weight, input)
    if max_norm is not None:
        out = _replaced_in_value(out, _rows(embedding_renorm(weight, input, max_norm, norm_type), input))
    if scale_grad_by_freq:
        times = _counts(input, weight.shape[0])[input]
        out = _with_gradient_times(out, (1 / times.astype(out.dtype))[..., None])
    if padding_idx is not None:
        out = jnp.where((input == padding_idx)[..., None], jax.lax.stop_gradient(out), out)
    return out


def embedding_renorm(weight: Array, input: Array, max_norm: float, norm_type: float = 2.0) -> Array:
    """`weight` with each row that `input` looks up scaled down to a `norm_type`-norm of at most `max_norm`.

    Example:
        >>> embedding_renorm(jnp.array([[3.0, 4.0]]), jnp.array([0]), 1.0)
        Array([[0.6, 0.8]], dtype=float32)
    """
    indices = input.reshape(-1)
    rows = _rows(jax.lax.stop_gradient(weight), indices)
    (wide,) = widened(rows)
    norm = vector_norm(wide, norm_type, 1, keepdim=True)
    scaled = jnp.where(norm > max_norm, wide * (max_norm / (norm + 1e-7)), wide)
    return weight.at[indices].set(cast(scaled, weight.dtype), mode="drop")


# -- bags -------------------------------------------------------------------------------------------------------------


def embedding_bag(
    input: Array,
    weight: Array,
    offsets: Array | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Array | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Array:
    """Sum, mean or maximum of the rows of each bag of indices; zeros for an empty bag.

    Args:
        offsets: where in a flat `input` each bag begins.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        per_sample_weights: factors of the rows, for sums only.
        include_last_offset: the last of `offsets` is the end of the last bag.
        padding_idx: an index that counts in no bag.

    Shape:
        input: (B, L), or (N) with offsets (B). weight: (V, D). Result: (B, D).

    Raises:
        ValueError, RuntimeError, NotImplementedError: shapes, dtypes or modes do not fit.

    Example:
        >>> embedding_bag(jnp.array([[0, 1]]), jnp.array([[1.0, 2.0], [3.0, 4.0]]))
        Array([[2., 3.]], dtype=float32)
    """
    if weight.dtype == jnp.int64 and jnp.issubdtype(input.dtype, jnp.floating):
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    _check_bags(input, weight, offsets, per_sample_weights, include_last_offset)
    padding_idx = _check_mode(mode, scale_grad_by_freq, sparse, per_sample_weights, padding_idx, weight.shape[0])
    rows = _rows(weight, input)
    if max_norm is not None:
        rows = _replaced_in_value(rows, _rows(embedding_renorm(weight, input, max_norm, norm_type), input))
    if scale_grad_by_freq:
        rows = _with_gradient_times(rows, _frequency_scale(input, weight.shape[0]).astype(rows.dtype)[..., None])
    wide, factors = widened(rows, per_sample_weights)
    counted = jnp.ones(input.shape, bool) if padding_idx is None else input != padding_idx
    if factors is not None:
        wide = wide * factors[..., None]
    short = weight.dtype != jnp.float64 and mode != "max" and padding_idx is None
    pool = (
        _pool_fixed
        if offsets is None
        else _pool_by_offsets(offsets, include_last_offset, include_last_offset and short)
    )
    return cast(pool(wide, counted, mode), weight.dtype)


def _frequency_scale(indices: Array, rows: int) -> Array:
    return 1 / _counts(indices, rows)[indices]


def _pool_fixed(rows: Array, counted: Array, mode: str) -> Array:
    """Pool ``(B, L, D)`` over L."""
    zero = jnp.zeros((), rows.dtype)
    kept = counted[..., None]
    if mode == "max":
        if not rows.shape[1]:
            return jnp.zeros((rows.shape[0], rows.shape[2]), rows.dtype)
        # The gradient goes to the first of equal maxima.
        first = jnp.argmax(jnp.where(kept, rows, jnp.asarray(-jnp.inf, rows.dtype)), 1, keepdims=True)
        largest = jnp.take_along_axis(rows, first, 1).squeeze(1)
        return jnp.where(jnp.any(kept, 1), largest, zero)
    total = jnp.sum(jnp.where(kept, rows, zero), 1)
    return total if mode == "sum" else total / jnp.maximum(jnp.sum(kept, 1, dtype=rows.dtype), 1)


def _pool_by_offsets(offsets: Array, include_last: bool, ends: bool):
    """The function that pools ``(N, D)`` rows between one offset and the next.

    The last bag goes on to the end of the input unless `ends`: then `include_last` has told where it ends. (PyTorch looks
    at that only in its kernel for sums and means of short floats without padding.)
    """
    bags = offsets.shape[0] - include_last

    def pool(rows: Array, counted: Array, mode: str) -> Array:
        count = rows.shape[0]
        position = jnp.arange(count, dtype=offsets.dtype)
        bag = jnp.searchsorted(offsets[:bags], position, side="right") - 1
        # Rows that do not count go to a bag that is thrown away.
        bag = jnp.where(counted, bag, bags)
        if not bags or not count:
            return jnp.zeros((bags, rows.shape[1]), rows.dtype)
        if mode == "max":
            return _largest_of_segments(rows, bag, bags)
        if ends:
            rows = jnp.where((position < offsets[-1])[:, None], rows, jnp.zeros((), rows.dtype))
        total = jax.ops.segment_sum(rows, bag, bags + 1)[:bags]
        if mode == "sum":
            return total
        # The last bag's size is counted to the end of the input even where its sum ends before: so does PyTorch.
        sizes = jax.ops.segment_sum(jnp.ones((count, 1), rows.dtype), bag, bags + 1)[:bags]
        return total / jnp.maximum(sizes, 1)

    return pool


def _largest_of_segments(rows: Array, bag: Array, bags: int) -> Array:
    """The largest element of each bag and column; the gradient goes to the first of equal ones."""
    count, fixed = rows.shape[0], jax.lax.stop_gradient(rows)
    largest = jax.ops.segment_max(fixed, bag, bags + 1)
    position = jax.lax.broadcasted_iota(jnp.int32, rows.shape, 0)
    position = jnp.where(fixed == largest[bag], position, count)
    first = jax.ops.segment_min(position, bag, bags + 1)[:bags]
    picked = jnp.take_along_axis(rows, jnp.minimum(first, count - 1), 0)
    return jnp.where(first < count, picked, jnp.zeros((), rows.dtype))


def _check_bags(input: Array, weight: Array, offsets, factors, include_last: bool) -> None:
    if factors is not None and input.shape != factors.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({size_text(factors)}) is not None, then it must have the same "
            f"shape as the input ({size_text(input)})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if input.ndim not in (1, 2):
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if input.ndim == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            "sequences. However, found offsets of type <class 'torch.Tensor'>"
        )
    if input.ndim == 2 and not input.shape[1]:
        raise RuntimeError("step must be nonzero")
    if input.ndim == 1 and offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets is not None and offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    _check_type("indices", input, _INDICES, "embedding_bag")
    if offsets is not None:
        _check_type("indices", offsets, _INDICES, "embedding_bag")
    _check_type("weight", weight, _WEIGHTS, "embedding_bag")
    if include_last and offsets is not None and not offsets.shape[0]:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if factors is not None and factors.dtype != weight.dtype:
        own, other = _type_name(_dtypes.to_dtype(weight.dtype)), _type_name(_dtypes.to_dtype(factors.dtype))
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
            f"'per_sample_weights'; but type {own} does not equal {other} (while checking arguments for embedding_bag)"
        )


def _check_mode(mode: str, by_frequency: bool, sparse: bool, factors, padding_idx, rows: int) -> int | None:
    """The checks of the options; `padding_idx` counted from the start."""
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and by_frequency:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if factors is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
        )
    return padding_idx + rows if padding_idx < 0 else padding_idx


# -- one-hot vectors --------------------------------------------------------------------------------------------------


def _rewrite_one_hot(tensor, num_classes: int = -1):
    if num_classes != -1:
        return None
    _check_one_hot(tensor, num_classes)
    values = np.asarray(tensor)
    if values.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    return one_hot, (values, int(values.max()) + 1), {}


def _check_one_hot(tensor, num_classes: int) -> None:
    if _dtypes.to_dtype(tensor.dtype) is not _dtypes.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if not tensor.size and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if num_classes <= 0 and num_classes != -1:
        raise RuntimeError("Class values must be smaller than num_classes.")


@_marks.depends_on_values("tensor", rewrite=_rewrite_one_hot)
def one_hot(tensor: Array, num_classes: int = -1) -> Array:
    """A vector of zeros with a 1 at each index; as many classes as the largest index needs unless told.

    Example:
        >>> one_hot(jnp.array([2, 0]), 3)
        Array([[0, 0, 1],
               [1, 0, 0]], dtype=int64)
    """
    if num_classes == -1:
        function, args, _ = _rewrite_one_hot(tensor)
        return function(jnp.asarray(args[0]), args[1])
    _check_one_hot(tensor, num_classes)
    return (tensor[..., None] == jnp.arange(num_classes, dtype=jnp.int64)).astype(jnp.int64)
