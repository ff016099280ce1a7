"""Reductions, sorting, cumulative functions and spectra against PyTorch: values, dtypes, errors, gradients at ties."""

import re
import warnings

import numpy as np
import pytest
import torch

import funcgrad

NAN, INF = float("nan"), float("inf")
ARRAYS = {
    "x": np.arange(6.0, dtype="f").reshape(2, 3),
    "i": np.arange(6).reshape(2, 3),
    "b": np.arange(6).reshape(2, 3) > 2,
    "u8": np.arange(6, dtype="u1").reshape(2, 3),
    "c": np.arange(6.0).reshape(2, 3).astype("c8"),
    "e": np.zeros((0, 3), "f"),
    "z": np.float32(2),
    "n": np.array([1, NAN, 2, NAN], "f"),
    "s": np.arange(16.0, dtype="f"),
}
CALLS = """
    sum(x, ()); sum(x, (0, -2)); sum(x, 5); sum(b); sum(u8); sum(i, dtype=T.float32); sum(x, axis=0, keepdims=True)
    mean(i); mean(x, dtype=T.int64); mean(e); nanmean(n); nansum(c); nansum(n); prod(b); prod(x, -1, True)
    amax(e); amax(e, 0); amax(e, 1); amax(x, True); amax(c); aminmax(e); aminmax(x, dim=0); aminmax(n)
    max(x); max(n); max(n, 0); max(e); max(e, 0); max(c, 0); max(b, 0); max(x, 5); max(x, z); min(x, 1, True)
    argmax(b); argmax(e); argmax(n); argmax(x, 0, True); argmin(i)
    all(x, dim=()); all(u8); any(x, 0); any(e); all(e, 0); count_nonzero(x, 0)
    std(i); std(x, True); std(x, 0, False, True); std(x, correction=0.5); var_mean(x, 1); std_mean(c)
    logsumexp(x, (0, 1)); logsumexp(T.tensor([-INF, -INF]), 0); logsumexp(x, 5)
    norm(x); norm(x, 0); norm(x, INF, 1); norm(x, 'nuc'); norm(i); norm(e, INF); norm(x, 'a'); dist(x, x + 1, 3); dist(i, i)
    sort(n, descending=True); sort(x, dim=0, stable=True); sort(c); sort(z); argsort(b); msort(x); topk(x, 4)
    topk(n, 2, largest=False); topk(z, 1); topk(b, 1); kthvalue(x, 0); kthvalue(x, 2); kthvalue(b, 1)
    median(n); median(n, 0); nanmedian(n, 0); median(e); median(e, 0); median(b); mode(T.tensor([1, 2, 2, 1])); mode(b)
    quantile(x, 1.5); quantile(x, T.tensor([0.2, 0.5]), 1, True); quantile(i, 0.5); quantile(n, 0.3)
    quantile(x, 0.5, interpolation='a'); nanquantile(n, 0.4, interpolation='nearest')
    searchsorted(T.tensor([1, 3, 5]), 3); searchsorted(T.tensor([1., 2, NAN]), T.tensor([NAN, 1, 3]), right=True)
    searchsorted(T.tensor([1, 3]), i, side='x'); searchsorted(x, z); bucketize(x, T.tensor([1., 3]), out_int32=True)
    unique_consecutive(T.tensor([1, 1, 2, 1]), return_inverse=True); unique_consecutive(c)
    cumsum(b, 0); cumsum(x, 5); cumprod(x, 1); cummax(n, 0); cummin(x, 1); cummax(c, 0); logcumsumexp(x, 1)
    logcumsumexp(i, 0); diff(b); diff(x, 5); diff(z); diff(x, n=-1); diff(x, prepend=x)
    trapezoid(x, dx=2); trapezoid(x, T.tensor([1., 2])); trapezoid(b); trapezoid(e, dim=0); cumulative_trapezoid(i)
    gradient(x, spacing=(2, 3)); gradient(x, spacing=(T.tensor([1., 2, 4]),), dim=1); gradient(x, edge_order=3); gradient(u8)
    histc(x, 4, 1, 3); histc(x, 4); histc(x, 4, 3, 1); histc(i); histogram(x, 4, density=True); histogram(x, T.tensor([3., 1]))
    histogramdd(x, [2, 3, 2]); histogramdd(x, [2]); bincount(T.tensor([1, 3, 3])); bincount(i)
    cov(x); cov(x, fweights=T.tensor([1, 2, 3])); cov(b); corrcoef(x); corrcoef(z)
    stft(s, 4, window=T.hann_window(4), return_complex=True); stft(s, 4, window=T.ones(4)); stft(s, 4, hop_length=0)
    hann_window(5); hamming_window(5, False, 0.5); blackman_window(-1); kaiser_window(5); bartlett_window(4, dtype=T.float64)
"""


def _evaluate(call: str, library):
    values = {"T": library, "NAN": NAN, "INF": INF} | {k: library.from_numpy(np.array(v)) for k, v in ARRAYS.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = eval(f"T.{call}", values)
            return None, [np.asarray(r) for r in _flat(result)], [str(r.dtype) for r in _flat(result)]
    except Exception as error:
        return error, None, None


def _flat(result) -> list:
    return [y for x in result for y in _flat(x)] if isinstance(result, list | tuple) else [result]


@pytest.mark.parametrize("call", [c.strip() for c in re.split(r"[;\n]", CALLS) if c.strip()])
def test_call_is_pytorchs(call):
    wanted_error, wanted, wanted_dtypes = _evaluate(call, torch)
    error, got, dtypes = _evaluate(call, funcgrad)
    assert type(error) is type(wanted_error), error
    if wanted_error is not None:
        if not isinstance(error, TypeError):  # PyTorch's list all overloads
            assert str(error) == str(wanted_error)
        return
    assert dtypes == wanted_dtypes
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)


TIES = [1.0, 3.0, 3.0, 2.0, 3.0, 0.0]
GRADIENTS = [
    *[(f"{f}(x)", x) for f in ("max", "min", "amax", "median", "nanmedian") for x in (TIES, [1.0, NAN, 2.0, NAN])],
    *[(f"{f}(x, 0).values", TIES) for f in ("max", "min", "median", "mode", "sort", "cummax")],
    *[(f"std(x, correction={c})", x) for c in (0, 1) for x in (TIES, [1.0, 1.0, 1.0], [2.0])],
    *[(f"norm(x, {p})", x) for p in (0.5, 1, 2, 3, INF, -1) for x in ([0.0, 3.0, -3.0, 1.0], [0.0, 0.0])],
    *[(f"{f}(x)", x) for f in ("prod", "nansum", "nanmean") for x in ([0.0, 2.0, 3.0], [0.0, 0.0, 3.0])],
    ("cumprod(x, 0)", [2.0, 0.0, 3.0, 0.0, 4.0]),
    ("logsumexp(x, 0)", [INF, 1.0]),
    ("logcumsumexp(x, 0)", [INF, 1.0]),
    ("quantile(x, 0.3)", TIES),
    ("aminmax(x).max", TIES),
]


@pytest.mark.parametrize(("call", "at"), GRADIENTS)
def test_gradient_is_pytorchs_where_it_is_a_convention(call, at):
    gradients = []
    for library in (torch, funcgrad):
        x = library.tensor(at, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            eval(f"T.{call}", {"T": library, "x": x, "inf": INF}).sum().backward()
            gradients.append(np.asarray(x.grad))
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "max", "std", "argmax", "count_nonzero"])
def test_few_long_rows(name):
    # From 16384 columns on a reduction over rows takes another form on the CPU.
    x = np.random.RandomState(0).randn(3, 20000).astype("f")
    wanted, got = (_flat(getattr(library, name)(library.from_numpy(x), 0)) for library in (torch, funcgrad))
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(g), np.asarray(w), rtol=1e-5, atol=1e-5)
