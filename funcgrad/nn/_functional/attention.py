"""Attention: the checks and masks of multi-head attention, and the dropout of its weights.

See https://docs.pytorch.org/docs/stable/nn.functional.html#attention-mechanisms.
"""

from __future__ import annotations

import warnings

from funcgrad import _dtypes, _operators, _random
from funcgrad._errors import broadcast_shapes
from funcgrad._facade._creation import creation_form
from funcgrad._tensor import Tensor
from funcgrad.nn._functional import dropout

_call = _operators.call
_zeros = creation_form("zeros")
_SDPA = "nn.functional.scaled_dot_product_attention"


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(q k^T * scale + mask) v``, over the last two dimensions.

    Args:
        attn_mask: added to the scores; a bool mask is True where attention is allowed.
        dropout_p: the probability that a weight is dropped.
        is_causal: attend to no later position.
        scale: ``1 / sqrt(E)`` by default.
        enable_gqa: key and value may have fewer heads than the query, each shared by several.

    Shape:
        query: (..., L, E). key: (..., S, E). value: (..., S, V). Result: (..., L, V).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    """
    options = {}
    if dropout_p > 0 and query.dim() > 1 and key.dim() > 1:
        shape = _weights_shape(query, key, attn_mask, enable_gqa)
        options["dropout_mask"] = _random.dropout_mask(shape, dropout_p)
    return _call(_SDPA, query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, **options)


def _weights_shape(query: Tensor, key: Tensor, mask: Tensor | None, shared_heads: bool) -> tuple[int, ...]:
    """The shape of the attention weights, or, where the op will refuse the shapes, any."""
    shape = (*query.shape[:-1], key.size(-2))
    others = [] if shared_heads else [(*key.shape[:-2], 1, 1)]
    try:
        return broadcast_shapes(shape, *others, () if mask is None else mask.shape)
    except RuntimeError:
        return shape


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Project, attend with several heads, project again; see `torch.nn.MultiheadAttention` for the arguments.

    Shape:
        query: (L, N, E) or (L, E). key, value: (S, N, E) or (S, E). Results: as `query`; (N, L, S), or one matrix for
        each head.
    """
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    attn_mask, key_padding_mask, is_causal = _masks(attn_mask, key_padding_mask, is_causal, need_weights, query.dtype)
    _check_widths(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if use_separate_proj_weight:
        weights = _separate_weights(q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _projected(query, key, value, weights, in_proj_bias)
    elif in_proj_weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    else:
        q, k, v = _projected_together(query, key, value, in_proj_weight, in_proj_bias)
    attn_mask = _shaped_mask(attn_mask, length, key.size(0), batch * num_heads)
    extra = 0
    if _has_extra_key(bias_k, bias_v, static_k, static_v):
        k = _call("cat", [k, bias_k.repeat(1, batch, 1)])
        v = _call("cat", [v, bias_v.repeat(1, batch, 1)])
        extra += 1
    heads = batch * num_heads
    q = _split_heads(q, heads)
    k = _split_heads(k, heads) if static_k is None else _checked_static("static_k", static_k, heads, width // num_heads)
    v = _split_heads(v, heads) if static_v is None else _checked_static("static_v", static_v, heads, width // num_heads)
    if add_zero_attn:
        k, v = _call("cat", [k, _zero_row(k)], 1), _call("cat", [v, _zero_row(v)], 1)
        extra += 1
    mask = _merged_mask(attn_mask, key_padding_mask, extra, batch, num_heads, k.size(1))
    p = dropout_p if training else 0.0
    attend = _attend_with_weights if need_weights else _attend
    out, weights = attend(q, k, v, mask, p, is_causal, batch)
    out = _call("nn.functional.linear", out.reshape(length * batch, width), out_proj_weight, out_proj_bias)
    out = out.reshape(length, batch, out.size(1))
    if weights is not None and average_attn_weights:
        weights = weights.mean(1)
    if not batched:
        out = out.squeeze(1)
        weights = None if weights is None else weights.squeeze(0)
    return out, weights


# -- checks -----------------------------------------------------------------------------------------------------------


def _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads: int) -> bool:
    """Whether there is a batch dimension."""
    rank = query.dim()
    if rank not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor")
    what = f"For {'batched' if rank == 3 else 'unbatched'} ({rank}-D) `query`, expected"
    if key.dim() != rank or value.dim() != rank:
        raise AssertionError(
            f"{what} `key` and `value` to be {rank}-D but found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != rank - 1:
        raise AssertionError(
            f"{what} `key_padding_mask` to be `None` or {rank - 1}-D but found {key_padding_mask.dim()}-D tensor "
            "instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"{what} `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor instead"
            )
        shape = (num_heads, query.shape[0], key.shape[0])
        if rank == 2 and attn_mask.dim() == 3 and attn_mask.shape != shape:
            raise AssertionError(f"Expected `attn_mask` shape to be {shape} but got {attn_mask.shape}")
    return rank == 3


def _check_widths(query, key, value, expected: int, num_heads: int, separate: bool) -> None:
    width = query.size(-1)
    if width != expected:
        raise AssertionError(f"was expecting embedding dimension of {expected}, but got {width}")
    if width // num_heads * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")


def _has_extra_key(bias_k, bias_v, static_k, static_v) -> bool:
    if bias_k is None and bias_v is None:
        return False
    for have, lacks, bias in (("bias_k", "bias_v", bias_v), ("bias_v", "bias_k", bias_k)):
        if bias is None:
            raise AssertionError(f"{have} is set but {lacks} is None")
    for name, static in (("key", static_k), ("value", static_v)):
        if static is not None:
            raise AssertionError(f"bias cannot be added to static {name}.")
    return True


def _checked_static(name: str, static: Tensor, heads: int, width: int) -> Tensor:
    for dim, expected in ((0, heads), (2, width)):
        if static.size(dim) != expected:
            raise AssertionError(f"expecting {name}.size({dim}) of {expected}, but got {static.size(dim)}")
    return static


# -- masks ------------------------------------------------------------------------------------------------------------


def canonical_mask(
    mask: Tensor | None, mask_name: str, other_type, other_name: str, target_type, check_other: bool = True
) -> Tensor | None:
    """A mask to be added to scores: minus infinity where a bool mask is True, a floating mask as it is."""
    if mask is None:
        return None
    floating = mask.is_floating_point()
    if not floating and mask.dtype is not _dtypes.bool_:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype is not other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if floating:
        return mask
    return _zeros(tuple(mask.shape), dtype=target_type, device=mask.device).masked_fill(mask, float("-inf"))


def _masks(attn_mask, key_padding_mask, is_causal: bool, need_weights: bool, dtype):
    other = None if attn_mask is None else attn_mask.dtype
    key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", other, "attn_mask", dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        return None, None, True  # the hint says what the mask is
    attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", dtype, check_other=False)
    return attn_mask, key_padding_mask, is_causal and key_padding_mask is None


def _shaped_mask(mask: Tensor | None, length: int, source: int, heads: int) -> Tensor | None:
    if mask is None:
        return None
    if mask.dim() not in (2, 3):
        raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
    expected = (length, source) if mask.dim() == 2 else (heads, length, source)
    if mask.shape != expected:
        raise RuntimeError(f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {expected}.")
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _merged_mask(attn_mask, padding, extra: int, batch: int, num_heads: int, source: int) -> Tensor | None:
    """One mask of shape (1 or heads, 1 or L, S); the keys that were added are open to all."""
    if extra:
        attn_mask, padding = (
            None if m is None else _call("nn.functional.pad", m, (0, extra)) for m in (attn_mask, padding)
        )
    if padding is None:
        return attn_mask
    check_key_padding_mask(padding, source, batch)
    padding = padding.view(batch, 1, 1, source).expand(-1, num_heads, -1, -1).reshape(batch * num_heads, 1, source)
    return padding if attn_mask is None else attn_mask + padding


def check_key_padding_mask(mask: Tensor, source: int, batch: int) -> None:
    """Raise PyTorch's error for a mask that is not (batch, source)."""
    for dim, expected in enumerate((batch, source)):
        if mask.shape[dim] != expected:
            raise AssertionError(f"Expected key_padded_mask.shape[{dim}] to be {expected}, but got {mask.shape[dim]}")


# -- projections ------------------------------------------------------------------------------------------------------


def _separate_weights(*weights: Tensor | None) -> tuple:
    for name, weight in zip("qkv", weights):
        if weight is None:
            raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")
    return weights


def _projected(query, key, value, weights, bias: Tensor | None) -> tuple:
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    width, key_width, value_width = query.size(-1), key.size(-1), value.size(-1)
    for name, w, expected in zip("qkv", weights, (width, key_width, value_width)):
        if w.shape != (width, expected):
            raise AssertionError(f"expecting {name} weights shape of {(width, expected)}, but got {w.shape}")
    return tuple(_call("nn.functional.linear", x, w, b) for x, w, b in zip((query, key, value), weights, biases))


def _projected_together(query, key, value, weight: Tensor, bias: Tensor | None) -> tuple:
    """Project with the stacked weights, in as few products as the operands allow."""
    linear, width = "nn.functional.linear", query.size(-1)
    if key is value and query is key:
        return _call(linear, query, weight, bias).chunk(3, -1)
    if key is value:
        own, other = weight.split([width, 2 * width])
        own_bias, other_bias = (None, None) if bias is None else bias.split([width, 2 * width])
        return (_call(linear, query, own, own_bias), *_call(linear, key, other, other_bias).chunk(2, -1))
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(_call(linear, x, w, b) for x, w, b in zip((query, key, value), weight.chunk(3), biases))


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """(L, N, E) to (N * heads, L, E / heads)."""
    length, batch, width = x.shape
    return x.reshape(length, heads, batch * width // heads).transpose(0, 1)


def _zero_row(x: Tensor) -> Tensor:
    return _zeros((x.size(0), 1, x.size(2)), dtype=x.dtype, device=x.device)


# -- attention --------------------------------------------------------------------------------------------------------


def _attend(q, k, v, mask, p: float, is_causal: bool, batch: int):
    """(L, N, E) and no weights, from heads of shape (N * heads, L, E)."""
    q, k, v = (x.reshape(batch, -1, *x.shape[1:]) for x in (q, k, v))
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.size(0) == 1 else mask.view(batch, -1, *mask.shape[1:])
    out = scaled_dot_product_attention(q, k, v, mask, p, is_causal)
    return out.permute(2, 0, 1, 3), None


def _attend_with_weights(q, k, v, mask, p: float, is_causal: bool, batch: int):
    if is_causal and mask is None:
        raise AssertionError("FIXME: is_causal not implemented for need_weights")
    scaled = q * (1.0 / q.size(-1)) ** 0.5
    scores = _call("bmm", scaled, k.transpose(-2, -1))
    if mask is not None:
        scores = scores + mask
    weights = _call("nn.functional.softmax", scores, -1)
    if p > 0.0:
        weights = dropout.FUNCTIONS["dropout"](weights, p)
    out = _call("bmm", weights, v).transpose(0, 1)
    return out, weights.reshape(batch, -1, *weights.shape[1:])


FUNCTIONS = {
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "multi_head_attention_forward": multi_head_attention_forward,
    "_canonical_mask": canonical_mask,
    "_check_key_padding_mask": check_key_padding_mask,
    "_none_or_dtype": lambda input: None if input is None else input.dtype,
}
