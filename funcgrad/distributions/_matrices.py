"""Batches of matrices and vectors."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch


def batch_mv(matrix, vector):
    """Products of matrices and vectors. Shape: ``(..., n, m)``, ``(..., m)`` to ``(..., n)``, batches broadcast."""
    return torch.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def batch_mahalanobis(factor, x):
    """``|L^-1 x|^2`` for lower triangular L, without a copy of a factor for every vector it is used with.

    Shape: ``(B..., n, n)``, ``(S..., B..., n)`` to ``(S..., B...)``.
    """
    batch = factor.dim() - 2
    extra = x.dim() - 1 - batch
    if extra > 0 and tuple(x.shape[extra:-1]) == tuple(factor.shape[:-2]):
        # The sample dimensions become columns of one right-hand side.
        lead, n = tuple(x.shape[:extra]), x.shape[-1]
        columns = x.reshape((-1, *x.shape[extra:])).movedim(0, -1)
        solved = torch.linalg.solve_triangular(factor, columns, upper=False)
        return solved.pow(2).sum(-2).movedim(-1, 0).reshape(lead + tuple(x.shape[extra:-1])) if n else x.sum(-1)
    return torch.linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False).pow(2).sum((-2, -1))


def log_diagonal(factor):
    """The sum of the logarithms of the diagonal: half the log-determinant of ``L L^T``."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def precision_to_scale_tril(precision):
    """The lower Cholesky factor of the inverse of `precision`.

    With J the exchange of rows: ``J P J = F F^T`` gives ``P^-1 = L L^T`` for ``L = (J F J)^-T``.
    """
    factor = torch.linalg.cholesky(torch.flip(precision, (-2, -1)))
    upper = torch.flip(factor, (-2, -1)).mT
    identity = torch.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return torch.linalg.solve_triangular(upper, identity, upper=False)


def squared_norm(matrix):
    """The trace of ``X X^T``."""
    return matrix.pow(2).sum((-2, -1))
