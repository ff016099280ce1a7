"""Attention whose scores and mask are Python functions of the positions.

See https://docs.pytorch.org/docs/stable/nn.attention.flex_attention.html.

PyTorch calls these functions for one position at a time, vectorised. Here they are called once, with index tensors that
broadcast against each other, which is the same for the arithmetic, comparisons and indexing they consist of. The whole
matrix of scores is computed; a block mask saves no work.
"""

from __future__ import annotations

import math

from funcgrad import _dtypes, _errors, _operators
from funcgrad._facade._creation import creation_form
from funcgrad._tensor import Tensor

_arange = creation_form("arange")
_call = _operators.call


def noop_mask(batch, head, token_q, token_kv) -> Tensor:
    """The mask that hides nothing."""
    return batch.new_ones((), dtype=_dtypes.bool_)


def and_masks(*mask_mods):
    """The mask that shows what all of these show."""
    _require_callable(mask_mods)

    def both(b, h, q, kv):
        shown = b.new_ones((), dtype=_dtypes.bool_)
        for mod in mask_mods:
            shown = shown & mod(b, h, q, kv)
        return shown

    return both


def or_masks(*mask_mods):
    """The mask that shows what any of these shows."""
    _require_callable(mask_mods)

    def either(b, h, q, kv):
        shown = b.new_zeros((), dtype=_dtypes.bool_)
        for mod in mask_mods:
            shown = shown | mod(b, h, q, kv)
        return shown

    return either


def _require_callable(mask_mods) -> None:
    if not all(callable(mod) for mod in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")


def _positions(*sizes: int) -> list[Tensor]:
    """For each dimension its indices, shaped to broadcast against the others."""
    return [_arange(n, dtype=_dtypes.int32).view([-1 if d == i else 1 for d in range(4)]) for i, n in enumerate(sizes)]


def _whole(made: Tensor, sizes: tuple) -> Tensor:
    if made.dim() > 4 or any(n not in (1, m) for n, m in zip(made.shape[::-1], sizes[::-1])):
        raise _errors.unsupported(
            "torch.nn.attention.flex_attention", "a function of positions that is not elementwise"
        )
    return made.expand(*sizes)


def create_mask(mod_fn, B, H, Q_LEN: int, KV_LEN: int, device=None) -> Tensor:
    """The mask (of bools), or the change of scores, that a function describes, as a tensor of shape (B, H, Q_LEN, KV_LEN).

    Example:
        >>> from funcgrad.nn.attention.flex_attention import create_mask
        >>> create_mask(lambda b, h, q, kv: q >= kv, None, None, 2, 2)[0, 0]
        tensor([[ True, False],
                [ True,  True]])
    """
    import inspect

    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    positions = _positions(*sizes)
    if len(inspect.signature(mod_fn).parameters) == 5:
        return _whole(mod_fn(creation_form("zeros")(sizes), *positions), sizes)
    return _whole(mod_fn(*positions), sizes)


class BlockMask:
    """A mask made by `create_block_mask`.

    Attributes:
        mask_mod: the function that describes it.
        shape: (B, H, number of queries, number of keys).
        BLOCK_SIZE: the sizes of its blocks.
    """

    def __init__(self, mask: Tensor, mask_mod, block_size: tuple[int, int]) -> None:
        self.mask = mask
        self.mask_mod = mask_mod
        self.BLOCK_SIZE = block_size
        self.seq_lengths = tuple(mask.shape[-2:])

    @property
    def shape(self) -> tuple:
        return tuple(self.mask.shape)

    def to_dense(self) -> Tensor:
        """Which blocks show anything, as ones and zeros."""
        shown = self.mask
        for dim, size in zip((-2, -1), self.BLOCK_SIZE):
            missing = -shown.shape[dim] % size
            shown = _call("nn.functional.pad", shown, (0, 0, 0, missing) if dim == -2 else (0, missing))
            shown = shown.unflatten(dim, (shown.shape[dim] // size, size)).any(dim=dim if dim == -1 else -2)
        return shown.to(_dtypes.int32)

    def numel(self) -> int:
        """The number of entries of the whole mask."""
        return math.prod(self.shape)

    def sparsity(self) -> float:
        """The percentage of entries in blocks that show nothing."""
        computed = int(self.to_dense().sum()) * math.prod(self.BLOCK_SIZE)
        return 100 * (1 - computed / self.numel())

    def to(self, device) -> BlockMask:
        """This mask on a device."""
        return BlockMask(self.mask.to(device), self.mask_mod, self.BLOCK_SIZE)

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%)"


def create_block_mask(
    mask_mod, B, H, Q_LEN: int, KV_LEN: int, device=None, BLOCK_SIZE=128, _compile: bool = False, **options
) -> BlockMask:
    """The `BlockMask` that a function of (batch, head, query, key) positions describes.

    Args:
        mask_mod: gives True where a query sees a key.
        B: the batch size; None if the mask does not depend on it.
        H: the number of heads; None likewise.
        Q_LEN: the number of queries.
        KV_LEN: the number of keys.
        device: where it is to be.
        BLOCK_SIZE: the size of its blocks, or two sizes.
    """
    size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
    return BlockMask(create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device), mask_mod, size)


def flex_attention(
    query: Tensor, key: Tensor, value: Tensor, score_mod=None, block_mask: BlockMask | None = None,
    scale: float | None = None, enable_gqa: bool = False, return_lse: bool = False, kernel_options=None, *,
    return_aux=None,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """Attention: ``softmax(score_mod(q k^T * scale)) v``, hidden entries left out.

    Args:
        query: (B, Hq, L, E).
        key: (B, Hkv, S, E).
        value: (B, Hkv, S, Ev).
        score_mod: ``f(score, b, h, q_idx, kv_idx)``, the changed score.
        block_mask: which queries see which keys.
        scale: by default ``1 / sqrt(E)``.
        enable_gqa: let several query heads share a key head.
        return_lse: return the logarithms of the softmax's denominators too.

    Example:
        >>> import funcgrad as torch
        >>> from funcgrad.nn.attention.flex_attention import flex_attention
        >>> q = torch.ones(1, 1, 4, 8)
        >>> flex_attention(q, q, q, score_mod=lambda s, b, h, i, j: s - (i - j).abs()).shape
        torch.Size([1, 1, 4, 8])
    """
    if return_aux is not None:
        raise _errors.unsupported("torch.nn.attention.flex_attention.flex_attention", "return_aux")
    heads = query.size(1)
    if key.size(1) != heads:
        if not enable_gqa:
            raise ValueError(
                "Expect query and key/value to have the same number of heads but got Hq="
                f"{heads} and Hkv={key.size(1)}. Try setting enable_gqa=True for GQA."
            )
        key, value = [t.repeat_interleave(heads // t.size(1), dim=1) for t in (key, value)]
    sizes = (query.size(0), heads, query.size(2), key.size(2))
    scale = 1.0 / math.sqrt(query.size(-1)) if scale is None else scale
    scores = (query @ key.mT).to(_dtypes.float64 if query.dtype is _dtypes.float64 else _dtypes.float32) * scale
    if score_mod is not None:
        scores = _whole(score_mod(scores, *_positions(*sizes)), sizes)
    if block_mask is not None:
        scores = scores.masked_fill(~block_mask.mask, -math.inf)
    lse = scores.logsumexp(-1)
    safe = lse.masked_fill(lse == -math.inf, 0.0)  # a query that sees nothing gets zeros
    out = ((scores - safe.unsqueeze(-1)).exp().to(value.dtype)) @ value
    return (out, lse) if return_lse else out
