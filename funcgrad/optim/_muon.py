"""Muon. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Muon.html."""

from __future__ import annotations

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class Muon(RecordedOptimizer):
    r"""Momentum whose update, a matrix, is made orthogonal by Newton-Schulz iterations.

    .. math::
        b \leftarrow \mu b + (1 - \mu) g, \qquad p \leftarrow (1 - \gamma \lambda) p - \gamma r \, \mathrm{NS}(b)

    Args:
        params: matrices, named matrices or parameter groups.
        lr: the learning rate :math:`\gamma`.
        weight_decay: :math:`\lambda`.
        momentum: :math:`\mu`.
        nesterov: make :math:`(1 - \mu) g + \mu b` orthogonal.
        ns_coefficients: of :math:`a x + b x x^T x + c (x x^T)^2 x`.
        eps: the smallest norm that the update is divided by.
        ns_steps: how many iterations.
        adjust_lr_fn: :math:`r`: ``"original"`` (the default), the root of rows per column if above 1, or
            ``"match_rms_adamw"``, 0.2 times the root of the longer side.

    Raises:
        ValueError: a parameter is not a matrix.

    Source: https://kellerjordan.github.io/posts/muon/, https://arxiv.org/abs/2502.16982
    """

    numbers = ("lr", "weight_decay", "momentum", "ns_coefficients", "eps")
    flags = ("nesterov", "ns_steps", "adjust_lr_fn")
    counted = False

    def __init__(
        self,
        params,
        lr=1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ):
        check.tensor_lr(lr)
        named = (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay))
        check.at_least_zero(*named, text="{} should be >= 0 but is: {}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = dict(
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            ns_coefficients=ns_coefficients,
            eps=eps,
            ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn,
        )
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )

    def _check_group(self, group, params) -> None:
        check.not_complex("Muon", params)
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(group["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        if any(p.ndim != 2 for p in params):
            raise ValueError("Param gradient must be a 2D matrix")

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_muon import orthogonal_momentum

        return ox.chain(
            orthogonal_momentum(h.momentum, h.nesterov, h.ns_coefficients, h.eps, h.ns_steps, h.adjust_lr_fn),
            ox.decayed(h.weight_decay),
            ox.scale_by_learning_rate(h.lr),
        )
