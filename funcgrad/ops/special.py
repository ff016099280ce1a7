"""The functions of ``torch.special``, gathered from their families.

https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from funcgrad import _dtypes, _errors
from funcgrad.ops import bessel, error_functions, gamma_functions, pointwise, polynomials, powers
from funcgrad.ops._arguments import checked
from funcgrad.ops._number import Array


@checked(name="special_round")
def round(input: Array, *, decimals: int = 0) -> Array:
    """As ``torch.round``, of floating-point numbers only.

    Example:
        >>> torch.special.round(torch.tensor([1.25]), decimals=1)
        tensor([1.2000])
    """
    _errors.check_dtype("round_cpu" if decimals else "round_vml_cpu", _dtypes.to_dtype(input.dtype), "hf")
    return pointwise.round(input, decimals=decimals)


airy_ai = bessel.airy_ai
bessel_j0 = bessel.bessel_j0
bessel_j1 = bessel.bessel_j1
bessel_y0 = bessel.bessel_y0
bessel_y1 = bessel.bessel_y1
chebyshev_polynomial_t = polynomials.chebyshev_polynomial_t
chebyshev_polynomial_u = polynomials.chebyshev_polynomial_u
chebyshev_polynomial_v = polynomials.chebyshev_polynomial_v
chebyshev_polynomial_w = polynomials.chebyshev_polynomial_w
digamma = psi = gamma_functions.digamma
entr = error_functions.entr
erf = error_functions.erf
erfc = error_functions.erfc
erfcx = error_functions.erfcx
erfinv = error_functions.erfinv
exp2 = pointwise.exp2
expit = pointwise.sigmoid
expm1 = pointwise.expm1
gammainc = gamma_functions.igamma
gammaincc = gamma_functions.igammac
gammaln = gamma_functions.lgamma
hermite_polynomial_h = polynomials.hermite_polynomial_h
hermite_polynomial_he = polynomials.hermite_polynomial_he
i0 = bessel.i0
i0e = bessel.i0e
i1 = bessel.i1
i1e = bessel.i1e
laguerre_polynomial_l = polynomials.laguerre_polynomial_l
legendre_polynomial_p = polynomials.legendre_polynomial_p
log1p = pointwise.log1p
log_ndtr = error_functions.log_ndtr
logit = pointwise.logit
modified_bessel_i0 = bessel.modified_bessel_i0
modified_bessel_i1 = bessel.modified_bessel_i1
modified_bessel_k0 = bessel.modified_bessel_k0
modified_bessel_k1 = bessel.modified_bessel_k1
multigammaln = gamma_functions.mvlgamma
ndtr = error_functions.ndtr
ndtri = error_functions.ndtri
polygamma = gamma_functions.polygamma
scaled_modified_bessel_k0 = bessel.scaled_modified_bessel_k0
scaled_modified_bessel_k1 = bessel.scaled_modified_bessel_k1
shifted_chebyshev_polynomial_t = polynomials.shifted_chebyshev_polynomial_t
shifted_chebyshev_polynomial_u = polynomials.shifted_chebyshev_polynomial_u
shifted_chebyshev_polynomial_v = polynomials.shifted_chebyshev_polynomial_v
shifted_chebyshev_polynomial_w = polynomials.shifted_chebyshev_polynomial_w
sinc = pointwise.sinc
spherical_bessel_j0 = bessel.spherical_bessel_j0
xlog1py = powers.xlog1py
xlogy = powers.xlogy
zeta = gamma_functions.zeta
