"""The Bernoulli distribution. See https://docs.pytorch.org/docs/stable/distributions.html#bernoulli."""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import check_one_given, enumerated, lazy_pair, note_parameter, param_shape
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import expands, validated
from funcgrad.distributions.exp_family import ExponentialFamily
from funcgrad.distributions.utils import broadcast_all
from funcgrad.nn.functional import binary_cross_entropy_with_logits

__all__ = ["Bernoulli"]


class Bernoulli(ExponentialFamily):
    """One with probability `probs`, else zero.

    Args:
        probs: the probability of one; or
        logits: its log odds.
        validate_args: whether to check arguments.

    Example:
        >>> import funcgrad as torch
        >>> torch.distributions.Bernoulli(0.3).mean
        tensor(0.3000)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0
    probs, logits = lazy_pair(is_binary=True)
    param_shape = param_shape
    expand = expands("probs", "logits", finish=note_parameter)

    def __init__(self, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        note_parameter(self)
        super().__init__(self._param.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        """NaN for a probability of one half."""
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return torch.where(self.probs == 0.5, math.nan, mode)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=Size()):
        with torch.no_grad():
            return torch.bernoulli(self.probs.expand(tuple(self._extended_shape(sample_shape))))

    @validated
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True):
        values = torch.arange(2, dtype=self._param.dtype, device=self._param.device)
        return enumerated(values, self._batch_shape, expand)

    @property
    def _natural_params(self):
        return (torch.logit(self.probs),)

    def _log_normalizer(self, x):
        return torch.log1p(torch.exp(x))
