"""A Vision Transformer on real handwritten digits: patches become tokens, a class token collects what they say."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class VisionTransformer(nn.Module):
    def __init__(self, size=8, patch=2, width=32, heads=4, layers=2, classes=10):
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.5 * torch.randn(1, (size // patch) ** 2 + 1, width))
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)  # (N, patches, width)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), tokens], dim=1)
        return self.head(self.blocks(tokens + self.positions)[:, 0])


def train(steps=100, batch_size=64):
    """The loss of each step; prints the accuracy on digits not trained on."""
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 4 - 2
    labels = torch.tensor(digits.target)
    model = VisionTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps)
    losses = []
    for step in range(steps):
        batch = torch.randint(0, 1500, (batch_size,))
        loss = F.cross_entropy(model(images[batch]), labels[batch], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step}, loss {losses[-1]:.4f}")
    model.eval()
    with torch.no_grad():
        right = model(images[1500:]).argmax(-1) == labels[1500:]
    print(f"accuracy on {len(right)} other digits: {right.float().mean().item():.1%}")
    return losses


if __name__ == "__main__":
    train()
