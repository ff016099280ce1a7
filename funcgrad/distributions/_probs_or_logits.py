"""Distributions given by probabilities or by logits, from which the other one follows when it is asked for."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions.utils import clamp_probs, lazy_property, logits_to_probs, probs_to_logits


def check_one_given(probs, logits) -> None:
    """Raise PyTorch's error unless exactly one of the two is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def lazy_pair(is_binary: bool, clamped: bool = False) -> tuple[lazy_property, lazy_property]:
    """The class attributes `probs` and `logits`, the former inside (0, 1) if `clamped`."""

    def probs(self):
        """Probabilities."""
        probs = logits_to_probs(self.logits, is_binary=is_binary)
        return clamp_probs(probs) if clamped else probs

    def logits(self):
        """Log odds, or log probabilities."""
        return probs_to_logits(self.probs, is_binary=is_binary)

    return lazy_property(probs), lazy_property(logits)


def delegated(path: str, name: str, doc: str) -> property:
    """A property that is one of the distribution at `path` inside."""

    def get(self):
        return getattr(getattr(self, path), name)

    return property(get, doc=doc)


def note_parameter(new, *_) -> None:
    """Set `_param`, the one of the two parameters that was given."""
    new._param = new.__dict__["probs"] if "probs" in new.__dict__ else new.__dict__["logits"]


param_shape = property(lambda self: self._param.size(), doc="The shape of the parameter that was given.")


def enumerated(values, batch_shape, expand: bool, event_dim: int = 0):
    """`values` along a new first dimension, over a batch."""
    event = tuple(values.shape[1:])
    values = values.reshape((-1,) + (1,) * len(batch_shape) + event)
    return values.expand((-1, *batch_shape, *event)) if expand else values


def as_one_hot(indices, size: int, like):
    """One-hot vectors with the dtype of `like`."""
    classes = torch.arange(size, device=indices.device)
    return (indices.unsqueeze(-1) == classes).to(like.dtype)
