"""The relaxed Bernoulli distribution. See https://docs.pytorch.org/docs/stable/distributions.html#relaxedbernoulli."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import check_one_given, delegated, lazy_pair, note_parameter, param_shape
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.transforms import SigmoidTransform
from funcgrad.distributions.utils import broadcast_all, clamp_probs

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


def _finish(new, old, batch_shape) -> None:
    note_parameter(new)
    new.temperature = old.temperature


class LogitRelaxedBernoulli(Distribution):
    """The logit of a relaxed Bernoulli variable: ``(logits + log u - log(1 - u)) / temperature``, u uniform.

    Args:
        temperature: of the relaxation; zero is Bernoulli.
        probs: the probability of one; or
        logits: its log odds.
        validate_args: whether to check arguments.

    Source: Maddison, Mnih and Teh, "The concrete distribution", 2017.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    probs, logits = lazy_pair(is_binary=True)
    param_shape = param_shape
    expand = expands("probs", "logits", finish=_finish)

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        check_one_given(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        note_parameter(self)
        super().__init__(self._param.size(), validate_args=validate_args)

    def rsample(self, sample_shape=Size()):
        shape = tuple(self._extended_shape(sample_shape))
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(torch.rand(shape, dtype=probs.dtype, device=probs.device))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    @validated
    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        return self.temperature.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """A continuous relaxation of the Bernoulli distribution on (0, 1), with differentiable draws.

    Args:
        temperature: of the relaxation, a tensor; zero is Bernoulli.
        probs: the probability of one; or
        logits: its log odds.
        validate_args: whether to check arguments.

    Source: Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2017.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    expand = expands(inherited=True)
    temperature = delegated("base_dist", "temperature", "Of the relaxation.")
    logits = delegated("base_dist", "logits", "Log odds.")
    probs = delegated("base_dist", "probs", "Probabilities.")

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)
