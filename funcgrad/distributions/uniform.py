"""The uniform distribution. See https://docs.pytorch.org/docs/stable/distributions.html#uniform."""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all

__all__ = ["Uniform"]


class Uniform(Distribution):
    """Density ``1 / (high - low)`` on ``[low, high)``.

    Args:
        low: the lower end.
        high: the upper end, greater than `low`.
        validate_args: whether to check arguments.
    """

    has_rsample = True
    expand = expands("low", "high")

    def __init__(self, low, high, validate_args=None):
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.size(), validate_args=validate_args)

    @property
    def arg_constraints(self):
        """Each end on its side of the other."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        return constraints.interval(self.low, self.high)

    @property
    def mean(self):
        return (self.high + self.low) / 2

    @property
    def mode(self):
        """Every value is as likely: NaN."""
        return math.nan * self.high

    @property
    def stddev(self):
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self):
        return (self.high - self.low).pow(2) / 12

    def rsample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        u = torch.rand(shape, dtype=self.low.dtype, device=self.low.device)
        return self.low + u * (self.high - self.low)

    @validated
    def log_prob(self, value):
        inside = (self.low <= value).type_as(self.low) * (self.high > value).type_as(self.low)
        return torch.log(inside) - torch.log(self.high - self.low)

    @validated
    def cdf(self, value):
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value):
        return value * (self.high - self.low) + self.low

    def entropy(self):
        return torch.log(self.high - self.low)
