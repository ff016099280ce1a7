"""RAdam. See https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class RAdam(RecordedOptimizer):
    r"""Adam, rectified: plain momentum until the second moment is known well enough.

    .. math::
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \quad \rho_\infty = \frac{2}{1 - \beta_2} - 1, \quad
        p \leftarrow p - \gamma \hat m \begin{cases} r_t \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon) & \rho_t > 5 \\
        1 & \text{otherwise} \end{cases}

    with :math:`r_t^2 = (\rho_t - 4)(\rho_t - 2) \rho_\infty / ((\rho_\infty - 4)(\rho_\infty - 2) \rho_t)`.

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        betas: :math:`(\beta_1, \beta_2)`, of the averages :math:`m` and :math:`v` as in Adam.
        eps: :math:`\epsilon`.
        weight_decay: an L2 penalty, or decoupled from the moments if `decoupled_weight_decay`.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://arxiv.org/abs/1908.03265
    """

    numbers = ("lr", "betas", "eps", "weight_decay")
    elementwise = True
    flags = ("maximize", "decoupled_weight_decay")
    added: ClassVar = dict(
        foreach=None, maximize=False, differentiable=False, decoupled_weight_decay=False, capturable=False
    )

    def __init__(
        self,
        params,
        lr=1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        check.at_least_zero(("weight_decay value", weight_decay))
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            decoupled_weight_decay=decoupled_weight_decay,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_adam import scale_by_radam

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(None if h.decoupled_weight_decay else h.weight_decay),
            scale_by_radam(h.betas, h.eps),
            ox.decayed(h.weight_decay if h.decoupled_weight_decay else None),
            ox.scale_by_learning_rate(h.lr),
        )
