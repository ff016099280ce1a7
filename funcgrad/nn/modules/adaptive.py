"""Adaptive softmax, for very many classes of unequal frequency.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html.
"""

from __future__ import annotations

import itertools
from collections import namedtuple
from collections.abc import Sequence

from funcgrad import _operators
from funcgrad._tensor import Tensor
from funcgrad.nn import functional as F
from funcgrad.nn.modules.container import ModuleList, Sequential
from funcgrad.nn.modules.linear import Linear
from funcgrad.nn.modules.module import Module

_call = _operators.call
_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of frequent classes directly, those of rare ones by way of their cluster.

    The classes are sorted by frequency and cut into clusters. The head gives the log-probabilities of the first
    cluster's classes and of the other clusters; each of these has a smaller projection of its own.

    Args:
        in_features: the size of the input vectors.
        n_classes: how many classes there are.
        cutoffs: where to cut: the first class of each cluster but the first.
        div_value: by how much each cluster's projection is smaller than that of the one before.
        head_bias: whether the head has a bias.

    Shape:
        input: (N, in_features) or (in_features,). target: (N,) or (). Result: named tuple of output (as target) and
        loss ().
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device=None, dtype=None,
    ) -> None:  # fmt: skip
        super().__init__()
        cutoffs = list(cutoffs)
        _check(cutoffs, n_classes)
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(itertools.pairwise(self.cutoffs)):
            width = int(in_features // div_value ** (i + 1))
            down = Linear(in_features, width, bias=False, **options)
            self.tail.append(Sequential(down, Linear(width, high - low, bias=False, **options)))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for down, out in self.tail:
            down.reset_parameters()
            out.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """The log-probability of each target, and the mean of their negatives."""
        _check_operands(input_, target_)
        batched = target_.dim() > 0
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        self._check_targets(target)
        # Every cluster sees all rows: choosing its rows would make shapes depend on the targets' values. So a cluster
        # without targets gets gradients of zeros, where PyTorch leaves None.
        head = F.log_softmax(self.head(input), 1)
        output = self._picked(head, target, 0, self.shortlist_size)
        for i, (low, high) in enumerate(itertools.pairwise(self.cutoffs)):
            inside = (target >= low) & (target < high)
            cluster = F.log_softmax(self.tail[i](input), 1)
            found = self._picked(cluster, target, low, high) + head[:, self.shortlist_size + i]
            output = _call("where", inside, found, output)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _picked(self, log_probabilities: Tensor, target: Tensor, low: int, high: int) -> Tensor:
        """The entry of each row's target, if it is between `low` and `high`."""
        return log_probabilities.gather(1, (target - low).clamp(0, high - low - 1).unsqueeze(1)).squeeze(1)

    def _check_targets(self, target: Tensor) -> None:
        """Raise PyTorch's error for a class that does not exist, where the targets are known already."""
        if target._read().array is not None and target.numel():
            values = target._host()
            if values.min() < 0 or values.max() >= self.n_classes:
                raise RuntimeError(
                    f"Target values should be in [0, {self.n_classes - 1}], but values in range [{values.min()}, "
                    f"{values.max()}] were found. "
                )

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: ``(N, n_classes)``."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            cluster = F.log_softmax(self.tail[i](input), 1)
            parts.append(cluster + head[:, self.shortlist_size + i].unsqueeze(1))
        return _call("cat", parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row."""
        head = _call("argmax", self.head(input), 1)
        return _call("where", head < self.shortlist_size, head, _call("argmax", self.log_prob(input), 1))


def _check(cutoffs: list, n_classes: int) -> None:
    if not cutoffs:
        raise ValueError("cutoffs should be a sequence of length larger than 0")
    rising = cutoffs == sorted(set(cutoffs))
    if not rising or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1 or any(int(c) != c for c in cutoffs):
        raise ValueError(
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value "
            "is between 1 and n_classes-1"
        )


def _check_operands(input: Tensor, target: Tensor) -> None:
    if target.dim() == 1:
        if input.size(0) != target.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input.dim() != 2:
            raise RuntimeError(f"1D target tensor expects 2D input tensors, but found inputs with size {input.size()}")
    elif target.dim() == 0:
        if input.dim() != 1:
            raise RuntimeError(f"0D target tensor expects 1D input tensors, but found inputs with size {input.size()}")
    else:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
