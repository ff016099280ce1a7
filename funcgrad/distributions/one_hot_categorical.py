"""One-hot vectors. See https://docs.pytorch.org/docs/stable/distributions.html#onehotcategorical."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import as_one_hot, delegated, enumerated
from funcgrad.distributions._torch import Size
from funcgrad.distributions.categorical import Categorical
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.utils import broadcast_all

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


def _finish(new, old, batch_shape) -> None:
    new._categorical = old._categorical.expand(batch_shape)


class OneHotCategorical(Distribution):
    """One-hot vectors of length K, the place of the one being categorical.

    Args:
        probs: the probabilities of the places; or
        logits: their logarithms, up to a constant.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True
    expand = expands(finish=_finish)
    _param = delegated("_categorical", "_param", "The parameter that was given.")
    probs = delegated("_categorical", "probs", "Probabilities.")
    logits = delegated("_categorical", "logits", "Log probabilities.")
    param_shape = delegated("_categorical", "param_shape", "The shape of the parameter that was given.")

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    @property
    def mean(self):
        return self._categorical.probs

    @property
    def mode(self):
        probs = self._categorical.probs
        return as_one_hot(probs.argmax(dim=-1), probs.shape[-1], probs)

    @property
    def variance(self):
        return self._categorical.probs * (1 - self._categorical.probs)

    def sample(self, sample_shape=Size()):
        return as_one_hot(
            self._categorical.sample(sample_shape), self._categorical._num_events, self._categorical.probs
        )

    @validated
    def log_prob(self, value):
        value, _ = broadcast_all(value, self._categorical.logits)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True):
        values = torch.eye(self.event_shape[0], dtype=self._param.dtype, device=self._param.device)
        return enumerated(values, self._batch_shape, expand)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """As `OneHotCategorical`, with draws whose gradient is that of the probabilities.

    Source: Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape=Size()):
        probs = self._categorical.probs  # kept, so that its gradient is the sample's
        return self.sample(sample_shape) + (probs - probs.detach())
