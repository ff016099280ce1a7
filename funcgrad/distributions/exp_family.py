"""Exponential families. See https://docs.pytorch.org/docs/stable/distributions.html#exponentialfamily."""

from __future__ import annotations

from funcgrad.distributions import _torch as torch
from funcgrad.distributions.distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    r"""Densities ``exp(t(x) . theta - F(theta) + k(x))`` with natural parameters theta and log normalizer F.

    A subclass gives `_natural_params`, `_log_normalizer` and the mean of the carrier measure k; the entropy then
    follows by differentiating F: ``F(theta) - theta . grad F(theta) - E[k]``.

    Source: Nielsen and Nock, "Entropies and cross-entropies of exponential families", 2010.
    """

    @property
    def _natural_params(self):
        raise NotImplementedError

    def _log_normalizer(self, *natural_params):
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> float:
        raise NotImplementedError

    def entropy(self):
        """The entropy, by differentiating the log normalizer."""
        result = -self._mean_carrier_measure
        params = [p.detach().requires_grad_() for p in self._natural_params]
        with torch.enable_grad():
            normalizer = self._log_normalizer(*params)
            gradients = torch.grad(normalizer.sum(), params, create_graph=True)
        result = result + normalizer
        for param, gradient in zip(params, gradients):
            result = result - (param * gradient).reshape((*tuple(self._batch_shape), -1)).sum(-1)
        return result
