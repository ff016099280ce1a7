"""Activation functions applied element by element; `softmax` and its kin are in ``softmax.py``.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions

The parameter ``inplace`` is taken for its place in the signature: arrays never change, the caller writes back.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _number
from funcgrad.ops._elementwise import HALVES, derivatives, document, is_half
from funcgrad.ops._number import Array, Scalar, as_array, cast
from funcgrad.ops.pointwise import abs

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _rounded(kernel: str, function, input: Array, *parameters) -> Array:
    """`function(input, *parameters)`, halves and numbers in float32, after PyTorch's check of the dtype."""
    d = _dtypes.to_dtype(input.dtype)
    _errors.check_dtype(kernel, d, "hf")
    wide = _dtypes.float32 if d in HALVES else d
    return cast(function(cast(input, wide), *[as_array(p, wide) for p in parameters]), d)


# -- piecewise linear -------------------------------------------------------------------------------------------------


def _check_real(input: Array, name: str) -> None:
    d = _dtypes.to_dtype(input.dtype)
    if d is _dtypes.bool_:
        raise RuntimeError(f"{'Boolean' if name == 'relu' else 'Bool'} inputs not supported for {name}")
    if d.is_complex:
        raise NotImplementedError("clamp is not supported for complex types")


def relu(input: Array, inplace: bool = False) -> Array:
    """``max(x, 0)``, with derivative 0 at 0.

    Example:
        >>> relu(jnp.array([-1.0, 2.0]))
        Array([0., 2.], dtype=float32)
    """
    _check_real(input, "relu")
    # As fast as `maximum` (0.40 and 0.42 ms with the gradient for 1024 x 1024), whose derivative at a tie is a half.
    return jnp.where(input <= 0, jnp.zeros((), input.dtype), input)


def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Array:
    """``min(max(x, min_val), max_val)``, with derivative 0 at both limits.

    Raises:
        ValueError: ``min_val > max_val``.
        RuntimeError: a negative limit for an unsigned dtype.

    Example:
        >>> hardtanh(jnp.array([-2.0, 0.5, 2.0]))
        Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    _check_real(input, "hardtanh")
    if input.dtype == jnp.uint8 and (min_val < 0 or max_val < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    low, high = (as_array(v, input.dtype) for v in (min_val, max_val))
    return jnp.where(input <= low, low, jnp.where(input >= high, high, input))


def relu6(input: Array, inplace: bool = False) -> Array:
    """``min(max(x, 0), 6)``, with derivative 0 at both limits.

    Example:
        >>> relu6(jnp.array([-1.0, 3.0, 8.0]))
        Array([0., 3., 6.], dtype=float32)
    """
    return hardtanh(input, 0, 6)


def leaky_relu(input: Array, negative_slope: Scalar = 0.01, inplace: bool = False) -> Array:
    """``x`` where positive, else ``negative_slope * x``.

    Example:
        >>> leaky_relu(jnp.array([-1.0, 2.0]), 0.25)
        Array([-0.25,  2.  ], dtype=float32)
    """
    return _rounded("leaky_relu_cpu", lambda x, slope: jnp.where(x > 0, x, x * slope), input, negative_slope)


def prelu(input: Array, weight: Array) -> Array:
    """``x`` where positive, else ``weight * x``, with one learned slope or one per channel.

    Shape:
        input: any; the channels are dimension 1 (there is one channel below two dimensions). weight: (), (1,) or (C,).

    Example:
        >>> prelu(jnp.array([-1.0, 2.0]), jnp.array([0.25]))
        Array([-0.25,  2.  ], dtype=float32)
    """
    _check_prelu(input, weight)
    _errors.check_dtype("prelu_cpu", _dtypes.to_dtype(input.dtype), "hf")
    if weight.ndim == 1 and weight.shape[0] > 1:
        weight = weight.reshape(-1, *(1,) * (input.ndim - 2))
    else:
        weight = weight.reshape(())
    return jnp.where(input > 0, input, weight * input)


def _check_prelu(input: Array, weight: Array) -> None:
    a, b = _dtypes.to_dtype(input.dtype), _dtypes.to_dtype(weight.dtype)
    if a is not b:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {a.scalar_name} and {b.scalar_name}")
    if weight.size != 1:
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if channels != weight.size:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. "
                f"Found parameter numbers = {weight.size} and channel size = {channels}."
            )
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")


def rrelu(
    input: Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Array:
    """Leaky ReLU of the mean slope ``(lower + upper) / 2``; for training see `rrelu_with_noise`.

    Raises:
        RuntimeError: ``lower > upper``.

    Example:
        >>> rrelu(jnp.array([-1.0, 2.0]), 0.25, 0.75)
        Array([-0.5,  2. ], dtype=float32)
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if training:
        raise _errors.unsupported("nn.functional.rrelu", "in training the slopes are given: rrelu_with_noise")
    return leaky_relu(input, (lower + upper) / 2)


def rrelu_with_noise(input: Array, noise: Array) -> Array:
    """``x`` where positive, else ``noise * x``, with a slope drawn for each element.

    Example:
        >>> rrelu_with_noise(jnp.array([-1.0, 2.0]), jnp.array([0.25, 0.25]))
        Array([-0.25,  2.  ], dtype=float32)
    """
    return _leaky(input, jax.lax.stop_gradient(noise))


@derivatives(lambda y, x, slopes: jnp.where(x <= 0, cast(slopes, x.dtype), jnp.ones((), x.dtype)), None)
def _leaky(x: Array, slopes: Array) -> Array:
    """PyTorch multiplies a bfloat16 input with float32 slopes, and its gradient with their rounded values."""
    return jnp.where(x <= 0, cast(cast(x, slopes.dtype) * slopes, x.dtype), x)


def threshold(input: Array, threshold: Scalar, value: Scalar, inplace: bool = False) -> Array:
    """``x`` where it is above `threshold`, else `value`.

    Example:
        >>> threshold(jnp.array([1.0, 3.0]), 2.0, -1.0)
        Array([-1.,  3.], dtype=float32)
    """
    _errors.check_dtype("threshold_cpu", _dtypes.to_dtype(input.dtype), "ihf")
    return jnp.where(input <= as_array(threshold, input.dtype), as_array(value, input.dtype), input)


def hardshrink(input: Array, lambd: Scalar = 0.5) -> Array:
    """``x``, or 0 where ``|x| <= lambd``.

    Example:
        >>> hardshrink(jnp.array([-1.0, 0.5, 2.0]))
        Array([-1.,  0.,  2.], dtype=float32)
    """

    def shrink(x, limit):
        limit = cast(limit, input.dtype).astype(x.dtype)  # the kernel compares in the dtype of `input`
        return jnp.where((x >= -limit) & (x <= limit), jnp.zeros((), x.dtype), x)

    return _rounded("hardshrink_cpu", shrink, input, lambd)


def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """``x`` moved towards 0 by `lambd`, and 0 where ``|x| <= lambd``.

    Raises:
        RuntimeError: `lambd` is negative or beyond the dtype's range.

    Example:
        >>> softshrink(jnp.array([-1.0, 0.5, 2.0]))
        Array([-0.5,  0. ,  1.5], dtype=float32)
    """
    d = _dtypes.to_dtype(input.dtype)
    _errors.check_dtype("softshrink_check", d, "hf")
    largest = float(jnp.finfo(input.dtype).max)
    if not 0 <= lambd <= largest:
        limit = f"{largest:.6g}"
        raise RuntimeError(
            f"lambda must be in range [0, {limit}] for input dtype {d.scalar_name}, but found {float(lambd):.6g}"
        )

    def shrink(x, limit):
        middle = jnp.where(jnp.isnan(x), x, jnp.zeros((), x.dtype))
        return jnp.where(x > limit, x - limit, jnp.where(x < -limit, x + limit, middle))

    return _rounded("softshrink_cpu", shrink, input, lambd)


@derivatives(lambda y, x: jnp.where((x > -3) & (x < 3), jnp.asarray(1 / 6, x.dtype), jnp.zeros((), x.dtype)))
def _hardsigmoid(x: Array) -> Array:
    return jnp.clip(x + 3, 0, 6) / 6


def _hardswish_slope(y: Array, x: Array) -> Array:
    zero, one = jnp.zeros((), x.dtype), jnp.ones((), x.dtype)
    return jnp.where(x <= -3, zero, jnp.where(x < 3, x / 3 + 0.5, one))


@derivatives(_hardswish_slope)
def _hardswish(x: Array) -> Array:
    return x * (jnp.clip(x + 3, 0, 6) / 6)


# -- smooth -----------------------------------------------------------------------------------------------------------


def _exponential_unit(x: Array, alpha: Array, scale: Array, inner: Array) -> Array:
    """``scale * x`` where positive, else ``scale * alpha * (exp(inner * x) - 1)``."""
    negative = x <= 0
    # The untaken branch must stay finite, or its zero cotangent becomes NaN.
    curve = alpha * jnp.expm1(jnp.where(negative, x, jnp.zeros((), x.dtype)) * inner)
    return scale * jnp.where(negative, curve, x)


def elu(input: Array, alpha: Scalar = 1.0, inplace: bool = False) -> Array:
    """``x`` where positive, else ``alpha * (exp(x) - 1)``.

    Example:
        >>> elu(jnp.array([0.0, 2.0]))
        Array([0., 2.], dtype=float32)
    """
    return _rounded("elu_cpu", _exponential_unit, input, alpha, 1.0, 1.0)


def selu(input: Array, inplace: bool = False) -> Array:
    """``scale * elu(x, alpha)`` with the constants that keep mean 0 and variance 1 through layers.

    Example:
        >>> selu(jnp.array([0.0, 1.0]))
        Array([0.       , 1.0507009], dtype=float32)
    """
    return _rounded("elu_cpu", _exponential_unit, input, SELU_ALPHA, SELU_SCALE, 1.0)


def celu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Array:
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``.

    Raises:
        RuntimeError: `alpha` is 0.

    Example:
        >>> celu(jnp.array([0.0, 2.0]), 2.0)
        Array([0., 2.], dtype=float32)
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _rounded("elu_cpu", _exponential_unit, input, alpha, 1.0, 1 / alpha)


def gelu(input: Array, approximate: str = "none") -> Array:
    """``x * Phi(x)`` with the normal distribution's Phi, or its approximation by tanh.

    ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))`` where ``approximate="tanh"``.

    Example:
        >>> gelu(jnp.array([0.0, 10.0]))
        Array([ 0., 10.], dtype=float32)
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return _rounded("GeluKernelImpl", _gelu_erf if approximate == "none" else _gelu_tanh, input)


def _gelu_erf(x: Array) -> Array:
    # 1.2 ms with its gradient for 1024 x 1024; by `erfc`, as jax.nn.gelu does, 2.0 ms.
    return x * (0.5 + 0.5 * jax.lax.erf(x * 0.5**0.5))


def _gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + jnp.tanh((2 / jnp.pi) ** 0.5 * (x + 0.044715 * (x * x * x))))


def _mish(x: Array) -> Array:
    # tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2): 1.4 ms with the gradient for 1024 x 1024, 3.6 as written.
    e = jnp.exp(jnp.where(x > 20, jnp.asarray(20, x.dtype), x))
    n = e * (e + 2)
    return x * (n / (n + 2))


def silu(input: Array, inplace: bool = False) -> Array:
    """``x * sigmoid(x)``, real or complex.

    Example:
        >>> silu(jnp.array([0.0, 1.0]))
        Array([0.       , 0.7310586], dtype=float32)
    """
    if jnp.issubdtype(input.dtype, jnp.complexfloating):
        return input / (1 + jnp.exp(-input))
    return _rounded("silu_cpu", lambda x: x * jax.lax.logistic(x), input)


def softplus(input: Array, beta: Scalar = 1.0, threshold: Scalar = 20.0) -> Array:
    """``log(1 + exp(beta * x)) / beta``, and ``x`` itself where ``beta * x > threshold``.

    Example:
        >>> softplus(jnp.array([0.0, 30.0]))
        Array([ 0.6931472, 30.       ], dtype=float32)
    """

    def smooth(x, beta, threshold):
        scaled = x * beta
        linear = scaled > threshold
        curve = jnp.log1p(jnp.exp(jnp.where(linear, jnp.zeros((), x.dtype), scaled))) / beta
        return jnp.where(linear, x, curve)

    return _rounded("softplus_cpu", smooth, input, beta, threshold)


def log_sigmoid(x: Array) -> Array:
    """``log(sigmoid(x))`` of a floating array, without overflow."""
    # Selected rather than by min and |x|, whose derivatives at 0 would spoil the second derivative there.
    negative = x < 0
    return jnp.where(negative, x, jnp.zeros((), x.dtype)) - jnp.log1p(jnp.exp(jnp.where(negative, x, -x)))


def softsign(input: Array) -> Array:
    """``x / (1 + |x|)``.

    Example:
        >>> softsign(jnp.array([-1.0, 3.0]))
        Array([-0.5 ,  0.75], dtype=float32)
    """
    d = _dtypes.to_dtype(input.dtype)
    _errors.check_dtype("abs_cpu", d, "ihfc")
    (x,) = _number.promote_float(input)
    wide = cast(x, _dtypes.float32) if is_half(x) else x
    return cast(wide / (abs(wide) + 1), x.dtype)


def tanhshrink(input: Array) -> Array:
    """``x - tanh(x)``.

    Example:
        >>> tanhshrink(jnp.array([0.0]))
        Array([0.], dtype=float32)
    """
    if input.dtype == bool:
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    (x,) = _number.promote_float(input)
    wide = cast(x, _dtypes.float32) if is_half(x) else x
    return cast(wide - jnp.tanh(wide), x.dtype)


def glu(input: Array, dim: int = -1) -> Array:
    """``a * sigmoid(b)`` where ``a`` and ``b`` are the two halves of `input` along `dim`.

    Raises:
        RuntimeError: the dimension's size is odd, or there is no dimension.

    Example:
        >>> glu(jnp.array([2.0, 0.0]))
        Array([1.], dtype=float32)
    """
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    axis = _errors.wrap_dim(dim, input.ndim)
    if input.shape[axis] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {input.shape[axis]}")

    def gate(x):
        a, b = jnp.split(x, 2, axis)
        return a * jax.lax.logistic(b)

    return _rounded("glu_cpu", gate, input)


# Functions of the input alone: name -> (kernel, formula, summary, example, whether PyTorch's has ``inplace``).
_UNARY = {
    "hardsigmoid": (
        "hardsigmoid_cpu", _hardsigmoid, "``min(max(x + 3, 0), 6) / 6``.",
        "hardsigmoid(jnp.array([-4.0, 0.0, 4.0])) -> Array([0. , 0.5, 1. ], dtype=float32)", True,
    ),
    "hardswish": (
        "hardswish_cpu", _hardswish, "``x * min(max(x + 3, 0), 6) / 6``.",
        "hardswish(jnp.array([-4.0, 0.0, 4.0])) -> Array([-0.,  0.,  4.], dtype=float32)", True,
    ),
    "mish": (
        "mish_cpu", _mish, "``x * tanh(log(1 + exp(x)))``.",
        "mish(jnp.array([0.0, 30.0])) -> Array([ 0., 30.], dtype=float32)", True,
    ),
    "logsigmoid": (
        "log_sigmoid_cpu", log_sigmoid, "``log(1 / (1 + exp(-x)))``.",
        "logsigmoid(jnp.array([0.0])) -> Array([-0.6931472], dtype=float32)", False,
    ),
}  # fmt: skip


def _unary(name: str, kernel: str, formula, summary: str, example: str, inplace: bool):
    if inplace:

        def function(input: Array, inplace: bool = False) -> Array:
            return _rounded(kernel, formula, input)
    else:

        def function(input: Array) -> Array:
            return _rounded(kernel, formula, input)

    return document(function, name, summary, example, __name__)


globals().update({name: _unary(name, *row) for name, row in _UNARY.items()})
