"""A neural ordinary differential equation: lynxes and hares in Canada, 1900 to 1920, and a network for their rates.

A solver is a Python loop of differentiable steps, so backward() goes through it as through any other program.
"""

import torch
import torch.nn as nn

# Thousands of pelts a year of the Hudson's Bay Company: hares and lynxes (Odum, 1953).
HARES = "30 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22 25.4 27.1 40.3 57 76.6 52.3 19.5 11.2 7.6 14.6 16.2 24.7"
LYNXES = "4 6.1 9.8 35.2 59.4 41.7 19 13 8.3 9.1 7.4 8 12.3 19.5 45.7 51.1 29.7 15.8 9.7 10.1 8.6"


class Rates(nn.Module):
    """The derivative of the logarithms of both populations."""

    def __init__(self, width=16):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 2))

    def forward(self, state):
        return self.network(state)


def runge_kutta(f, state, step):
    """One step of the classical method of fourth order."""
    k1 = f(state)
    k2 = f(state + step / 2 * k1)
    k3 = f(state + step / 2 * k2)
    k4 = f(state + step * k3)
    return state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def solve(f, state, times, substeps=2):
    """The states at `times` equal distances after the first."""
    states = [state]
    for _ in range(times):
        for _ in range(substeps):
            state = runge_kutta(f, state, 1 / substeps)
        states.append(state)
    return torch.stack(states)


def train(steps=150, years=4):
    """The loss of each step: every window of `years` years is solved from its first one, all at once."""
    torch.manual_seed(0)
    pelts = torch.tensor([[float(n) for n in row.split()] for row in (HARES, LYNXES)]).T
    data = pelts.log()
    mean, std = data.mean(0), data.std(0)
    data = (data - mean) / std
    windows = data.unfold(0, years + 1, 1).permute(2, 0, 1)  # (years + 1, windows, 2)
    rates = Rates()
    optimizer = torch.optim.Adam(rates.parameters(), lr=2e-2)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = (solve(rates, windows[0], years) - windows).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 30 == 0 or step == steps - 1:
            print(f"step {step}, loss {losses[-1]:.4f}")
    with torch.no_grad():
        solved = (solve(rates, data[:1], 6)[:, 0] * std + mean).exp()
    for year, (true, made) in enumerate(zip(pelts.tolist(), solved.tolist()), 1900):
        print(f"{year}: hares {true[0]:4.0f} (solved {made[0]:3.0f}), lynxes {true[1]:4.0f} (solved {made[1]:3.0f})")
    return losses


if __name__ == "__main__":
    train()
