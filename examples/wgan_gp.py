"""A Wasserstein GAN with gradient penalty on the iris measurements: a loss made of a gradient, differentiated again.

The penalty keeps the length of the critic's gradient near 1 (Gulrajani et al., 2017): `create_graph=True` makes that
gradient part of the graph.
"""

import torch
import torch.nn as nn
from sklearn.datasets import load_iris


def perceptron(inputs, outputs, width=32):
    return nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )


def gradient_penalty(critic, real, fake):
    """The mean of ``(|gradient| - 1)**2`` at points between real and made ones."""
    between = torch.lerp(fake, real, torch.rand(len(real), 1)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.norm(dim=1) - 1).square().mean()


def train(steps=150, critic_steps=3, noise=4):
    """The critic's and the generator's loss of each step; prints the statistics of real and made flowers."""
    torch.manual_seed(0)
    flowers = torch.tensor(load_iris().data, dtype=torch.float32)
    mean, std = flowers.mean(0), flowers.std(0)
    data = (flowers - mean) / std
    critic, generator = perceptron(4, 1), perceptron(noise, 4)
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.0, 0.9))
    losses = []
    for step in range(steps):
        for _ in range(critic_steps):
            real = data[torch.randint(0, len(data), (64,))]
            fake = generator(torch.randn(64, noise)).detach()
            critic_loss = critic(fake).mean() - critic(real).mean() + 10 * gradient_penalty(critic, real, fake)
            critic_optimizer.zero_grad()
            critic_loss.backward()
            critic_optimizer.step()
        generator_loss = -critic(generator(torch.randn(64, noise))).mean()
        generator_optimizer.zero_grad()
        generator_loss.backward()
        generator_optimizer.step()
        losses += [critic_loss.item(), generator_loss.item()]
        if step % 30 == 0 or step == steps - 1:
            print(f"step {step}, critic {losses[-2]:.4f}, generator {losses[-1]:.4f}")
    with torch.no_grad():
        made = generator(torch.randn(1000, noise)) * std + mean
    for name, x in (("real", flowers), ("made", made)):
        print(name, "mean", [round(v, 1) for v in x.mean(0).tolist()], "std", [round(v, 1) for v in x.std(0).tolist()])
    return losses


if __name__ == "__main__":
    train()
