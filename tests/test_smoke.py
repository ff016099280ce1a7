"""Ten seconds that say whether anything is badly broken: import, record, differentiate, launch, train, save."""

import subprocess
import sys

import funcgrad as torch


def test_importing_loads_no_other_framework():
    code = """
    import sys, funcgrad
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(sorted(loaded & {"torch", "flax", "optax", "tensorflow", "matplotlib", "pandas", "sklearn"}))
    """
    lines = "\n".join(line.strip() for line in code.strip().splitlines())
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_small_network_learns_and_is_saved(tmp_path):
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 < losses[0]
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    other.load_state_dict(torch.load(tmp_path / "model.pt"))
    with torch.no_grad():
        assert torch.equal(model(x), other(x)) and (model(x) - y).abs().max() < 0.3


def test_a_step_compiles_once():
    """What made the parameters runs by itself, so the first step is the second's program."""
    from funcgrad.engine.explain import compiles

    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        loss = model(torch.ones(4, 3)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    before = compiles()
    for _ in range(4):
        step()
    assert compiles() == before + 1
