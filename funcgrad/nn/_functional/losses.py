"""Losses made of other functions.

See https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions.
"""

from __future__ import annotations

import math

from funcgrad import _operators
from funcgrad._tensor import Tensor

_call = _operators.call


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function=None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)``, with a distance of one's own.

    Args:
        distance_function: `pairwise_distance` by default.
        swap: take the smaller of ``d(anchor, negative)`` and ``d(positive, negative)``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.triplet_margin_with_distance_loss.html
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    distance = distance_function or (lambda x, y: _call("nn.functional.pairwise_distance", x, y))
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _call("minimum", far, distance(positive, negative))
    loss = _call("clamp_min", margin + near - far, 0)
    return loss if reduction == "none" else _call(reduction, loss)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options=None,
) -> Tensor:
    """`cross_entropy` of ``linear(input, linear_weight, linear_bias)``.

    Args:
        input: ``(N, in_features)`` or ``(in_features,)``.
        linear_weight: ``(classes, *, in_features)``.
        options: accepted; XLA decides in which pieces the scores are computed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear_cross_entropy.html
    """
    _check_linear(input, linear_weight, linear_bias)
    classes, extra, features = linear_weight.shape[0], tuple(linear_weight.shape[1:-1]), linear_weight.shape[-1]
    scores_shape = (*input.shape[:-1], classes, *extra)
    if ignore_index is not None and tuple(target.shape) == scores_shape:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if extra:
        rows = math.prod(extra, start=classes)
        linear_weight = linear_weight.reshape((rows, features))
        linear_bias = None if linear_bias is None else linear_bias.reshape((rows,))
    scores = _call("nn.functional.linear", input, linear_weight, linear_bias)
    if extra:
        scores = scores.reshape(scores_shape)
    ignored = -100 if ignore_index is None else ignore_index
    return _call("nn.functional.cross_entropy", scores, target, weight, None, ignored, None, reduction, label_smoothing)


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.dim()}")
    if input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {weight.shape[-1]}, respectively"
        )
    outer = tuple(weight.shape[:-1])
    if bias is not None and tuple(bias.shape) != outer:
        raise RuntimeError(f"expected linear_bias shape {outer}, got {tuple(bias.shape)}")
    if len(outer) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched input, "
            f"(N, {input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}"
        )


FUNCTIONS = {
    "triplet_margin_with_distance_loss": triplet_margin_with_distance_loss,
    "linear_cross_entropy": linear_cross_entropy,
}
