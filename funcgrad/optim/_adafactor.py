"""Adafactor. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Adafactor.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class Adafactor(RecordedOptimizer):
    r"""Adaptive steps from a second moment that is kept only as its row and column means.

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the largest learning rate; it is also at most :math:`1/\sqrt{t}`, and relative to the parameter's size.
        beta2_decay: :math:`\tau` in :math:`\beta_2 = 1 - t^\tau`.
        eps: the smallest second moment (the dtype's by default), and the smallest size of a parameter.
        d: where the size of an update is clipped.
        weight_decay: decoupled from the moments.
        foreach: accepted; every step is one fused program.
        maximize: climb instead of descending.

    Source: https://arxiv.org/abs/1804.04235
    """

    numbers = ("lr", "beta2_decay", "eps", "d", "weight_decay")
    added: ClassVar = dict(foreach=None)

    def __init__(
        self,
        params,
        lr=1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ):
        check.tensor_lr(lr)
        text = "{} should be >= 0 but is: {}"
        check.at_least_zero(("Learning rate", lr), text=text)
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        named = [(f"epsilon{i}", value) for i, value in enumerate(eps, 1) if value is not None]
        check.at_least_zero(*named, text=text)
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check.at_least_zero(("weight_decay", weight_decay), text=text)
        defaults = dict(
            lr=lr,
            beta2_decay=beta2_decay,
            eps=eps,
            d=d,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def _check_group(self, group, params) -> None:
        check.not_complex("Adafactor", params)

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_factored import scale_by_factored_rms

        return ox.chain(
            ox.ascend(h.maximize),
            scale_by_factored_rms(h.lr, h.beta2_decay, h.eps, h.d, h.dtype),
            ox.decayed(None if h.weight_decay is None else h.weight_decay * h.lr),
            ox.descend(),
        )
