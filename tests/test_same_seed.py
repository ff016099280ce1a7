"""Whole programs print PyTorch's losses from nothing but the same seed: weights, data, shuffles, masks and samples."""

import numpy as np
import pytest
import torch

import funcgrad
import funcgrad.distributions


def batches(library, size: int, *tensors):
    """A shuffled loader's batches, two epochs."""
    data = library.utils.data
    loader = data.DataLoader(data.TensorDataset(*tensors), batch_size=size, shuffle=True)
    for _ in range(2):
        yield from loader


def vae(library) -> list[float]:
    """A variational autoencoder with torch.distributions."""
    nn, d = library.nn, library.distributions
    x = library.bernoulli(library.rand(96, 20))
    encoder = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 8))
    decoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 20))
    optimizer = library.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    losses = []
    for (batch,) in batches(library, 32, x):
        loc, log_scale = encoder(batch).chunk(2, -1)
        posterior = d.Normal(loc, log_scale.exp())
        z = posterior.rsample()
        likelihood = d.Independent(d.Bernoulli(logits=decoder(z)), 1).log_prob(batch)
        loss = (d.kl_divergence(posterior, d.Normal(0.0, 1.0)).sum(-1) - likelihood).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def dropout_cnn(library) -> list[float]:
    """A convolutional network with both kinds of dropout, batch normalisation and noise on its inputs."""
    nn = library.nn
    x, y = library.randn(64, 1, 8, 8), library.randint(0, 5, (64,))
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.2), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(96, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 5),
    )  # fmt: skip
    optimizer = library.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for a, b in batches(library, 16, x, y):
        loss = nn.functional.cross_entropy(model(a + 0.1 * library.randn_like(a)), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def mixture_policy(library) -> list[float]:
    """A policy gradient: categorical actions, Beta and Gamma noise, rewards of the samples."""
    nn, d = library.nn, library.distributions
    states = library.rand(64, 6)
    policy = nn.Linear(6, 3)
    shape = nn.Parameter(library.ones(2))
    optimizer = library.optim.RMSprop([*policy.parameters(), shape], lr=1e-2)
    losses = []
    for (s,) in batches(library, 16, states):
        choice = d.Categorical(logits=policy(s))
        action = choice.sample()
        noise = d.Beta(shape[0], shape[1]).rsample((16,)) + d.Gamma(shape[0], 2.0).rsample((16,))
        reward = (action == s[:, :3].argmax(-1)).float() - 0.1 * noise
        loss = -(choice.log_prob(action) * reward.detach()).mean() - reward.mean() - 0.01 * choice.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("program", [vae, dropout_cnn, mixture_policy])
def test_losses_are_pytorchs(program):
    losses, states = [], []
    for library in (funcgrad, torch):
        library.manual_seed(11)
        losses.append(program(library))
        states.append(library.get_rng_state().numpy())
    np.testing.assert_allclose(*losses, rtol=1e-4)
    np.testing.assert_array_equal(*states)
