"""Adagrad. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._plan import make_states
from funcgrad.optim._recorded_step import RecordedOptimizer


class Adagrad(RecordedOptimizer):
    r"""Steps scaled by the root of the sum of all squared gradients.

    .. math::
        s \leftarrow s + g^2, \qquad p \leftarrow p - \frac{\gamma}{1 + (t - 1) \eta} \frac{g}{\sqrt{s} + \epsilon}

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        lr_decay: :math:`\eta`.
        weight_decay: an L2 penalty.
        initial_accumulator_value: the first :math:`s`.
        eps: :math:`\epsilon`.
        maximize: climb instead of descending.
        foreach, fused: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Source: https://jmlr.org/papers/v12/duchi11a.html
    """

    numbers = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
    elementwise = True
    refuses_sparse = ""
    starts_from_options = True
    added: ClassVar = dict(foreach=None, maximize=False, differentiable=False, fused=None)

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr), ("lr_decay value", lr_decay), ("weight_decay value", weight_decay))
        check.at_least_zero(("initial_accumulator_value value", initial_accumulator_value), ("epsilon value", eps))
        defaults = dict(
            lr=lr,
            lr_decay=lr_decay,
            eps=eps,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, defaults)
        check.fused(fused, foreach, differentiable)
        for group in self.param_groups:
            make_states(self, group, self._rule(group)[0], group["params"])

    def share_memory(self) -> None:
        """Accepted: values are never written in place."""

    def _check_group(self, group, params) -> None:
        if group["fused"]:
            check.fused_params(params)
        if group["weight_decay"] != 0 and any(p._grad.is_sparse for p in params):
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_squares import scale_by_adagrad

        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(h.weight_decay),
            scale_by_adagrad(h.lr_decay, h.eps, h.initial_accumulator_value),
            ox.scale_by_learning_rate(h.lr),
        )
