"""The multinomial distribution. See https://docs.pytorch.org/docs/stable/distributions.html#multinomial."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import as_one_hot, delegated
from funcgrad.distributions._torch import Size
from funcgrad.distributions.binomial import Binomial
from funcgrad.distributions.categorical import Categorical
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all

__all__ = ["Multinomial"]


def _finish(new, old, batch_shape) -> None:
    new._categorical = old._categorical.expand(batch_shape)
    new.total_count = old.total_count


class Multinomial(Distribution):
    """How often each of K outcomes occurs in `total_count` draws.

    Args:
        total_count: how many draws, an integer.
        probs: the probabilities of the outcomes; or
        logits: their logarithms, up to a constant.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    expand = expands(finish=_finish)
    probs = delegated("_categorical", "probs", "Probabilities.")
    logits = delegated("_categorical", "logits", "Log probabilities.")
    param_shape = delegated("_categorical", "param_shape", "The shape of the parameter that was given.")
    _param = delegated("_categorical", "_param", "The parameter that was given.")

    def __init__(self, total_count: int = 1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        self._binomial = Binomial(total_count=total_count, probs=self.probs)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    @property
    def mean(self):
        return self.probs * self.total_count

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=Size()):
        drawn = self._categorical.sample(Size((self.total_count, *sample_shape)))
        return as_one_hot(drawn, self._categorical._num_events, self._categorical.probs).sum(0)

    def entropy(self):
        n = self.total_count
        values = self._binomial.enumerate_support(expand=False)[1:]
        weighted = torch.exp(self._binomial.log_prob(values)) * torch.lgamma(values + 1)
        constant = torch.lgamma(torch.full_like(self.probs[..., 0], n + 1))
        return n * self._categorical.entropy() - constant + weighted.sum((0, -1))

    @validated
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        coefficient = torch.lgamma(value.sum(-1) + 1) - torch.lgamma(value + 1).sum(-1)
        logits = torch.where((value == 0) & (logits == -float("inf")), 0.0, logits)
        return coefficient + (logits * value).sum(-1)
