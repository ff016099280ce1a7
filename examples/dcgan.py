"""A DCGAN on handwritten digits: two networks with an optimizer each, and a gradient that one passes to the other."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def initialise(module):
    """Weights as in Radford, Metz and Chintala (2016)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def networks(noise=16, width=16):
    """Noise to an image of 8 by 8, and an image to one number."""
    generator = nn.Sequential(
        nn.ConvTranspose2d(noise, 2 * width, 2, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 2), nn.Flatten(0),
    )  # fmt: skip
    return generator.apply(initialise), discriminator.apply(initialise)


def train(steps=150, batch_size=64, noise=16):
    """The discriminator's and the generator's loss of each step; prints three images from noise."""
    torch.manual_seed(0)
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    generator, discriminator = networks(noise)
    settings = {"lr": 2e-3, "betas": (0.5, 0.999)}
    generator_optimizer = torch.optim.Adam(generator.parameters(), **settings)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), **settings)
    real, fake = torch.ones(batch_size), torch.zeros(batch_size)
    losses = []
    for step in range(steps):
        true = images[torch.randint(0, len(images), (batch_size,))]
        made = generator(torch.randn(batch_size, noise, 1, 1))

        discriminator_loss = F.binary_cross_entropy_with_logits(discriminator(true), real)
        discriminator_loss += F.binary_cross_entropy_with_logits(discriminator(made.detach()), fake)
        discriminator_optimizer.zero_grad()
        discriminator_loss.backward()
        discriminator_optimizer.step()

        generator_loss = F.binary_cross_entropy_with_logits(discriminator(made), real)
        generator_optimizer.zero_grad()
        generator_loss.backward()
        generator_optimizer.step()

        losses += [discriminator_loss.item(), generator_loss.item()]
        if step % 30 == 0 or step == steps - 1:
            print(f"step {step}, discriminator {losses[-2]:.4f}, generator {losses[-1]:.4f}")
    with torch.no_grad():
        for rows in zip(*generator.eval()(torch.randn(3, noise, 1, 1))[:, 0].tolist()):
            print("   ".join("".join(" .:*#"[round(2 * v + 2)] * 2 for v in row) for row in rows))
    return losses


if __name__ == "__main__":
    train()
