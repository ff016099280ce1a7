"""Adamax. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class Adamax(RecordedOptimizer):
    r"""Adam with the infinity norm of the past gradients in place of their mean square.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad u \leftarrow \max(\beta_2 u, |g| + \epsilon), \quad
        p \leftarrow p - \frac{\gamma}{1 - \beta_1^t} \frac{m}{u}

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        betas: :math:`(\beta_1, \beta_2)`.
        eps: :math:`\epsilon`.
        weight_decay: an L2 penalty.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://arxiv.org/abs/1412.6980
    """

    numbers = ("lr", "betas", "eps", "weight_decay")
    elementwise = True
    added: ClassVar = dict(foreach=None, maximize=False, differentiable=False, capturable=False)

    def __init__(
        self,
        params,
        lr=2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr), ("epsilon value", eps))
        check.betas(betas)
        check.at_least_zero(("weight_decay value", weight_decay))
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(h.weight_decay),
            ox.scale_by_adamax(h.betas, h.eps),
            ox.scale_by_learning_rate(h.lr),
        )
