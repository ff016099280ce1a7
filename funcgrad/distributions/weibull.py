"""The Weibull distribution. See https://docs.pytorch.org/docs/stable/distributions.html#weibull."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.exponential import Exponential
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.transforms import AffineTransform, PowerTransform
from funcgrad.distributions.utils import broadcast_all, euler_constant

__all__ = ["Weibull"]


class Weibull(TransformedDistribution):
    """Cumulative probability ``1 - exp(-(x / scale)^k)`` with k the concentration.

    Args:
        scale: of the values.
        concentration: k, the shape.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive

    def __init__(self, scale, concentration, validate_args=None):
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(torch.ones_like(self.scale), validate_args=validate_args)
        transforms = self._transforms()
        super().__init__(base, transforms, validate_args=validate_args)

    def _transforms(self) -> list:
        return [PowerTransform(exponent=self.concentration_reciprocal), AffineTransform(loc=0, scale=self.scale)]

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Weibull, _instance)
        shape = tuple(Size(batch_shape))
        new.scale, new.concentration = self.scale.expand(shape), self.concentration.expand(shape)
        new.concentration_reciprocal = new.concentration.reciprocal()
        base = self.base_dist.expand(shape)
        super(Weibull, new).__init__(base, new._transforms(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def mean(self):
        return self.scale * torch.exp(torch.lgamma(1 + self.concentration_reciprocal))

    @property
    def mode(self):
        k = self.concentration
        return self.scale * ((k - 1) / k) ** k.reciprocal()

    @property
    def variance(self):
        first, second = (torch.lgamma(1 + n * self.concentration_reciprocal) for n in (1, 2))
        return self.scale.pow(2) * (torch.exp(second) - torch.exp(2 * first))

    def entropy(self):
        share = 1 - self.concentration_reciprocal
        return euler_constant * share + torch.log(self.scale * self.concentration_reciprocal) + 1
