"""Cholesky factors of correlation matrices.

See https://docs.pytorch.org/docs/stable/distributions.html#lkjcholesky.
"""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.beta import Beta
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all

__all__ = ["LKJCholesky"]


def _finish(new, old, batch_shape) -> None:
    new.dim = old.dim
    new._beta = old._beta.expand((*batch_shape, old.dim))


class LKJCholesky(Distribution):
    """The lower Cholesky factor L of a correlation matrix M with density proportional to ``det(M)^(concentration - 1)``.

    Args:
        dim: of the matrices, at least 2.
        concentration: 1 is uniform over correlation matrices; more prefers the identity.
        validate_args: whether to check arguments.

    Source: Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and extended onion
    method", 2009, section 3.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    expand = expands("concentration", finish=_finish)

    def __init__(self, dim: int, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        like = {"dtype": self.concentration.dtype, "device": self.concentration.device}
        offset = torch.tensor([0.0, *range(dim - 1)], **like)
        marginal = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1)
        self._beta = Beta(offset + 0.5, marginal - 0.5 * offset)
        super().__init__(self.concentration.size(), Size((dim, dim)), validate_args)

    def sample(self, sample_shape=Size()):
        # The onion method: row i is a point of the ball in i dimensions, its direction uniform.
        with torch.no_grad():
            squares = self._beta.sample(sample_shape).unsqueeze(-1)
            shape = tuple(self._extended_shape(sample_shape))
            normal = torch.randn(shape, dtype=squares.dtype, device=squares.device).tril(-1)
            length = normal.pow(2).sum(-1, keepdim=True).sqrt()
            row = torch.arange(self.dim, device=squares.device).unsqueeze(-1)
            direction = torch.where(row == 0, 0.0, normal / length)
            below = squares.sqrt() * direction
            eps = torch.finfo(below.dtype).tiny
            diagonal = (1 - below.pow(2).sum(-1)).clamp(min=eps).sqrt()
            return below + diagonal.diag_embed()

    @validated
    def log_prob(self, value):
        # The density of L is prod_(i >= 2) L_ii^(2 (concentration - 1) + dim - i), divided by the integral of it.
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        n = self.dim - 1
        order = (
            2 * (self.concentration - 1).unsqueeze(-1) + self.dim - torch.arange(2, self.dim + 1, device=value.device)
        )
        log_density = (order * diagonal.log()).sum(-1)
        alpha = self.concentration + 0.5 * n
        normalizer = torch.mvlgamma(alpha - 0.5, n) + 0.5 * n * math.log(math.pi) - torch.lgamma(alpha) * n
        return log_density - normalizer
