"""The logistic-normal distribution. See https://docs.pytorch.org/docs/stable/distributions.html#logisticnormal."""

from __future__ import annotations

from funcgrad.distributions import constraints
from funcgrad.distributions.distribution import expands
from funcgrad.distributions.normal import Normal
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.transforms import StickBreakingTransform

__all__ = ["LogisticNormal"]


class LogisticNormal(TransformedDistribution):
    """Points of the simplex: the stick-breaking transform of normal variables.

    Args:
        loc: the means; the last dimension is an event's, one shorter than its draws.
        scale: the standard deviations.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    has_rsample = True
    expand = expands(inherited=True)

    def __init__(self, loc, scale, validate_args=None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self):
        """The means of the normal variables."""
        return self.base_dist.base_dist.loc

    @property
    def scale(self):
        """The standard deviations of the normal variables."""
        return self.base_dist.base_dist.scale
