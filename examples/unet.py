"""A U-Net that takes the noise off handwritten digits: down, up, and skip connections between equal sizes."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def convolutions(in_channels, channels):
    """Two convolutions, each with normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1), nn.GroupNorm(4, channels), nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1), nn.GroupNorm(4, channels), nn.ReLU(),
    )  # fmt: skip


class UNet(nn.Module):
    def __init__(self, widths=(8, 16, 32)):
        super().__init__()
        self.down = nn.ModuleList(convolutions(i, o) for i, o in zip((1, *widths), widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(convolutions(2 * w, w) for w in reversed(widths[:-1]))
        self.out = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x):
        skipped = []
        for block in self.down[:-1]:
            x = block(x)
            skipped.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[-1](x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skipped)):
            x = merge(torch.cat([skip, up(x)], dim=1))
        return self.out(x)


def train(steps=60, batch_size=32):
    """The loss of each step; prints a digit, the same with noise, and what the network makes of it."""
    torch.manual_seed(0)
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 16
    model = UNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        clean = images[torch.randint(0, 1700, (batch_size,))]
        loss = F.binary_cross_entropy_with_logits(model(clean + 0.5 * torch.randn_like(clean)), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0 or step == steps - 1:
            print(f"step {step}, loss {losses[-1]:.4f}")
    clean = images[1789:1790]
    noisy = clean + 0.5 * torch.randn_like(clean)
    with torch.no_grad():
        show(clean, noisy, torch.sigmoid(model(noisy)))
    return losses


def show(*images):
    """Images side by side, in letters."""
    for rows in zip(*(image[0, 0].tolist() for image in images)):
        print("   ".join("".join(" .:*#"[min(max(round(4 * v), 0), 4)] * 2 for v in row) for row in rows))


if __name__ == "__main__":
    train()
