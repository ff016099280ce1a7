"""The circular von Mises distribution. See https://docs.pytorch.org/docs/stable/distributions.html#vonmises."""

from __future__ import annotations

import math

from funcgrad import _draws
from funcgrad._generator import drawn_from
from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all, lazy_property

__all__ = ["VonMises"]


def _log_i0(x):
    """The logarithm of the modified Bessel function of order 0."""
    return torch.special.i0e(x).log() + x


class VonMises(Distribution):
    """Density ``exp(concentration cos(x - loc)) / (2 pi I0(concentration))`` on the circle, x in [-pi, pi).

    Args:
        loc: the mean angle, in radians.
        concentration: how close to it.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False
    expand = expands("loc", "concentration")

    def __init__(self, loc, concentration, validate_args=None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, Size(), validate_args)

    @validated
    def log_prob(self, value):
        log_prob = self.concentration * torch.cos(value - self.loc)
        return log_prob - math.log(2 * math.pi) - _log_i0(self.concentration)

    def sample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        like = (shape, self.loc.dtype.numpy)
        return drawn_from(None, _draws.von_mises, (self.loc, self.concentration), shape, like=like)

    @property
    def mean(self):
        """The circular mean."""
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):
        """The circular variance, ``1 - I1 / I0``."""
        return 1 - torch.special.i1e(self.concentration) / torch.special.i0e(self.concentration)
