"""RMSprop. See https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class RMSprop(RecordedOptimizer):
    r"""Steps scaled by the root of a moving average of the squared gradient.

    .. math:: v \leftarrow \alpha v + (1 - \alpha) g^2, \qquad p \leftarrow p - \gamma \frac{g}{\sqrt{v} + \epsilon}

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        alpha: :math:`\alpha`.
        eps: :math:`\epsilon`, outside the root.
        weight_decay: an L2 penalty.
        momentum: of the scaled gradient; the learning rate comes after it.
        centered: subtract the squared average of the gradient from :math:`v`.
        maximize: climb instead of descending.
        foreach, capturable: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Example:
        >>> import funcgrad as torch
        >>> w = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.RMSprop([w], lr=0.01)
        >>> (w * 2).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.9000], requires_grad=True)

    Source: https://arxiv.org/abs/1308.0850
    """

    numbers = ("lr", "alpha", "eps", "weight_decay", "momentum")
    elementwise = True
    switches = ("weight_decay", "momentum")
    flags = ("centered", "maximize")
    last_states = ("grad_avg",)
    added: ClassVar = dict(
        momentum=0, centered=False, foreach=None, maximize=False, differentiable=False, capturable=False
    )

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr), ("epsilon value", eps), ("momentum value", momentum))
        check.at_least_zero(("weight_decay value", weight_decay), ("alpha value", alpha))
        defaults = dict(
            lr=lr,
            momentum=momentum,
            alpha=alpha,
            eps=eps,
            centered=centered,
            weight_decay=weight_decay,
            capturable=capturable,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(h.weight_decay),
            ox.scale_by_rms(h.alpha, h.eps, h.centered),
            ox.momentum(h.momentum),
            ox.scale_by_learning_rate(h.lr),
        )
