"""Draws from `jax.random` keys: reproducible, of the right distribution, made inside compiled programs."""

import numpy as np
import pytest

import funcgrad as t
import funcgrad.distributions


@pytest.fixture(autouse=True)
def threefry():
    t.random.use("threefry")
    t.manual_seed(0)
    yield
    t.random.use("mt19937")


DRAWS = {
    "rand": (lambda n: t.rand(n), 1 / 2, 1 / 12),
    "randn": (lambda n: t.randn(n), 0, 1),
    "normal": (lambda n: t.normal(t.full((n,), 2.0), 3.0), 2, 9),
    "normal_": (lambda n: t.empty(n).normal_(1.0, 2.0), 1, 4),
    "uniform_": (lambda n: t.empty(n).uniform_(-1.0, 1.0), 0, 1 / 3),
    "randint": (lambda n: t.randint(0, 10, (n,)).double(), 4.5, 8.25),
    "random_": (lambda n: t.empty(n, dtype=t.uint8).random_().double(), 127.5, 5461.25),
    "randperm": (lambda n: t.randperm(n).double() / n, 1 / 2, 1 / 12),
    "bernoulli_": (lambda n: t.empty(n).bernoulli_(0.3), 0.3, 0.21),
    "bernoulli": (lambda n: t.bernoulli(t.full((n,), 0.3)), 0.3, 0.21),
    "exponential_": (lambda n: t.empty(n).exponential_(2.0), 1 / 2, 1 / 4),
    "geometric_": (lambda n: t.empty(n).geometric_(0.5), 2, 2),
    "log_normal_": (lambda n: t.empty(n).log_normal_(0.0, 0.5).log(), 0, 1 / 4),
    "cauchy_": (lambda n: t.empty(n).cauchy_().atan(), 0, np.pi**2 / 12),
    "dropout": (lambda n: t.nn.functional.dropout(t.ones(n), 0.5), 1, 1),
    "poisson": (lambda n: t.poisson(t.full((n,), 4.0)), 4, 4),
    "binomial": (lambda n: t.binomial(t.full((n,), 10.0), t.full((n,), 0.5)), 5, 2.5),
    "gamma": (lambda n: t.distributions.Gamma(3.0, 1.0).sample((n,)), 3, 3),
    "beta": (lambda n: t.distributions.Beta(1.0, 1.0).sample((n,)), 1 / 2, 1 / 12),
    "categorical": (lambda n: t.distributions.Categorical(t.ones(3)).sample((n,)).double(), 1, 2 / 3),
    "multinomial": (lambda n: t.multinomial(t.ones(n // 2, 3), 2).double().reshape(-1), 1, 2 / 3),
    "von_mises": (lambda n: t.distributions.VonMises(0.0, 1e-3).sample((n,)), 0, np.pi**2 / 3),
}


@pytest.mark.parametrize("name", DRAWS)
def test_moments_and_seeds(name):
    draw, mean, variance = DRAWS[name]
    x, y = draw(20000).numpy(), draw(20000).numpy()
    assert (x != y).any()
    np.testing.assert_allclose(x.mean(), mean, atol=5 * np.sqrt(variance / 20000))
    np.testing.assert_allclose(x.var(), variance, rtol=0.08)
    t.manual_seed(0)
    np.testing.assert_array_equal(draw(20000).numpy(), x)


def test_states():
    t.rand(3)
    saved = t.get_rng_state()
    assert saved.numel() == 16
    x = t.rand(3).tolist()
    t.set_rng_state(saved)
    assert t.rand(3).tolist() == x
    with t.random.fork_rng():
        t.rand(5)
    assert t.rand(3).tolist() != x


def test_a_compiled_function_draws_anew_and_as_the_plain_one():
    def f(x):
        return t.nn.functional.dropout(x, 0.5) + t.randn(8)

    x = t.ones(8)
    want = [f(x).tolist() for _ in range(3)]
    t.manual_seed(0)
    compiled = t.compile(f)
    np.testing.assert_allclose([compiled(x).tolist() for _ in range(3)], want, rtol=1e-5)


def test_errors_are_pytorchs():
    with pytest.raises(RuntimeError, match="bernoulli_ expects p to be in"):
        t.empty(3).bernoulli_(2.0)
    with pytest.raises(ValueError, match="mt19937"):
        t.random.use("philox")
