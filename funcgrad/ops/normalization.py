"""Normalisation by the statistics of a batch, a layer, a group of channels or neighbouring channels.

Source: https://docs.pytorch.org/docs/stable/nn.functional.html#normalization-functions

Halves are computed in float32, and their weights may be float32. The statistics take two passes over the input: one
pass (the mean of squares) is up to a third faster alone, 3 percent in a network of convolutions, but loses all digits
where the mean is large.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad import _dtypes, _errors
from funcgrad.ops._elementwise import HALVES, vectorized
from funcgrad.ops._number import Array, Scalar, as_array, cast
from funcgrad.ops._sizes import as_tuple, brackets

_LARGE = 2**18

# -- what all share ---------------------------------------------------------------------------------------------------


def _check_parameter_dtypes(input: Array, *parameters: Array | None) -> None:
    """Parameters have the input's dtype; those of a half may all be float32."""
    own = _dtypes.to_dtype(input.dtype)
    given = [_dtypes.to_dtype(p.dtype) for p in parameters if p is not None]
    if not given or all(d is own for d in given):
        return
    if given[0] is own:
        other = next(d for d in given if d is not own)
        raise RuntimeError(f"expected scalar type {own.scalar_name} but found {other.scalar_name}")
    if any(d is not _dtypes.float32 for d in given):
        raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    if own not in HALVES:
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def _wide(*arrays: Array | None) -> list:
    """Each array, halves converted to float32."""
    return [x if x is None or _dtypes.to_dtype(x.dtype) not in HALVES else cast(x, _dtypes.float32) for x in arrays]


def _moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and biased variance over `axes`, which stay with size 1."""
    mean = jnp.mean(x, axes, keepdims=True)
    centred = x - mean
    return mean, jnp.mean(centred * centred, axes, keepdims=True)


def _scaled(x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None) -> Array:
    out = (x - mean) * (rstd if weight is None else rstd * weight)
    return out if bias is None else out + bias


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _standardized(rows: Array, eps: float) -> Array:
    """``(x - mean) / sqrt(var + eps)`` of each row of a large matrix.

    In this form of its derivative XLA merges neither the two sums of a row (0.5 ms for 4096 x 256, apart 0.3) nor their
    results into the loop over the elements: layer_norm with its gradients 1.0 ms, without it 1.9, PyTorch 0.8.
    """
    mean, var = _moments(rows, (1,))
    return (rows - mean) * jax.lax.rsqrt(var + eps)


@_standardized.defjvp
def _(eps, primals, tangents):
    (x,), (t,) = primals, tangents
    mean, var = _moments(x, (1,))
    mean, rstd = jax.lax.optimization_barrier((mean, jax.lax.rsqrt(var + eps)))
    y = jax.lax.optimization_barrier((x - mean) * rstd)
    t = vectorized(t)
    products = jax.lax.optimization_barrier(vectorized(y * t))
    sums = jnp.stack([jnp.sum(t, 1, dtype=t.dtype), jnp.sum(products, 1, dtype=t.dtype)], 1)
    means = jax.lax.optimization_barrier(sums * (rstd / np.asarray(x.shape[1], x.dtype)))
    return y, vectorized(jax.lax.optimization_barrier(rstd * t - means[:, :1] - y * means[:, 1:]))


def _by_channel(parameter: Array | None, ndim: int) -> Array | None:
    """A vector over channels, shaped to broadcast over ``(N, C, ...)``."""
    return (
        None
        if parameter is None
        else parameter.reshape(1, parameter.size, *(1,) * (ndim - 2))
        if ndim > 1
        else parameter
    )


def _stats_dtype(input: Array, *parameters: Array | None):
    """PyTorch keeps saved statistics in the parameters' dtype, without parameters in the input's."""
    return next((p.dtype for p in parameters if p is not None), input.dtype)


# -- batches ----------------------------------------------------------------------------------------------------------


def _check_batch_norm(input: Array, running_mean, running_var, weight, bias) -> None:
    channels = input.shape[1] if input.ndim > 1 else 0
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, p in named.items():
        if p is not None and p.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {p.size}")
    _errors.check_dtype("batch_norm", _dtypes.to_dtype(input.dtype), "hf")
    _check_parameter_dtypes(input, weight, bias, running_mean, running_var)


def _check_more_than_one(shape: tuple[int, ...], text: str) -> None:
    if shape[0] * math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {text}")


def _check_eps(eps: float, training: bool) -> None:
    if training and eps <= 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")


def batch_norm(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: Scalar = 0.1,
    eps: float = 1e-5,
) -> Array:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel.

    The statistics are the batch's if `training`, else the running ones. The new running statistics of a training step
    come from `batch_norm_train`.

    Shape:
        input: (N, C, ...). running_mean, running_var, weight, bias: (C,).

    Raises:
        ValueError: a training batch of one value per channel, or a bad `eps`.
        RuntimeError: a parameter of another size or dtype; no running statistics in evaluation.

    Example:
        >>> batch_norm(jnp.array([[3.0]]), jnp.array([1.0]), jnp.array([4.0]), eps=0.0)
        Array([[1.]], dtype=float32)
    """
    if training:
        return batch_norm_train(input, running_mean, running_var, weight, bias, momentum, eps)[0]
    _check_eps(eps, training)
    for name, p in (("running_mean", running_mean), ("running_var", running_var)):
        if p is None:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
    _check_batch_norm(input, running_mean, running_var, weight, bias)
    x, *parameters = _wide(input, running_mean, running_var, weight, bias)
    mean, var, weight, bias = (_by_channel(p, input.ndim) for p in parameters)
    return cast(_scaled(x, mean, jax.lax.rsqrt(var + eps), weight, bias), input.dtype)


def batch_norm_train(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    momentum: Scalar | None = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, Array | None, Array | None]:
    """`batch_norm` by the batch's statistics, and the running statistics after it.

    ``new = (1 - momentum) * running + momentum * batch``, with the unbiased variance.

    Returns:
        (output, new_mean, new_var); the last two are ``None`` where the running ones are, and unchanged where
        `momentum` is ``None``. No gradient flows into them.

    Example:
        >>> batch_norm_train(jnp.array([[1.0], [3.0]]), jnp.zeros(1), jnp.ones(1), momentum=0.5)[1:]
        (Array([1.], dtype=float32), Array([1.5], dtype=float32))
    """
    if input.ndim == 0:
        raise IndexError("tuple index out of range")
    _check_more_than_one(input.shape, f"torch.Size({brackets(input.shape)})")
    _check_eps(eps, training=True)
    if input.size == 0:
        _check_batch_norm(input, running_mean, running_var, weight, bias)
        return input, running_mean, running_var
    out, mean, var = _normalize_batch(input, running_mean, running_var, weight, bias, eps)
    count = input.size // max(mean.size, 1)
    var = var * (count / max(count - 1, 1))
    return out, _updated(running_mean, mean, momentum), _updated(running_var, var, momentum)


def _normalize_batch(input, running_mean, running_var, weight, bias, eps) -> tuple[Array, Array, Array]:
    """Output, mean and biased variance of each channel."""
    _check_batch_norm(input, running_mean, running_var, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    mean, var = _moments(x, (0, *range(2, input.ndim)))
    weight, bias = (_by_channel(p, input.ndim) for p in (weight, bias))
    out = _scaled(x, mean, jax.lax.rsqrt(var + eps), weight, bias)
    return cast(out, input.dtype), mean.reshape(-1), var.reshape(-1)


def _updated(running: Array | None, batch: Array, momentum: Scalar | None) -> Array | None:
    if running is None or momentum is None:
        return running
    factor = as_array(momentum, batch.dtype)
    new = (1 - factor) * cast(running, batch.dtype) + factor * batch.reshape(running.shape)
    return jax.lax.stop_gradient(cast(new, running.dtype))


def native_batch_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    training: bool,
    momentum: Scalar,
    eps: float,
) -> tuple[Array, Array, Array]:
    """`batch_norm` with the mean and the reciprocal deviation it used; empty in evaluation."""
    dtype = _stats_dtype(input, weight, bias, running_mean, running_var)
    if not training:
        empty = jnp.zeros((0,), dtype)
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps), empty, empty
    out, mean, var = _normalize_batch(input, running_mean, running_var, weight, bias, eps)
    return out, cast(mean, dtype), cast(jax.lax.rsqrt(var + eps), dtype)


# -- instances --------------------------------------------------------------------------------------------------------


def instance_norm(
    input: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    use_input_stats: bool = True,
    momentum: Scalar = 0.1,
    eps: float = 1e-5,
) -> Array:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel of each sample.

    With ``use_input_stats=False`` the running statistics serve; their update comes from `instance_norm_train`.

    Shape:
        input: (N, C, ...). The other arrays: (C,).

    Example:
        >>> instance_norm(jnp.array([[[1.0, 3.0]]]), eps=0.0)
        Array([[[-1.,  1.]]], dtype=float32)
    """
    if use_input_stats:
        return instance_norm_train(input, running_mean, running_var, weight, bias, momentum, eps)[0]
    if running_mean is None or running_var is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    _check_instance_norm(input, running_mean, running_var, weight, bias)
    return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)


def instance_norm_train(
    input: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    momentum: Scalar | None = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, Array | None, Array | None]:
    """`instance_norm` by the input's statistics, and the running statistics moved towards their mean over samples.

    Returns:
        (output, new_mean, new_var), as `batch_norm_train` does.
    """
    if math.prod(input.shape[2:]) == 1:
        size = f"torch.Size({brackets(input.shape)})"
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {size}")
    _check_instance_norm(input, running_mean, running_var, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    if input.size == 0:
        return input, running_mean, running_var
    mean, var = _moments(x, tuple(range(2, input.ndim)))
    weight, bias = (_by_channel(p, input.ndim) for p in (weight, bias))
    out = cast(_scaled(x, mean, jax.lax.rsqrt(var + eps), weight, bias), input.dtype)
    count = math.prod(input.shape[2:])
    var = var * (count / max(count - 1, 1))
    means = (v.mean(0).reshape(-1) for v in (mean, var))
    return out, *[_updated(r, v, momentum) for r, v in zip((running_mean, running_var), means)]


def _check_instance_norm(input: Array, running_mean, running_var, weight, bias) -> None:
    _errors.wrap_dim(1, input.ndim)
    samples, channels = input.shape[:2]
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, p in named.items():
        if p is not None and p.size != channels:
            # PyTorch normalises one batch of N * C channels, and says so.
            raise RuntimeError(f"{name} should contain {samples * channels} elements not {samples * p.size}")
    _errors.check_dtype("batch_norm", _dtypes.to_dtype(input.dtype), "hf")
    _check_parameter_dtypes(input, weight, bias, running_mean, running_var)


# -- layers and groups ------------------------------------------------------------------------------------------------


def _check_normalized_shape(input: Array, normalized_shape, weight, bias, name: str) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        raise TypeError(f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int")
    shape = as_tuple(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
            "but got normalized_shape = []"
        )
    for which, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.shape != shape:
            raise RuntimeError(
                f"Expected {which} to be of same shape as normalized_shape, but got {which} of shape "
                f"{brackets(p.shape)} and normalized_shape = {brackets(shape)}"
            )
    if input.shape[max(input.ndim - len(shape), 0) :] != shape:
        inner = ", ".join(map(str, shape))
        star = "" if name == "rms_norm" else ", "
        raise RuntimeError(
            f"Given normalized_shape={brackets(shape)}, expected input with shape [*{star}{inner}], "
            f"but got input of size{brackets(input.shape)}"
        )
    return shape


def layer_norm(
    input: Array,
    normalized_shape,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Array:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

    Shape:
        input: (*, *normalized_shape). weight, bias: normalized_shape.

    Raises:
        RuntimeError: the shapes or dtypes do not agree.

    Example:
        >>> layer_norm(jnp.array([[1.0, 3.0]]), (2,), eps=0.0)
        Array([[-1.,  1.]], dtype=float32)
    """
    if input.size < _LARGE or jax.default_backend() != "cpu":
        return native_layer_norm(input, normalized_shape, weight, bias, eps)[0]
    shape = _checked_layer_norm(input, normalized_shape, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    out = _standardized(x.reshape(-1, math.prod(shape)), eps).reshape(x.shape)
    out = out if weight is None else out * weight
    return cast(out if bias is None else out + bias, input.dtype)


def _checked_layer_norm(input: Array, normalized_shape, weight, bias) -> tuple[int, ...]:
    shape = _check_normalized_shape(input, normalized_shape, weight, bias, "layer_norm")
    _check_parameter_dtypes(input, weight, bias)
    _errors.check_dtype("LayerNormKernelImpl", _dtypes.to_dtype(input.dtype), "hf")
    return shape


def native_layer_norm(
    input: Array, normalized_shape, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """`layer_norm` with the mean and the reciprocal deviation it used, of size 1 in the normalised dimensions."""
    shape = _checked_layer_norm(input, normalized_shape, weight, bias)
    dtype = _stats_dtype(input, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    mean, var = _moments(x, tuple(range(input.ndim - len(shape), input.ndim)))
    rstd = jax.lax.rsqrt(var + eps)
    out = (x - mean) * rstd
    out = out if weight is None else out * weight
    out = out if bias is None else out + bias
    return cast(out, input.dtype), cast(mean, dtype), cast(rstd, dtype)


def rms_norm(input: Array, normalized_shape, weight: Array | None = None, eps: float | None = None) -> Array:
    """``x / sqrt(mean(x**2) + eps) * weight`` over the last dimensions, real or complex.

    Args:
        eps: the machine epsilon of the dtype computed in, unless given.

    Example:
        >>> rms_norm(jnp.array([[3.0, 3.0]]), (2,))
        Array([[1., 1.]], dtype=float32)
    """
    shape = _check_normalized_shape(input, normalized_shape, weight, None, "rms_norm")
    _errors.check_dtype("rms_norm", _dtypes.to_dtype(input.dtype), "hfc")
    x, weight = _wide(input, weight)
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    square = jnp.mean(x * x, axes, keepdims=True)
    out = x * jax.lax.rsqrt(square + (float(jnp.finfo(x.dtype).eps) if eps is None else eps))
    return cast(out if weight is None else out * cast(weight, x.dtype), input.dtype)


def _check_group_norm(input: Array, num_groups: int, weight, bias) -> None:
    shape = input.shape
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{brackets(shape)} and num_groups={num_groups}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.shape != shape[1:2]:
            got = p if name == "weight" or weight is None else weight  # PyTorch prints the weight's shape for both
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {brackets(got.shape)} and input of shape {brackets(shape)}"
            )
    _check_parameter_dtypes(input, weight, bias)
    _errors.check_dtype("GroupNormKernelImpl", _dtypes.to_dtype(input.dtype), "hf")


def group_norm(
    input: Array, num_groups: int, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over each of `num_groups` groups of channels of a sample.

    Shape:
        input: (N, C, ...). weight, bias: (C,).

    Raises:
        RuntimeError: the channels do not divide into the groups, or a parameter has another size.

    Example:
        >>> group_norm(jnp.array([[1.0, 3.0]]), 1, eps=0.0)
        Array([[-1.,  1.]], dtype=float32)
    """
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    size = [input.shape[0] * input.shape[1] // num_groups, num_groups, *input.shape[2:]]
    _check_more_than_one(tuple(size), str(size))
    return _group_norm(input, num_groups, weight, bias, eps)[0]


def native_group_norm(
    input: Array, weight: Array | None, bias: Array | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Array, Array, Array]:
    """`group_norm` with the mean and the reciprocal deviation of each sample's groups, of shape (N, group)."""
    return _group_norm(input, group, weight, bias, eps)


def _group_norm(input: Array, num_groups: int, weight, bias, eps: float) -> tuple[Array, Array, Array]:
    _check_group_norm(input, num_groups, weight, bias)
    dtype = _stats_dtype(input, weight, bias)
    x, weight, bias = _wide(input, weight, bias)
    samples, channels = input.shape[:2]
    # Sums over one channel first, then over a group's: 0.8 ms with the gradient for [16, 64, 32, 32], 2.3 in other forms.
    grouped = x.reshape(samples, num_groups, channels // num_groups, math.prod(input.shape[2:]))
    mean, var = _moments(grouped, (2, 3))
    rstd = jax.lax.rsqrt(var + eps)
    weight, bias = (None if p is None else p.reshape(1, num_groups, -1, 1) for p in (weight, bias))
    out = _scaled(grouped, mean, rstd, weight, bias).reshape(input.shape)
    return cast(out, input.dtype), cast(mean[..., 0, 0], dtype), cast(rstd[..., 0, 0], dtype)


# -- neighbouring channels --------------------------------------------------------------------------------------------


def local_response_norm(input: Array, size: int, alpha: Scalar = 1e-4, beta: Scalar = 0.75, k: Scalar = 1.0) -> Array:
    """``x / (k + alpha * mean of x**2 over size channels) ** beta``, channels beyond the ends counting as zeros.

    Shape:
        input: (N, C, ...) with at least 3 dimensions.

    Example:
        >>> local_response_norm(jnp.full((1, 1, 1), 2.0), 1, alpha=1.0, beta=1.0, k=0.0)
        Array([[[0.5]]], dtype=float32)
    """
    if input.ndim < 3:
        # The gap is in PyTorch's text.
        raise ValueError(f"Expected 3D or higher dimensionality {' ' * 24} input (got {input.ndim} dimensions)")
    if input.size == 0:
        return input
    if size <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got kH: {size} kW: 1")
    d = _dtypes.to_dtype(input.dtype)
    if d is not _dtypes.int64:
        _errors.check_dtype("avg_pool2d" if input.ndim == 3 else "avg_pool3d_out_frame", d, "hf")
    (x,) = _wide(input)
    square = jnp.pad(x * x, [(size // 2, (size - 1) // 2) if i == 1 else (0, 0) for i in range(x.ndim)])
    # A sum of shifted slices fuses into one loop, forwards and backwards; a reduce_window does not.
    total = sum(jax.lax.slice_in_dim(square, i, i + x.shape[1], axis=1) for i in range(size))
    if d is _dtypes.int64:
        x, total = cast(x, _dtypes.default_dtype()), cast(total // size, _dtypes.default_dtype())
    else:
        total = total / size
    alpha, beta, k = (as_array(v, x.dtype) for v in (alpha, beta, k))
    return cast(x / (total * alpha + k) ** beta, d if d.is_floating_point else x.dtype)
