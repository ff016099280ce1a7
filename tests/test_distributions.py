"""Every distribution against PyTorch: draws from the same seed, densities, moments, gradients, expansion."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from distribution_cases import CASES, WRAPPED, make
from parity import same

import funcgrad
import funcgrad.distributions

SEED = 20
PROPERTIES = ("mean", "mode", "variance", "stddev", "batch_shape", "event_shape", "has_rsample", "support",
              "has_enumerate_support", "arg_constraints", "param_shape")  # fmt: skip
METHODS = ("entropy", "perplexity", "enumerate_support")


def seeded(library, f):
    library.manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f()


def plain(x):
    """As `tests.parity.plain`, with other objects by their text."""
    if isinstance(x, torch.Tensor | funcgrad.Tensor):
        t = x.detach()
        return [str(t.dtype).split(".")[-1], bool(x.requires_grad), np.array(t.numpy())]
    if isinstance(x, torch.Size | funcgrad.Size):
        return ["Size", *x]
    if isinstance(x, dict):
        return [(k, plain(v)) for k, v in sorted(x.items())]
    if isinstance(x, list | tuple):
        return [plain(v) for v in x]
    return x if isinstance(x, bool | int | float | None) else str(x).replace("funcgrad", "torch")


def attempt(f):
    """What `f` returns, or its error; values are read later, all at once, so that each test compiles few programs."""
    try:
        return f()
    except Exception as e:
        return f"{type(e).__name__}: {e}"


def agree(run, rtol: float = 2e-4, atol: float = 2e-5) -> None:
    """``run(library)`` returns the same in both libraries."""
    same(plain(run(funcgrad)), plain(run(torch)), rtol, atol)


def facts(d):
    """All that can be known of a distribution, moments and constants."""
    found = [attempt(lambda n=n: getattr(d, n)) for n in PROPERTIES if n != "param_shape" or hasattr(type(d), n)]
    return found + [attempt(getattr(d, n)) for n in METHODS] + [repr(d)]


def value_for(d, library):
    """A value to ask the density of: a draw, the same in both libraries."""
    return seeded(library, lambda: d.sample((2,)))


IDS = [f"{name}-{'-'.join(arguments)}" for name, arguments in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_facts_and_densities(case):
    """Moments, entropy, support, and the density, cdf and icdf at a draw, with their gradients."""

    def run(library):
        d, leaves = make(library, case)
        x = value_for(d, library)
        found = [x, *facts(d)]
        p = library.full_like(x, 0.3) if x.is_floating_point() else library.full(tuple(x.shape), 0.3)
        for f in (lambda: d.log_prob(x), lambda: d.cdf(x), lambda: d.icdf(p)):
            found.append(attempt(f))
        log_prob = d.log_prob(x).sum()
        if leaves and log_prob.requires_grad:
            found.append(library.autograd.grad(log_prob, leaves, allow_unused=True))
        return found

    agree(run)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_draws_and_their_gradients(case):
    """`sample` and `rsample` from a seed, the gradients of `rsample`, and the generator's state afterwards."""

    def run(library):
        d, leaves = make(library, case)
        found = [seeded(library, lambda: d.sample((3,))), library.get_rng_state()]
        if d.has_rsample:
            x = seeded(library, lambda: d.rsample((2, 2)))
            weights = library.arange(float(x.numel())).reshape(x.shape)
            found.append(x)
            if x.requires_grad and case[0] != "Wishart":  # PyTorch's raises: it writes to what it saved
                found.append(library.autograd.grad((x * weights).sum(), leaves, allow_unused=True))
        else:
            found.append(attempt(lambda: d.rsample()))
        return found

    # PyTorch approximates the gradients of gamma and Dirichlet draws, with relative errors up to 5e-4.
    agree(run, *((1e-3, 1e-3) if case[0] in IMPLICIT else (1e-4, 1e-5)))


IMPLICIT = {"Beta", "Chi2", "Dirichlet", "FisherSnedecor", "Gamma", "InverseGamma", "StudentT", "Wishart"}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_expand(case, full):
    """The expanded distribution has the shapes, the draws and the densities of PyTorch's."""
    if not full and CASES.index(case) % 3:
        pytest.skip("only with --full")

    def run(library):
        d, _ = make(library, case)
        e = d.expand((2, *d.batch_shape))
        x = value_for(e, library)
        return [e.batch_shape, e.event_shape, repr(e), x, attempt(lambda: e.log_prob(x)),
                attempt(lambda: e.mean), attempt(lambda: e.variance)]  # fmt: skip

    agree(run)


@pytest.mark.parametrize("case", WRAPPED, ids=[f"{name}{i}" for i, (name, _) in enumerate(WRAPPED)])
def test_distributions_of_distributions(case):
    def run(library):
        d = case[1](library, library.distributions)
        x = value_for(d, library)
        e = d.expand((2, *d.batch_shape))
        return [x, *facts(d), attempt(lambda: d.log_prob(x)), attempt(lambda: d.cdf(x)), repr(e),
                value_for(e, library), attempt(lambda: e.log_prob(x.unsqueeze(1)))]  # fmt: skip

    agree(run)
