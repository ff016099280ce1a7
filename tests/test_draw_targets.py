"""Draws into and like tensors that are not contiguous: numbers go where PyTorch puts them, by memory order."""

import numpy as np
import pytest
import torch

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
