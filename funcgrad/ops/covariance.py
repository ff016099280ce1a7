"""Covariance and correlation.

See https://docs.pytorch.org/docs/stable/generated/torch.cov.html
"""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad.ops._marks import raises_for_values
from funcgrad.ops._number import Array, cast, dtype_of, promote, promote_float
from funcgrad.ops._reduce import wide


def _check_weights(name: str, w: Array, observations: int) -> None:
    d = dtype_of(w)
    if w.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {w.ndim} dimensions"
        )
    wanted = "integral" if name == "fweights" else "floating point"
    if d.category != (_dtypes.INTEGER if name == "fweights" else _dtypes.FLOATING):
        raise RuntimeError(f"cov(): expected {name} to have {wanted} dtype but got {name} with {d.scalar_name} dtype")
    if w.size != observations:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got {w.size} != "
            f"{observations}"
        )


_INVALID_WEIGHTS = (
    "fweights cannot be negative",
    "aweights cannot be negative",
    "weights sum to zero, can't be normalized",
)


def _invalid_weights(fweights: Array | None, aweights: Array | None) -> Array:
    """Nonzero if weights are negative (1, 2) or add up to zero (3)."""
    given = [w for w in (fweights, aweights) if w is not None]
    total_weight = jnp.sum(jnp.multiply(*promote(*given)) if len(given) == 2 else given[0])
    info = jnp.where(total_weight == 0, np.int32(3), np.int32(0))
    for code, w in ((2, aweights), (1, fweights)):
        if w is not None:
            info = jnp.where(jnp.any(w < 0), np.int32(code), info)
    return info


def _complain(info: np.ndarray) -> None:
    if info:
        raise RuntimeError(f"cov(): {_INVALID_WEIGHTS[int(info) - 1]}")


def _is_weighted(*args, fweights=None, aweights=None, **kwargs) -> bool:
    return fweights is not None or aweights is not None


def _cov_with_info(input: Array, *, correction=1, fweights: Array | None = None, aweights: Array | None = None):
    """`cov` with whether the weights are valid; see `raises_for_values`."""
    return _cov(input, correction, fweights, aweights), _invalid_weights(fweights, aweights)


def _weighted_norm(w: Array, aweights: Array | None, correction: int) -> tuple[Array, Array]:
    """The sum of the weights (NaN if they are invalid), and what to divide the weighted products by."""
    w_sum = jnp.sum(w)
    w_sum = jnp.where(jnp.any(w < 0) | (w_sum == 0), jnp.full((), np.nan, w_sum.dtype), w_sum)
    if aweights is None or correction == 0:
        return w_sum, w_sum - np.asarray(correction, w_sum.dtype)
    a, b = promote(w, aweights)
    return w_sum, w_sum - np.asarray(correction, w_sum.dtype) * jnp.sum(a * b) / w_sum


@raises_for_values(_cov_with_info, _complain, when=_is_weighted)
def cov(input: Array, *, correction=1, fweights: Array | None = None, aweights: Array | None = None) -> Array:
    r"""The covariance matrix of variables (rows) over observations (columns).

    .. math:: C = \frac{1}{n - c} (X - \bar X) (X - \bar X)^H

    Args:
        correction: :math:`c`.
        fweights: how often to count each observation (integers); `aweights`: its relative importance.

    Example:
        >>> torch.cov(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    return _cov(input, correction, fweights, aweights)


def _cov(input: Array, correction, fweights: Array | None, aweights: Array | None) -> Array:
    if input.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    if dtype_of(input).category == _dtypes.BOOL:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    if isinstance(correction, bool) or not hasattr(correction, "__index__"):
        raise TypeError(f"cov(): argument 'correction' must be int, not {type(correction).__name__}")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    n = x.shape[1]
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        if weights is not None:
            _check_weights(name, weights, n)
    given = [weights for weights in (fweights, aweights) if weights is not None]
    (x,) = promote_float(x)
    if given:
        info = _invalid_weights(fweights, aweights)
        if not isinstance(info, jax.core.Tracer):
            _complain(np.asarray(info))
        a = given[0] if len(given) == 1 else jnp.multiply(*promote(*given))
        x, a = promote(x, a.reshape(-1))
        w_sum, norm = _weighted_norm(jnp.real(a), aweights, correction)
        mean = jnp.sum(x * a, 1, keepdims=True) / w_sum
        centered = x - mean
        other = centered * a
    else:
        norm = jnp.asarray(n - correction, jnp.real(x).dtype)
        centered = x - jnp.sum(x, 1, keepdims=True) / np.asarray(n, x.dtype)
        other = centered
    if not isinstance(norm, jax.core.Tracer) and bool(norm <= 0):
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=2,
        )
    norm = jnp.maximum(norm, jnp.zeros((), norm.dtype))
    products = lax.dot(wide(centered), wide(jnp.conj(other)).T, precision=lax.Precision.HIGHEST)
    return jnp.squeeze(cast(products / norm.astype(products.dtype), x.dtype))


def corrcoef(input: Array) -> Array:
    r"""The correlation matrix of variables (rows): :math:`R_{ij} = C_{ij} / \sqrt{C_{ii} C_{jj}}` with `cov`'s C.

    Example:
        >>> torch.corrcoef(torch.tensor([[0., 1., 2.], [2., 1., 0.]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    c = cov(input)
    if not c.ndim:
        return c / c
    deviations = jnp.sqrt(jnp.real(jnp.diagonal(c))).astype(c.dtype)
    c = c / deviations[:, None] / deviations[None, :]
    if jnp.issubdtype(c.dtype, jnp.complexfloating):
        return lax.complex(_clip(jnp.real(c)), _clip(jnp.imag(c)))
    return _clip(c)


def _clip(c: Array) -> Array:
    """Rounding may exceed 1; the gradient passes at 1 itself, where the diagonal is."""
    one = jnp.ones((), c.dtype)
    return jnp.where(c > one, one, jnp.where(c < -one, -one, c))
