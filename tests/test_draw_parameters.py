"""Draws whose parameters are tensors, masks, and targets that are not row-major, against PyTorch's."""

import numpy as np
import pytest
import torch
from draw_pair import FLOATS, SIZES, Pair, to_array

from funcgrad import _draws
from funcgrad._draws import _selection


@pytest.fixture
def pair():
    return Pair()


# -- parameters that are tensors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "float32", "bfloat16", "int64"])
@pytest.mark.parametrize("kind", FLOATS)
def test_bernoulli_with_tensor(pair, dtype, kind):
    for shape in ((0,), (1,), (17,), (1000,), (3, 1, 5)):
        p = torch.rand(shape).to(getattr(torch, kind))
        pair.engine.set_state(torch.get_rng_state().numpy())
        theirs = torch.empty(shape, dtype=getattr(torch, dtype)).bernoulli_(p)
        pair.same(theirs, _draws.bernoulli_tensor(pair.engine, shape, dtype, to_array(p)))
        wide = (4, *shape)
        theirs = torch.empty(wide, dtype=getattr(torch, dtype)).bernoulli_(p)
        pair.same(theirs, _draws.bernoulli_tensor(pair.engine, wide, dtype, to_array(p)))


BY_ARRAY = {
    "poisson": (FLOATS, (torch.poisson,), lambda r, n: (r.choice([0, 0.3, 2, 9.9, 10, 11, 50, 3000], n),)),
    "standard_gamma": (
        FLOATS[:2], (torch._standard_gamma,), lambda r, n: (r.choice([0, 0.01, 0.1, 0.5, 0.99, 1, 1.5, 3, 1000], n),)
    ),
    "binomial": (
        FLOATS[:2], (torch.binomial,),
        lambda r, n: (
            r.choice([0, 1, 5, 30, 1000, 2**20, 2**24 + 3, 2**30], n), r.choice([0, 0.01, 0.3, 0.5, 0.6, 0.999, 1], n)
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("draw,dtype", [(d, t) for d, (dtypes, _, _) in BY_ARRAY.items() for t in dtypes])
def test_rejection_draws(pair, draw, dtype):
    _, (function,), parameters = BY_ARRAY[draw]
    for n in (*SIZES, 5000):
        given = [torch.from_numpy(np.asarray(p, np.float64)).to(getattr(torch, dtype)) for p in parameters(pair.rng, n)]
        pair.same(function(*given), getattr(_draws, draw)(pair.engine, *map(to_array, given)))


@pytest.mark.parametrize("dtype", FLOATS[:2])
def test_dirichlet(pair, dtype):
    for k in (1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 100, 300):
        alpha = torch.from_numpy(pair.rng.gamma(1.0, size=(7, k)) + 0.01).to(getattr(torch, dtype))
        pair.same(torch._sample_dirichlet(alpha), _draws.dirichlet(pair.engine, to_array(alpha)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial(pair, dtype, replacement):
    for shape in ((1,), (7,), (500,), (3, 9), (0, 4)):
        weights = torch.from_numpy(pair.rng.random(shape)).to(getattr(torch, dtype))
        for n in {1, min(shape[-1], 6), (4 if replacement else 1) * shape[-1]}:
            theirs = torch.multinomial(weights, n, replacement)
            pair.same(theirs, _draws.multinomial(pair.engine, to_array(weights), n, replacement))


def test_samples_among_equal_ratios(pair):
    """Ties, common in 16 bits and certain among weights of zero, keep the order of PyTorch's selection."""
    for n in (1, 2, 3, 4, 17, 33, 100, 700):
        for k in {1, n // 70 + 1, n // 2 + 1, n}:
            rows = pair.rng.integers(0, 4, (2, n)).astype(np.float32)
            if n > 20:
                rows[0].sort()
            theirs = torch.topk(torch.from_numpy(rows), k).indices
            np.testing.assert_array_equal(_selection.largest(rows, k), theirs.numpy())
    weights = torch.tensor([0.0, 0.0, 1.0, 0.0, 2.0])
    pair.same(torch.multinomial(weights, 5), _draws.multinomial(pair.engine, weights.numpy(), 5))


# -- masks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_masks(pair, dtype):
    for shape in ((0, 3), (1, 1), (17, 2), (4, 6, 3, 3)):
        x = torch.ones(shape, dtype=getattr(torch, dtype))
        for p in (0.0, 0.1, 0.5, 1.0):
            pair.same(torch.dropout(x, p, True) != 0, _draws.dropout_mask(pair.engine, shape, p))
            mask = _draws.feature_dropout_mask
            kept = torch.feature_dropout(x, p, True) != 0
            pair.same(kept, np.broadcast_to(mask(pair.engine, shape, p), shape))
            if 0 < p < 1:
                pair.same(torch.alpha_dropout(x, p, True) > 0, _draws.dropout_mask(pair.engine, shape, p))
                kept = torch.feature_alpha_dropout(x, p, True) > 0
                pair.same(kept, np.broadcast_to(mask(pair.engine, shape, p), shape))


@pytest.mark.parametrize("dtype", FLOATS[:3])
def test_rrelu(pair, dtype):
    x = torch.randn(999).to(getattr(torch, dtype))
    x[:3] = torch.tensor([0.0, -0.0, float("nan")])
    pair.engine.set_state(torch.get_rng_state().numpy())
    noise = torch.empty_like(x)
    out = torch.ops.aten.rrelu_with_noise(x, noise, 0.1, 0.4, True)
    slopes = _draws.rrelu_slopes(pair.engine, to_array(x), 0.1, 0.4)
    pair.same(noise, slopes.astype(to_array(x).dtype))
    pair.same(out[3:], (to_array(x).astype(slopes.dtype) * slopes).astype(to_array(x).dtype)[3:])


def test_fractional_pooling_and_gumbel_softmax(pair):
    x = torch.randn(2, 3, 8, 8)
    pair.engine.set_state(torch.get_rng_state().numpy())
    theirs = torch.nn.functional.fractional_max_pool2d(x, 2, output_size=5)
    samples = torch.from_numpy(_draws.fractional_pool_samples(pair.engine, 2, 3, 2, "float32"))
    again = torch.nn.functional.fractional_max_pool2d(x, 2, output_size=5, _random_samples=samples)
    assert torch.equal(theirs, again)
    pair.same_state()
    theirs = torch.nn.functional.gumbel_softmax(x)
    gumbels = -torch.from_numpy(_draws.exponential(pair.engine, x.shape, "float32")).log()
    assert torch.equal(theirs, (x + gumbels).softmax(-1))
    pair.same_state()


# -- memory order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "view",
    [
        lambda: torch.empty(3, 4).t(),
        lambda: torch.empty(20, 3).t(),
        lambda: torch.empty(4, 1, 5, 2).permute(2, 0, 3, 1),
        lambda: torch.empty(6, 4, 5)[::2].transpose(0, 2),
        lambda: torch.empty(2, 3, 4, 5).to(memory_format=torch.channels_last),
        lambda: torch.empty(5, 8)[:, ::2],
        lambda: torch.empty(()),
    ],
)
def test_targets_out_of_order(pair, view):
    x = view()
    shape, strides, e = tuple(x.shape), x.stride(), pair.engine
    contiguous = _draws.is_contiguous(shape, strides)
    assert contiguous == x.is_contiguous()
    pair.same(x.uniform_(), _draws.draw_into(_draws.rand, e, shape, strides, "float32"))
    normal = _draws.draw_into(_draws.normal, e, shape, strides, "float32", contiguous=contiguous)
    pair.same(x.normal_(), normal)
    pair.same(
        torch.dropout(x * 0 + 1, 0.5, True) != 0,
        _draws.draw_into(_draws.dropout_mask, e, shape, x.mul(0).stride(), 0.5),
    )
