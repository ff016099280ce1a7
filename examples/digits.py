"""Read handwritten digits: a convolutional network on scikit-learn's 1,797 real 8x8 scans.

An ordinary PyTorch program. It prints a progress line per epoch and draws digits.png: the losses, the confusion matrix,
and the held-out digits it got wrong.

    python -m funcgrad examples/digits.py        (or, with PyTorch:  python examples/digits.py)
"""

import argparse
import time

import matplotlib
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

matplotlib.use("Agg")
import matplotlib.pyplot as plt


class Net(nn.Module):
    """Two blocks of convolution, batch norm and ReLU, each halved by max-pooling, and a classifier with dropout."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(64 * 2 * 2, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def train(model, loader, optimizer):
    """One epoch; returns the mean loss."""
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def validate(model, loader):
    """The mean loss on a data set, and the predicted and true labels."""
    model.eval()
    total, predicted, true = 0.0, [], []
    for images, labels in loader:
        logits = model(images)
        total += F.cross_entropy(logits, labels, reduction="sum").item()
        predicted.append(logits.argmax(dim=1))
        true.append(labels)
    return total / len(loader.dataset), torch.cat(predicted).numpy(), torch.cat(true).numpy()


def draw(path, losses, predicted, true, images):
    """The loss curves, the confusion matrix, and the mistakes."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5), gridspec_kw={"width_ratios": [1.2, 1, 1.2]})
    axes[0].semilogy([t for t, _ in losses], label="training")
    axes[0].semilogy([v for _, v in losses], label="held out")
    axes[0].set(xlabel="epoch", ylabel="cross-entropy", title="Loss")
    axes[0].legend()
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (true, predicted), 1)
    axes[1].imshow(confusion, cmap="Blues")
    for i in range(10):
        for j in range(10):
            if confusion[i, j]:
                axes[1].text(
                    j, i, confusion[i, j], ha="center", va="center", color="white" if i == j else "black", fontsize=8
                )
    axes[1].set(
        xlabel="predicted", ylabel="true", title="Confusion on held-out digits", xticks=range(10), yticks=range(10)
    )
    wrong = np.flatnonzero(predicted != true)[:15]
    axes[2].axis("off")
    axes[2].set_title(f"All {len(wrong)} mistakes: predicted (true)" if len(wrong) else "No mistakes")
    for k, i in enumerate(wrong):
        inset = axes[2].inset_axes([0.2 * (k % 5), 0.66 - 0.33 * (k // 5), 0.18, 0.25])
        inset.imshow(images[i], cmap="gray_r")
        inset.set_title(f"{predicted[i]} ({true[i]})", fontsize=9)
        inset.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", default="digits.png")
    options = parser.parse_args()

    torch.manual_seed(0)
    digits = load_digits()
    images = torch.from_numpy((digits.images / 16).astype(np.float32)).unsqueeze(1)
    dataset = TensorDataset(images, torch.from_numpy(digits.target))
    training, held_out = random_split(dataset, [1437, 360])
    train_loader = DataLoader(training, batch_size=64, shuffle=True)
    test_loader = DataLoader(held_out, batch_size=180)

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.epochs)
    losses, start = [], time.time()
    for epoch in range(options.epochs):
        train_loss = train(model, train_loader, optimizer)
        test_loss, predicted, true = validate(model, test_loader)
        schedule.step()
        losses.append((train_loss, test_loss))
        print(
            f"epoch {epoch + 1:2d}/{options.epochs}  loss {train_loss:.4f}  held-out loss {test_loss:.4f}  "
            f"accuracy {(predicted == true).mean():.2%}  ({time.time() - start:.1f} s)",
            flush=True,
        )
    draw(options.out, losses, predicted, true, digits.images[held_out.indices])
    print(f"{(predicted == true).mean():.2%} of {len(true)} held-out digits read correctly; see {options.out}")


if __name__ == "__main__":
    main()
