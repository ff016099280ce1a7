"""The generalized Pareto distribution.

See https://docs.pytorch.org/docs/stable/distributions.html#generalizedpareto.
"""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """Survival probability ``(1 + c z)^(-1 / c)`` with ``z = (x - loc) / scale``; ``exp(-z)`` for ``c = 0``.

    Args:
        loc: the least value.
        scale: of the excess.
        concentration: c, the shape.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True
    expand = expands("loc", "scale", "concentration")

    def __init__(self, loc, scale, concentration, validate_args=None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        upper = torch.where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, upper)

    def _z(self, x):
        return (x - self.loc) / self.scale

    def _shape(self):
        """Where the concentration is (nearly) zero, and the concentration with one in its place."""
        zero = torch.isclose(self.concentration, torch.zeros_like(self.concentration))
        return zero, torch.where(zero, torch.ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        return self.icdf(torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    @validated
    def log_prob(self, value):
        z, (zero, c) = self._z(value), self._shape()
        return torch.where(zero, -z, -(1 / c + 1) * torch.log1p(c * z)) - torch.log(self.scale)

    @validated
    def log_survival_function(self, value):
        """The logarithm of the probability of a draw above `value`."""
        z, (zero, c) = self._z(value), self._shape()
        return torch.where(zero, -z, -torch.log1p(c * z) / c)

    @validated
    def log_cdf(self, value):
        """The logarithm of the probability of a draw of at most `value`."""
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    @validated
    def cdf(self, value):
        return torch.exp(self.log_cdf(value))

    def icdf(self, value):
        log_rest = torch.log1p(-value)
        zero, c = self._shape()
        return torch.where(
            zero, self.loc - self.scale * log_rest, self.loc + self.scale * torch.expm1(-c * log_rest) / c
        )

    @property
    def mean(self):
        """NaN for a concentration of at least 1."""
        return torch.where(self.concentration < 1, self.loc + self.scale / (1 - self.concentration), math.nan)

    @property
    def variance(self):
        """NaN for a concentration of at least one half."""
        c = self.concentration
        return torch.where(c < 0.5, self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c)), math.nan)

    def entropy(self):
        return (torch.log(self.scale) + self.concentration + 1).expand(tuple(self._batch_shape))

    @property
    def mode(self):
        return self.loc
