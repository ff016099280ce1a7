"""The error function and the normal distribution function, their inverses, logarithms and scaled forms.

https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad.ops._approximation import chebyshev
from funcgrad.ops._elementwise import derivatives, float_function, in_float32, literal
from funcgrad.ops._number import Array

_REAL = "biuhf"
_SINGLE = "biuf"  # kernels without halves
_float = float_function(__name__)


def _scaled_erfcx(t: np.ndarray) -> np.ndarray:
    """``(1 + 2x) * erfcx(x)`` for ``x = 2 * (1 + t) / (1 - t)``, which is smooth on all of [-1, 1]."""

    def at(x: float) -> float:
        if x < 2:
            return math.exp(x * x) * math.erfc(x)
        fraction = x
        for k in range(60, 0, -1):  # the continued fraction of the complementary error function
            fraction = x + k / 2 / fraction
        return 1 / (math.sqrt(math.pi) * fraction)

    return np.array([(1 + 2 * x) * at(x) for x in 2 * (1 + t) / (1 - t)])


def _erfcx_slope(y: Array, x: Array) -> Array:
    far = x > 1e3  # the difference would lose all digits
    square = jnp.where(far, x, literal(x, 1)) ** 2
    return jnp.where(far, literal(x, -1 / math.sqrt(math.pi)) / square, 2 * x * y - literal(x, 2 / math.sqrt(math.pi)))


@derivatives(_erfcx_slope)
def _erfcx(x: Array) -> Array:
    a = lax.abs(x)
    t = (a - 2) / (a + 2)
    # At infinity t would be NaN; the value is 0.
    y = chebyshev(_scaled_erfcx, 28, jnp.where(a == jnp.inf, literal(x, 1), t)) / (1 + 2 * a)
    return jnp.where(x < 0, 2 * lax.exp(x * x) - y, y)


@derivatives(lambda y, x: literal(x, math.sqrt(2 * math.pi)) * lax.exp(y * y / 2))
def _ndtri(x: Array) -> Array:
    return jax.scipy.special.ndtri(x)


@in_float32
def _ndtr(x: Array) -> Array:
    # erfc keeps the digits of the lower tail.
    return lax.erfc(x * literal(x, -math.sqrt(0.5))) * literal(x, 0.5)


@derivatives(lambda y, x: literal(x, math.sqrt(2 / math.pi)) / _erfcx(x * literal(x, -math.sqrt(0.5))))
def _log_ndtr(x: Array) -> Array:
    t = x * literal(x, math.sqrt(0.5))
    lower = lax.log(_erfcx(jnp.where(x < -1, -t, literal(x, 1))) / 2) - t * t
    return jnp.where(x < -1, lower, lax.log1p(-lax.erfc(t) / 2))


@in_float32
@derivatives(lambda y, x: -lax.log(x) - 1)
def _entr(x: Array) -> Array:
    inside = jnp.where(x == 0, literal(x, 0), -x * lax.log(jnp.where(x > 0, x, literal(x, 1))))
    return jnp.where(x < 0, literal(x, -jnp.inf), inside)


erf = _float("erf", lax.erf, "erf_vml_cpu", "Error function, ``2 / sqrt(pi) * integral of exp(-t^2) from 0 to input``.",
             "torch.erf(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 0.8427])", _REAL)  # fmt: skip
erfc = _float("erfc", lax.erfc, "erfc_vml_cpu", "Complementary error function, ``1 - erf(input)``.",
              "torch.erfc(torch.tensor([0.0, 1.0])) -> tensor([1.0000, 0.1573])", _REAL)  # fmt: skip
erfcx = _float("special.erfcx", _erfcx, "erfcx_cpu", "Scaled `erfc`, ``exp(input^2) * erfc(input)``.",
               "torch.special.erfcx(torch.tensor([0.0, 10.0])) -> tensor([1.0000, 0.0561])", _SINGLE)  # fmt: skip
erfinv = _float("erfinv", in_float32(lax.erf_inv), "erfinv_vml_cpu",
                "Inverse error function, ``erf(erfinv(x)) = x``, on (-1, 1).",
                "torch.erfinv(torch.tensor([0.0, 0.5])) -> tensor([0.0000, 0.4769])", _REAL)  # fmt: skip
ndtr = _float("special.ndtr", _ndtr, "erf_vml_cpu", "Standard normal distribution, ``(1 + erf(input / sqrt(2))) / 2``.",
              "torch.special.ndtr(torch.tensor([0.0, 1.0])) -> tensor([0.5000, 0.8413])", _REAL)  # fmt: skip
ndtri = _float("special.ndtri", _ndtri, "ndtri_cpu", "Inverse of the standard normal distribution function.",
               "torch.special.ndtri(torch.tensor([0.5, 0.975])) -> tensor([0.0000, 1.9600])", _SINGLE)  # fmt: skip
log_ndtr = _float("special.log_ndtr", _log_ndtr, "log_ndtr_cpu", "``log(ndtr(input))``, accurate in the lower tail.",
                  "torch.special.log_ndtr(torch.tensor([-30.0])) -> tensor([-454.3213])", _SINGLE)  # fmt: skip
entr = _float("special.entr", _entr, "entr_cpu", "Entropy, ``-input * ln(input)``: 0 at 0, minus infinity below.",
              "torch.special.entr(torch.tensor([0.0, 0.5])) -> tensor([0.0000, 0.3466])", _REAL)  # fmt: skip
