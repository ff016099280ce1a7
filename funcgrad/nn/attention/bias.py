"""Causal masks for ``scaled_dot_product_attention`` whose queries and keys differ in number.

See https://docs.pytorch.org/docs/stable/nn.attention.bias.html.
"""

from __future__ import annotations

from enum import IntEnum, auto

from funcgrad._dtypes import bool_
from funcgrad._facade._creation import creation_form
from funcgrad._tensor import Tensor, wrap


class CausalVariant(IntEnum):
    """Which corner of the matrix of scores the diagonal of a causal mask starts in."""

    UPPER_LEFT = auto()
    LOWER_RIGHT = auto()


class CausalBias(Tensor):
    """A causal mask, to be given as ``attn_mask``: a Tensor of bools, True where a query sees a key.

    Args:
        variant: the corner.
        seq_len_q: the number of queries.
        seq_len_kv: the number of keys.
    """

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int):
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant)}")
        below = 0 if variant is CausalVariant.UPPER_LEFT else seq_len_kv - seq_len_q
        made = object.__new__(cls)
        made._value = creation_form("ones")(seq_len_q, seq_len_kv, dtype=bool_).tril(below)._read()
        made.variant, made.seq_len_q, made.seq_len_kv = variant, seq_len_q, seq_len_kv
        return made

    def __init__(self, *args) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return repr(wrap(self._read()))

    __hash__ = Tensor.__hash__


def causal_upper_left(*size) -> CausalBias:
    """The mask whose diagonal starts in the upper left corner: query i sees keys 0 to i."""
    if len(size) != 2:
        raise AssertionError("causal_upper_left only supports 2D tensors")
    return CausalBias(CausalVariant.UPPER_LEFT, *size)


def causal_lower_right(*size) -> CausalBias:
    """The mask whose diagonal ends in the lower right corner: the last query sees every key."""
    if len(size) != 2:
        raise AssertionError("causal_lower_right only supports 2D tensors")
    return CausalBias(CausalVariant.LOWER_RIGHT, *size)
