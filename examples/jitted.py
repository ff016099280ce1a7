"""The same training three ways: the plain loop, the step compiled as one program, and plain JAX over the parameters.

Runs under funcgrad (the third way is JAX's own): python -m funcgrad examples/jitted.py
"""

import time

import jax
import numpy as np
import optax
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call

STEPS = 200
rng = np.random.RandomState(0)
data = [(rng.randn(64, 32).astype("f"), rng.randint(0, 10, 64)) for _ in range(20)]


def build():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


def plain_step(model, optimizer):
    """An ordinary training step; nothing is decorated."""

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def timed(name, step):
    """Train for STEPS steps; print the time of the first and of the others."""
    start = time.perf_counter()
    losses = [float(step(*data[0]))]
    first = time.perf_counter() - start
    start = time.perf_counter()
    for i in range(1, STEPS):
        losses.append(float(step(*data[i % len(data)])))
    rest = (time.perf_counter() - start) / (STEPS - 1)
    print(f"{name:28s} first step {first:6.2f} s, then {rest * 1e6:7.0f} µs a step, last loss {losses[-1]:.5f}")
    return losses


def with_tensors(step):
    return lambda x, y: step(torch.from_numpy(x), torch.from_numpy(y))


def jax_step():
    """The model as a pure function of its parameters, differentiated by JAX and stepped by optax."""
    model, _ = build()
    parameters = dict(model.named_parameters())
    transformation = optax.adam(1e-3)

    def loss_of(parameters, x, y):
        logits = functional_call(model, parameters, (torch.from_jax(x),))
        labels = torch.from_jax(y).long()  # inside jax.jit integers have 32 bits
        return torch.to_jax(F.cross_entropy(logits, labels))

    @jax.jit
    def update(parameters, state, x, y):
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, y)
        updates, state = transformation.update(grads, state, parameters)
        return optax.apply_updates(parameters, updates), state, loss

    arrays = {name: torch.to_jax(p.detach()) for name, p in parameters.items()}
    state = [arrays, transformation.init(arrays)]

    def step(x, y):
        *state[:], loss = update(*state, x, y)
        return loss

    return step


plain = timed("the plain loop", with_tensors(plain_step(*build())))
compiled = timed("torch.compile(step)", with_tensors(torch.compile(plain_step(*build()))))
by_hand = timed("jax.grad of functional_call", jax_step())
# JAX's own Adam rounds otherwise; after some 100 steps that has grown to a thousandth.
print("the same losses:", np.allclose(plain, compiled, rtol=1e-4), np.allclose(plain[:50], by_hand[:50], rtol=1e-4))
