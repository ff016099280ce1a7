"""One program, two libraries, one seed: the loss curves of a variational autoencoder lie on each other.

With --train it is an ordinary PyTorch program, which prints its losses. Without, it runs itself so under PyTorch and under
funcgrad and draws same_seed.png. Weights, shuffles, dropout masks and latent samples are all random; nothing is shared
but the seed.

    python examples/same_seed.py                  (needs PyTorch)
    python -m funcgrad examples/same_seed.py --train
"""

import argparse
import json
import subprocess
import sys


def train(seed: int, epochs: int) -> list[float]:
    """The losses of all steps."""
    import torch
    import torch.nn as nn
    from sklearn.datasets import load_digits
    from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(seed)
    images = torch.tensor(load_digits().data[:1024] / 16, dtype=torch.float32)
    encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 16))
    decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    losses = []
    for _ in range(epochs):
        for (x,) in DataLoader(TensorDataset(images), batch_size=64, shuffle=True):
            x = torch.bernoulli(x)  # each pixel drawn anew, with its grey as probability
            loc, log_scale = encoder(x).chunk(2, -1)
            posterior = Normal(loc, log_scale.exp())
            likelihood = Independent(Bernoulli(logits=decoder(posterior.rsample())), 1).log_prob(x)
            loss = (kl_divergence(posterior, Normal(0.0, 1.0)).sum(-1) - likelihood).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def draw(curves: dict[str, list[float]], path: str) -> None:
    """Both curves, and how far they are apart."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 6), sharex=True, height_ratios=[3, 1])
    styles = {"PyTorch": {"linewidth": 4, "alpha": 0.4}, "funcgrad": {"linewidth": 1, "color": "black"}}
    for name, losses in curves.items():
        above.plot(losses, label=name, **styles[name])
    above.set_ylabel("loss")
    above.legend()
    below.semilogy([abs(a - b) / abs(a) for a, b in zip(*curves.values())])
    below.set_ylabel("relative difference")
    below.set_xlabel("step")
    figure.suptitle("A variational autoencoder, from the same seed")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", default="same_seed.png")
    parser.add_argument("--train", action="store_true", help="only train, and print the losses")
    args = parser.parse_args()
    if args.train:
        print(json.dumps(train(args.seed, args.epochs)))
        return
    curves = {}
    for name, runner in (("PyTorch", []), ("funcgrad", ["-m", "funcgrad"])):
        command = [sys.executable, *runner, __file__, "--train", f"--seed={args.seed}", f"--epochs={args.epochs}"]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        curves[name] = json.loads(out)
        print(f"{name:<9} first loss {curves[name][0]:.4f}, last loss {curves[name][-1]:.4f}")
    apart = max(abs(a - b) / abs(a) for a, b in zip(*curves.values()))
    print(f"largest relative difference in {len(curves['PyTorch'])} steps: {apart:.1e}")
    draw(curves, args.out)
    print(f"drawn: {args.out}")


if __name__ == "__main__":
    main()
