"""Rprop. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Rprop.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class Rprop(RecordedOptimizer):
    r"""Resilient backpropagation: step sizes that grow while the gradient keeps its sign, and shrink when it turns.

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the first step size of every element.
        etas: the factors :math:`(\eta^-, \eta^+)`.
        step_sizes: the smallest and the largest step size.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://ieeexplore.ieee.org/document/298623
    """

    numbers = ("lr", "etas", "step_sizes")
    elementwise = True
    starts_from_options = True
    added: ClassVar = dict(foreach=None, maximize=False, differentiable=False, capturable=False)

    def __init__(
        self,
        params,
        lr=1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr))
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = dict(
            lr=lr,
            etas=etas,
            step_sizes=step_sizes,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_signs import step_by_signs

        return ox.chain(ox.ascend(h.maximize), step_by_signs(h.lr, h.etas, h.step_sizes))
