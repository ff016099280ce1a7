"""States of small parameters that lie side by side in one array: whatever is done with them is as in PyTorch."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

import funcgrad
from funcgrad.engine import explain
from funcgrad.optim import _packs

SHAPES = [(3, 4), (4,)] * 10 + [(100, 100)]
NAMES = {"SGD": ("momentum_buffer", dict(lr=0.1, momentum=0.9)), "Adam": ("exp_avg_sq", dict(lr=0.01))}


def parameters(T, dtype="float32"):
    generator = np.random.default_rng(0)
    return [T.nn.Parameter(T.tensor(generator.standard_normal(s).tolist(), dtype=getattr(T, dtype))) for s in SHAPES]


def give(T, params, i, skip=()):
    generator = np.random.default_rng(100 + i)
    for k, p in enumerate(params):
        grad = T.tensor(generator.standard_normal(tuple(p.shape)).tolist(), dtype=p.dtype)
        p.grad = None if k in skip else grad


class Run:
    """A few steps of one library; between them a script looks at the state and changes it."""

    def __init__(self, T, name):
        self.T, (self.key, options) = T, NAMES[name]
        self.params, self.seen, self.kept = parameters(T), [], None
        self.optimizer = getattr(T.optim, name)(self.params, **options)

    def play(self, script):
        for i, act in enumerate(script):
            give(self.T, self.params, i, act if isinstance(act, tuple) else ())
            if callable(act):
                act(self)
            self.optimizer.step()
        self.seen += [self.entry(i) for i, p in enumerate(self.params) if self.key in self.optimizer.state[p]]
        return [np.array(t.detach().numpy()) for t in self.seen + self.params]

    def entry(self, i):
        return self.optimizer.state[self.params[i]][self.key]

    def look(self):
        self.seen.append(self.entry(3).clone())

    def look_at_step(self):
        if self.key != "momentum_buffer":
            self.seen.append(self.T.from_numpy(np.array(self.optimizer.state[self.params[0]]["step"].numpy())))

    def write(self):
        self.entry(3).mul_(0.5)
        self.entry(4)[0] = 7

    def replace(self):
        self.optimizer.state[self.params[5]][self.key] = self.T.ones_like(self.params[5])

    def view(self):
        self.kept = self.entry(2).view(-1)

    def look_at_view(self):
        self.seen.append(self.kept.clone())

    def write_to_view(self):
        self.kept.fill_(3.0)

    def numpy(self):
        self.kept = self.T.from_numpy(self.entry(7).numpy())

    def state_dict(self):
        self.kept = self.optimizer.state_dict()["state"][3][self.key]

    def load(self):
        state = copy.deepcopy(self.optimizer.state_dict())
        self.optimizer = type(self.optimizer)(self.params)
        self.optimizer.load_state_dict(state)

    def load_own(self):
        self.optimizer.load_state_dict(self.optimizer.state_dict())

    def change_rate(self):
        self.optimizer.param_groups[0]["lr"] = 0.03

    def forget(self):
        del self.optimizer.state[self.params[9]]

    def clear(self):
        self.optimizer.state.clear()


SCRIPTS = {
    "nothing": [None] * 4,
    "parameters without gradient": [None, None, (3, 4, 5), (3,), None, (0, 1), (0, 1), None],
    "late ones": [(8, 9, 20), (8, 9, 20), None, None],
    "only a part at first": [tuple(range(8)), None, None],
    "looking": [None, Run.look, None, Run.look, Run.look_at_step, None, Run.look_at_step, None],
    "writing": [None, Run.write, None, Run.write],
    "replacing": [None, Run.replace, None, Run.replace],
    "a view": [None, Run.view, Run.look_at_view, None, Run.write_to_view, None, Run.look_at_view, (2,), Run.look_at_view,
               None, Run.look_at_view, Run.write_to_view, None],
    "memory shared with NumPy": [None, Run.numpy, None, Run.look_at_view, Run.write_to_view, Run.look_at_view, None],
    "a checkpoint": [None, Run.state_dict, None, Run.look_at_view, Run.load, None, Run.load_own, None],
    "options": [None, Run.change_rate, None],
    "forgetting": [None, None, Run.forget, None, Run.clear, None],
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", NAMES)
def test_as_in_pytorch(name, script):
    got, want = Run(funcgrad, name).play(SCRIPTS[script]), Run(torch, name).play(SCRIPTS[script])
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-6)


def stepped(dtype="float32", steps=3):
    params = parameters(funcgrad, dtype)
    optimizer = funcgrad.optim.Adam(params, lr=0.01)
    for i in range(steps):
        give(funcgrad, params, i)
        optimizer.step()
    return params, optimizer


def packs_of(optimizer):
    return [pack for packs in optimizer._packs.values() for pack in packs]


def test_what_is_packed():
    params, optimizer = stepped()
    packs = packs_of(optimizer)
    assert [len(pack.params) for pack in packs] == [16, 4]
    assert all(p.numel() <= _packs.ELEMENTS for pack in packs for p in pack.params)
    assert optimizer.state[params[20]]["exp_avg"]._made is None
    assert packs_of(stepped("bfloat16")[1])
    params[0].grad = None
    optimizer.step()  # a pack of which a part stays behind is no pack any more
    assert params[0] not in {p for pack in packs_of(optimizer) for p in pack.params}


@pytest.mark.parametrize("name", ["ASGD", "NAdam", "Adafactor", "SparseAdam"])
def test_what_is_not(name):
    params = parameters(funcgrad)[:4]
    optimizer = getattr(funcgrad.optim, name)(params)
    give(funcgrad, params, 0)
    optimizer.step()
    assert not packs_of(optimizer)


def test_copies_have_arrays_of_their_own():
    params, optimizer = stepped()
    file = io.BytesIO()
    funcgrad.save(optimizer.state_dict(), file)
    file.seek(0)
    loaded = torch.load(file)["state"][3]["exp_avg"]
    assert loaded.untyped_storage().nbytes() == 4 * loaded.numel()
    give(funcgrad, params, 0)
    optimizer.step()
    for copied in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        p = copied.param_groups[0]["params"][3]
        assert copied.state[p]["exp_avg"]._made is None
        assert copied.state[p]["exp_avg"].tolist() == optimizer.state[params[3]]["exp_avg"].tolist()


def test_compiles():
    params, optimizer = stepped()
    before = explain.compiles()
    for p in params:
        optimizer.state[p]["exp_avg"].tolist()
    assert explain.compiles() - before <= 4  # two forms of parameters, of packs of two sizes
    before = explain.compiles()
    for i in range(3):
        optimizer.state_dict()
        give(funcgrad, params, i)
        optimizer.step()
    assert explain.compiles() == before
