"""The Wishart distribution. See https://docs.pytorch.org/docs/stable/distributions.html#wishart."""

from __future__ import annotations

import math
import warnings
from numbers import Number

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import _validation, constraints
from funcgrad.distributions._matrices import log_diagonal, precision_to_scale_tril
from funcgrad.distributions._torch import Size
from funcgrad.distributions.chi2 import Chi2
from funcgrad.distributions.distribution import expands, validated
from funcgrad.distributions.exp_family import ExponentialFamily
from funcgrad.distributions.utils import lazy_property
from funcgrad.engine.state import state

__all__ = ["Wishart"]

_NAMES = ("covariance_matrix", "precision_matrix", "scale_tril")
_DEFINITE = {"covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite}


def _mvdigamma(x, p: int):
    """The derivative of the logarithm of the multivariate gamma function."""
    return torch.digamma(x.unsqueeze(-1) - torch.arange(p, dtype=x.dtype, device=x.device) / 2).sum(-1)


def _finish(new, old, batch_shape) -> None:
    new._unbroadcasted_scale_tril = old._unbroadcasted_scale_tril
    new._batch_dims = list(range(-len(batch_shape), 0))
    new._chi2s(batch_shape)


class Wishart(ExponentialFamily):
    """Of ``X X^T`` with `df` columns in X drawn from the centred normal of covariance V (for whole `df`).

    Args:
        df: degrees of freedom, greater than the dimension less one.
        covariance_matrix: V; or
        precision_matrix: ``V^-1``; or
        scale_tril: the lower Cholesky factor of V.
        validate_args: whether to check arguments.

    Source: Sawyer, "Wishart distributions and inverse-Wishart sampling", 2007.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    expand = expands("df", covariance_matrix=2, precision_matrix=2, scale_tril=2, finish=_finish)

    def __init__(self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None):
        given = {n: m for n, m in zip(_NAMES, (covariance_matrix, precision_matrix, scale_tril)) if m is not None}
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        if isinstance(df, Number):
            batch_shape = Size(matrix.shape[:-2])
            self.df = torch.tensor(df, dtype=matrix.dtype, device=matrix.device)
        else:
            batch_shape = torch.broadcast_shapes(matrix.shape[:-2], df.shape)
            self.df = df.expand(tuple(batch_shape))
        event_shape = matrix.shape[-2:]
        self._require_enough(df, event_shape[-1])
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))
        super().__init__(batch_shape, event_shape, validate_args=validate_args)
        self._batch_dims = list(range(-len(batch_shape), 0))
        self._warn_of_low_df()
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = torch.linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = precision_to_scale_tril(matrix)
        self._chi2s(batch_shape)

    def _require_enough(self, df, size: int) -> None:
        enough = _validation.decide(lambda d, lib: d > size - 1, self.df)
        text = "Value of df={} expected to be greater than ndim - 1 = {}."
        _validation.require(enough, lambda: ValueError(text.format(df, size - 1)), text.format("(pending)", size - 1))

    def _warn_of_low_df(self) -> None:
        df = _validation.known(self.df)
        if df is not None and (df < self._event_shape[-1]).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=3,
            )

    def _chi2s(self, batch_shape) -> None:
        """Of the squared diagonal of Bartlett's factor."""
        below = torch.arange(self._event_size(), dtype=self.df.dtype, device=self.df.device)
        df = (self.df.unsqueeze(-1) - below).expand((*batch_shape, -1))
        self._dist_chi2 = Chi2(df, validate_args=False)

    def _event_size(self) -> int:
        return self._unbroadcasted_scale_tril.shape[-1]

    @property
    def arg_constraints(self):
        """Positive-definite matrices, and enough degrees of freedom."""
        size = self._event_shape[-1]
        return {**_DEFINITE, "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(size - 1)}

    def _expanded(self, matrix):
        return matrix.expand(tuple(self._batch_shape + self._event_shape))

    @lazy_property
    def scale_tril(self):
        """The lower Cholesky factor of V."""
        return self._expanded(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """V."""
        return self._expanded(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of V."""
        return self._expanded(torch.cholesky_inverse(self._unbroadcasted_scale_tril))

    @property
    def mean(self):
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self):
        """NaN for too few degrees of freedom."""
        factor = self.df - self._event_shape[-1] - 1
        factor = torch.where(factor <= 0, math.nan, factor)
        return factor[..., None, None] * self.covariance_matrix

    @property
    def variance(self):
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (v.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett_sampling(self, sample_shape=Size()):
        size = self._event_shape[-1]
        noise = self._dist_chi2.rsample(sample_shape).sqrt().diag_embed()
        rows, columns = zip(*[(i, j) for i in range(1, size) for j in range(i)]) if size > 1 else ((), ())
        shape = (*sample_shape, *self._batch_shape, size * (size - 1) // 2)
        below = torch.randn(shape, dtype=noise.dtype, device=noise.device)
        if rows:
            noise[..., list(rows), list(columns)] = below
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def rsample(self, sample_shape=Size(), max_try_correction: int | None = None):
        """Draws that are differentiable functions of the parameters; singular ones are drawn anew.

        Args:
            sample_shape: of the draws.
            max_try_correction: how often at most; 10 by default.
        """
        sample_shape = Size(sample_shape)
        sample = self._bartlett_sampling(sample_shape)
        if _validation.traced(sample) or state.capture is not None:
            return sample
        # PyTorch's first look takes the definite draws for singular ones, so that each is drawn anew once.
        singular = self._any_of_batch(self.support.check(sample))
        if not singular.any():
            return sample
        warnings.warn("Singular sample detected.", stacklevel=2)
        for _ in range(10 if max_try_correction is None else max_try_correction):
            again = self._bartlett_sampling(singular[singular].shape)
            sample = sample.clone()
            sample[singular] = again
            still = singular.clone()
            still[singular] = self._any_of_batch(~self.support.check(again))
            singular = still
            if not singular.any():
                break
        return sample

    def _any_of_batch(self, flags):
        return flags.any(tuple(self._batch_dims)) if self._batch_dims else flags

    @validated
    def log_prob(self, value):
        df, p, factor = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        trace = torch.cholesky_solve(value, factor).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (
            -df * (p * math.log(2) / 2 + log_diagonal(factor))
            - torch.mvlgamma(df / 2, p)
            + (df - p - 1) / 2 * torch.linalg.slogdet(value).logabsdet
            - trace / 2
        )

    def entropy(self):
        df, p = self.df, self._event_shape[-1]
        return (
            (p + 1) * (p * math.log(2) / 2 + log_diagonal(self._unbroadcasted_scale_tril))
            + torch.mvlgamma(df / 2, p)
            - (df - p - 1) / 2 * _mvdigamma(df / 2, p)
            + df * p / 2
        )

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x, y):
        p = self._event_shape[-1]
        return (y + (p + 1) / 2) * (-torch.linalg.slogdet(-2 * x).logabsdet + math.log(2) * p) + torch.mvlgamma(
            y + (p + 1) / 2, p
        )
