"""AdamW. See https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html."""

from __future__ import annotations

from funcgrad.optim.adam import Adam


class AdamW(Adam):
    r"""Adam with a weight decay that does not pass through the moments: :math:`p \leftarrow p - \gamma \lambda p`.

    The options are those of `Adam`.

    Source: https://arxiv.org/abs/1711.05101
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
