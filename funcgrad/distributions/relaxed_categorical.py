"""Relaxed one-hot vectors. See https://docs.pytorch.org/docs/stable/distributions.html#relaxedonehotcategorical."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import delegated
from funcgrad.distributions._torch import Size
from funcgrad.distributions.categorical import Categorical
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.transforms import ExpTransform
from funcgrad.distributions.utils import broadcast_all, clamp_probs

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


def _finish(new, old, batch_shape) -> None:
    new.temperature = old.temperature
    new._categorical = old._categorical.expand(batch_shape)


class ExpRelaxedCategorical(Distribution):
    """The logarithm of a relaxed one-hot vector: ``log_softmax((logits + gumbel noise) / temperature)``.

    Args:
        temperature: of the relaxation; zero is one-hot.
        probs: the probabilities of the places; or
        logits: their logarithms, up to a constant.
        validate_args: whether to check arguments.

    Source: Maddison, Mnih and Teh, "The concrete distribution", 2017.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector  # more exactly, vectors with logsumexp zero
    has_rsample = True
    expand = expands(finish=_finish)
    _param = delegated("_categorical", "_param", "The parameter that was given.")
    logits = delegated("_categorical", "logits", "Log probabilities.")
    probs = delegated("_categorical", "probs", "Probabilities.")
    param_shape = delegated("_categorical", "param_shape", "The shape of the parameter that was given.")

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        u = clamp_probs(torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device))
        scores = (self.logits - (-(u.log())).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    @validated
    def log_prob(self, value):
        size = self._categorical._num_events
        logits, value = broadcast_all(self.logits, value)
        log_scale = torch.full_like(self.temperature, float(size)).lgamma() - self.temperature.log() * -(size - 1)
        score = logits - value * self.temperature
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + log_scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """A continuous relaxation of one-hot vectors to the simplex, with differentiable draws.

    Args:
        temperature: of the relaxation, a tensor; zero is one-hot.
        probs: the probabilities of the places; or
        logits: their logarithms, up to a constant.
        validate_args: whether to check arguments.

    Source: Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2017.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True
    expand = expands(inherited=True)
    temperature = delegated("base_dist", "temperature", "Of the relaxation.")
    logits = delegated("base_dist", "logits", "Log probabilities.")
    probs = delegated("base_dist", "probs", "Probabilities.")

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)
