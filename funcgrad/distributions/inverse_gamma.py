"""The inverse gamma distribution. See https://docs.pytorch.org/docs/stable/distributions.html#inversegamma."""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions.distribution import expands
from funcgrad.distributions.gamma import Gamma
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.transforms import PowerTransform

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """``1 / x`` with x from ``Gamma(concentration, rate)``.

    Args:
        concentration: the gamma variable's shape.
        rate: the gamma variable's rate.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True
    expand = expands(inherited=True)

    def __init__(self, concentration, rate, validate_args=None):
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-base.rate.new_ones(())), validate_args=validate_args)

    @property
    def concentration(self):
        """The gamma variable's shape."""
        return self.base_dist.concentration

    @property
    def rate(self):
        """The gamma variable's rate."""
        return self.base_dist.rate

    @property
    def mean(self):
        """Infinite for a concentration of at most 1."""
        return torch.where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf)

    @property
    def mode(self):
        return self.rate / (self.concentration + 1)

    @property
    def variance(self):
        """Infinite for a concentration of at most 2."""
        a = self.concentration
        return torch.where(a > 2, self.rate.square() / ((a - 1).square() * (a - 2)), math.inf)

    def entropy(self):
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
