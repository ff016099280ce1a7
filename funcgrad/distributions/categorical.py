"""The categorical distribution. See https://docs.pytorch.org/docs/stable/distributions.html#categorical."""

from __future__ import annotations

import math

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._probs_or_logits import check_one_given, enumerated, lazy_pair, note_parameter, param_shape
from funcgrad.distributions._torch import Size
from funcgrad.distributions.distribution import Distribution, expands, validated

__all__ = ["Categorical"]


def _finish(new, old, batch_shape) -> None:
    note_parameter(new)
    new._num_events = old._num_events


class Categorical(Distribution):
    """The integers 0 to K - 1 with given probabilities.

    Args:
        probs: the probabilities, normalised here; the last dimension holds an event's; or
        logits: their logarithms, up to a constant.
        validate_args: whether to check arguments.

    Example:
        >>> import funcgrad as torch
        >>> torch.distributions.Categorical(torch.tensor([1.0, 3.0])).log_prob(torch.tensor(1)).exp()
        tensor(0.7500)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    probs, logits = lazy_pair(is_binary=False)
    param_shape = param_shape
    expand = expands(probs=1, logits=1, finish=_finish)

    def __init__(self, probs=None, logits=None, validate_args=None):
        check_one_given(probs, logits)
        if probs is not None:
            if probs.dim() < 1:
                raise ValueError("`probs` parameter must be at least one-dimensional.")
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            if logits.dim() < 1:
                raise ValueError("`logits` parameter must be at least one-dimensional.")
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        note_parameter(self)
        self._num_events = self._param.size()[-1]
        super().__init__(self._param.size()[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self._num_events - 1)

    def _undefined(self):
        shape = tuple(self._extended_shape())
        return torch.full(shape, math.nan, dtype=self.probs.dtype, device=self.probs.device)

    @property
    def mean(self):
        """Events have no numbers: NaN."""
        return self._undefined()

    @property
    def mode(self):
        return self.probs.argmax(dim=-1)

    @property
    def variance(self):
        """Events have no numbers: NaN."""
        return self._undefined()

    def sample(self, sample_shape=Size()):
        sample_shape = Size(sample_shape)
        rows = self.probs.reshape((-1, self._num_events))
        drawn = torch.multinomial(rows.detach(), sample_shape.numel(), True)
        return drawn.T.reshape(tuple(self._extended_shape(sample_shape)))

    @validated
    def log_prob(self, value):
        value = value.long()
        shape = torch.broadcast_shapes(value.shape, self.logits.shape[:-1])
        logits = self.logits.expand((*shape, self._num_events))
        return logits.gather(-1, value.expand(tuple(shape)).unsqueeze(-1)).squeeze(-1)

    def entropy(self):
        logits = torch.clamp(self.logits, min=torch.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True):
        values = torch.arange(self._num_events, device=self._param.device)
        return enumerated(values, self._batch_shape, expand)
