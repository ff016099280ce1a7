"""Elementwise functions of one tensor: exponentials, roots, trigonometry, rounding, signs.

https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors, _return_types
from funcgrad.ops import _trigonometry, bessel, error_functions, gamma_functions
from funcgrad.ops._arguments import checked
from funcgrad.ops._elementwise import (
    ALL,
    derivatives,
    document,
    float_function,
    float_operand,
    in_float32,
    literal,
    vectorized,
)
from funcgrad.ops._number import Array, Scalar, as_array, cast

# -- functions to floating point: integers become the default floating dtype ------------------------------------------


def _split(x: Array) -> tuple[Array, Array]:
    """A positive finite `x` as ``m * 2**e``, exactly, with m between sqrt(1/2) and sqrt(2)."""
    bits, mantissa = (jnp.int32, 23) if x.dtype == jnp.float32 else (jnp.int64, 52)
    tiny = x < jnp.finfo(x.dtype).tiny
    x = jnp.where(tiny, x * literal(x, 2.0**mantissa), x)
    # Without the bits of sqrt(1/2) the exponent field counts from there.
    start = lax.bitcast_convert_type(literal(x, math.sqrt(0.5)), bits)
    e = (lax.bitcast_convert_type(x, bits) - start) >> mantissa
    m = lax.bitcast_convert_type(lax.bitcast_convert_type(x, bits) - (e << mantissa), x.dtype)
    return m, e.astype(x.dtype) - jnp.where(tiny, literal(x, mantissa), literal(x, 0))


def _logarithm(base: int, of_two: float) -> Callable:
    scale = 1 / math.log(base)
    # The high part has so few bits that its product with an exponent is exact.
    high = math.ldexp(math.floor(math.ldexp(of_two, 12)), -12)
    low = of_two - high

    @in_float32
    @derivatives(lambda y, x: literal(x, scale) / x)
    def real(x):
        # XLA's log(x) / log(base) misses exact powers (log10(10) = 0.99999994); with the exponent apart none is missed.
        m, e = _split(x)
        y = e * literal(x, high) + (e * literal(x, low) + lax.log(m) * literal(x, scale))
        return jnp.where((x > 0) & (x < jnp.inf), y, lax.log(x))

    return lambda x: _scaled_parts(lax.log(x), scale) if jnp.iscomplexobj(x) else real(x)


def _scaled_parts(x: Array, factor: float) -> Array:
    """A complex `x` times a real number; a complex product would make NaN of infinity."""
    return lax.complex(lax.real(x) * factor, lax.imag(x) * factor)


@in_float32
@derivatives(lambda y, x: y * literal(x, math.log(2)))
def _exp2_real(x: Array) -> Array:
    # XLA's exp2 is not exact at integers (exp2(3) = 7.9999995); PyTorch's is, and so is this, in the same 1.4 ms a
    # million elements.
    bits, bias, mantissa, most = (jnp.int32, 127, 23, 160) if x.dtype == jnp.float32 else (jnp.int64, 1023, 52, 1100)
    x = jnp.clip(x, literal(x, -most), literal(x, most))
    whole = lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)
    k = whole.astype(bits)
    power = [lax.bitcast_convert_type((part + bias) << mantissa, x.dtype) for part in (k >> 1, k - (k >> 1))]
    return lax.exp((x - whole) * literal(x, math.log(2))) * power[0] * power[1]


def _exp2(x: Array) -> Array:
    return lax.exp(_scaled_parts(x, math.log(2))) if jnp.iscomplexobj(x) else _exp2_real(x)


def _sinc_slope(y: Array, x: Array) -> Array:
    z = x * literal(x, math.pi)
    q = z * z
    # (cos z - sinc) / x loses its digits near 0; there, the Taylor series.
    near = -z * math.pi * (1 / 3 - q * (1 / 30 - q * (1 / 840 - q / 45360)))
    far = (lax.cos(z) - y) / jnp.where(x == 0, literal(x, 1), x)
    return jnp.where(lax.abs(q) < 0.5, near, far)


@in_float32
@derivatives(_sinc_slope)
def _sinc(x: Array) -> Array:
    z = jnp.where(x == 0, literal(x, 1), x) * literal(x, math.pi)
    return jnp.where(x == 0, literal(x, 1), lax.sin(z) / z)


def _abs(x: Array) -> Array:
    # lax.abs has gradient 1 at 0, this has 0.
    return x * lax.stop_gradient(lax.sign(x))


def _times(factor: float) -> Callable:
    return in_float32(lambda x: x * literal(x, factor))


_float = float_function(__name__)
acos = _float("acos", _trigonometry.acos, "acos_vml_cpu", "Inverse cosine, ``arccos(input)``, in radians.",
              "torch.acos(torch.tensor([0.0, 1.0])) -> tensor([1.5708, 0.0000])")  # fmt: skip
acosh = _float("acosh", derivatives(lambda _, x: lax.rsqrt(x * x - 1))(lax.acosh), "acosh_cpu",
               "Inverse hyperbolic cosine, ``arccosh(input)``; NaN below 1.",
               "torch.acosh(torch.tensor([1.0, 2.0])) -> tensor([0.0000, 1.3170])")  # fmt: skip
asin = _float("asin", _trigonometry.asin, "asin_vml_cpu", "Inverse sine, ``arcsin(input)``, in radians.",
              "torch.asin(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 1.5708])")  # fmt: skip
asinh = _float("asinh", lax.asinh, "asinh_cpu", "Inverse hyperbolic sine, ``arcsinh(input)``.",
               "torch.asinh(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 0.8814])")  # fmt: skip
atan = _float("atan", _trigonometry.atan, "atan_vml_cpu", "Inverse tangent, ``arctan(input)``, in radians.",
              "torch.atan(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 0.7854])")  # fmt: skip
atanh = _float("atanh", lax.atanh, "atanh_cpu", "Inverse hyperbolic tangent, ``arctanh(input)``.",
               "torch.atanh(torch.tensor([0.0, 0.5])) -> tensor([0.0000, 0.5493])")  # fmt: skip
cos = _float("cos", _trigonometry.cos, "cos_vml_cpu", "Cosine of angles in radians, ``cos(input)``.",
             "torch.cos(torch.tensor([0.0, 1.0])) -> tensor([1.0000, 0.5403])")  # fmt: skip
cosh = _float("cosh", lax.cosh, "cosh_cpu", "Hyperbolic cosine, ``(exp(input) + exp(-input)) / 2``.",
              "torch.cosh(torch.tensor([0.0, 1.0])) -> tensor([1.0000, 1.5431])")  # fmt: skip
exp = _float("exp", lax.exp, "exp_vml_cpu", "Exponential, ``e ** input``.",
             "torch.exp(torch.tensor([0.0, 1.0])) -> tensor([1.0000, 2.7183])")  # fmt: skip
exp2 = _float("exp2", _exp2, "exp2", "Power of two, ``2 ** input``, exact at integers.",
              "torch.exp2(torch.tensor([0.5, 3.0])) -> tensor([1.4142, 8.0000])")  # fmt: skip
expm1 = _float("expm1", lax.expm1, "expm1_vml_cpu", "``exp(input) - 1``, accurate near 0.",
               "torch.expm1(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 1.7183])")  # fmt: skip
log = _float("log", lax.log, "log_vml_cpu", "Natural logarithm, ``ln(input)``.",
             "torch.log(torch.tensor([1.0, 10.0])) -> tensor([0.0000, 2.3026])")  # fmt: skip


@jax.custom_jvp
def _log1p(x: Array) -> Array:
    if not jnp.iscomplexobj(x):
        return lax.log1p(x)
    a, b = lax.real(x), lax.imag(x)
    half = jnp.asarray(0.5, a.dtype)
    near = (lax.abs(a) < half) & (lax.abs(b) < half)
    length = jnp.where(near, half * lax.log1p(a * (2 + a) + b * b), lax.log(lax.abs(1 + x)))
    return lax.complex(length, lax.atan2(b, 1 + a))


_log1p.defjvp(lambda primals, tangents: (_log1p(*primals), tangents[0] / (1 + primals[0])))
log10 = _float("log10", _logarithm(10, math.log10(2)), "log10_vml_cpu", "Logarithm to base 10, exact at powers of ten.",
               "torch.log10(torch.tensor([10.0, 1000.0])) -> tensor([1., 3.])")  # fmt: skip
log1p = _float("log1p", _log1p, "log1p_vml_cpu", "``ln(1 + input)``, accurate near 0.",
               "torch.log1p(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 0.6931])")  # fmt: skip
log2 = _float("log2", _logarithm(2, 1.0), "log2_vml_cpu", "Logarithm to base 2, exact at powers of two.",
              "torch.log2(torch.tensor([2.0, 1024.0])) -> tensor([ 1., 10.])")  # fmt: skip
reciprocal = _float("reciprocal", lambda x: lax.integer_pow(x, -1), "reciprocal_cpu", "``1 / input``.",
                    "torch.reciprocal(torch.tensor([2.0, 4.0])) -> tensor([0.5000, 0.2500])")  # fmt: skip
rsqrt = _float("rsqrt", lambda x: lax.rsqrt(vectorized(x)), "rsqrt_cpu", "Reciprocal square root, ``1 / sqrt(input)``.",
               "torch.rsqrt(torch.tensor([1.0, 4.0])) -> tensor([1.0000, 0.5000])")  # fmt: skip
sigmoid = _float("sigmoid", lax.logistic, "sigmoid_cpu", "Logistic function, ``1 / (1 + exp(-input))``.",
                 "torch.sigmoid(torch.tensor([0.0, 1.0])) -> tensor([0.5000, 0.7311])")  # fmt: skip
sin = _float("sin", _trigonometry.sin, "sin_vml_cpu", "Sine of angles in radians, ``sin(input)``.",
             "torch.sin(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 0.8415])")  # fmt: skip
sinc = _float("sinc", _sinc, "sinc_cpu",
              "Normalized sinc, ``sin(pi * input) / (pi * input)``, which is 1 at 0.",
              "torch.sinc(torch.tensor([0.0, 0.5])) -> tensor([1.0000, 0.6366])")  # fmt: skip
sinh = _float("sinh", lax.sinh, "sinh_cpu", "Hyperbolic sine, ``(exp(input) - exp(-input)) / 2``.",
              "torch.sinh(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 1.1752])")  # fmt: skip
sqrt = _float("sqrt", lambda x: lax.sqrt(vectorized(x)), "sqrt_vml_cpu", "Square root, ``sqrt(input)``; NaN below 0.",
              "torch.sqrt(torch.tensor([1.0, 4.0])) -> tensor([1., 2.])")  # fmt: skip
tan = _float("tan", _trigonometry.tan, "tan_vml_cpu", "Tangent of angles in radians, ``tan(input)``.",
             "torch.tan(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 1.5574])")  # fmt: skip
tanh = _float("tanh", lax.tanh, "tanh_vml_cpu", "Hyperbolic tangent, ``sinh(input) / cosh(input)``.",
              "torch.tanh(torch.tensor([0.0, 1.0])) -> tensor([0.0000, 0.7616])")  # fmt: skip
_deg2rad = _float("deg2rad", _times(math.pi / 180), "mul_cpu_reduced_float", "Degrees to radians.")
_rad2deg = _float("rad2deg", _times(180 / math.pi), "mul_cpu_reduced_float", "Radians to degrees.")


@checked
def deg2rad(input: Array) -> Array:
    """Angles in degrees as radians, ``input * pi / 180``.

    Example:
        >>> torch.deg2rad(torch.tensor([180.0]))
        tensor([3.1416])
    """
    return _deg2rad(_not_complex(input, "deg2rad is not supported for complex tensors.", RuntimeError))


@checked
def rad2deg(input: Array) -> Array:
    """Angles in radians as degrees, ``input * 180 / pi``.

    Example:
        >>> torch.rad2deg(torch.tensor([1.0]))
        tensor([57.2958])
    """
    return _rad2deg(_not_complex(input, "rad2deg is not supported for complex tensors.", RuntimeError))


def _not_complex(x: Array, message: str, error: type[Exception] = NotImplementedError) -> Array:
    if jnp.iscomplexobj(x):
        raise error(message)
    return x


# -- functions that keep the dtype ------------------------------------------------------------------------------------


def _rounding(name: str, function: Callable, kernel: str, summary: str, example: str) -> Callable:
    def call(input: Array) -> Array:
        _not_complex(input, f"{name} is not supported for complex inputs")
        _errors.check_dtype(kernel, _dtypes.to_dtype(input.dtype), "iuhf")
        return function(input) if jnp.issubdtype(input.dtype, jnp.floating) else input

    return document(call, name, summary, example, __name__)


def _truncate(x: Array) -> Array:
    return jnp.where(x < 0, lax.ceil(x), lax.floor(x))


ceil = _rounding("ceil", lax.ceil, "ceil_vml_cpu", "The smallest integer not below each element; gradient 0.",
                 "torch.ceil(torch.tensor([-0.5, 0.5])) -> tensor([-0., 1.])")  # fmt: skip
floor = _rounding("floor", lax.floor, "floor_vml_cpu", "The largest integer not above each element; gradient 0.",
                  "torch.floor(torch.tensor([-0.5, 0.5])) -> tensor([-1.,  0.])")  # fmt: skip
trunc = _rounding("trunc", _truncate, "trunc_vml_cpu", "Each element's integer part (towards 0); gradient 0.",
                  "torch.trunc(torch.tensor([-1.5, 1.5])) -> tensor([-1.,  1.])")  # fmt: skip


@in_float32
def _round_float(x: Array) -> Array:
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


@checked
def round(input: Array, *, decimals: int = 0) -> Array:
    """Each element rounded to `decimals` decimals (negative: to tens, hundreds, ...), halves to even; gradient 0.

    Example:
        >>> torch.round(torch.tensor([0.5, 1.5, 1234.567]), decimals=-2)
        tensor([   0.,    0., 1200.])
    """
    kernel, kinds = ("round_cpu", "hf") if decimals else ("round_vml_cpu", "iuhf")
    _errors.check_dtype(kernel, _dtypes.to_dtype(input.dtype), kinds)
    if not jnp.issubdtype(input.dtype, jnp.floating):
        return input
    return _round_float(input) if decimals == 0 else _round_decimals(input, decimals)


def _round_decimals(input: Array, decimals: int) -> Array:
    def to_decimals(x):
        power = literal(x, 10.0 ** max(decimals, -decimals))
        return _round_float(x * power) / power if decimals > 0 else _round_float(x / power) * power

    return in_float32(to_decimals)(input)


@checked
def frac(input: Array) -> Array:
    """Each element's fractional part, with its sign: ``input - trunc(input)``.

    Example:
        >>> torch.frac(torch.tensor([-1.25, 2.5]))
        tensor([-0.2500,  0.5000])
    """
    _errors.check_dtype("frac_cpu", _dtypes.to_dtype(input.dtype), "hf")
    return input - _truncate(input)


@checked
def frexp(input: Array):
    """Mantissa in (-1, -0.5] or [0.5, 1) and int32 exponent, ``input = mantissa * 2 ** exponent``.

    Example:
        >>> torch.frexp(torch.tensor([6.0])).exponent
        tensor([3], dtype=torch.int32)
    """
    d = _dtypes.to_dtype(input.dtype)
    if not d.is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    _errors.check_dtype("frexp_cpu", d, "hf")
    exponent = jnp.frexp(cast(input, _dtypes.float32) if d.itemsize == 2 else input)[1]

    @in_float32
    @derivatives(lambda mantissa, x: _exp2_real(-jnp.frexp(x)[1].astype(x.dtype)))
    def mantissa(x):
        return jnp.frexp(x)[0]

    return _return_types.frexp(mantissa(input), exponent)


@checked
def abs(input: Array) -> Array:
    """Absolute value, ``|input|``; real for complex input; gradient 0 at 0.

    Example:
        >>> torch.abs(torch.tensor([-1, 2]))
        tensor([1, 2])
    """
    _errors.check_dtype("abs_cpu", _dtypes.to_dtype(input.dtype), "ihf8c")
    if input.dtype == jnp.uint8:
        return input
    return _abs(input) if jnp.issubdtype(input.dtype, jnp.floating) else lax.abs(input)


@checked
def neg(input: Array) -> Array:
    """``-input``.

    Raises:
        RuntimeError: `input` is bool.

    Example:
        >>> torch.neg(torch.tensor([1.0, -2.0]))
        tensor([-1.,  2.])
    """
    if input.dtype == jnp.bool_:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    _errors.check_dtype("neg_cpu", _dtypes.to_dtype(input.dtype), "ihfc")
    return lax.neg(vectorized(input))


@checked
def positive(input: Array) -> Array:
    """`input` itself; bool is an error.

    Example:
        >>> torch.positive(torch.tensor([1.0, -2.0]))
        tensor([ 1., -2.])
    """
    if input.dtype == jnp.bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@checked
def square(input: Array) -> Array:
    """``input * input``; bool gives int64.

    Example:
        >>> torch.square(torch.tensor([-3.0, 2.0]))
        tensor([9., 4.])
    """
    _errors.check_dtype("pow", _dtypes.to_dtype(input.dtype), "bihfc")
    x = cast(input, _dtypes.int64) if input.dtype == jnp.bool_ else input
    return lax.square(x)


def _sign(x: Array) -> Array:
    if x.dtype == jnp.bool_:
        return x
    s = lax.sign(x)
    # PyTorch's sign of NaN is 0, XLA's is NaN.
    return jnp.where(jnp.isnan(x), literal(x, 0), s) if jnp.issubdtype(x.dtype, jnp.floating) else s


@checked
def sign(input: Array) -> Array:
    """-1, 0 or 1 (0 for NaN); gradient 0.

    Example:
        >>> torch.sign(torch.tensor([-2.5, 0.0, 3.0]))
        tensor([-1.,  0.,  1.])
    """
    _not_complex(
        input,
        "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
    )
    _errors.check_dtype("sign_cpu", _dtypes.to_dtype(input.dtype), "bihf")
    return _sign(input)


@checked
def sgn(input: Array) -> Array:
    """`sign` for complex input too: ``input / |input|``, and 0 at 0.

    Example:
        >>> torch.sgn(torch.tensor([3 + 4j, 0]))
        tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    _errors.check_dtype("sign_cpu", _dtypes.to_dtype(input.dtype), "bihfc")
    return _direction(input) if jnp.iscomplexobj(input) else _sign(input)


@jax.custom_jvp
def _direction(z: Array) -> Array:
    return lax.sign(z)


@_direction.defjvp
def _direction_jvp(primals, tangents):
    # Only the angle moves: the derivative is across the direction, over the modulus; 0 at 0. (JAX's is 0 everywhere.)
    (z,), (dz,) = primals, tangents
    out = _direction(z)
    size = lax.abs(z)
    along = out * jnp.real(jnp.conj(out) * dz).astype(z.dtype)
    safe = jnp.where(size == 0, literal(size, 1), size).astype(z.dtype)
    return out, jnp.where(size == 0, literal(z, 0), (dz - along) / safe)


@checked
def nan_to_num(
    input: Array, nan: Scalar | None = None, posinf: Scalar | None = None, neginf: Scalar | None = None
) -> Array:
    """`input` with NaN, infinity and minus infinity replaced: by 0 and the dtype's largest and smallest by default.

    Example:
        >>> torch.nan_to_num(torch.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
        tensor([0., 9., 1.])
    """
    d = _dtypes.to_dtype(input.dtype)
    _errors.check_dtype("nan_to_num", d, ALL)
    if d.category < _dtypes.FLOATING:
        return input
    if d.is_complex:
        return lax.complex(*[nan_to_num(part, nan, posinf, neginf) for part in (lax.real(input), lax.imag(input))])
    extreme = jnp.finfo(input.dtype)
    by = (nan, 0.0), (posinf, float(extreme.max)), (neginf, float(extreme.min))
    to_nan, to_max, to_min = (as_array(default if x is None else x, d) for x, default in by)
    x = jnp.where(jnp.isnan(input), to_nan, input)
    x = jnp.where(input == jnp.inf, to_max, x)
    return jnp.where(input == -jnp.inf, to_min, x)


@checked
def logit(input: Array, eps: Scalar | None = None) -> Array:
    """Log-odds, ``ln(input / (1 - input))``, of `input` clamped to ``[eps, 1 - eps]`` if `eps` is given.

    Example:
        >>> torch.logit(torch.tensor([0.5, 1.0]), eps=0.1)
        tensor([0.0000, 2.1972])
    """
    x = float_operand(input, "logit_cpu", "biuhf")
    if eps is None:
        return in_float32(_log_odds)(x)

    @in_float32
    def clamped(x):
        low = as_array(eps, x.dtype)
        high = literal(x, 1) - low
        # A negative eps means none.
        inside = jnp.where(x < low, low, jnp.where(x > high, high, x))
        return _log_odds(jnp.where(low < 0, x, inside))

    return clamped(x)


@derivatives(lambda y, x: jnp.where((x < 0) | (x > 1), literal(x, jnp.nan), 1 / (x * (1 - x))))
def _log_odds(x: Array) -> Array:
    return lax.log(x / (literal(x, 1) - x))


absolute = abs
arccos = acos
arccosh = acosh
arcsin = asin
arcsinh = asinh
arctan = atan
arctanh = atanh
fix = trunc
negative = neg
# Of torch.special, under the names that torch itself has for them.
digamma = gamma_functions.digamma
erf = error_functions.erf
erfc = error_functions.erfc
erfinv = error_functions.erfinv
i0 = bessel.i0
igamma = gamma_functions.igamma
igammac = gamma_functions.igammac
lgamma = gamma_functions.lgamma
mvlgamma = gamma_functions.mvlgamma
polygamma = gamma_functions.polygamma
