"""Ops on arrays large enough for the forms that are only used there: values and gradients against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import funcgrad

SIDE = 512  # 512 x 512 float32: 1 MiB


def _numbers(seed: int = 0, *shape: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    return (np.random.RandomState(seed).randn(*(shape or (SIDE, SIDE))) * scale + shift).astype("f")


def _special(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flat[:7] = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-37, 3e38]
    return x


def _both(function, *arrays: np.ndarray, gradients: bool = True) -> list:
    """For each library the result and the gradients of its sum weighted at random."""
    found = []
    for library in (funcgrad, torch):
        leaves = [library.from_numpy(a.copy()).requires_grad_(gradients) for a in arrays]
        out = function(library, *leaves)
        results = [out.detach().numpy()]
        if gradients:
            weight = library.from_numpy(np.asarray(np.random.RandomState(9).randn(*results[0].shape), "f"))
            results += [g.numpy() for g in library.autograd.grad(out, leaves, weight)]
        found.append(results)
    return found


ELEMENTWISE = {
    "add": lambda t, x, y: x + y,
    "sub": lambda t, x, y: x - y,
    "mul": lambda t, x, y: x * y,
    "div": lambda t, x, y: x / y,
    "maximum": lambda t, x, y: t.maximum(x, y),
    "minimum": lambda t, x, y: t.minimum(x, y),
    "pow": lambda t, x, y: (x**3).abs() + y**2,
    "neg": lambda t, x, y: -x * t.ones_like(y) + y * 0,
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name):
    """NaN, infinities, zeros of either sign and large numbers come out as in PyTorch."""
    with np.errstate(all="ignore"):
        ours, theirs = _both(ELEMENTWISE[name], _special(_numbers()), _special(_numbers(1))[::-1, ::-1])
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    zero = theirs[0] == 0
    np.testing.assert_array_equal(np.signbit(ours[0][zero]), np.signbit(theirs[0][zero]))


@pytest.mark.parametrize("name", ["sqrt", "rsqrt", "sin", "cos", "tan"])
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e9])
def test_functions(name, scale):
    x = _numbers(scale=scale)
    x = np.abs(x) if name.endswith("sqrt") else x
    for a, b in zip(*_both(lambda t, x: getattr(t, name)(x), x)):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)
    for a, b in zip(*_both(lambda t, x: getattr(t, name)(x), _special(x), gradients=False)):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["asin", "acos", "atan"])
def test_inverse_functions(name):
    x = _numbers(scale=3.0) if name == "atan" else np.random.RandomState(0).uniform(-1, 1, (SIDE, SIDE)).astype("f")
    x.flat[:4] = [0.5, -0.5, 0.0, 0.99999]
    # 1 - x * x has few digits near 1, in PyTorch too
    for a, b, tolerance in zip(*_both(lambda t, x: getattr(t, name)(x), x), (2e-6, 1e-3)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-7)
    x.flat[:10] = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-37, 3e38, 1.0, -1.0, 2.0]
    for a, b, tolerance in zip(*_both(lambda t, x: getattr(t, name)(x), x), (2e-6, 1e-3)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=1e-7)


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_prod(dim, zeros):
    """With no zero, one and two in a slice; second derivatives, too."""
    x = _numbers(0, 131, 257, scale=0.01, shift=1.0)
    x[3 : 3 + zeros, 5] = 0
    x[7, 9 : 9 + zeros] = 0

    def function(t, x):
        y = x.prod() if dim is None else x.prod(dim)
        (g,) = t.autograd.grad((y * y).sum(), x, create_graph=True)
        return g

    def first(t, x):
        return x.prod() if dim is None else x.prod(dim)

    for f in (first, function):
        for a, b in zip(*_both(f, x)):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5 * np.abs(b).max())


RANKED = {
    "median": lambda t, x: x.median(1).values,
    "median, columns": lambda t, x: x.median(0).values,
    "nanmedian": lambda t, x: x.nanmedian(1).values,
    "kthvalue": lambda t, x: x.kthvalue(37, 1).values,
    "quantile": lambda t, x: x.quantile(0.3, 1),
    "nanquantile": lambda t, x: x.nanquantile(0.7, 1),
}


@pytest.mark.parametrize("name", RANKED)
def test_ranked(name):
    """Without ties gradients agree; with ties, NaN and infinities, values."""
    for a, b in zip(*_both(RANKED[name], _numbers(0, 100, 301))):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    x = _special(np.round(_numbers(1, 100, 301, scale=2.0)))
    x[50:60, ::7] = np.nan
    x[70] = np.nan
    a, b = (found[0] for found in _both(RANKED[name], x, gradients=False))
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_ranked_integers():
    x = np.random.RandomState(0).randint(-(2**62), 2**62, (20, 301))
    (a,), (b,) = _both(lambda t, x: x.kthvalue(37, 1).values, x, gradients=False)
    np.testing.assert_array_equal(a, b)
    (a,), (b,) = _both(lambda t, x: x.median(1).indices, x, gradients=False)
    np.testing.assert_array_equal(a, b)


def _norm(t, x, w, b):
    return t.nn.functional.layer_norm(x, (256,), w, b)


def _slope_of_norm(t, x, w, b):
    (g,) = t.autograd.grad((_norm(t, x, w, b) ** 2).sum(), x, create_graph=True)
    return g + 0 * (w + b)


@pytest.mark.parametrize("function", [_norm, _slope_of_norm])
def test_layer_norm(function):
    arrays = _numbers(0, 4, 256, 256, shift=1.0), _numbers(1, 256), _numbers(2, 256)
    for a, b in zip(*_both(function, *arrays)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(1, np.abs(b).max()))


def test_layer_norm_forward_mode_and_vmap():
    import jax

    x, t = _numbers(0, 1024, 256), _numbers(1, 1024, 256)
    norm = funcgrad.ops.find("nn.functional.layer_norm")
    forward = jax.jit(lambda x, t: jax.jvp(lambda x: norm(x, (256,)), (x,), (t,))[1])(x, t)
    backward = jax.vjp(lambda x: norm(x, (256,)), x)[1](t)[0]  # the derivative is symmetric
    np.testing.assert_allclose(forward, backward, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda x: norm(x, (256,)))(np.stack([x, t]))[1], norm(t, (256,)), atol=1e-5)
