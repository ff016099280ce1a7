"""The training loops that are timed, written once in PyTorch's API: `torch` is PyTorch or funcgrad.

Each workload makes (model, optimizer, loss function, batches); every step gets fresh input values.
"""

from __future__ import annotations

import itertools

import numpy as np


def _regression(features, outputs, size):
    def batches(count, seed=0):
        rng = np.random.RandomState(seed)
        for _ in range(count):
            yield rng.randn(size, features).astype("f"), rng.randn(size, outputs).astype("f")

    return batches


def _classes(shape, classes, size, kind="f"):
    def batches(count, seed=0):
        rng = np.random.RandomState(seed)
        for _ in range(count):
            x = rng.randn(size, *shape).astype("f") if kind == "f" else rng.randint(0, kind, (size, *shape))
            yield x, rng.randint(0, classes, (size, *shape) if kind != "f" else (size,))

    return batches


def mlp(torch, sizes):
    nn = torch.nn
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def resnet20(torch):
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, out, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(out)
            self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(out)
            self.short = None
            if stride != 1 or inside != out:
                self.short = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            return F.relu(y + (x if self.short is None else self.short(x)))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn = nn.BatchNorm2d(16)
            blocks, inside = [], 16
            for stage, out in enumerate((16, 32, 64)):
                for i in range(3):
                    blocks.append(Block(inside, out, 2 if stage and not i else 1))
                    inside = out
            self.blocks = nn.Sequential(*blocks)
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            x = self.blocks(F.relu(self.bn(self.conv(x))))
            return self.head(x.mean((2, 3)))

    return ResNet()


def lstm(torch):
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(1000, 64)
            self.lstm = nn.LSTM(64, 128, batch_first=True)
            self.head = nn.Linear(128, 5)

        def forward(self, tokens):
            out, _ = self.lstm(self.embedding(tokens))
            return self.head(out[:, -1])

    return Classifier()


def gpt(torch, vocabulary=65, context=128, width=256, heads=8, layers=4):
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            b, t, _ = x.shape
            q, k, v = self.qkv(self.ln1(x)).split(width, dim=2)
            q, k, v = (z.view(b, t, heads, width // heads).transpose(1, 2) for z in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, width))
            return x + self.down(F.gelu(self.up(self.ln2(x))))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.positions = nn.Parameter(torch.zeros(context, width))
            self.blocks = nn.ModuleList([Block() for _ in range(layers)])
            self.ln = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens):
            x = self.tokens(tokens) + self.positions
            for block in self.blocks:
                x = block(x)
            return self.head(self.ln(x)).flatten(0, 1)

    return GPT()


def _last_token_classes(length, size):
    def batches(count, seed=0):
        rng = np.random.RandomState(seed)
        for _ in range(count):
            yield rng.randint(0, 1000, (size, length)), rng.randint(0, 5, (size,))

    return batches


MLP = (64, 256, 256, 10)
WORKLOADS = {
    # name: (model, loss, optimizer, options, batches, steps per round)
    "linear regression": (lambda t: mlp(t, (1, 1)), "mse", "SGD", {"lr": 0.01}, _regression(1, 1, 16), 300),
    **{
        f"MLP {opt}, batch {size}": (
            lambda t: mlp(t, MLP), "ce", opt, {"lr": 1e-3}, _classes((64,), 10, size), 200 if size < 512 else 60,
        )
        for opt in ("SGD", "Adam") for size in (1, 64, 512)
    },
    "LeNet": (lenet, "ce", "SGD", {"lr": 0.01}, _classes((1, 28, 28), 10, 64), 40),
    "ResNet-20": (resnet20, "ce", "SGD", {"lr": 0.1, "momentum": 0.9}, _classes((3, 32, 32), 10, 32), 8),
    "LSTM": (lstm, "ce", "Adam", {"lr": 1e-3}, _last_token_classes(50, 32), 15),
    "GPT": (gpt, "ce", "AdamW", {"lr": 3e-4}, _classes((128,), 65, 8, kind=65), 8),
}  # fmt: skip


def build(torch, name: str):
    """The model, optimizer and training step of a workload under one library."""
    model_of, loss, optimizer, options, batches, steps = WORKLOADS[name]
    torch.manual_seed(0)
    model = model_of(torch)
    opt = getattr(torch.optim, optimizer)(model.parameters(), **options)
    F = torch.nn.functional
    criterion = F.mse_loss if loss == "mse" else lambda out, y: F.cross_entropy(out, y.flatten())

    def step(x, y):
        opt.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return model, step, batches, steps
