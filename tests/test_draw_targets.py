"""Draws into and like tensors that are not contiguous: numbers go where PyTorch puts them, by memory order."""

import secrets

import numpy as np
import pytest
import torch
from draw_pair import COMPLEX, FLOATS, INTEGERS, WIDE, bits

import funcgrad

TARGETS = {
    "transposed": lambda t, n: t.zeros(n, n + 1).T,
    "rows": lambda t, n: t.zeros(2 * n, 3)[::2],
    "column": lambda t, n: t.zeros(n, 5)[:, 2],
    "permuted": lambda t, n: t.zeros(2, n, 3).permute(2, 0, 1),
    "slice": lambda t, n: t.zeros(n, 7)[:, 1:4],
    "expanded": lambda t, n: t.zeros(n, 1).expand(n, 3),
}
IN_PLACE = {
    "uniform_": (), "normal_": (1.0, 2.0), "bernoulli_": (0.3,), "exponential_": (2.0,), "cauchy_": (),
    "geometric_": (0.3,), "log_normal_": (), "random_": (0, 100),
}  # fmt: skip
OTHERS = {
    "bernoulli": lambda t, x: t.bernoulli(x + 0.3),
    "bernoulli_ of a tensor": lambda t, x: x.bernoulli_(t.full_like(x, 0.3)),
    "rand_like": lambda t, x: t.rand_like(x),
    "randn_like": lambda t, x: t.randn_like(x),
    "randint_like": lambda t, x: t.randint_like(x, 9),
    "dropout": lambda t, x: t.nn.functional.dropout(x + 1, 0.5),
    "alpha_dropout": lambda t, x: t.nn.functional.alpha_dropout(x + 1, 0.5, True),
    "rrelu": lambda t, x: t.rrelu(x - 1, training=True),
    "poisson": lambda t, x: t.poisson(x + 3),
    "binomial": lambda t, x: t.binomial(x + 9, x + 0.3),
    "normal": lambda t, x: t.normal(x, 1.0),
    "gamma": lambda t, x: t._standard_gamma(x + 2),
    "rand out": lambda t, x: t.rand(*x.shape, out=x),
    "randn out": lambda t, x: t.randn(*x.shape, out=x),
}


def outcome(library, target, draw, n):
    """The values and a number drawn afterwards, or the error."""
    library.manual_seed(1)
    x = TARGETS[target](library, n)
    try:
        return draw(library, x).detach().numpy(), library.rand(1).item()
    except RuntimeError as e:
        return str(e).splitlines()[0]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("n", [3, 17])
def test_numbers_go_where_pytorch_puts_them(target, n):
    draws = {name: lambda t, x, name=name: getattr(x, name)(*IN_PLACE[name]) for name in IN_PLACE} | OTHERS
    wrong = []
    for name, draw in draws.items():
        got, want = outcome(funcgrad, target, draw, n), outcome(torch, target, draw, n)
        if isinstance(want, str):
            if got != want:
                wrong.append((name, got, want))
        elif isinstance(got, str) or got[1] != want[1] or not np.allclose(got[0], want[0], rtol=1e-6):
            wrong.append(name)
    assert not wrong


KINDS = ("bool", *FLOATS, *COMPLEX, *INTEGERS, *WIDE, "float8_e4m3fn", "float8_e5m2")
SOME = {
    "plain": lambda t, n, d: t.zeros(n, dtype=d),
    "column": lambda t, n, d: t.zeros(n, 2, dtype=d)[:, 1],
    "transposed": lambda t, n, d: t.zeros(n // 3, 3, dtype=d).t(),
}
ARGUMENTS = IN_PLACE | {"uniform_": (-0.3, 1.7), "random_": ()}


def drawn(library, method, dtype, target, n):
    """The bits of a draw into a target, or the error, and the generator's state afterwards."""
    x = SOME[target](library, n, getattr(library, dtype))
    try:
        getattr(x, method)(*ARGUMENTS[method])
    except (RuntimeError, NotImplementedError) as e:
        return type(e).__name__, str(e).splitlines()[0]
    x = x.float() if dtype == "bfloat16" or dtype.startswith("float8") else x
    return bits(x.contiguous().numpy()).tobytes(), tuple(x.shape), library.get_rng_state().numpy().tobytes()


@pytest.mark.parametrize("method", ARGUMENTS)
def test_every_dtype_size_and_target(method):
    """Bit by bit, one generator for all; a million only where PyTorch has the draw."""
    torch.manual_seed(secrets.randbits(48))
    torch.randn(1)
    print("seed", torch.initial_seed())
    wrong = []
    for dtype in KINDS:
        for n in (0, 1, 15, 16, 17, 1000, 10**6):
            for target in SOME if n < 10**6 else ("plain", "transposed"):
                if n == 10**6 and dtype not in ("float32", "float64", "int64", "bfloat16"):
                    continue
                funcgrad.set_rng_state(funcgrad.from_numpy(torch.get_rng_state().numpy()))
                got, want = (drawn(t, method, dtype, target, n) for t in (funcgrad, torch))
                if got != want:
                    wrong.append((dtype, n, target))
    assert not wrong
