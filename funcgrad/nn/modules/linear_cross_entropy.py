"""Cross-entropy of a linear layer. See https://docs.pytorch.org/docs/stable/nn.html#loss-functions."""

from __future__ import annotations

import math

from funcgrad._tensor import Tensor
from funcgrad.nn import functional as F
from funcgrad.nn.modules.linear import Linear
from funcgrad.nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions
from funcgrad.nn.modules.loss import _WeightedLoss


class LinearCrossEntropyLoss(_WeightedLoss):
    """`CrossEntropyLoss` of the scores that a linear layer of its own gives.

    Args:
        in_features: the size of the input vectors.
        num_classes: how many classes there are.
        out_features: further dimensions of the scores, behind the classes.
        bias: whether the linear layer has a bias.
        weight, ignore_index, label_smoothing: as of `CrossEntropyLoss`.
        options: kept; see `LinearCrossEntropyOptions`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LinearCrossEntropyLoss.html
    """

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (), bias: bool = False,
        device=None, dtype=None, reduction: str = "mean", weight: Tensor | None = None,
        ignore_index: int | None = None, label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:  # fmt: skip
        if weight is not None and weight.shape != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if label_smoothing < 0 or label_smoothing > 1.0:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight=weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        rows = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, rows, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input, target):
        weight, bias = self.linear.weight, self.linear.bias
        outer = (self.num_classes, *self.out_features)
        if self.out_features:
            weight = weight.reshape((*outer, self.linear.in_features))
            bias = None if bias is None else bias.reshape(outer)
        return F.linear_cross_entropy(
            input, weight, target, linear_bias=bias, weight=self.weight, reduction=self.reduction,
            ignore_index=self.ignore_index, label_smoothing=self.label_smoothing, options=self.options,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, reduction={self.reduction}, "
            f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, options={self.options}"
        )
