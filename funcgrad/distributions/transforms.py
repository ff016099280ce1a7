"""Invertible functions of random variables: ``torch.distributions.transforms``.

See https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.transforms.
"""

from __future__ import annotations

import math
from numbers import Number

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import constraints
from funcgrad.distributions._transform import _TOO_FEW, ComposeTransform, Transform
from funcgrad.distributions._transform import CatTransform as CatTransform
from funcgrad.distributions._transform import IndependentTransform as IndependentTransform
from funcgrad.distributions._transform import ReshapeTransform as ReshapeTransform
from funcgrad.distributions._transform import StackTransform as StackTransform
from funcgrad.distributions._transform import _InverseTransform as _InverseTransform
from funcgrad.distributions.utils import lazy_property, tril_matrix_to_vec, vec_to_tril_matrix
from funcgrad.nn.functional import logsigmoid, pad, softplus

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]  # fmt: skip

identity_transform = ComposeTransform([])


class _Parameterless(Transform):
    """A transform without parameters: all of a class are equal."""

    def __eq__(self, other) -> bool:
        return isinstance(other, type(self))


class ExpTransform(_Parameterless):
    """``y = exp(x)``."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = +1

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


def _shape_of(x) -> tuple:
    return tuple(getattr(x, "shape", ()))


class PowerTransform(Transform):
    """``y = x ** exponent``."""

    domain = constraints.positive
    codomain = constraints.positive
    bijective = True

    def __init__(self, exponent, cache_size: int = 0):
        super().__init__(cache_size=cache_size)
        self.exponent = torch.as_tensor(exponent) if isinstance(exponent, Number) else exponent

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self if self._cache_size == cache_size else PowerTransform(self.exponent, cache_size=cache_size)

    @lazy_property
    def sign(self):
        return self.exponent.sign()

    def __eq__(self, other) -> bool:
        return isinstance(other, PowerTransform) and self.exponent.eq(other.exponent).all().item()

    def _call(self, x):
        return x.pow(self.exponent)

    def _inverse(self, y):
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape):
        return torch.broadcast_shapes(shape, _shape_of(self.exponent))

    inverse_shape = forward_shape


def _clipped_sigmoid(x):
    """The sigmoid, kept inside (0, 1)."""
    finfo = torch.finfo(x.dtype)
    return torch.sigmoid(x).clamp(min=finfo.tiny, max=1.0 - finfo.eps)


class SigmoidTransform(_Parameterless):
    """``y = 1 / (1 + exp(-x))``, kept inside (0, 1)."""

    domain = constraints.real
    codomain = constraints.unit_interval
    bijective = True
    sign = +1

    def _call(self, x):
        return _clipped_sigmoid(x)

    def _inverse(self, y):
        finfo = torch.finfo(y.dtype)
        y = y.clamp(min=finfo.tiny, max=1.0 - finfo.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        return -softplus(-x) - softplus(x)


class SoftplusTransform(_Parameterless):
    """``y = log(1 + exp(x))``; the identity above 20."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = +1

    def _call(self, x):
        return softplus(x)

    def _inverse(self, y):
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x, y):
        return -softplus(-x)


class TanhTransform(_Parameterless):
    """``y = tanh(x)``; better conditioned than a sigmoid and an affine transform."""

    domain = constraints.real
    codomain = constraints.interval(-1.0, 1.0)
    bijective = True
    sign = +1

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return torch.atanh(y)

    def log_abs_det_jacobian(self, x, y):
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class AbsTransform(_Parameterless):
    """``y = |x|``; the inverse gives y."""

    domain = constraints.real
    codomain = constraints.positive

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


class AffineTransform(Transform):
    """``y = loc + scale x``.

    Args:
        loc: the summand.
        scale: the factor.
        event_dim: how many dimensions one event has.
        cache_size: as in `Transform`.
    """

    bijective = True

    def __init__(self, loc, scale, event_dim: int = 0, cache_size: int = 0):
        super().__init__(cache_size=cache_size)
        self.loc = loc
        self.scale = scale
        self._event_dim = event_dim

    @property
    def event_dim(self) -> int:
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return constraints.real if self.event_dim == 0 else constraints.independent(constraints.real, self.event_dim)

    codomain = domain

    def with_cache(self, cache_size: int = 1) -> Transform:
        if self._cache_size == cache_size:
            return self
        return AffineTransform(self.loc, self.scale, self.event_dim, cache_size=cache_size)

    def __eq__(self, other) -> bool:
        return isinstance(other, AffineTransform) and _same(self.loc, other.loc) and _same(self.scale, other.scale)

    @property
    def sign(self):
        if isinstance(self.scale, Number):
            return 1 if float(self.scale) > 0 else -1 if float(self.scale) < 0 else 0
        return self.scale.sign()

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        shape, scale = tuple(x.shape), self.scale
        result = torch.full_like(x, math.log(abs(scale))) if isinstance(scale, Number) else torch.abs(scale).log()
        if self.event_dim:
            result = result.reshape((*tuple(result.size()[: -self.event_dim]), -1)).sum(-1)
            shape = shape[: -self.event_dim]
        return result.expand(shape)

    def forward_shape(self, shape):
        return torch.broadcast_shapes(shape, _shape_of(self.loc), _shape_of(self.scale))

    inverse_shape = forward_shape


def _same(a, b) -> bool:
    if isinstance(a, Number) and isinstance(b, Number):
        return a == b
    equal = a == b
    return equal if isinstance(equal, bool) else equal.all().item()


class CorrCholeskyTransform(Transform):
    r"""Vectors of length ``D (D - 1) / 2`` to the Cholesky factor of a D by D correlation matrix.

    The vector's tanh fills the strict lower triangle with canonical partial correlations r; then
    ``y_ij = r_ij prod_(k<j) sqrt(1 - r_ik^2)``, with one in place of r on the diagonal.

    Source: Lewandowski, Kurowicka and Joe, "Generating random correlation matrices", 2009.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        x = torch.tanh(x)
        eps = torch.finfo(x.dtype).eps
        x = x.clamp(min=-1 + eps, max=1 - eps)
        r = vec_to_tril_matrix(x, diag=-1)
        rest = (1 - r**2).sqrt().cumprod(-1)
        r = r + torch.eye(r.shape[-1], dtype=r.dtype, device=r.device)
        return r * pad(rest[..., :-1], [1, 0], value=1)

    def _inverse(self, y):
        rest = pad((1 - torch.cumsum(y * y, -1))[..., :-1], [1, 0], value=1)
        t = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(rest, diag=-1).sqrt()
        return (t.log1p() - t.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        rest = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        tanh = -2 * (x + softplus(-2 * x) - math.log(2.0)).sum(-1)
        return 0.5 * rest.log().sum(-1) + tanh

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError(_TOO_FEW)
        size = shape[-1]
        n = round((0.25 + 2 * size) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != size:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return shape[:-1] + (n, n)  # noqa: RUF005  (a Size stays one)

    def inverse_shape(self, shape):
        if len(shape) < 2:
            raise ValueError(_TOO_FEW)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return shape[:-2] + (shape[-1] * (shape[-1] - 1) // 2,)  # noqa: RUF005  (a Size stays one)


class SoftmaxTransform(_Parameterless):
    """``y = exp(x)``, normalised: for coordinate-wise algorithms; the inverse gives ``log(y)``."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x):
        return torch.softmax(x, -1)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError(_TOO_FEW)
        return shape

    inverse_shape = forward_shape


class StickBreakingTransform(_Parameterless):
    """Vectors of length K - 1 to the simplex of K: each takes a share of what the ones before have left."""

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    @staticmethod
    def _offset(like, n: int):
        """How many elements are still to come, so that zeros give equal shares."""
        size = like.shape[-1]
        return torch.arange(n, n - size, -1, dtype=like.dtype, device=like.device)

    def _call(self, x):
        z = _clipped_sigmoid(x - self._offset(x, x.shape[-1]).log())
        return pad(z, [0, 1], value=1) * pad((1 - z).cumprod(-1), [1, 0], value=1)

    def _inverse(self, y):
        head = y[..., :-1]
        left = (1 - head.cumsum(-1)).clamp(min=torch.finfo(y.dtype).tiny)
        return head.log() - left.log() + self._offset(head, head.shape[-1]).log()

    def log_abs_det_jacobian(self, x, y):
        x = x - self._offset(x, x.shape[-1]).log()
        return (-x + logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError(_TOO_FEW)
        return shape[:-1] + (shape[-1] + 1,)  # noqa: RUF005  (a Size stays one)

    def inverse_shape(self, shape):
        if len(shape) < 1:
            raise ValueError(_TOO_FEW)
        return shape[:-1] + (shape[-1] - 1,)  # noqa: RUF005  (a Size stays one)


def _with_diagonal(x, f):
    """The lower triangle of `x`, its diagonal mapped by `f`."""
    return x.tril(-1) + f(x.diagonal(dim1=-2, dim2=-1)).diag_embed()


class LowerCholeskyTransform(_Parameterless):
    """Matrices to lower triangular ones with a positive diagonal, by its exponential."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x):
        return _with_diagonal(x, torch.exp)

    def _inverse(self, y):
        return _with_diagonal(y, torch.log)


class PositiveDefiniteTransform(_Parameterless):
    """Matrices to positive-definite ones, by way of their Cholesky factors."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return LowerCholeskyTransform().inv(torch.linalg.cholesky(y))


class CumulativeDistributionTransform(Transform):
    """The cumulative distribution function of a univariate distribution: a probability integral transform.

    Args:
        distribution: whose `cdf` (and, for the inverse, `icdf`) to use.
        cache_size: as in `Transform`.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = +1

    def __init__(self, distribution, cache_size: int = 0):
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self):
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)

    def with_cache(self, cache_size: int = 1) -> Transform:
        same = self._cache_size == cache_size
        return self if same else CumulativeDistributionTransform(self.distribution, cache_size=cache_size)
