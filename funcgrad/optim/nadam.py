"""NAdam. See https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class NAdam(RecordedOptimizer):
    r"""Adam with Nesterov momentum on a schedule.

    .. math::
        \mu_t = \beta_1 (1 - \tfrac12 0.96^{t \psi}), \quad \Pi_t = \prod_{i \le t} \mu_i, \quad
        p \leftarrow p - \gamma \frac{\mu_{t+1} m / (1 - \Pi_{t+1}) + (1 - \mu_t) g / (1 - \Pi_t)}
        {\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        betas: :math:`(\beta_1, \beta_2)`, of the averages :math:`m` and :math:`v` as in Adam.
        eps: :math:`\epsilon`.
        weight_decay: an L2 penalty, or decoupled from the moments if `decoupled_weight_decay`.
        momentum_decay: :math:`\psi`.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """

    numbers = ("lr", "betas", "eps", "weight_decay", "momentum_decay")
    flags = ("maximize", "decoupled_weight_decay")
    added: ClassVar = dict(
        maximize=False, foreach=None, capturable=False, differentiable=False, decoupled_weight_decay=False
    )

    def __init__(
        self,
        params,
        lr=2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr), ("epsilon value", eps))
        check.betas(betas)
        check.at_least_zero(("weight_decay value", weight_decay), ("momentum_decay value", momentum_decay))
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_adam import scale_by_nadam

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(None if h.decoupled_weight_decay else h.weight_decay),
            scale_by_nadam(h.betas, h.eps, h.momentum_decay),
            ox.decayed(h.weight_decay if h.decoupled_weight_decay else None),
            ox.scale_by_learning_rate(h.lr),
        )
