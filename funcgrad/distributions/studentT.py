"""Student's t distribution. See https://docs.pytorch.org/docs/stable/distributions.html#studentt."""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.chi2 import Chi2
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import _standard_normal, broadcast_all

__all__ = ["StudentT"]


def _expand_chi2(new, old, batch_shape) -> None:
    new._chi2 = old._chi2.expand(batch_shape)


class StudentT(Distribution):
    """``loc + scale z / sqrt(c / df)`` with z standard normal and c chi-squared of `df` degrees of freedom.

    Args:
        df: degrees of freedom.
        loc: the median.
        scale: of the deviations.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    expand = expands("df", "loc", "scale", finish=_expand_chi2)

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.size(), validate_args=validate_args)

    @property
    def mean(self):
        """NaN for `df` of at most 1."""
        return torch.where(self.df <= 1, torch.full_like(self.loc, math.nan), self.loc)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        """Infinite for `df` of at most 2, NaN of at most 1."""
        finite = self.scale.pow(2) * self.df / (self.df - 2)
        finite = torch.where(self.df > 2, finite, torch.full_like(self.df, math.inf))
        return torch.where(self.df <= 1, torch.full_like(self.df, math.nan), finite)

    def rsample(self, sample_shape=Size()):
        normal = _standard_normal(self._extended_shape(sample_shape), self.df.dtype, self.df.device)
        return self.loc + self.scale * (normal * torch.rsqrt(self._chi2.rsample(sample_shape) / self.df))

    @validated
    def log_prob(self, value):
        y = (value - self.loc) / self.scale
        normalizer = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * math.log(math.pi)
            + torch.lgamma(0.5 * self.df)
            - torch.lgamma(0.5 * (self.df + 1.0))
        )
        return -0.5 * (self.df + 1.0) * torch.log1p(y**2.0 / self.df) - normalizer

    def entropy(self):
        df, half = self.df, 0.5 * (self.df + 1)
        beta = torch.lgamma(0.5 * df) + math.lgamma(0.5) - torch.lgamma(half)
        return self.scale.log() + half * (torch.digamma(half) - torch.digamma(0.5 * df)) + 0.5 * df.log() + beta
