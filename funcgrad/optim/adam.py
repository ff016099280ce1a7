"""Adam. See https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html."""

from __future__ import annotations

from typing import ClassVar

from funcgrad._tensor import Tensor
from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class Adam(RecordedOptimizer):
    r"""Adam: steps scaled by moving averages of the gradient and of its square.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        p \leftarrow p - \gamma \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        betas: :math:`(\beta_1, \beta_2)`, floats or tensors.
        eps: :math:`\epsilon`.
        weight_decay: an L2 penalty, or decoupled from the moments if `decoupled_weight_decay`.
        amsgrad: divide by the largest :math:`v` so far.
        maximize: climb instead of descending.
        foreach, capturable, fused: accepted; every step is one fused program.
        differentiable: record gradients through the step.

    Example:
        >>> import funcgrad as torch
        >>> w = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.Adam([w], lr=0.1)
        >>> (w * 2).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.9000], requires_grad=True)

    Source: https://arxiv.org/abs/1412.6980
    """

    numbers = ("lr", "betas", "eps", "weight_decay")
    elementwise = True
    refuses_sparse = "Adam does not support sparse gradients, please consider SparseAdam instead"
    flags = ("amsgrad", "maximize", "decoupled_weight_decay")
    added: ClassVar = dict(
        amsgrad=False,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        decoupled_weight_decay=False,
        fused=None,
    )

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        _check_tensor("lr", lr, foreach, capturable)
        check.at_least_zero(("learning rate", lr), ("epsilon value", eps))
        check.betas(betas)
        check.at_least_zero(("weight_decay value", weight_decay))
        if not any(all(isinstance(b, kind) for b in betas[:2]) for kind in (float, Tensor)):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            _check_tensor(f"betas[{i}]", beta, foreach, capturable)
        defaults = dict(
            lr=lr,
            betas=tuple(b.squeeze() if isinstance(b, Tensor) and b.dim() else b for b in betas),
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )
        super().__init__(params, defaults)
        check.fused(fused, foreach, differentiable)

    def _check_group(self, group, params) -> None:
        if group["fused"]:
            check.fused_params(params)
        if group["foreach"] and isinstance(group["lr"], Tensor) and not group["capturable"]:
            raise RuntimeError("lr as a Tensor is not supported for capturable=False and foreach=True")

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_adam import scale_by_amsgrad

        scale = scale_by_amsgrad if h.amsgrad else ox.scale_by_adam
        return ox.chain(
            ox.ascend(h.maximize),
            ox.decayed(None if h.decoupled_weight_decay else h.weight_decay),
            scale(h.betas, h.eps),
            ox.decayed(h.weight_decay if h.decoupled_weight_decay else None),
            ox.scale_by_learning_rate(h.lr),
        )


def _check_tensor(name: str, value, foreach, capturable) -> None:
    if isinstance(value, Tensor):
        if foreach and not capturable:
            raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")
        if value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element")
