"""Functions that `torch` has with another signature than `torch.nn.functional`: ``torch.embedding(weight, indices)``.

PyTorch does not document these forms, but code calls them; taking their arguments in the documented order would be
silently wrong. Their reductions are numbers: 0 none (the default, unlike in `torch.nn.functional`), 1 mean, 2 sum.
"""

from __future__ import annotations

import warnings

from funcgrad import _errors
from funcgrad.ops import embedding as _embedding
from funcgrad.ops import loss_classification, loss_ctc, loss_margin, loss_regression, normalization
from funcgrad.ops._number import Array, Scalar

_REDUCTIONS = ("none", "mean", "sum")


def _reduction(number: int) -> str:
    return _REDUCTIONS[number] if number in range(3) else "none"


def embedding(
    weight: Array, indices: Array, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Array:
    """``weight[indices]``; see `torch.nn.functional.embedding`."""
    padding = padding_idx if padding_idx >= 0 else None
    return _embedding.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq)


def embedding_bag(weight: Array, indices: Array, *args, **kwargs):
    raise _errors.unsupported("torch.embedding_bag", "use torch.nn.functional.embedding_bag")


def instance_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    use_input_stats: bool,
    momentum: Scalar,
    eps: float,
    cudnn_enabled: bool = True,
) -> Array:
    """See `torch.nn.functional.instance_norm`."""
    if use_input_stats and running_mean is not None:
        raise _errors.unsupported("torch.instance_norm", "use torch.nn.functional.instance_norm")
    return normalization.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def group_norm(
    input: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Array:
    """See `torch.nn.functional.group_norm`."""
    return normalization.group_norm(input, num_groups, weight, bias, eps)


def kl_div(input: Array, target: Array, reduction: int = 0, *, log_target: bool = False) -> Array:
    """See `torch.nn.functional.kl_div`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # only nn.functional advises on the mean
        return loss_regression.kl_div(input, target, reduction=_reduction(reduction), log_target=log_target)


def poisson_nll_loss(input: Array, target: Array, log_input: bool, full: bool, eps: Scalar, reduction: int) -> Array:
    """See `torch.nn.functional.poisson_nll_loss`."""
    return loss_regression.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_reduction(reduction))


def binary_cross_entropy_with_logits(
    input: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None, reduction: int = 0
) -> Array:
    """See `torch.nn.functional.binary_cross_entropy_with_logits`."""
    return loss_classification.binary_cross_entropy_with_logits(
        input, target, weight, pos_weight=pos_weight, reduction=_reduction(reduction)
    )


def hinge_embedding_loss(input: Array, target: Array, margin: Scalar = 1.0, reduction: int = 0) -> Array:
    """See `torch.nn.functional.hinge_embedding_loss`."""
    return loss_margin.hinge_embedding_loss(input, target, margin, reduction=_reduction(reduction))


def margin_ranking_loss(input1: Array, input2: Array, target: Array, margin: Scalar = 0.0, reduction: int = 0) -> Array:
    """See `torch.nn.functional.margin_ranking_loss`."""
    return loss_margin.margin_ranking_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def cosine_embedding_loss(
    input1: Array, input2: Array, target: Array, margin: Scalar = 0.0, reduction: int = 0
) -> Array:
    """See `torch.nn.functional.cosine_embedding_loss`."""
    return loss_margin.cosine_embedding_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: Scalar = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Array:
    """See `torch.nn.functional.triplet_margin_loss`."""
    return loss_margin.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_reduction(reduction)
    )


def ctc_loss(
    log_probs: Array,
    targets: Array,
    input_lengths: Array | tuple,
    target_lengths: Array | tuple,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Array:
    """See `torch.nn.functional.ctc_loss`."""
    return loss_ctc.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _reduction(reduction), zero_infinity
    )
