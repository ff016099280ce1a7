"""ASGD. See https://docs.pytorch.org/docs/stable/generated/torch.optim.ASGD.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class ASGD(RecordedOptimizer):
    r"""Stochastic gradient descent with a falling step size, which also averages the parameters.

    .. math::
        p \leftarrow (1 - \lambda \eta) p - \eta g, \quad ax \leftarrow ax + \mu (p - ax), \quad
        \eta \leftarrow \frac{\gamma}{(1 + \lambda \gamma t)^\alpha}, \quad \mu \leftarrow \frac{1}{\max(1, t - t_0)}

    Args:
        params: tensors, named tensors or parameter groups.
        lr: :math:`\gamma`.
        lambd: :math:`\lambda`.
        alpha: :math:`\alpha`.
        t0: after how many steps the average begins; it is ``state[p]["ax"]``.
        weight_decay: an L2 penalty.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://meyn.ece.ufl.edu/wp-content/uploads/sites/77/archive/spm_files/Courses/ECE555-2011/555media/poljud92.pdf
    """

    numbers = ("lr", "lambd", "alpha", "t0", "weight_decay")
    starts_from_options = True
    added: ClassVar = dict(foreach=None, maximize=False, differentiable=False, capturable=False)

    def __init__(
        self,
        params,
        lr=1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr), ("weight_decay value", weight_decay))
        defaults = dict(
            lr=lr,
            lambd=lambd,
            alpha=alpha,
            t0=t0,
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
        from funcgrad.optim._transforms_momentum import averaged_descent

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(h.weight_decay),
            averaged_descent(h.lr, h.lambd, h.alpha, h.t0),
        )
