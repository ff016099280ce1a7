"""Distributions inside compiled programs and JAX's transformations, and checks of values that are still pending."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import funcgrad
import funcgrad.distributions


def draws(library, x):
    """One draw of each kind whose parameters are computed in the same program."""
    d = library.distributions
    normal = d.Normal(x * 2, library.nn.functional.softplus(x))
    a = normal.sample()
    b = d.Bernoulli(logits=x).sample()
    c = d.Categorical(logits=x).sample((3,))
    g = d.Gamma(library.exp(x), 1.0).sample()
    p, n = d.Poisson(library.exp(x)).sample(), d.Binomial(5, logits=x).sample()
    return a, b, c, g, p, n, normal.log_prob(a), d.VonMises(x, 2.0).sample()


def test_a_compiled_function_draws_pytorchs_numbers():
    x = [0.1, 0.5, -0.3]
    torch.manual_seed(3)
    want = [draws(torch, torch.tensor(x)) for _ in range(3)]
    funcgrad.manual_seed(3)
    step = funcgrad.compile(lambda x: draws(funcgrad, x))
    for expected in want:
        for mine, theirs in zip(step(funcgrad.tensor(x)), expected):
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(funcgrad.get_rng_state().numpy(), torch.get_rng_state().numpy())


def test_jit_and_grad_of_densities():
    def code(library, x):
        d = library.distributions
        x0 = library.tensor([1.0, 2.0, 3.0])
        normal = d.Normal(x, library.exp(x))
        mixture = d.MultivariateNormal(x, scale_tril=library.eye(3) * library.exp(x))
        kl = d.kl_divergence(normal, d.Laplace(0.0, 1.0))
        return (d.Gamma(library.exp(x), 1.0).log_prob(x0) + normal.log_prob(x0) + kl).sum() + mixture.log_prob(x0)

    x = torch.tensor([0.1, 0.5, -0.3], requires_grad=True)
    want = code(torch, x)
    want.backward()
    value_and_grad = jax.value_and_grad(lambda a: funcgrad.to_jax(code(funcgrad, funcgrad.from_jax(a))))
    value, gradient = jax.jit(value_and_grad)(jnp.asarray(x.detach().numpy()))
    np.testing.assert_allclose(value, want.item(), rtol=1e-5)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-4)


def test_a_jitted_function_draws_anew_at_every_call():
    @jax.jit
    def draw(a):
        return funcgrad.to_jax(funcgrad.distributions.Gamma(funcgrad.from_jax(a), 1.0).sample())

    a = jnp.ones(4)
    funcgrad.manual_seed(0)
    first, second = np.asarray(draw(a)), np.asarray(draw(a))
    torch.manual_seed(0)
    gamma = torch.distributions.Gamma(torch.ones(4), 1.0)
    np.testing.assert_allclose(first, gamma.sample().numpy(), rtol=1e-6)
    np.testing.assert_allclose(second, gamma.sample().numpy(), rtol=1e-6)


def test_bad_values_of_a_training_step_raise_when_its_results_are_read():
    scale = funcgrad.tensor([1.0, -1.0], requires_grad=True)
    loss = funcgrad.distributions.Normal(0.0, scale * 2).log_prob(funcgrad.tensor(0.0)).sum()
    with pytest.raises(
        ValueError, match=r"Expected parameter scale \(Tensor of shape \(2,\)\).*test_distributions_traced"
    ):
        loss.item()


def test_other_bad_values_raise_at_once():
    with pytest.raises(ValueError, match="Expected parameter scale"):
        funcgrad.distributions.Normal(0.0, -funcgrad.ones(2))


def test_bad_values_of_parameters_raise_at_once():
    bad = funcgrad.tensor([-1.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"Expected parameter concentration \(Tensor of shape \(1, 2\)\)"):
        funcgrad.distributions.Beta(bad, bad)


def test_second_derivatives_of_gamma_draws_are_refused():
    """With PyTorch's error."""

    def code(library):
        a = library.tensor([2.0], requires_grad=True)
        x = library.distributions.Gamma(a, 1.0).rsample()
        (g,) = library.autograd.grad(x.sum(), a, create_graph=True)
        g.sum().backward()
        return a.grad.tolist()

    for library in (torch, funcgrad):
        with pytest.raises(RuntimeError, match="the derivative for '_standard_gamma_grad' is not implemented"):
            code(library)


def test_gradients_of_draws_inside_jax_grad():
    def total(library, a):
        d = library.distributions
        return (d.Gamma(a, 2.0).rsample() + d.Beta(a, 1.5).rsample()).sum()

    a = torch.tensor([0.7, 3.0], requires_grad=True)
    torch.manual_seed(0)
    total(torch, a).backward()
    funcgrad.manual_seed(0)
    gradient = jax.grad(lambda x: funcgrad.to_jax(total(funcgrad, funcgrad.from_jax(x))))(
        jnp.asarray(a.detach().numpy())
    )
    np.testing.assert_allclose(gradient, a.grad.numpy(), rtol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_gamma_draws_of_any_shape(dtype):
    """PyTorch's are approximations: 5e-4 at small shapes, exact at large ones."""
    shapes = [0.1, 0.7, 1.0, 7.9, 8.1, 50.0, 1e3, 1e4, 1e6]
    x = torch._standard_gamma(torch.tensor(shapes, dtype=getattr(torch, dtype)).expand(20, -1).contiguous())
    a = torch.tensor(shapes, dtype=x.dtype).expand(20, -1)
    want = torch.ops.aten._standard_gamma_grad(a, x).numpy()
    got = funcgrad._standard_gamma_grad(*(funcgrad.from_numpy(v.contiguous().numpy()) for v in (a, x))).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-3)
    np.testing.assert_allclose(got[:, 7:], want[:, 7:], rtol=1e-5)
