"""The beta distribution. See https://docs.pytorch.org/docs/stable/distributions.html#beta."""

from __future__ import annotations

from numbers import Number

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import _validation, constraints
from funcgrad.distributions._torch import Size
from funcgrad.distributions.dirichlet import Dirichlet
from funcgrad.distributions.distribution import validated
from funcgrad.distributions.exp_family import ExponentialFamily
from funcgrad.distributions.utils import broadcast_all

__all__ = ["Beta"]


def _raise_for_known(parts, validate_args) -> None:
    """Raise for bad values that are known already: differentiable, their stack would be checked when it is computed."""
    if any((values := _validation.known(p)) is not None and not (values > 0).all() for p in parts):
        Dirichlet(torch.stack([p.detach() for p in parts], -1), validate_args=validate_args)


class Beta(ExponentialFamily):
    """Density ``x^(a - 1) (1 - x)^(b - 1) / B(a, b)``; kept as a Dirichlet distribution of two.

    Args:
        concentration1: a.
        concentration0: b.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1, concentration0, validate_args=None):
        if isinstance(concentration1, Number) and isinstance(concentration0, Number):
            both = torch.tensor([float(concentration1), float(concentration0)])
        else:
            parts = broadcast_all(concentration1, concentration0)
            _raise_for_known(parts, validate_args)
            both = torch.stack(parts, -1)
        self._dirichlet = Dirichlet(both, validate_args=validate_args)
        super().__init__(self._dirichlet._batch_shape, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Beta, _instance)
        batch_shape = Size(batch_shape)
        new._dirichlet = self._dirichlet.expand(batch_shape)
        super(Beta, new).__init__(batch_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def mean(self):
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self):
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self):
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape=()):
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    @validated
    def log_prob(self, value):
        return self._dirichlet.log_prob(torch.stack([value, 1.0 - value], -1))

    def entropy(self):
        return self._dirichlet.entropy()

    @property
    def concentration1(self):
        """a"""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self):
        """b"""
        return self._dirichlet.concentration[..., 1]

    @property
    def _natural_params(self):
        return self.concentration1, self.concentration0

    def _log_normalizer(self, x, y):
        return torch.lgamma(x) + torch.lgamma(y) - torch.lgamma(x + y)
