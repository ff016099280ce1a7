"""The binomial distribution. See https://docs.pytorch.org/docs/stable/distributions.html#binomial."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import check_one_given, enumerated, lazy_pair, note_parameter, param_shape
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all

__all__ = ["Binomial"]


class Binomial(Distribution):
    """The number of successes in `total_count` trials.

    Args:
        total_count: how many trials.
        probs: the probability of success; or
        logits: its log odds.
        validate_args: whether to check arguments.
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    probs, logits = lazy_pair(is_binary=True)
    param_shape = param_shape
    expand = expands("total_count", "probs", "logits", finish=note_parameter)

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
        note_parameter(self)
        self.total_count = self.total_count.type_as(self._param)
        super().__init__(self._param.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        return torch.clamp_max(((self.total_count + 1) * self.probs).floor(), self.total_count)

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        with torch.no_grad():
            return torch.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    @validated
    def log_prob(self, value):
        n = self.total_count
        coefficient = torch.lgamma(n + 1) - torch.lgamma(value + 1) - torch.lgamma(n - value + 1)
        # max(logits, 0) with a gradient of one half at zero
        positive = (self.logits.clamp(min=0) + self.logits - self.logits.clamp(max=0)) / 2
        return value * self.logits + coefficient - n * positive - n * torch.log1p(torch.exp(-torch.abs(self.logits)))

    def _common_count(self, method: str) -> int:
        largest, smallest = self.total_count.max(), self.total_count.min()
        if int(largest) != smallest.item():
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{method}`.")
        return int(largest)

    def entropy(self):
        self._common_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(torch.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True):
        count = self._common_count("enumerate_support")
        values = torch.arange(1 + count, dtype=self._param.dtype, device=self._param.device)
        return enumerated(values, self._batch_shape, expand)
