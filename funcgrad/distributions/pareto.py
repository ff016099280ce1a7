"""The Pareto distribution of type 1. See https://docs.pytorch.org/docs/stable/distributions.html#pareto."""

from __future__ import annotations

from funcgrad.distributions import constraints
from funcgrad.distributions.distribution import expands
from funcgrad.distributions.exponential import Exponential
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.transforms import AffineTransform, ExpTransform
from funcgrad.distributions.utils import broadcast_all

__all__ = ["Pareto"]


class Pareto(TransformedDistribution):
    """Density ``alpha scale^alpha / x^(alpha + 1)`` for x of at least `scale`.

    Args:
        scale: the least value.
        alpha: the exponent.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    expand = expands("scale", "alpha", inherited=True)

    def __init__(self, scale, alpha, validate_args=None):
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        transforms = [ExpTransform(), AffineTransform(loc=0, scale=self.scale)]
        super().__init__(base, transforms, validate_args=validate_args)

    @property
    def mean(self):
        """Infinite for an exponent of at most 1."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self):
        return self.scale

    @property
    def variance(self):
        """Infinite for an exponent of at most 2."""
        a = self.alpha.clamp(min=2)
        return self.scale.pow(2) * a / ((a - 1).pow(2) * (a - 2))

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        return constraints.greater_than_eq(self.scale)

    def entropy(self):
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())
