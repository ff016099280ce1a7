"""Discrete draws: Bernoulli in all its forms, geometric and multinomial.

PyTorch's pages: https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html and torch.multinomial.html
"""

from __future__ import annotations

import math

import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import _bulk, _stream
from funcgrad._draws._selection import largest
from funcgrad._draws._stream import f4, f8, u8
from funcgrad._draws.continuous import exponential
from funcgrad._dtypes import BOOL, COMPLEX, FLOATING
from funcgrad._errors import unsupported

_ALGORITHMS = ("auto", "mt19937", "mkl")
_algorithm = "auto"


def bernoulli_algorithm(name: str | None = None) -> str:
    """Say, or choose, where draws with one probability for all elements (and so dropout masks) come from.

    ``"mt19937"``: the generator's own words, two for each element. ``"mkl"``: a stream of Intel's MKL seeded with one
    word, as PyTorch before 2.5 took on Intel CPUs; funcgrad has no such stream. ``"auto"``: what PyTorch does on this
    machine, which since 2.5 is ``"mt19937"`` on every CPU (its builds no longer contain MKL's generators).

    Args:
        name: the choice from now on; None leaves it.

    Returns:
        The algorithm in use, never ``"auto"``.

    Example:
        >>> bernoulli_algorithm()
        'mt19937'
    """
    global _algorithm
    if name is not None:
        if name not in _ALGORITHMS:
            raise ValueError(f"bernoulli_algorithm expects one of {', '.join(_ALGORITHMS)}, but got {name!r}")
        if name == "mkl":
            raise unsupported('bernoulli_algorithm("mkl")', "PyTorch takes that stream on Intel CPUs before 2.5 only")
        _algorithm = name
    return "mt19937" if _algorithm == "auto" else _algorithm


# -- Bernoulli --------------------------------------------------------------------------------------------------------


@_stream.draw
def bernoulli(engine, shape, dtype, p: float = 0.5) -> np.ndarray:
    """1 with probability `p`, else 0: a 53-bit uniform below `p`. Two words each.

    Raises:
        RuntimeError: `p` is outside [0, 1].
        NotImplementedError: `dtype` is complex or wide unsigned.
    """
    dtype, n = _dtypes.to_dtype(dtype), _stream.count(shape)
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={_stream.number(p)}")
    if n:
        _require_bernoulli("bernoulli_scalar_cpu_", dtype)
    out = _stream.empty(n, dtype.numpy)
    _BELOW.fill(engine, out, u8(math.ceil(p * 2.0**53)))  # comparing the integers is comparing the uniforms
    return out.reshape(tuple(shape))


_BELOW = _bulk.Bulk(
    lambda engine, n, bound: _stream.integers53(engine, n) < bound,
    lambda words, bound: _bulk.integers53(words) < bound,
    words=2,
    parameters=(u8(3 << 51),),
    worth=1 << 24,
)


@_stream.draw
def bernoulli_tensor(engine, shape, dtype, p: np.ndarray) -> np.ndarray:
    """1 with the probability in `p` (broadcast to `shape`), else 0.

    A float64 `p` is compared with 53-bit uniforms, any other with 24-bit ones of a word each.

    Raises:
        RuntimeError: a probability outside [0, 1], or a shape that does not broadcast.
        NotImplementedError: a dtype that PyTorch has no such draw for.
    """
    dtype, kind, shape = _dtypes.to_dtype(dtype), _dtypes.to_dtype(p.dtype), tuple(shape)
    n = _stream.count(shape)
    if not n:
        return np.empty(shape, dtype.numpy)
    _require_bernoulli("bernoulli_tensor_cpu_self_", dtype)
    flat = _expanded(p, shape).reshape(-1)
    _stream.require_floating("bernoulli_tensor_cpu_p_", kind)
    wide = f8 if kind.itemsize == 8 else f4
    uniforms = _stream.unit_doubles if wide is f8 else _stream.unit_floats
    wide_p = p.astype(wide)
    if not ((wide_p >= 0) & (wide_p <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If "
            "so, please report an enhancement request to PyTorch.)"
        )
    out = _stream.empty(n, dtype.numpy)
    for piece in _stream.chunks(n):
        out[piece] = uniforms(engine, piece.stop - piece.start) < flat[piece].astype(wide)
    return out.reshape(shape)


def _expanded(p: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if p.ndim > len(shape):
        raise RuntimeError(
            f"expand(torch.{p.dtype}{{{list(p.shape)}}}, size={list(shape)}): the number of sizes provided "
            f"({len(shape)}) must be greater or equal to the number of dimensions in the tensor ({p.ndim})"
        )
    for i in range(-1, -1 - p.ndim, -1):
        if p.shape[i] not in (1, shape[i]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[i]}) must match the existing size ({p.shape[i]}) at "
                f"non-singleton dimension {len(shape) + i}.  Target sizes: {list(shape)}.  Tensor sizes: "
                f"{list(p.shape)}"
            )
    return np.broadcast_to(p, shape)


def _require_bernoulli(kernel: str, dtype: _dtypes.dtype) -> None:
    if dtype.category == COMPLEX or dtype.name in ("uint16", "uint32", "uint64") or dtype.name.startswith("float8"):
        raise _stream.not_implemented(kernel, dtype)


# -- geometric --------------------------------------------------------------------------------------------------------


@_stream.draw
def geometric(engine, shape, dtype, p: float) -> np.ndarray:
    """The number of trials up to the first success: ``ceil(log(u) / log1p(-p))``. Two words each.

    Raises:
        RuntimeError: `p` is outside (0, 1).
        NotImplementedError: `dtype` is bool, complex or wide unsigned.
    """
    dtype, n = _dtypes.to_dtype(dtype), _stream.count(shape)
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={_stream.number(p)}")
    if n and dtype.category == BOOL:
        raise _stream.not_implemented("geometric_cpu", dtype)
    if n:
        _require_bernoulli("geometric_cpu", dtype)
    scale = math.log1p(-p)

    def make(k: int) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.ceil(np.log(_stream.unit_doubles(engine, k)) / scale)
            return _stream.narrow(x if dtype.category == FLOATING else x.astype(np.int64), dtype)

    return _stream.by_chunks(engine, n, dtype.numpy, make).reshape(tuple(shape))


# -- multinomial ------------------------------------------------------------------------------------------------------


@_stream.draw
def multinomial(engine, weights: np.ndarray, num_samples: int, replacement: bool = False) -> np.ndarray:
    """Indices drawn with the given weights from each row.

    Without replacement, and for a single sample: the largest of ``weight / exponential``. With replacement: a 53-bit
    uniform looked up in the row's cumulative weights.

    Shape:
        ``(num_samples,)`` for a vector of weights, ``(rows, num_samples)`` for a matrix.

    Raises:
        RuntimeError: weights that are no distribution, or more samples than weights without replacement.
    """
    dtype = _dtypes.to_dtype(weights.dtype)
    _check_multinomial(weights, dtype, num_samples, replacement)
    rows = np.ascontiguousarray(weights).reshape(-1, weights.shape[-1]) if weights.size else weights
    shape = (*weights.shape[:-1], num_samples)
    if not math.prod(shape):
        return np.empty(shape, np.int64)
    if replacement and num_samples > 1:
        return _looked_up(engine, rows, num_samples).reshape(shape)
    return _largest_ratios(engine, rows, dtype, num_samples).reshape(shape)


def _check_multinomial(weights: np.ndarray, dtype, num_samples: int, replacement: bool) -> None:
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not dtype.is_floating_point:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {dtype.scalar_name}")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if weights.shape[-1] > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")


def _largest_ratios(engine, rows: np.ndarray, dtype, num_samples: int) -> np.ndarray:
    if not rows.size:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    wide = rows.astype(f8)
    if not (wide.min() >= 0 and wide.max() < np.inf):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (wide.max(1) == 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    q = exponential(engine, rows.shape, dtype)
    work = f4 if dtype.itemsize == 2 else dtype.numpy
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (rows.astype(work) / q.astype(work)).astype(rows.dtype).astype(work)
    if num_samples == 1:
        return ratio.argmax(1)[:, None]
    return largest(ratio, num_samples)


def _looked_up(engine, rows: np.ndarray, num_samples: int) -> np.ndarray:
    wide = rows if rows.dtype.itemsize >= 4 else rows.astype(f4)
    if not (wide >= 0).all() and not np.isnan(wide).any():
        raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
    if not np.isfinite(wide).all():
        raise RuntimeError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
    cumulative = np.cumsum(wide, axis=1, dtype=wide.dtype)
    if not (cumulative[:, -1] > 0).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    cumulative /= cumulative[:, -1:].copy()
    cumulative[:, -1] = 1
    u = _stream.unit_doubles(engine, len(rows) * num_samples).reshape(len(rows), num_samples)
    return np.stack([np.searchsorted(c.astype(f8), v, side="left") for c, v in zip(cumulative, u)])
