"""Draws by rejection, which use a number of words that depends on the values: gamma, Dirichlet, Poisson, binomial.

They are sampled one element after the other, as PyTorch does it, because each one starts where the last one stopped.
The methods: Marsaglia and Tsang (2000) for gamma; for Poisson and binomial Hörmann's transformed rejection (1993) where
the mean is at least 10, else products of uniforms and geometric gaps. Arithmetic is done in the type that PyTorch's
kernels use for it, float32 constants included, since one rounding may turn an acceptance into a rejection.

PyTorch's pages: https://docs.pytorch.org/docs/stable/generated/torch.poisson.html, torch.distributions
"""

from __future__ import annotations

import functools
import math

import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import _libm, _stream, _walks
from funcgrad._draws._stream import f4, f8

_TINY = float(np.finfo(f8).tiny)


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _require(kernel: str, dtype: _dtypes.dtype, half: bool = False) -> None:
    if dtype.name not in ("float32", "float64") and not (half and dtype.name in ("float16", "bfloat16")):
        raise _stream.not_implemented(kernel, dtype)


# -- gamma and Dirichlet ----------------------------------------------------------------------------------------------


@_stream.draw
def standard_gamma(engine, alpha: np.ndarray) -> np.ndarray:
    """Gamma with shape `alpha` and scale 1, at least the dtype's smallest normal number. Shape: that of `alpha`.

    Raises:
        NotImplementedError: `alpha` is neither float32 nor float64.
    """
    dtype = _dtypes.to_dtype(alpha.dtype)
    _require("gamma_cpu", dtype)
    x = _gammas(engine, alpha.reshape(-1), alpha.dtype == f8).astype(alpha.dtype)
    return np.maximum(x, np.finfo(alpha.dtype).tiny).reshape(alpha.shape)


def _gammas(engine, alpha: np.ndarray, exact: bool) -> np.ndarray:
    """Float64 gammas; `alpha` decides in which type the parameters are computed, `exact` asks for the last digit."""
    kind = alpha.dtype.type
    with np.errstate(divide="ignore", invalid="ignore"):
        power = (kind(1) / alpha).astype(f8)
        raised = np.where(alpha < 1, alpha + kind(1), alpha)
        d = (raised - kind(f4(1) / f4(3))).astype(f8)
        c = 1.0 / np.sqrt(9.0 * d)
    if not exact and (made := _walks.gammas(engine, alpha, power, d, c)) is not None:
        return made
    uniform = _stream.one_by_one(engine, 3 * len(alpha)).__next__
    normal = functools.partial(_next_normal, engine, uniform)
    out = []
    for a, e, dk, ck in zip(alpha.tolist(), power.tolist(), d.tolist(), c.tolist()):
        if a == 0:
            out.append(0.0)
            continue
        scale = math.pow(1 - uniform(), e) if a < 1 else 1.0
        out.append(scale * dk * _gamma_cube(uniform, normal, dk, ck))
    return np.array(out, f8)


_SQUEEZE = float(f4(0.0331))


def _gamma_cube(uniform, normal, d: float, c: float) -> float:
    while True:
        x = normal()
        y = 1.0 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - uniform()
        xx = x * x
        if u < 1.0 - _SQUEEZE * xx * xx or _log(u) < 0.5 * xx + d * (1.0 - v + _log(v)):
            return v


def _next_normal(engine, uniform) -> float:
    z = engine.normal
    if z is not None:
        engine.normal = None
        return z
    angle, v = 2 * math.pi * uniform(), uniform()
    radius = math.sqrt(-2.0 * math.log1p(-v))
    engine.normal = radius * math.sin(angle)
    return radius * math.cos(angle)


@_stream.draw
def dirichlet(engine, alpha: np.ndarray) -> np.ndarray:
    """Dirichlet: float64 gammas over the last axis divided by their sum, kept inside (0, 1). Shape: that of `alpha`.

    Raises:
        NotImplementedError: `alpha` is neither float32 nor float64.
    """
    _require("dirichlet", _dtypes.to_dtype(alpha.dtype))
    gammas = np.maximum(_gammas(engine, alpha.astype(f8).reshape(-1), alpha.dtype == f8), _TINY).reshape(alpha.shape)
    ratio = (gammas / _row_sums(gammas)[..., None]).astype(alpha.dtype)
    kind = alpha.dtype.type
    return np.minimum(np.nextafter(kind(1), kind(0)), np.maximum(np.finfo(alpha.dtype).tiny, ratio))


_LANES, _LEVELS = 4, 4


def _row_sums(x: np.ndarray) -> np.ndarray:
    """Sums over the last axis in the order of PyTorch's float64 kernel: four lanes of four runs each, then the rest."""
    vectors = x.shape[-1] // _LANES
    if not vectors:
        return _four_runs(x[..., None])[..., 0]
    whole = _four_runs(x[..., : vectors * _LANES].reshape(*x.shape[:-1], vectors, _LANES))
    total = np.zeros(x.shape[:-1])
    for k in range(vectors * _LANES, x.shape[-1]):
        total = total + x[..., k]
    for k in range(_LANES):
        total = total + whole[..., k]
    return total


def _four_runs(x: np.ndarray) -> np.ndarray:
    """Sum over the last axis but one: every fourth element together, leftovers into the first run."""
    size = x.shape[-2] // 4
    runs = _cascade(x[..., : 4 * size, :].reshape(*x.shape[:-2], size, 4, x.shape[-1]))
    first = runs[..., 0, :]
    for k in range(4 * size, x.shape[-2]):
        first = first + x[..., k, :]
    return ((first + runs[..., 1, :]) + runs[..., 2, :]) + runs[..., 3, :]


def _cascade(x: np.ndarray) -> np.ndarray:
    """Sum over the axis before the last two; long ones in blocks whose sums are summed in blocks again."""
    size = x.shape[-3]
    power = max(4, -(-max(size - 1, 0).bit_length() // _LEVELS))
    sums = [np.zeros(x.shape[:-3] + x.shape[-2:]) for _ in range(_LEVELS)]
    for i in range(size):
        sums[0] = sums[0] + x[..., i, :, :]
        for level in range(1, _LEVELS):
            if (i + 1) & ((1 << (level * power)) - 1):
                break
            sums[level] = sums[level] + sums[level - 1]
            sums[level - 1] = np.zeros_like(sums[0])
    return ((sums[0] + sums[1]) + sums[2]) + sums[3]


# -- von Mises ---------------------------------------------------------------------------------------------------------


@_stream.draw
def von_mises(engine, loc: np.ndarray, concentration: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Angles in [-pi, pi) around `loc`, by rejection from a wrapped Cauchy distribution. Dtype: that of `loc`.

    Every round draws three uniforms for each element, until all have been accepted. Source: Best and Fisher, "Efficient
    simulation of the von Mises distribution", 1979.
    """
    k = concentration.astype(f8)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = 1 + np.sqrt(1 + 4 * k**2)
        rho = (tau - np.sqrt(2 * tau)) / (2 * k)
        proposal = np.where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))
        k, r = np.broadcast_to(k, shape), np.broadcast_to(proposal, shape)
        x, done = np.zeros(shape), np.zeros(shape, bool)
        while not done.all():
            u = _stream.unit_doubles(engine, 3 * x.size).reshape(3, *shape)
            z = np.cos(math.pi * u[0])
            f = (1 + r * z) / (r + z)
            c = k * (r - f)
            accept = (c * (2 - c) - u[1] > 0) | (np.log(c / u[1]) + 1 - c >= 0)
            x = np.where(accept, np.sign(u[2] - 0.5) * np.arccos(f), x)
            done |= accept
    angle = np.mod(x + math.pi + loc.astype(f8), 2 * math.pi) - math.pi
    return angle.astype(loc.dtype)


# -- Poisson ----------------------------------------------------------------------------------------------------------


@_stream.draw
def poisson(engine, rate: np.ndarray) -> np.ndarray:
    """Poisson with the given rates. Shape and dtype: those of `rate`.

    Raises:
        RuntimeError: a negative rate.
        NotImplementedError: `rate` is not floating.
    """
    dtype = _dtypes.to_dtype(rate.dtype)
    _require("poisson_cpu", dtype, half=True)
    flat = rate.astype(f8).reshape(-1)
    if not (flat >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    if np.isfinite(flat).all() and (made := _walks.poissons(engine, flat)) is not None:
        return _stream.narrow(made, dtype).reshape(rate.shape)
    rates = flat.tolist()
    uniform = _stream.one_by_one(engine, 2 * len(rates)).__next__
    out = [_poisson_large(uniform, *_poisson_setup(r)) if r >= 10 else _poisson_small(uniform, r) for r in rates]
    return _stream.narrow(np.array(out, f8), dtype).reshape(rate.shape)


def _poisson_small(uniform, rate: float) -> int:
    if rate == 0:
        return 0
    bound, product, k = math.exp(-rate), uniform(), 0
    while product > bound:
        product *= uniform()
        k += 1
    return k


@functools.lru_cache(maxsize=256)
def _poisson_setup(rate: float) -> tuple[float, ...]:
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    return rate, math.log(rate), a, b, math.log(1.1239 + 1.1328 / (b - 3.4)), 0.9277 - 3.6224 / (b - 2)


def _to_int64(x: float) -> int:
    """The integer below; what x86 makes of a number that int64 cannot hold."""
    return math.floor(x) if abs(x) < 1 << 63 else -(1 << 63)


def _poisson_large(uniform, rate, log_rate, a, b, log_inverse, box) -> int:
    while True:
        u, v = uniform() - 0.5, uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = _to_int64((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= box:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if _log(v) + log_inverse - math.log(a / (us * us) + b) <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return k


# -- binomial ---------------------------------------------------------------------------------------------------------


@_stream.draw
def binomial(engine, count: np.ndarray, prob: np.ndarray) -> np.ndarray:
    """Binomial with the given numbers of trials and probabilities, broadcast. Dtype: that of `count`.

    Raises:
        ValueError: `count` or `prob` is not floating.
        RuntimeError: their dtypes differ.
        NotImplementedError: they are neither float32 nor float64.
    """
    dtypes = [_dtypes.to_dtype(x.dtype) for x in (count, prob)]
    for name, dtype in zip(("count", "prob"), dtypes):
        if not dtype.is_floating_point:
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {dtype.scalar_name}")
    if dtypes[0] is not dtypes[1]:
        raise RuntimeError(f"Found dtype {dtypes[1].scalar_name} but expected {dtypes[0].scalar_name}")
    _require("binomial_cpu", dtypes[0])
    count, prob = np.broadcast_arrays(count, prob)
    uniform = _stream.one_by_one(engine, 2 * count.size).__next__
    single = dtypes[0].itemsize == 4
    pairs = zip(count.ravel().tolist(), prob.ravel().tolist())
    return np.array([_binomial(uniform, n, p, single) for n, p in pairs], count.dtype).reshape(count.shape)


def _binomial(uniform, count: float, prob: float, single: bool) -> float:
    if count <= 0 or prob <= 0:
        return 0.0
    if prob >= 1:
        return count
    if math.isnan(prob) or math.isnan(count):
        return math.nan
    method, setup = _binomial_setup(count, prob if prob <= 0.5 else 1.0 - prob, single)
    k = method(uniform, *setup)
    return k if prob <= 0.5 else count - k


@functools.lru_cache(maxsize=256)
def _binomial_setup(count: float, prob: float, single: bool):
    """The method for these parameters and its constants; `kind` marks what is computed in the tensors' own type."""
    kind = f4 if single else f8
    n, p = kind(count), kind(prob)
    if not n * p >= 10:
        log_fail = _libm.log1pf(-float(p)) if single else math.log1p(-float(p))
        return _binomial_gaps, (float(n), log_fail)
    stddev = float(np.sqrt(n * p * (kind(1) - p)))
    b = 1.15 + 2.53 * stddev
    a = -0.0873 + 0.0248 * b + 0.01 * float(p)
    centre = float(n * p) + 0.5
    ratio = float(p / (kind(1) - p))
    mode = float(np.floor((n + kind(1)) * p))
    constants = (float(n), float(n + kind(1)), a, b, centre, 0.92 - 4.2 / b, ratio, (2.83 + 5.1 / b) * stddev, mode)
    return _binomial_large, (kind, *constants)


def _binomial_gaps(uniform, count: float, log_fail: float) -> float:
    total, k = 0.0, -1
    while total <= count:
        total += math.ceil(max(_log(uniform()) / log_fail, 0.0)) if log_fail else math.inf
        k += 1
    return float(k)


def _binomial_large(uniform, kind, count, count1, a, b, centre, box, ratio, alpha, mode) -> float:
    own = float if kind is f8 else lambda x: float(f4(x))
    head = (mode + 0.5) * math.log((mode + 1) / (ratio * (count - mode + 1)))
    tails = _stirling_tail(mode), _stirling_tail(count - mode)
    while True:
        u, v = uniform() - 0.5, uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = own(math.floor((2 * a / us + b) * u + centre))
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= box:
            return k
        left = own(own(count - k) + 1)
        bound = (
            head
            + count1 * math.log((count - mode + 1) / left)
            + (k + 0.5) * math.log(ratio * left / own(k + 1))
            + tails[0]
            + tails[1]
            - _stirling_tail(k)
            - _stirling_tail(own(count - k))
        )
        if _log(v * alpha / (a / (us * us) + b)) <= bound:
            return k


_TAILS = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(k: float) -> float:
    """What Stirling's formula leaves out of ``log(k!)``: a table, then the series in 1 / (k + 1)."""
    if k < len(_TAILS):
        return _TAILS[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)
