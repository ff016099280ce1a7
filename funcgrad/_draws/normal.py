"""Normal draws: `randn`, `normal_`, `torch.normal` in all its forms, and `log_normal_`.

PyTorch's page: https://docs.pytorch.org/docs/stable/generated/torch.normal.html
"""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import _box_muller, _libm, _stream
from funcgrad._draws._stream import f4, f8

VECTOR = 16  # elements of a contiguous target from which PyTorch fills by blocks


@_stream.draw
def normal(engine, shape, dtype, mean: float = 0.0, std: float = 1.0, *, contiguous: bool = True) -> np.ndarray:
    """Normal with the given mean and standard deviation; a complex one has ``std**2 / 2`` for each part.

    A contiguous target of 16 or more elements is filled by blocks of sixteen uniforms, the last sixteen drawn anew
    where the size is no multiple of 16; any other one pair by pair in float64, the spare half kept by the engine.

    Args:
        contiguous: whether the target is contiguous in row-major order.

    Raises:
        RuntimeError: `std` is negative.
        NotImplementedError: `dtype` is not floating or complex.
    """
    _check_std(std)
    dtype, shape, is_complex = _stream.real_view(dtype, shape)
    n = _stream.count(shape)
    if n:
        _stream.require_floating("normal_kernel_cpu", dtype)
    if is_complex:
        std = std / math.sqrt(2)
    if n >= VECTOR and contiguous:
        x = _filled(engine, n, dtype, mean, std)
    else:
        z = standard_normals(engine, n, exact=dtype.itemsize == 8)
        x = _stream.narrow(_libm.fused(z, std, mean), dtype)
    return _stream.as_complex(x.reshape(shape), is_complex)


def randn(engine, shape, dtype) -> np.ndarray:
    """Standard normal, as ``torch.randn``."""
    return normal(engine, shape, dtype)


def _check_std(std: float) -> None:
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {_stream.number(std)}")


# -- one by one -------------------------------------------------------------------------------------------------------


def standard_normals(engine, n: int, exact: bool) -> np.ndarray:
    """`n` standard normals in float64, drawn in pairs; the engine keeps an unused second half.

    `exact` asks for the C library's last digit in all of them; the kept one has it always.
    """
    if n < VECTOR:
        return np.array(_few_normals(engine, n))
    out = np.empty(n)
    held = int(n > 0 and engine.normal is not None)
    if held:
        out[0], engine.normal = engine.normal, None
    pairs = (n - held + 1) // 2
    if not pairs:
        return out
    u = _stream.unit_doubles(engine, 2 * pairs).reshape(pairs, 2)
    z = np.stack(_box_muller.scalar_pairs(u[:, 0], u[:, 1], exact or pairs < 64), 1)
    if (n - held) % 2:
        z[-1] = np.concatenate(_box_muller.scalar_pairs(u[-1:, 0], u[-1:, 1], True))
        engine.normal = float(z[-1, 1])
    out[held:] = z.reshape(-1)[: n - held]
    return out


def _few_normals(engine, n: int) -> list[float]:
    """The same by Python's numbers, which for a few of them takes a fifth of the time."""
    made = []
    if n and engine.normal is not None:
        made, engine.normal = [engine.normal], None
    words = engine.take(4 * ((n - len(made) + 1) // 2)).tolist()
    unit = [((high << 32 | low) & ((1 << 53) - 1)) * 2.0**-53 for high, low in zip(words[::2], words[1::2])]
    for u, v in zip(unit[::2], unit[1::2]):
        radius, angle = math.sqrt(-2.0 * math.log1p(-v)), 2 * math.pi * u
        made += radius * math.cos(angle), radius * math.sin(angle)
    if len(made) > n:
        engine.normal = made.pop()
    return made


# -- by blocks --------------------------------------------------------------------------------------------------------


def _filled(engine, n: int, dtype, mean: float, std: float) -> np.ndarray:
    kind = f8 if dtype.itemsize == 8 else f4
    out = _stream.empty(n, dtype.numpy)
    rest = n % VECTOR
    transform, parameters = _box_muller.BULK[kind], (kind(mean), kind(std), _box_muller.ONES)
    transform.fill(engine, out[: n - rest], *parameters)
    if rest:
        if dtype.itemsize != 2:  # the 16-bit types draw block by block and never reach the incomplete one
            engine.words(rest * transform.words)
        out[n - VECTOR :] = transform.some(engine, VECTOR, *parameters)
    return out


# -- means and deviations that are tensors ----------------------------------------------------------------------------


@_stream.draw
def normal_tensors(engine, mean, std) -> np.ndarray:
    """``torch.normal`` where `mean` or `std` or both are arrays, broadcast against each other.

    The result has the dtype of `mean` where that is an array, else that of `std`.

    Raises:
        RuntimeError: a negative or complex `std`, or shapes that do not broadcast.
    """
    if isinstance(std, np.ndarray):
        _check_stds(std)
        dtype = (mean if isinstance(mean, np.ndarray) else std).dtype
        shape = _broadcast_shape(np.shape(mean), std.shape)
        z = normal(engine, shape, dtype)
        return _into(_into(z, std, np.multiply), mean, np.add)
    _check_std(std)
    return _into(normal(engine, mean.shape, mean.dtype, 0.0, std), mean, np.add)


def _check_stds(std: np.ndarray) -> None:
    if std.dtype.kind == "c":
        raise RuntimeError("normal expects standard deviation to be non-complex")
    if std.size and not std.astype(f8).min() >= 0:
        raise RuntimeError("normal expects all elements of std >= 0.0")


def _broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    for i in range(-1, -1 - min(len(a), len(b)), -1):
        if a[i] != b[i] and 1 not in (a[i], b[i]):
            raise RuntimeError(
                f"The size of tensor a ({a[i]}) must match the size of tensor b ({b[i]}) at non-singleton dimension "
                f"{max(len(a), len(b)) + i}"
            )
    return np.broadcast_shapes(a, b)


def _into(x: np.ndarray, y, operation) -> np.ndarray:
    """`operation` as PyTorch's in-place form computes it: promoted, in float32 at least, then cast back."""
    own = _dtypes.to_dtype(x.dtype)
    if isinstance(y, np.ndarray) and (y.ndim or not x.ndim):
        wide = _dtypes.promote_types(own, _dtypes.to_dtype(y.dtype))
    else:
        wide = own
    work = np.dtype(f4) if wide.itemsize == 2 and wide.is_floating_point else wide.numpy
    y = np.asarray(y).astype(wide.numpy).astype(work)
    return operation(x.astype(work), y).astype(wide.numpy).astype(x.dtype)


# -- log-normal -------------------------------------------------------------------------------------------------------


@_stream.draw
def log_normal(engine, shape, dtype, mean: float = 1.0, std: float = 2.0) -> np.ndarray:
    """``exp(normal(mean, std))``, the normals drawn one by one in float64 whatever the size.

    Raises:
        RuntimeError: `std` is not positive.
        NotImplementedError: `dtype` is not floating.
    """
    dtype = _dtypes.to_dtype(dtype)
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={_stream.number(std)}")
    n = _stream.count(shape)
    if n:
        _stream.require_floating("log_normal_cpu", dtype)
    exact = dtype.itemsize == 8
    z = _libm.fused(standard_normals(engine, n, exact), std, mean)
    with np.errstate(over="ignore"):
        x = _libm.exp(z) if exact else np.exp(z)
        return _stream.narrow(x, dtype).reshape(tuple(shape))
