"""Multi-head attention, which PyTorch has among its activations.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html.
"""

from __future__ import annotations

from funcgrad._facade import _creation
from funcgrad.nn import functional as F
from funcgrad.nn import init
from funcgrad.nn.modules.linear import NonDynamicallyQuantizableLinear
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter

_empty = _creation.creation_form("empty")


class MultiheadAttention(Module):
    """``concat(head_1, ..., head_h) W``, where each head attends with projections of its own.

    Args:
        embed_dim: the size of the vectors.
        num_heads: into how many heads it is split.
        dropout: the probability that an attention weight is dropped in training.
        bias: whether the projections have biases.
        add_bias_kv: append a learned key and value to the sequences.
        add_zero_attn: append a key and value of zeros.
        kdim, vdim: the sizes of keys and values, if they differ.
        batch_first: whether the batch is the first dimension, not the second.

    Shape:
        query: (L, N, E), key and value: (S, N, kdim or vdim); batch first if so asked, or without N.

    Example:
        >>> import funcgrad as torch
        >>> x = torch.ones(3, 2, 4)
        >>> out, weights = torch.nn.MultiheadAttention(4, 2)(x, x, x)
        >>> out.shape, weights.shape
        (torch.Size([3, 2, 4]), torch.Size([2, 3, 3]))
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device=None, dtype=None,
    ) -> None:  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        options = {"device": device, "dtype": dtype}
        for name, shape in self._shapes(bias).items():
            self.register_parameter(name, None if shape is None else Parameter(_empty(shape, **options)))
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **options)
        for name in ("bias_k", "bias_v"):
            extra = Parameter(_empty((1, 1, embed_dim), **options)) if add_bias_kv else None
            setattr(self, name, extra)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _shapes(self, bias: bool) -> dict:
        """The projections' parameters, in PyTorch's order of registration."""
        width, same = self.embed_dim, self._qkv_same_embed_dim
        together = {"in_proj_weight": (3 * width, width) if same else None}
        apart = {
            f"{name}_proj_weight": None if same else (width, size)
            for name, size in (("q", width), ("k", self.kdim), ("v", self.vdim))
        }
        weights = together | apart if same else apart | together
        return weights | {"in_proj_bias": (3 * width,) if bias else None}

    def _reset_parameters(self) -> None:
        names = ["in_proj_weight"] if self._qkv_same_embed_dim else [f"{n}_proj_weight" for n in "qkv"]
        for name in names:
            init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def __setstate__(self, state: dict) -> None:
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights: bool = True, attn_mask=None,
        average_attn_weights: bool = True, is_causal: bool = False,
    ):  # fmt: skip
        """The attended values and, with `need_weights`, the attention weights.

        Args:
            key_padding_mask: (N, S); True (or minus infinity) where a key is only padding.
            need_weights: whether to return the weights; without them attention is faster.
            attn_mask: (L, S) or (N * heads, L, S); True (or minus infinity) where attention is forbidden.
            average_attn_weights: return the mean over the heads.
            is_causal: a hint that `attn_mask` forbids later positions.
        """
        other = None if attn_mask is None else attn_mask.dtype
        key_padding_mask = F._canonical_mask(key_padding_mask, "key_padding_mask", other, "attn_mask", query.dtype)
        attn_mask = F._canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
        swap = self.batch_first and query.dim() == 3
        if swap:
            query, key, value = _swapped(query, key, value)
        out, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, self.training,
            key_padding_mask, need_weights, attn_mask, not self._qkv_same_embed_dim, self.q_proj_weight,
            self.k_proj_weight, self.v_proj_weight, average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return (out.transpose(1, 0) if swap else out), weights

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """One mask of both, and PyTorch's number for its kind: 1 for padding only, 2 for (N, heads, L, S)."""
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length = query.shape[:2]
        if attn_mask.dim() == 3:
            merged = attn_mask.view(batch, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            padding = key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
            merged = merged + padding
        return merged, 2


def _swapped(query, key, value):
    """Each with its first two dimensions swapped; the same tensor stays the same."""
    seen: dict[int, object] = {}
    return [seen.setdefault(id(x), x.transpose(1, 0)) for x in (query, key, value)]
