"""Stochastic gradient descent. See https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class SGD(RecordedOptimizer):
    r"""Stochastic gradient descent, optionally with momentum.

    .. math:: b \leftarrow \mu b + (1 - \tau)(g + \lambda p), \qquad p \leftarrow p - \gamma b

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        momentum: :math:`\mu`; the buffer begins as the first gradient, undamped.
        dampening: :math:`\tau`.
        weight_decay: :math:`\lambda`, an L2 penalty.
        nesterov: step along :math:`g + \mu b`.
        maximize: climb instead of descending.
        foreach, fused: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Example:
        >>> import funcgrad as torch
        >>> w = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=0.1)
        >>> (w * 2).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.8000], requires_grad=True)
    """

    numbers = ("lr", "momentum", "dampening", "weight_decay")
    elementwise = True
    refuses_sparse = ""
    switches = ("momentum", "dampening", "weight_decay")
    flags = ("nesterov", "maximize")
    counted = False
    added: ClassVar = dict(nesterov=False, maximize=False, foreach=None, differentiable=False, fused=False)

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay=0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        check.tensor_lr(lr)
        for name, value in (("learning rate", lr), ("momentum value", momentum), ("weight_decay value", weight_decay)):
            if value < 0.0:
                raise ValueError(f"Invalid {name}: {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = dict(
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            foreach=foreach,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, defaults)
        check.fused(fused, foreach, differentiable)

    def _check_group(self, group, params) -> None:
        if group["fused"]:
            check.fused_params(params)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_momentum import damped_momentum

        damped = h.momentum is not None and h.dampening is not None
        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(h.weight_decay),
            damped_momentum(h.momentum, h.dampening) if damped else ox.momentum(h.momentum, h.nesterov),
            ox.scale_by_learning_rate(h.lr),
        )
