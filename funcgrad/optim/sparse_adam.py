"""SparseAdam. See https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html."""

from __future__ import annotations

from funcgrad.optim import _checks as check
from funcgrad.optim._recorded_step import RecordedOptimizer


class SparseAdam(RecordedOptimizer):
    r"""Adam that leaves alone, moments included, the rows of a parameter that have no gradient.

    .. math:: p_i \leftarrow p_i - \gamma \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m_i}{\sqrt{v_i} + \epsilon}

    PyTorch takes gradients of a sparse layout here, and only these. funcgrad's gradients are dense (an embedding with
    ``sparse=True`` has the same values): a row whose gradient is all zero is one without a gradient.

    Args:
        params: tensors, named tensors or parameter groups.
        lr: the learning rate :math:`\gamma`.
        betas: :math:`(\beta_1, \beta_2)`, of the averages :math:`m` and :math:`v` as in Adam.
        eps: :math:`\epsilon`.
        maximize: climb instead of descending.
    """

    numbers = ("lr", "betas", "eps")
    refuses_sparse = ""

    def __init__(
        self,
        params,
        lr=1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ):
        check.tensor_lr(lr)
        if not 0.0 < lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check.betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))
        places = [(i, j, p) for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"])]
        if sparse := [[i, j] for i, j, p in places if p.is_sparse]:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")
        if complexes := [[i, j] for i, j, p in places if p.is_complex()]:
            raise ValueError(f"Complex params at indices {complexes}: SparseAdam does not support complex parameters")

    @staticmethod
    def transformation(h):
        from funcgrad.optim import _optax as ox
        from funcgrad.optim._transforms_adam import scale_by_row_adam

        return ox.chain(
            ox.ascend(h.maximize),
            scale_by_row_adam(h.betas, h.eps),
            ox.scale_by_learning_rate(h.lr),
        )
