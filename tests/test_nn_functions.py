"""Activations, norms, losses and embeddings where samples rarely go: kinks, zeros, empty and odd inputs, errors."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from funcgrad import _dtypes, ops

INF, NAN = float("inf"), float("nan")
POINTS = [-INF, -21.0, -20, -6, -3, -1, -0.5, -0.0, 0.0, 0.5, 1, 3, 6, 20, 21, NAN]
TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 4e-3}


@pytest.fixture(autouse=True)
def _wide():
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def ours(name):
    return ops.find(f"nn.functional.{name}")


def to_jax(x):
    if isinstance(x, torch.Tensor):
        return jnp.asarray(x.detach().double().numpy() if x.is_floating_point() else x.numpy()).astype(str(x.dtype)[6:])
    if isinstance(x, torch.dtype):
        return getattr(_dtypes, str(x)[6:])
    return x


def same(got, want, tolerance):
    np.testing.assert_allclose(
        np.asarray(got, "d"), want.detach().double().numpy(force=True), rtol=tolerance, atol=tolerance / 10
    )


ACTIVATIONS = {
    **{name: () for name in "relu relu6 elu selu celu leaky_relu rrelu gelu silu mish hardtanh hardswish".split()},
    **{name: () for name in "hardsigmoid hardshrink softshrink tanhshrink softplus softsign logsigmoid".split()},
    "gelu tanh": ("tanh",),
    "threshold": (0.5, 7.0),
    "elu 2": (2.0,),
    "celu 2": (2.0,),
    "softplus 2": (2.0, 5.0),
    "hardshrink 0": (0.0,),
    "softshrink 0": (0.0,),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activation_and_derivative_at_kinks(case, dtype):
    name, args = case.partition(" ")[0], ACTIVATIONS[case]
    kwargs = {"approximate": "tanh"} if case == "gelu tanh" else {}
    args = () if kwargs else args
    x = torch.tensor(POINTS, dtype=dtype, requires_grad=True)
    want = getattr(F, name)(x, *args, **kwargs)
    (slope,) = torch.autograd.grad(want.sum(), x)
    got, pullback = jax.vjp(lambda v: ours(name)(v, *args, **kwargs), to_jax(x))
    same(got, want, TOLERANCE[dtype])
    # What PyTorch gives at NaN depends on the element's place in its vectors.
    same(pullback(jnp.ones_like(got))[0][:-1], slope[:-1], TOLERANCE[dtype])


LOSSES = {
    "l1_loss": lambda f, x, t: f(x, t, reduction="none"),
    "smooth_l1_loss": lambda f, x, t: f(x, t, reduction="none", beta=1.0),
    "huber_loss": lambda f, x, t: f(x, t, reduction="none", delta=1.0),
    "hinge_embedding_loss": lambda f, x, t: f(x, t * 0 - 1, reduction="none"),
    "margin_ranking_loss": lambda f, x, t: f(x, t, t * 0 + 1, reduction="none"),
    "binary_cross_entropy_with_logits": lambda f, x, t: f(x, t, reduction="none"),
    "multilabel_soft_margin_loss": lambda f, x, t: f(x, t),
    "gaussian_nll_loss": lambda f, x, t: f(x, t, t + 1e-9, reduction="none"),
    "cosine_similarity": lambda f, x, t: f(x, t, 0),
    "pairwise_distance": lambda f, x, t: f(x, t, 2.0, 0.0),
    "normalize": lambda f, x, t: f(t * x, dim=0),
    "triplet_margin_loss": lambda f, x, t: f(x[None], t[None], t[None] + 1, swap=True),
    "cross_entropy": lambda f, x, t: f(x, t),
    "layer_norm": lambda f, x, t: f(x * t, (7,)),
}


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradients_at_ties(name, target):
    x = torch.tensor([-2.0, -1, -0.5, 0, 0.5, 1, 2], dtype=torch.float64, requires_grad=True)
    t = torch.full((7,), target, dtype=torch.float64, requires_grad=True)
    want = LOSSES[name](getattr(F, name), x, t)
    slopes = torch.autograd.grad(want.sum(), (x, t), allow_unused=True)
    got, pullback = jax.vjp(lambda a, b: LOSSES[name](ours(name), a, b), to_jax(x), to_jax(t))
    same(got, want, 1e-7)
    for g, w in zip(pullback(jnp.ones_like(got)), slopes):
        same(g, torch.zeros_like(x) if w is None else w, 1e-7)


@pytest.mark.parametrize("lengths", [((5, 5, 4), (2, 2, 1)), ((1, 5, 4), (2, 2, 1)), ((0, 5, 0), (0, 2, 1))])
@pytest.mark.parametrize("form", ["rows", "numbers", "joined"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_loss_and_pytorchs_gradient(lengths, form, zero_infinity):
    x = torch.randn(5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rows = torch.tensor([[1, 2], [3, 3], [2, 1]])
    frames, labels = lengths if form == "numbers" else map(torch.tensor, lengths)
    targets = torch.cat([row[:n] for row, n in zip(rows, lengths[1])]) if form == "joined" else rows
    for reduction in ("none", "mean", "sum"):
        want = F.ctc_loss(x, targets, frames, labels, 0, reduction, zero_infinity)
        (slope,) = torch.autograd.grad(want.sum(), x)
        args = (*map(to_jax, (targets, frames, labels)), 0, reduction, zero_infinity)
        got, pullback = jax.vjp(lambda v, args=args: ours("ctc_loss")(v, *args), to_jax(x))
        same(got, want, 1e-9)
        same(pullback(jnp.ones_like(got))[0], slope, 1e-7)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_running_statistics(name, dtype):
    x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    mean, var = torch.zeros(2), torch.ones(2)
    weight = torch.ones(2)
    out, *new = ours(f"{name}_train")(*map(to_jax, (x, mean, var, weight, weight)), 0.3)
    want = getattr(F, name)(x, mean, var, weight, weight, True, 0.3)
    same(out, want, TOLERANCE[dtype])
    same(new[0], mean, 1e-5)
    same(new[1], var, 1e-5)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("last", [False, True])
def test_bags_with_empty_ones_and_padding(mode, last):
    weight = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weight.data[2] = weight.data[1]  # equal maxima: the first gets the gradient
    indices, offsets = torch.tensor([0, 1, 2, 1, 4]), torch.tensor([0, 0, 3, 5] if last else [0, 0, 3])
    want = F.embedding_bag(indices, weight, offsets, mode=mode, include_last_offset=last, padding_idx=4)
    (slope,) = torch.autograd.grad(want.square().sum(), weight)

    def bag(w):
        return ours("embedding_bag")(
            to_jax(indices), w, to_jax(offsets), mode=mode, include_last_offset=last, padding_idx=4
        )

    same(bag(to_jax(weight)), want, 1e-6)
    same(jax.grad(lambda w: jnp.square(bag(w)).sum())(to_jax(weight)), slope, 1e-6)


T, ONES = torch.tensor, torch.ones
CALLS = [
    ("glu", ONES(3, 4), 0),
    ("softshrink", ONES(2), -0.5),
    ("softmax", ONES(2, 2), 2),
    ("softmax", ONES(2, 2, dtype=torch.int64), 0),
    ("prelu", ONES(3, 4), ONES(3)),
    ("celu", ONES(3), 0.0),
    ("layer_norm", ONES(3, 4), (3,)),
    ("layer_norm", ONES(3, 4), (4,), ONES(3)),
    ("layer_norm", ONES(3, 4), (4,), ONES(4, dtype=torch.float64)),
    ("rms_norm", ONES(3, 4), (3,)),
    ("group_norm", ONES(3, 4), 3),
    ("batch_norm", ONES(3, 4), ONES(3), ONES(3)),
    ("batch_norm", ONES(1, 4), ONES(4), ONES(4), None, None, True),
    ("instance_norm", ONES(2, 4, 1)),
    ("mse_loss", ONES(3), ONES(2)),
    ("mse_loss", ONES(3), ONES(3), None, None, "abc"),
    ("mse_loss", ONES(3, dtype=torch.int64), ONES(3, dtype=torch.int64)),
    ("huber_loss", ONES(3), ONES(3), "mean", 0),
    ("cross_entropy", ONES(3, 4), T([1, 2])),
    ("cross_entropy", ONES(3, 4), ONES(3)),
    ("cross_entropy", ONES(3, 4, 5), T([1, 2, 3])),
    ("cross_entropy", ONES(3, 4), T([1, 2, 3]), ONES(3)),
    ("nll_loss", ONES(3, 4, 5, 6), T([[1], [2], [3]])),
    ("binary_cross_entropy", ONES(3), ONES(2)),
    ("binary_cross_entropy", ONES(3), ONES(3, dtype=torch.float64)),
    ("kl_div", ONES(3, dtype=torch.int64), ONES(3)),
    ("multi_margin_loss", ONES(3, 4), T([0, 1])),
    ("cosine_embedding_loss", ONES(3, 4), ONES(4), ONES(3)),
    ("triplet_margin_loss", ONES(3, 4), ONES(3, 4), ONES(3, 4), -1.0),
    ("ctc_loss", ONES(4, 1, 3), T([[1]]), (5,), (1,)),
    ("embedding", T([0.0]), ONES(2, 2)),
    ("embedding", T([0]), ONES(2, 2), 2),
    ("embedding_bag", T([0]), ONES(2, 2)),
    ("one_hot", T([0], dtype=torch.int32)),
    ("pairwise_distance", ONES(3, 4), ONES(2, 4)),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}-{len(c)}")
def test_the_error_is_pytorchs(call):
    name, *args = call
    with pytest.raises(Exception) as want:
        getattr(F, name)(*args)
    with pytest.raises(want.type) as got:
        ours(name)(*map(to_jax, args))
    assert str(got.value) == str(want.value).partition("\n")[0]
