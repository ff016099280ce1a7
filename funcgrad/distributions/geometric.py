"""The geometric distribution. See https://docs.pytorch.org/docs/stable/distributions.html#geometric."""

from __future__ import annotations

from funcgrad import _draws
from funcgrad.distributions import _torch as torch
from funcgrad.distributions import _validation, constraints
from funcgrad.distributions._probs_or_logits import check_one_given, lazy_pair
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all, draw_like
from funcgrad.nn.functional import binary_cross_entropy_with_logits

__all__ = ["Geometric"]


class Geometric(Distribution):
    """The number of failures before the first success: ``P(k) = (1 - p)^k p``.

    Args:
        probs: the probability p of success; or
        logits: its log odds.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    probs, logits = lazy_pair(is_binary=True)
    expand = expands("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        given = self.probs if probs is not None else self.logits
        super().__init__(given.size(), validate_args=validate_args)
        if self._validate_args and probs is not None:
            self._require_positive()

    def _require_positive(self) -> None:
        probs = self.probs
        text = (
            f"Expected parameter probs ({type(probs).__name__} of shape {tuple(probs.shape)}) of distribution %s "
            "to be positive but found invalid values"
        )
        positive = _validation.decide(lambda p, lib: p > 0, probs)
        _validation.require(
            positive,
            lambda: ValueError(f"{text % repr(self)}:\n{probs.detach()[~positive]}"),
            text % "Geometric",
        )

    @property
    def mean(self):
        return 1.0 / self.probs - 1.0

    @property
    def mode(self):
        return torch.zeros_like(self.probs)

    @property
    def variance(self):
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        with torch.no_grad():
            u = draw_like(_draws.uniform, self.probs, shape, torch.finfo(self.probs.dtype).tiny, 1.0)
            return (u.log() / (-self.probs).log1p()).floor()

    @validated
    def log_prob(self, value):
        value, probs = broadcast_all(value, self.probs)
        probs = torch.where((probs == 1) & (value == 0), 0.0, probs)
        return value * (-probs).log1p() + self.probs.log()

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
