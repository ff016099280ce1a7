"""Scaled dot-product attention.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._matrix_checks import cpp_name, scalar_name
from funcgrad.ops._number import Array, cast
from funcgrad.ops._sizes import brackets

BLOCK = 128
MOST_BLOCKS = 8


# -- the computation --------------------------------------------------------------------------------------------------


@jax.custom_jvp
def _weighted(scores: Array, value: Array, kept: Array | None) -> Array:
    """``(softmax(scores) * kept) @ value``; 0 for a row of minus infinities.

    The division is done on the result, which is smaller than the weights, and the derivative needs only the result
    again: 48 ms with the gradient for 8 x 8 heads of 256 x 64 (two loaded cores of an AMD EPYC), where `jax.nn.softmax`
    between two products takes 96 and `jax.nn.dot_product_attention` 148.
    """
    return _weighted_and_parts(scores, value, kept)[0]


def _weighted_and_parts(scores: Array, value: Array, kept: Array | None) -> tuple[Array, Array, Array]:
    highest = jnp.max(scores, -1, keepdims=True)
    weights = jnp.exp(scores - jnp.where(jnp.isneginf(highest), jnp.zeros((), scores.dtype), highest))
    total = jnp.sum(weights, -1, keepdims=True)
    inverse = jnp.where(total == 0, jnp.zeros((), total.dtype), 1 / total)
    return jnp.matmul(_times(weights, kept), value) * inverse, weights, inverse


def _times(weights: Array, kept: Array | None) -> Array:
    return weights if kept is None else weights * kept


@_weighted.defjvp
def _(primals, tangents):
    _, value, kept = primals
    result, weights, inverse = _weighted_and_parts(*primals)
    change = weights * tangents[0]
    moved = jnp.matmul(_times(weights, kept), tangents[1]) + jnp.matmul(_times(change, kept), value)
    return result, (moved - jnp.sum(change, -1, keepdims=True) * result) * inverse


def _attend(query: Array, key: Array, value: Array, mask: Array | None, kept: Array | None) -> Array:
    scores = jnp.matmul(query, jnp.swapaxes(key, -1, -2))
    if mask is not None and mask.dtype == bool:
        scores = jnp.where(mask, scores, jnp.asarray(-np.inf, scores.dtype))
    elif mask is not None:
        scores = scores + mask
    return _weighted(scores, value, kept)


def _attend_causally(query: Array, key: Array, value: Array, kept: Array | None) -> Array:
    """Row i of the queries sees keys 0 to i: blocks of rows, each with the keys it can see.

    Blocks skip almost half of the work: 316 ms with the gradient for 2 x 8 heads of 1024 x 64, 640 without them.
    """
    rows, keys = query.shape[-2], key.shape[-2]
    block = max(BLOCK, -(-rows // MOST_BLOCKS))
    results = []
    for start in range(0, rows, block):
        stop = min(start + block, rows)
        seen = min(stop, keys)
        mask = jnp.asarray(np.arange(start, stop)[:, None] >= np.arange(seen))
        part = None if kept is None else kept[..., start:stop, :seen]
        results.append(_attend(query[..., start:stop, :], key[..., :seen, :], value[..., :seen, :], mask, part))
    return results[0] if len(results) == 1 else jnp.concatenate(results, -2)


def _causal(mask: Array) -> Array:
    """`mask` that also hides later positions."""
    seen = np.arange(mask.shape[-2])[:, None] >= np.arange(mask.shape[-1])
    return jnp.where(seen, mask, False if mask.dtype == bool else jnp.asarray(-np.inf, mask.dtype))


# -- arguments --------------------------------------------------------------------------------------------------------


def _check(query: Array, key: Array, value: Array, mask: Array | None, dropout_p: float, is_causal: bool) -> None:
    if query.dtype != key.dtype or query.dtype != value.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got "
            f"query.dtype: {cpp_name(query)} key.dtype: {cpp_name(key)} and value.dtype: {cpp_name(value)} instead."
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            f"query.dim: {query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if mask is not None:
        if mask.dtype not in (jnp.bool_, jnp.float32, query.dtype):
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
                f"attn_mask.dtype: {cpp_name(mask)} and  query.dtype: {cpp_name(query)} instead."
            )
        if mask.ndim < 2:
            bound = max(mask.ndim, 1)
            raise IndexError(f"Dimension out of range (expected to be in range of [-{bound}, {bound - 1}], but got -2)")
        if is_causal and not _is_fused(query, key, value, mask, dropout_p):
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
            )
    if not jnp.issubdtype(query.dtype, jnp.inexact):
        if query.ndim == key.ndim == 2:
            raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: float != {cpp_name(query)}")
        raise RuntimeError(f"expected scalar type Float but found {scalar_name(query)}")
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p:g}")


def _is_fused(query: Array, key: Array, value: Array, mask: Array, dropout_p: float) -> bool:
    """Whether PyTorch's fused kernel takes the call: it accepts a mask besides `is_causal`."""
    same = query.shape[-1] == key.shape[-1] == value.shape[-1] and query.shape[:1] == key.shape[:1] == value.shape[:1]
    return query.ndim == key.ndim == value.ndim == 4 and mask.ndim in (2, 4) and dropout_p <= 0 and same


def _check_product(lead: tuple[int, ...], a: tuple[int, int], b: tuple[int, int]) -> None:
    if a[1] == b[0]:
        return
    if not lead:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})")
    raise RuntimeError(
        f"Expected size for first two dimensions of batch2 tensor to be: {brackets((math.prod(lead), a[1]))} "
        f"but got: {brackets((math.prod(lead), b[0]))}."
    )


def _shared_heads(query: Array, key: Array, value: Array) -> tuple[Array, Array]:
    """Key and value with each head repeated for the query heads that share it."""
    heads = [x.shape[-3] if x.ndim > 2 else 1 for x in (query, key, value)]
    if not (heads[1] and heads[2]) or heads[0] % heads[1] or heads[0] % heads[2]:
        raise RuntimeError("Number of heads in key and value must divide the number of heads in ")
    return tuple(x if n == heads[0] else jnp.repeat(x, heads[0] // n, -3) for x, n in zip((key, value), heads[1:]))


def _kept_scale(mask: Array, dropout_p: float, dtype) -> Array:
    scale = 0.0 if dropout_p == 1 else 1 / (1 - dropout_p)
    return lax.stop_gradient(mask).astype(dtype) * jnp.asarray(scale, dtype)


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    dropout_mask: Array | None = None,
) -> Array:
    """``softmax(query @ key.T * scale + mask) @ value`` over the last two dimensions.

    Args:
        attn_mask: added to the scores, or bool: True where a query sees a key. A query that sees none gets zeros.
        is_causal: query i sees keys 0 to i.
        scale: ``1 / sqrt(E)`` unless given.
        enable_gqa: each key and value head serves several heads of the query.
        dropout_mask: the attention weights to keep, ``[..., L, S]``, drawn by the caller if ``dropout_p > 0``.

    Shape:
        query ``[..., L, E]``, key ``[..., S, E]``, value ``[..., S, V]``; result ``[..., L, V]``.

    Example:
        >>> q = jnp.ones((1, 2, 4))
        >>> scaled_dot_product_attention(q, q, jnp.array([[[0.0], [2.0]]]), is_causal=True).ravel()
        Array([0., 1.], dtype=float32)
    """
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = _shared_heads(query, key, value)
    lead = _errors.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    rows, keys = query.shape[-2], key.shape[-2]
    _check_product(lead, query.shape[-2:], key.shape[:-3:-1])
    _check_product(lead, (rows, keys), value.shape[-2:])
    if attn_mask is not None:
        shape = _errors.broadcast_shapes((*lead, rows, keys), attn_mask.shape)
        if shape != (*lead, rows, keys):
            own = brackets((*lead, rows, keys))
            raise RuntimeError(f"output with shape {own} doesn't match the broadcast shape {brackets(shape)}")
    if dropout_p > 0 and dropout_mask is None:
        raise TypeError("scaled_dot_product_attention(): the array function needs dropout_mask where dropout_p > 0")
    if 0 in (*lead, rows, keys, value.shape[-1]):
        return jnp.zeros((*lead, rows, value.shape[-1]), query.dtype)
    d = _dtypes.to_dtype(query.dtype)
    wide = _dtypes.float32 if d in HALVES else d
    factor = (1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0) if scale is None else float(scale)
    parts = [jnp.broadcast_to(cast(x, wide), (*lead, *x.shape[-2:])) for x in (query, key, value)]
    parts[0] = parts[0] * jnp.asarray(factor, parts[0].dtype)
    kept = None if dropout_mask is None else _kept_scale(dropout_mask, dropout_p, parts[0].dtype)
    mask = attn_mask if attn_mask is None or attn_mask.dtype == bool else cast(attn_mask, wide)
    if is_causal:
        return cast(_attend_causally(*parts, kept) if mask is None else _attend(*parts, _causal(mask), kept), d)
    return cast(_attend(*parts, mask, kept), d)
