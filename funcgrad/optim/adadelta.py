"""Adadelta. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class Adadelta(RecordedOptimizer):
    r"""Steps scaled by the ratio of the recent steps' size to the recent gradients'.

    .. math::
        v \leftarrow \rho v + (1 - \rho) g^2, \quad \Delta = \frac{\sqrt{x + \epsilon}}{\sqrt{v + \epsilon}} g, \quad
        x \leftarrow \rho x + (1 - \rho) \Delta^2, \quad p \leftarrow p - \gamma \Delta

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        rho: :math:`\rho`.
        eps: :math:`\epsilon`.
        weight_decay: an L2 penalty.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://arxiv.org/abs/1212.5701
    """

    numbers = ("lr", "rho", "eps", "weight_decay")
    elementwise = True
    added: ClassVar = dict(foreach=None, maximize=False, differentiable=False, capturable=False)

    def __init__(
        self,
        params,
        lr=1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr))
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check.at_least_zero(("epsilon value", eps), ("weight_decay value", weight_decay))
        defaults = dict(
            lr=lr,
            rho=rho,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            capturable=capturable,
            foreach=foreach,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(h.weight_decay),
            ox.scale_by_adadelta(h.rho, h.eps),
            ox.scale_by_learning_rate(h.lr),
        )
