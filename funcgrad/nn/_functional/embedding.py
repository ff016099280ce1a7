"""Embeddings: the table is renormalised in place where ``max_norm`` asks for it.

See https://docs.pytorch.org/docs/stable/nn.functional.html#sparse-functions.
"""

from __future__ import annotations

import warnings

from funcgrad import _dtypes, _operators
from funcgrad._operators import write
from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import no_grad


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` that `input` names.

    Args:
        padding_idx: a row that gets no gradient.
        max_norm, norm_type: first rescale, in place, the rows that are looked up to at most this norm.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        sparse: accepted; gradients are dense.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html
    """
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    return _operators.call("nn.functional.embedding", input, weight, padding_idx, None, 2.0, scale_grad_by_freq, False)


def _renormalise(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    with no_grad():
        made = _operators.call("nn.functional.embedding_renorm", weight.detach(), input, max_norm, norm_type)
        write(weight, made._read())


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of bags of rows of `weight`.

    Args:
        input: ``(B, N)`` for bags of one size, or ``(N,)`` with
        offsets: where in `input` each bag begins.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        per_sample_weights: a factor for each row of a sum.
        include_last_offset: whether `offsets` ends with the length of `input`.
        padding_idx: a row that takes no part.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding_bag.html
    """
    if weight.dtype is _dtypes.int64 and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    return _operators.call(
        "nn.functional.embedding_bag", input, weight, offsets, None, norm_type, scale_grad_by_freq, mode, sparse,
        per_sample_weights, include_last_offset, padding_idx,
    )  # fmt: skip


FUNCTIONS = {"embedding": embedding, "embedding_bag": embedding_bag}
