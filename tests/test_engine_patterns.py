"""Patterns of real training loops that must compile nothing once they repeat, and failures that must change nothing."""

import contextlib
import copy
import io
import signal
import threading

import numpy as np
import pytest

import funcgrad as torch
from funcgrad import nn
from funcgrad.engine import launch as launching
from funcgrad.engine.explain import compiles
from funcgrad.nn import functional as F


def batches(count, size=8):
    data = np.random.RandomState(count)
    for _ in range(count):
        yield torch.from_numpy(data.randn(size, 4).astype("f")), torch.from_numpy(data.randn(size, 2).astype("f"))


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def trained(net, optimizer, loss_of, count=3):
    """One epoch."""
    for x, y in batches(count):
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        yield loss


class Loops:
    """Training loops; each is a generator that yields once per epoch."""

    def writes_to_data(self):
        w = torch.zeros(4, 2, requires_grad=True)
        while True:
            for x, y in batches(3):
                if w.grad is not None:
                    w.grad.data.zero_()
                ((x @ w - y) ** 2).mean().backward()
                w.data.sub_(0.1 * w.grad.data)
            yield

    def keeps_losses_with_their_graphs(self):
        net, losses = model(), []
        optimizer = torch.optim.Adam(net.parameters())
        while True:
            losses += trained(net, optimizer, F.mse_loss)
            assert len(losses) < 30 or losses[0].item() > losses[-1].item()
            yield

    def sums_losses(self):
        net = model()
        optimizer = torch.optim.Adam(net.parameters())
        while True:
            running = 0.0
            for loss in trained(net, optimizer, F.mse_loss):
                running += loss.item() * 8
            total = sum(loss.detach() for loss in trained(net, optimizer, F.mse_loss))
            assert running > 0 and total.item() > 0
            yield

    def prints_inside_forward(self):
        class Talking(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 2)

            def forward(self, x):
                h = self.first(x).relu()
                print("mean", h.mean().item(), h.shape, h[0])
                return self.second(h)

        torch.manual_seed(0)
        net = Talking()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                list(trained(net, optimizer, F.mse_loss))
            assert out.getvalue().count("grad_fn=<SelectBackward0>") == 3
            yield

    def freezes_layers_half_way(self):
        net, frozen = model(), False
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for epoch in range(100):
            frozen = epoch % 4 >= 2  # there and back again
            net[0].requires_grad_(not frozen)
            before = net[0].weight.detach().clone()
            list(trained(net, optimizer, F.mse_loss))
            assert torch.equal(before, net[0].weight) == frozen
            if epoch % 2:
                yield

    def steps_through_time(self):
        torch.manual_seed(0)
        cell, head = nn.GRUCell(4, 8), nn.Linear(8, 2)
        optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()])
        while True:
            for x, y in batches(3):
                h, out = torch.zeros(8, 8), []
                for t in range(5):
                    h = cell(x * (t + 1), h)
                    out.append(head(h))
                optimizer.zero_grad()
                F.mse_loss(torch.stack(out).mean(0), y).backward()
                optimizer.step()
            yield

    def carries_a_hidden_state(self):
        torch.manual_seed(0)
        net = nn.LSTM(4, 8)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        state = None
        while True:
            for x, _ in batches(3):
                if state is not None:
                    state = tuple(s.detach() for s in state)
                out, state = net(x[:, None], state)
                optimizer.zero_grad()
                out.pow(2).mean().backward()
                optimizer.step()
            yield

    def ties_weights(self):
        torch.manual_seed(0)
        table, head = nn.Embedding(10, 6), nn.Linear(6, 10, bias=False)
        head.weight = table.weight
        optimizer = torch.optim.Adam(table.parameters())
        while True:
            for i in range(3):
                words = (torch.arange(8) + i) % 10
                optimizer.zero_grad()
                F.cross_entropy(head(table(words)), words.roll(1)).backward()
                optimizer.step()
            assert head.weight is table.weight
            yield

    def copies_the_best_model(self):
        net, best = model(), None
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            list(trained(net, optimizer, F.mse_loss))
            best = copy.deepcopy(net)
            saved = copy.deepcopy(net.state_dict())
            best.load_state_dict(saved)
            yield

    def averages_a_target_network(self):
        net = model()
        target = copy.deepcopy(net)
        optimizer = torch.optim.Adam(net.parameters())
        while True:
            for x, _ in batches(3):
                with torch.no_grad():
                    wanted = target(x)
                optimizer.zero_grad()
                F.smooth_l1_loss(net(x), wanted + 1).backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                with torch.no_grad():
                    for a, b in zip(target.parameters(), net.parameters()):
                        a.mul_(0.9).add_(b, alpha=0.1)
            yield

    def penalises_gradients(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for x, _ in batches(3):
                x.requires_grad_()
                out = net(x).sum()
                (slope,) = torch.autograd.grad(out, x, create_graph=True)
                optimizer.zero_grad()
                ((slope.norm(dim=1) - 1) ** 2).mean().backward()
                optimizer.step()
            yield


LOOPS = [name for name in vars(Loops) if not name.startswith("_")]


@pytest.mark.parametrize("name", LOOPS)
def test_nothing_compiles_once_the_loop_repeats(name):
    loop = getattr(Loops(), name)()
    for _ in range(4):
        next(loop)
    before = compiles()
    for _ in range(3):
        next(loop)
    assert compiles() == before


class Interrupted(BaseException):
    """As Ctrl-C, but nobody else's."""


@pytest.mark.parametrize("failure", [MemoryError, Interrupted])
def test_a_step_that_fails_leaves_everything_as_it_was(monkeypatch, failure):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    data = list(batches(4))

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def everything():
        states = [s for p in net.parameters() for s in optimizer.state[p].values()]
        return [np.array(t.detach().numpy()) for t in (*net.state_dict().values(), *states)]

    for x, y in data[:3]:  # the last time with donated arguments
        step(x, y)
    before, kept = everything(), torch.get_rng_state()
    original = launching._run

    def fail(*args):
        raise failure

    monkeypatch.setattr(launching, "_run", fail)
    with pytest.raises(failure):
        step(*data[3])
    monkeypatch.setattr(launching, "_run", original)
    assert all(p.grad is None for p in net.parameters())  # as zero_grad() had left them
    for got, want in zip(everything(), before):
        np.testing.assert_array_equal(got, want)
    torch.set_rng_state(kept)
    again = step(*data[3])
    torch.set_rng_state(kept)
    assert np.isfinite(again) and np.isfinite(step(*data[3]))


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # one may hit a callback of the collector
def test_control_c_during_a_launch():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.9)

    def step():
        optimizer.zero_grad()
        (w**2).sum().backward()
        optimizer.step()
        return w.detach().numpy().copy()

    want = [step() for _ in range(3)][-1]
    interrupted = 0
    for _ in range(20):
        timer = threading.Timer(0.002, lambda: signal.raise_signal(signal.SIGINT))
        try:
            timer.start()
            for _ in range(200):
                now = step()
                assert np.isfinite(now).all()
                want = now
        except KeyboardInterrupt:
            interrupted += 1
        timer.join()
        assert np.isfinite(w.detach().numpy()).all() and np.isfinite(step()).all()
    assert interrupted and want is not None


def test_two_threads_train_two_models_and_share_a_third():
    shared = model()
    errors, finals = [], {}

    def work(i):
        try:
            net = nn.Linear(2, 1)
            with torch.no_grad():
                for p in net.parameters():
                    p.fill_(0.1)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(10):
                for x, _ in batches(2):
                    optimizer.zero_grad()
                    with torch.no_grad():
                        features = shared(x)
                    net(features).pow(2).mean().backward()
                    optimizer.step()
            finals[i] = net.weight.detach().numpy().copy()
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    np.testing.assert_allclose(finals[0], finals[1], rtol=1e-5)
