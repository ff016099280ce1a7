"""Averages of parameters and batch-norm statistics, against PyTorch."""

import copy
import pickle

import numpy as np
import pytest
from parity import both

import funcgrad

DATA = np.random.default_rng(0).standard_normal((12, 3), dtype=np.float32)


def network(T):
    T.manual_seed(0)
    return T.nn.Sequential(T.nn.Linear(3, 4), T.nn.BatchNorm1d(4, momentum=0.3), T.nn.ReLU(), T.nn.Linear(4, 1))


def moved(T, model, i):
    """The model a little further on; its batch norm sees a batch."""
    with T.no_grad():
        for p in model.parameters():
            p.add_(T.ones_like(p), alpha=0.1 * (i + 1))
    model(T.from_numpy(DATA[2 * i : 2 * i + 4].copy()))


AVERAGES = {
    "plain": lambda T, S: {},
    "ema": lambda T, S: {"multi_avg_fn": S.get_ema_multi_avg_fn(0.9)},
    "swa": lambda T, S: {"multi_avg_fn": S.get_swa_multi_avg_fn()},
    "ema, one by one": lambda T, S: {"avg_fn": S.get_ema_avg_fn(0.9)},
    "swa, one by one": lambda T, S: {"avg_fn": S.get_swa_avg_fn()},
    "a user's": lambda T, S: {"avg_fn": lambda average, new, n: average * n / (n + 1) + 0.5 * new},
    "a user's, in place": lambda T, S: {"multi_avg_fn": lambda a, b, n: [x.add_(y) for x, y in zip(a, b)] and None},
}


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("name", AVERAGES)
def test_averages(name, use_buffers):
    if use_buffers and name in ("swa", "a user's, in place"):
        pytest.skip("PyTorch cannot average a count so")

    def code(T):
        S = T.optim.swa_utils
        model = network(T)
        averaged = S.AveragedModel(model, use_buffers=use_buffers, **AVERAGES[name](T, S))
        for i in range(4):
            moved(T, model, i)
            averaged.update_parameters(model)
        averaged.eval()
        state = averaged.state_dict()
        return [list(state), [v.clone() for v in state.values()], averaged(T.from_numpy(DATA)), averaged.n_averaged]

    both(code)


def test_the_average_is_a_copy_of_its_own():
    def code(T):
        model = network(T)
        averaged = T.optim.swa_utils.AveragedModel(model)
        before = [p.detach().clone() for p in averaged.parameters()]
        moved(T, model, 0)
        same = [bool((p == b).all()) for p, b in zip(averaged.parameters(), before)]
        averaged.update_parameters(model)
        with T.no_grad():
            model[0].weight.zero_()
        return [same, list(averaged.parameters()), [n for n, _ in averaged.named_parameters()], repr(averaged)]

    both(code)


def test_checkpoints_of_averages():
    def code(T):
        S, model = T.optim.swa_utils, network(T)
        averaged = S.AveragedModel(model, multi_avg_fn=S.get_ema_multi_avg_fn(0.5))
        for i in range(2):
            moved(T, model, i)
            averaged.update_parameters(model)
        other = S.AveragedModel(network(T), multi_avg_fn=S.get_ema_multi_avg_fn(0.5))
        other.load_state_dict(copy.deepcopy(averaged.state_dict()))
        plain = pickle.loads(pickle.dumps(S.AveragedModel(model)))
        moved(T, model, 2)
        for some in (averaged, other, plain):
            some.update_parameters(model)
        return [list(averaged.parameters()), list(other.parameters()), list(plain.parameters()), other.n_averaged]

    both(code)


@pytest.mark.parametrize("momentum", [0.3, None])
def test_update_bn(momentum):
    def code(T):
        model = network(T)
        model[1].momentum = momentum
        model.eval()
        model.register_forward_pre_hook(lambda module, given: None)
        batches = [T.from_numpy(DATA[i : i + 4].copy()) for i in (0, 4, 8)]
        seen = []
        for loader in (batches, [(b, 3) for b in batches], [[b] for b in batches]):
            T.optim.swa_utils.update_bn(loader, model)
            seen.append(
                [model[1].running_mean.clone(), model[1].running_var.clone(), model[1].num_batches_tracked.clone()]
            )
        T.optim.swa_utils.update_bn(batches, T.nn.Linear(3, 1))
        return [seen, model.training, model[1].momentum]

    both(code)


CALLS = [
    "S.get_ema_multi_avg_fn(1.5)", "S.get_ema_avg_fn(-0.1)", "S.get_ema_avg_fn(0.5)(T.ones(2), T.zeros(2), 3)",
    "S.get_swa_avg_fn()(T.ones(2), T.zeros(2), T.tensor(3))", "S.AveragedModel(m, avg_fn=abs, multi_avg_fn=abs)",
    "[S.get_ema_multi_avg_fn(0.5)(a, b, 0), a]", "[S.get_swa_multi_avg_fn()(a, b, 3), a]",
    "[S.get_swa_multi_avg_fn()(a, b, T.tensor(3)), a]", "S.AveragedModel(m).n_averaged", "sorted(S.__all__)",
    "S.AveragedModel(m, device='cpu')(T.ones(2, 3))",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_functions_and_errors(call):
    def code(T):
        names = {"T": T, "S": T.optim.swa_utils, "m": network(T)}
        names |= {"a": [T.ones(2), T.ones(1) * 3], "b": [T.zeros(2), T.ones(1)]}
        return eval(call, names)

    both(code, rtol=1e-4)


def test_a_run_with_swa():
    """The loop of PyTorch's documentation."""

    def code(T):
        S, model = T.optim.swa_utils, network(T)
        optimizer = T.optim.SGD(model.parameters(), lr=0.1)
        scheduler = T.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        averaged, late = S.AveragedModel(model), S.SWALR(optimizer, swa_lr=0.05, anneal_epochs=3)
        x, rates = T.from_numpy(DATA), []
        for epoch in range(10):
            optimizer.zero_grad()
            (model(x) ** 2).mean().backward()
            optimizer.step()
            if epoch > 4:
                averaged.update_parameters(model)
                late.step()
            else:
                scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        S.update_bn([x[:6], x[6:]], averaged)
        return [rates, list(averaged.state_dict().values())]

    both(code, rtol=1e-4)


def test_an_update_is_a_few_launches_whatever_the_number_of_parameters(monkeypatch):
    from funcgrad.engine import launch

    count = []
    model = funcgrad.nn.Sequential(*[funcgrad.nn.Linear(2, 2) for _ in range(20)])
    averaged = funcgrad.optim.swa_utils.AveragedModel(model)
    averaged.update_parameters(model)
    monkeypatch.setattr(launch, "execute", lambda p, r, go=launch.execute: (count.append(r), go(p, r)))
    averaged.update_parameters(model)
    assert len(count) <= 2
