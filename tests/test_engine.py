"""The engine's promises: loops compile once, nothing is computed twice, a failed launch changes nothing."""

import copy
import threading

import jax
import numpy as np
import pytest

import funcgrad as torch
from funcgrad.engine import explain
from funcgrad.engine import launch as launching
from funcgrad.engine.explain import compiles
from funcgrad.engine.state import state
from funcgrad.nn import functional as F

nn = torch.nn


def batches(count, size=8, seed=0):
    rng = np.random.RandomState(seed)
    for _ in range(count):
        yield torch.from_numpy(rng.randn(size, 4).astype("f")), torch.from_numpy(rng.randn(size, 2).astype("f"))


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


class Loops:
    """Training loops; each is a generator that yields once per epoch."""

    def plain(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for x, y in batches(3):
                optimizer.zero_grad()
                loss = F.mse_loss(net(x), y)
                loss.backward()
                optimizer.step()
                loss.item()
            yield

    def never_reads_a_value(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        losses = []
        while True:
            for x, y in batches(3):
                optimizer.zero_grad()
                loss = F.mse_loss(net(x), y)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            yield

    def reads_before_backward(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for x, y in batches(3):
                loss = F.mse_loss(net(x), y)
                loss.item()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            yield

    def manual_update(self):
        w = torch.zeros(4, 2, requires_grad=True)
        while True:
            for x, y in batches(3):
                ((x @ w - y) ** 2).mean().backward()
                with torch.no_grad():
                    w -= 0.1 * w.grad
                w.grad = None
            yield

    def accumulates_gradients(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            optimizer.zero_grad()
            for x, y in batches(4):
                (F.mse_loss(net(x), y) / 4).backward()
            optimizer.step()
            yield

    def learning_rate_changes(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for x, y in batches(3):
                optimizer.zero_grad()
                F.mse_loss(net(x), y).backward()
                optimizer.step()
                optimizer.param_groups[0]["lr"] *= 0.9
            yield

    def trains_and_validates(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            net.train()
            for x, y in batches(3):
                optimizer.zero_grad()
                F.mse_loss(net(x), y).backward()
                optimizer.step()
            net.eval()
            total = 0
            with torch.no_grad():
                for x, y in batches(3):
                    total += F.mse_loss(net(x), y)
            total.item()
            yield

    def two_models_and_detach(self):
        first, second = model(), nn.Linear(2, 1)
        a = torch.optim.SGD(first.parameters(), lr=0.1)
        b = torch.optim.SGD(second.parameters(), lr=0.1)
        while True:
            for x, _ in batches(3):
                fake = first(x)
                b.zero_grad()
                second(fake.detach()).mean().backward()
                b.step()
                a.zero_grad()
                second(fake).mean().backward()
                a.step()
            yield

    def indexes_by_position(self):
        data = torch.from_numpy(np.random.RandomState(0).randn(12, 4).astype("f"))
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for i in range(0, 12, 4):
                optimizer.zero_grad()
                (net(data[i : i + 4]) ** 2).mean().backward()
                optimizer.step()
                data[i].sum().item()
            yield

    def last_batch_is_smaller(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for size in (8, 8, 3):
                for x, y in batches(1, size):
                    optimizer.zero_grad()
                    F.mse_loss(net(x), y).backward()
                    optimizer.step()
            yield

    def branches_on_a_value(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        while True:
            for x, y in batches(3):
                loss = F.mse_loss(net(x), y)
                if loss < 1e9:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
            yield


LOOPS = [name for name in vars(Loops) if not name.startswith("_")]


@pytest.mark.parametrize("name", LOOPS)
def test_nothing_compiles_after_the_second_epoch(name):
    loop = getattr(Loops(), name)()
    for _ in range(3):
        next(loop)
    before = compiles()
    for _ in range(3):
        next(loop)
    assert compiles() == before


def test_a_read_before_backward_computes_forward_once():
    net = model()
    x, y = next(batches(1))
    loss = F.mse_loss(net(x), y)
    launched = []
    original = launching.execute

    def execute(program, reason):
        launched.append([str(e.op) for e in program.node.path() if e.op is not None])
        return original(program, reason)

    launching.execute = execute
    try:
        loss.item()
        loss.backward()
        net[0].weight.grad.sum().item()
    finally:
        launching.execute = original
    assert "linear" in launched[0]
    assert all("linear" not in ops and "mse_loss" not in ops for ops in launched[1:])


def test_a_failed_launch_changes_nothing(monkeypatch):
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    data = list(batches(3))
    step(*data[0])
    before = [p.detach().clone().numpy() for p in net.parameters()]
    original = launching._run

    def fail(*args):
        raise MemoryError("out of memory")

    monkeypatch.setattr(launching, "_run", fail)
    with pytest.raises(MemoryError):
        step(*data[1])
    monkeypatch.setattr(launching, "_run", original)
    for p, b in zip(net.parameters(), before):
        np.testing.assert_array_equal(p.detach().numpy(), b)
    twin = model()
    other = torch.optim.Adam(twin.parameters(), lr=0.1)
    for x, y in (data[0], data[2]):
        other.zero_grad()
        F.mse_loss(twin(x), y).backward()
        other.step()
    step(*data[2])
    assert np.isfinite(step(*data[1]))


def test_an_interrupt_after_the_launch_keeps_its_results(monkeypatch):
    w = torch.ones(3, requires_grad=True)
    ((w * 2) ** 2).sum().backward()
    original = launching._run

    def interrupted(program, executable, holder):
        original(program, executable, holder)
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launching.launch("test")
    monkeypatch.setattr(launching, "_run", original)
    np.testing.assert_allclose(w.grad.numpy(), 8.0)


def test_errors_are_raised_at_the_line_that_caused_them():
    a, b = torch.ones(2, 3), torch.ones(4, 5)
    with pytest.raises(RuntimeError, match=r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 4x5\)"):
        a @ b
    assert (a + 1).sum().item() == 12  # and what follows is not disturbed


def test_a_failed_call_leaves_the_numbers_of_others_alone():
    x = torch.ones(3)
    y = x * 2.5
    with pytest.raises(RuntimeError):
        torch.add(torch.ones(2), x, alpha=7.0)
    z = y * 3.5
    np.testing.assert_allclose(z.numpy(), 8.75)


def test_a_tensor_from_another_thread():
    made = {}

    def work():
        made["x"] = torch.ones(3) * 2

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    np.testing.assert_allclose((made["x"] + 1).numpy(), 3.0)


def test_one_model_used_from_two_threads():
    net = model()
    x, _ = next(batches(1))
    with torch.no_grad():
        want = net(x).numpy()
    results, errors = {}, []

    def work(i):
        try:
            with torch.no_grad():
                for _ in range(20):
                    results[i] = net(x).numpy()
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    for i in range(2):
        np.testing.assert_allclose(results[i], want, rtol=1e-6)


def test_a_deep_copy_is_independent():
    net = model()
    twin = copy.deepcopy(net)
    with torch.no_grad():
        net[0].weight.zero_()
    assert twin[0].weight.abs().sum().item() > 0
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in net.named_parameters()]


def test_inside_jax_transformations():
    net = model()
    x, y = next(batches(1))

    @jax.jit
    def loss(net, x):
        return torch.to_jax(F.mse_loss(net(x), y))

    F.mse_loss(net(x), y).backward()
    got = jax.grad(loss)(net, x)
    np.testing.assert_allclose(got[0].weight.detach().numpy(), net[0].weight.grad.numpy(), rtol=1e-5, atol=1e-7)
    assert jax.vmap(lambda t: (t * 2).sum())(x).shape == (8,)


def test_pending_work_outside_is_not_drawn_into_a_trace():
    outside = torch.ones(3) * 5
    double = jax.jit(lambda a: torch.to_jax(torch.from_jax(a) * outside))
    np.testing.assert_allclose(double(jax.numpy.ones(3)), 5.0)
    np.testing.assert_allclose(outside.numpy(), 5.0)


def test_many_structures_are_interpreted_in_the_end():
    rng = np.random.RandomState(0)
    w = torch.ones(3, requires_grad=True)
    for i in range(30):
        if i == 20:
            before = compiles()
        y = torch.ones(4, 3) * w
        for _ in range(int(rng.randint(3, 9))):
            y = [torch.tanh, torch.sigmoid, torch.relu][int(rng.randint(3))](y)
        y.sum().backward()
        w.grad.sum().item()
    assert compiles() - before <= 3


def train(step_of, steps=6):
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run, losses = step_of(step), []
    for i, (x, y) in enumerate(batches(steps)):
        if i == steps // 2:
            optimizer.param_groups[0]["lr"] = 0.1
        losses.append(run(x, y).item())
    return losses, [p.detach().numpy() for p in net.parameters()]


def test_a_compiled_step_trains_like_the_plain_one():
    plain, compiled = train(lambda f: f), train(torch.compile)
    np.testing.assert_allclose(plain[0], compiled[0], rtol=1e-5)
    for p, c in zip(plain[1], compiled[1]):
        np.testing.assert_allclose(p, c, rtol=1e-5, atol=1e-7)


def test_a_compiled_function_cannot_look_at_values():
    @torch.compile
    def f(x):
        return x * float(x.sum())

    with pytest.raises(RuntimeError, match=r"inside a compiled function, at .*test_engine\.py:\d+"):
        f(torch.ones(3))
    assert state.capture is None and (torch.ones(2) + 1).sum().item() == 4


def test_a_compiled_module_is_differentiable():
    net = model()
    fast = torch.compile(net)
    for x, y in batches(3):
        net.zero_grad()
        F.mse_loss(net(x), y).backward()
        want = net[0].weight.grad.numpy()
        net.zero_grad()
        F.mse_loss(fast(x), y).backward()
        np.testing.assert_allclose(net[0].weight.grad.numpy(), want, rtol=1e-5, atol=1e-7)


def test_a_compiled_step_reads_views_of_shared_arrays_anew():
    rng = np.random.RandomState(0)
    batches = [
        (rng.randn(4, 3).astype("f"), rng.randint(0, 2, (2, 2))) for _ in range(4)
    ]  # held: their memory is shared

    def losses(wrap):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        opt = torch.optim.SGD(model.parameters(), lr=0.5)

        def step(x, y):
            opt.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[:]), y.flatten())
            loss.backward()
            opt.step()
            return loss

        step = wrap(step)
        return [step(torch.from_numpy(x), torch.from_numpy(y)).item() for x, y in batches]

    assert losses(torch.compile) == pytest.approx(losses(lambda step: step), rel=1e-6)


def test_a_compiled_function_tells_a_dictionary_from_keywords():
    @torch.compile
    def total(first=None, **rest):
        return first["a"] + 1 if first else rest["a"] + 2

    one = torch.ones(2)
    for _ in range(3):
        assert total({"a": one}).tolist() == [2, 2] and total(a=one).tolist() == [3, 3]


def test_a_compiled_step_returns_what_outlives_it_and_gives_its_parameters_away():
    net = nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 2))  # a structure of this test's own
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    @torch.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(4):
        step(x, y).item()
    step_program = explain._log[-1]
    parameters = list(net.parameters())
    assert len(step_program.outputs) == 2 * len(parameters) + 1  # parameters, gradients, the loss
    assert len(step_program.donates) == len(parameters)
