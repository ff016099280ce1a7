"""Every optimizer against PyTorch: its own OptimizerInfo, trajectories, and states exchanged in the middle of a run."""

import copy
import re
import warnings

import jax
import numpy as np
import pytest
import torch
from parity import outcome
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

import funcgrad
from funcgrad.engine import explain

ROWS = {row.optim_cls.__name__: row for row in optim_db}
NAMES = [name for name in ROWS if name != "SparseAdam"]
"""SparseAdam steps sparse gradients, which PyTorch alone has; `test_sparse_adam` is its test."""


def lifted(x, known=None):
    """A PyTorch value, for funcgrad; what stands in it twice does so again."""
    known = {} if known is None else known
    if isinstance(x, torch.Tensor):
        if id(x) not in known:
            made = funcgrad.from_numpy(np.array(x.detach().numpy()))
            known[id(x)] = made = funcgrad.nn.Parameter(made) if isinstance(x, torch.nn.Parameter) else made
            if x.grad is not None:
                made.grad = lifted(x.grad)
        return known[id(x)]
    if isinstance(x, dict):
        return {k: lifted(v, known) for k, v in x.items()}
    return type(x)(lifted(v, known) for v in x) if isinstance(x, tuple | list) else x


# -- problems ---------------------------------------------------------------------------------------------------------


class Problem:
    """A loss of some parameters, in one library.

    Attributes:
        params: the parameters; `loss`: a function without arguments.
    """

    def __init__(self, T, name: str, dtype: str):
        self.T, self.dtype = T, getattr(T, dtype)
        generator = np.random.default_rng(0)
        self.params, self.loss = getattr(self, name)(lambda *shape: self.tensor(generator.standard_normal(shape)))

    def tensor(self, array):
        return self.T.tensor(array.tolist(), dtype=self.dtype)

    def parameter(self, array):
        return self.T.nn.Parameter(array)

    def parabola(self, draw):
        w = self.parameter(draw(3, 4))
        target, curvature = draw(3, 4), draw(3, 4) ** 2
        return [w], lambda: (curvature * (w - target) ** 2).sum()

    def rosenbrock(self, draw):
        w = self.parameter(self.tensor(np.array([[-1.2, 1.0]])))
        return [w], lambda: (1 - w[0, 0]) ** 2 + 100 * (w[0, 1] - w[0, 0] ** 2) ** 2

    def mlp(self, draw):
        x, y = draw(64, 5), draw(64, 2)  # more data than a fit to zero loss, where adaptive steps turn chaotic
        params = [self.parameter(p / 2) for p in (draw(5, 6), draw(6), draw(6, 2), draw(2))]
        a, b, c, d = params
        return params, lambda: ((self.T.tanh(x @ a + b) @ c + d - y) ** 2).mean()

    def muon_safe(self):
        """Muon takes matrices only."""
        self.params = [p for p in self.params if p.dim() == 2]
        return self


def optimizer_of(T, name: str, problem: Problem, kwargs: dict):
    if name == "Muon":
        problem.muon_safe()
    return getattr(T.optim, name)(problem.params, **kwargs)


def run(problem: Problem, optimizer, steps: int) -> list:
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = problem.loss()
        loss.backward()
        return loss

    for _ in range(steps):
        losses.append(optimizer.step(closure))
    return losses


def plain(tensors) -> list[np.ndarray]:
    return [np.array(p.detach().numpy()) for p in tensors]


def assert_close(got, want, rtol, atol=0.0):
    for g, w in zip(got, want, strict=True):
        scale = max(np.abs(w).max(), 1e-3)
        np.testing.assert_allclose(g, w, rtol=rtol, atol=atol + rtol * scale)


KINDS = ["parabola", "rosenbrock", "mlp"]
# How far apart a step's last digit may drive two runs: the matrix products and roots of both libraries differ there.
LOOSE = {"Muon": 0.05, "LBFGS": 1e-4}
RATES = {"Rprop": 1e-3, "Adadelta": 1.0, "LBFGS": 0.1, "SGD": 1e-3}


def _case(name, kind, dtype, steps, rtol, lr=None):
    lr = lr or RATES.get(name, 1e-2) * (0.02 if kind == "rosenbrock" else 1)
    ends = []
    for T in (funcgrad, torch):
        problem = Problem(T, kind, dtype)
        optimizer = optimizer_of(T, name, problem, {"lr": lr})
        losses = run(problem, optimizer, steps)
        ends.append([*plain(problem.params), np.array([x.item() for x in losses])])
    assert_close(*ends, rtol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_trajectories(name, kind, dtype, full):
    if not full and (NAMES.index(name) + KINDS.index(kind)) % 3 != (dtype == "float64"):
        pytest.skip("run with --full")
    rtol = LOOSE.get(name, 1e-6) if dtype == "float32" or name == "Muon" else 1e-9
    steps = 2 if name == "LBFGS" and kind == "mlp" else 12  # of twenty iterations each, which diverge without a search
    _case(name, kind, dtype, steps, rtol * (4 if dtype == "float32" else 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_steps(name, full):
    if name == "LBFGS" or (not full and name not in ("SGD", "Adam")):
        pytest.skip("run with --full")
    # Near the optimum these jump to and fro: in float32, or with larger steps, the last digits decide where.
    dtype = "float64" if name in ("RMSprop", "Rprop", "Adafactor", "Muon") else "float32"
    _case(name, "mlp", dtype, 1000, 1e-4, {"NAdam": 2e-3, "Adadelta": 0.1}.get(name))


# -- OptimizerInfo ----------------------------------------------------------------------------------------------------


def _inputs(full):
    for name in NAMES:
        inputs = [i for i in ROWS[name].optim_inputs_func("cpu") if not i.kwargs.get("capturable")]
        chosen = inputs if full else inputs[-2:]
        for i in chosen:
            yield name, i


@pytest.mark.filterwarnings("ignore")
def test_optimizer_info(full):
    grads = [[np.random.default_rng(i).standard_normal(s) for s in ((4, 3), (2, 2))] for i in range(5)]
    wrong = []
    for name, given in _inputs(full):
        ends = []
        for T in (torch, funcgrad):
            params = [T.nn.Parameter(T.from_numpy(g.copy())) for g in grads[-1]]
            kwargs = given.kwargs if T is torch else lifted(given.kwargs)
            optimizer = getattr(T.optim, name)(params, **kwargs)
            for some in grads[:4]:

                def closure(optimizer=optimizer, params=params):
                    optimizer.zero_grad()
                    loss = sum((p**2).sum() for p in params)
                    loss.backward()
                    return loss

                for p, g in zip(params, some):
                    p.grad = T.from_numpy(g.copy())
                optimizer.step(closure) if name == "LBFGS" else optimizer.step()
            ends.append((plain(params), _described(optimizer)))
        try:
            assert_close(ends[1][0], ends[0][0], 0.05 if name == "Muon" else 1e-9)
            assert ends[1][1] == ends[0][1]
        except AssertionError as e:
            wrong.append(f"{name} {given.kwargs}: {e}")
    assert not wrong, "\n".join(wrong)


def _described(optimizer) -> list:
    """The repr, and the keys, shapes and dtypes of the state."""
    states = [
        [
            (k, _kind(v)) for k, v in state.items() if k not in ("al", "t")
        ]  # of LBFGS: scratch space, a number or a tensor
        for state in optimizer.state_dict()["state"].values()
    ]
    text = re.sub(r"tensor\(([^,)]*)(, dtype=[^)]*)?\)", r"\1", repr(optimizer))
    return [text, states]


def _kind(value):
    if isinstance(value, int | float):
        return "a number"
    return (str(value.dtype), list(value.shape)) if hasattr(value, "shape") else type(value).__name__


def _errors():
    for name, row in ROWS.items():
        for i, error in enumerate(row.optim_error_inputs_func("cpu", torch.float32)):
            if "dense params" in error.optimizer_error_input.desc:
                continue  # sparse tensors are not supported
            yield pytest.param(name, i, id=f"{name}-{error.optimizer_error_input.desc or i}")


@pytest.mark.parametrize(("name", "index"), list(_errors()))
def test_error_inputs(name, index):
    error = ROWS[name].optim_error_inputs_func("cpu", torch.float32)[index]
    given = error.optimizer_error_input
    found = []
    for T in (torch, funcgrad):
        params, kwargs = (given.params, given.kwargs) if T is torch else (lifted(given.params), lifted(given.kwargs))
        if given.params is None:
            params = [T.nn.Parameter(T.ones(1, 1))]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                optimizer = getattr(T.optim, name)(params, **kwargs)
                if error.error_on is OptimizerErrorEnum.STEP_ERROR:
                    optimizer.step()
                found.append(None)
            except Exception as e:
                found.append((type(e).__name__, str(e).replace("funcgrad.", "torch.")))
    assert found[1] == found[0]


# -- states exchanged -------------------------------------------------------------------------------------------------


def to_funcgrad(state_dict):
    return lifted(copy.deepcopy(state_dict))


def to_torch(x):
    if isinstance(x, funcgrad.Tensor):
        return torch.from_numpy(np.array(x.detach().numpy()))
    if isinstance(x, dict):
        return {k: to_torch(v) for k, v in x.items()}
    return type(x)(to_torch(v) for v in x) if isinstance(x, tuple | list) else x


@pytest.mark.parametrize("name", NAMES)
def test_states_move_between_the_libraries_in_the_middle_of_a_run(name, full):
    options = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9, "centered": True}, "Adam": {"amsgrad": True}}
    kwargs = {"lr": RATES.get(name, 1e-2), **options.get(name, {})}
    kind = "parabola" if name == "Muon" or not full else "mlp"
    theirs = Problem(torch, kind, "float64")
    reference = optimizer_of(torch, name, theirs, kwargs)
    ours = Problem(funcgrad, kind, "float64")
    optimizer = optimizer_of(funcgrad, name, ours, {})
    back = Problem(torch, kind, "float64")
    returned = optimizer_of(torch, name, back, {})
    run(theirs, reference, 3)
    optimizer.load_state_dict(to_funcgrad(reference.state_dict()))
    returned.load_state_dict(copy.deepcopy(reference.state_dict()))
    assert _described(optimizer) == _described(returned)
    _copy(ours.params, plain(theirs.params))
    for problem, some in ((theirs, reference), (ours, optimizer)):
        run(problem, some, 3)
    rtol = 0.05 if name == "Muon" else 1e-9
    assert_close(plain(ours.params), plain(theirs.params), rtol)
    returned.load_state_dict(to_torch(optimizer.state_dict()))
    _copy(back.params, plain(ours.params))
    for problem, some in ((theirs, reference), (back, returned)):
        run(problem, some, 3)
    assert_close(plain(back.params), plain(theirs.params), rtol)


def _copy(params, arrays):
    for p, a in zip(params, arrays):
        T = funcgrad if isinstance(p, funcgrad.Tensor) else torch
        with T.no_grad():
            p.copy_(T.from_numpy(a.copy()))


# -- compiles ---------------------------------------------------------------------------------------------------------


def test_changed_options_compile_nothing():
    problem = Problem(funcgrad, "mlp", "float32")
    optimizer = funcgrad.optim.SGD(problem.params, lr=0.1, momentum=0.9, weight_decay=1e-3)
    cycle = funcgrad.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=30)
    for _ in range(3):
        run(problem, optimizer, 1)
        cycle.step()
    before = explain.compiles()
    for i in range(10):
        run(problem, optimizer, 1)
        cycle.step()
        optimizer.param_groups[0]["weight_decay"] = 1e-3 * (i + 1)
    assert explain.compiles() == before


@pytest.mark.parametrize("name", ["AdamW", "RMSprop", "Adafactor"])
def test_a_schedule_compiles_nothing(name):
    problem = Problem(funcgrad, "parabola", "float32")
    optimizer = getattr(funcgrad.optim, name)(problem.params)
    scheduler = funcgrad.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    run(problem, optimizer, 3)
    before = explain.compiles()
    for _ in range(5):
        scheduler.step()
        run(problem, optimizer, 1)
    optimizer.param_groups[0]["lr"] = 1e-7
    run(problem, optimizer, 1)
    assert explain.compiles() == before


def test_a_group_steps_in_one_launch(monkeypatch):
    from funcgrad.engine import launch

    reasons = []
    monkeypatch.setattr(launch, "execute", lambda p, r, go=launch.execute: (reasons.append(r), go(p, r)))
    params = [funcgrad.nn.Parameter(funcgrad.ones(2)) for _ in range(20)]
    optimizer = funcgrad.optim.Adam([{"params": params[:15]}, {"params": params[15:], "lr": 0.1}])
    for _ in range(3):
        for p in params:
            p.grad = funcgrad.ones(2)
        reasons.clear()
        optimizer.step()
    assert reasons == ["optimizer.step()"]


@pytest.mark.parametrize(("name", "states"), [("SGD", 1), ("Adam", 2), ("Rprop", 2), ("Adadelta", 2)])
def test_parameters_and_states_are_donated(name, states, monkeypatch):
    """A step writes where they were: it needs no memory for a second copy of them."""
    from funcgrad.engine import launch

    ran = []
    monkeypatch.setattr(launch, "execute", lambda p, r, go=launch.execute: ran.append(go(p, r)))
    params = [funcgrad.nn.Parameter(funcgrad.ones(100, 100)) for _ in range(3)]
    optimizer = getattr(funcgrad.optim, name)(params, **({"momentum": 0.9} if name == "SGD" else {}))
    alive = []
    for i in range(5):
        for p in params:
            p.grad = funcgrad.full((100, 100), float(i))
        optimizer.step()
        alive.append(sum(a.nbytes for a in jax.live_arrays()))
    assert len(ran[-1].donates) == len(params) * (1 + states)
    assert alive[-1] == alive[-2]


# -- SparseAdam -------------------------------------------------------------------------------------------------------


def test_sparse_adam():
    """Gradients are dense arrays here; the rows that an embedding did not touch stay as they are."""
    ends = []
    for T in (torch, funcgrad):
        weight = T.nn.Parameter(T.arange(12.0).reshape(6, 2))
        optimizer = T.optim.SparseAdam([weight], lr=0.1)
        for rows in ([0, 2], [2, 5], [0, 5, 1]):
            optimizer.zero_grad()
            sparse = {"sparse": True}
            out = T.nn.functional.embedding(T.tensor(rows), weight, **sparse)
            (out**2).sum().backward()
            optimizer.step()
        ends.append(plain([weight]))
    assert_close(ends[1], ends[0], 1e-6)


@pytest.mark.filterwarnings("ignore:Sparse invariant")
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"weight_decay": 0.1}])
@pytest.mark.parametrize("name", ROWS)
def test_gradients_of_a_sparse_layout(name, options):
    if options and (name not in ("SGD", "Adagrad") or (name, *options) == ("SGD", "weight_decay")):
        return  # SGD's decay of them is an error of PyTorch's sparse addition

    def code(T):
        weight = T.nn.Parameter(T.arange(12.0).reshape(6, 2))
        optimizer = getattr(T.optim, name)([weight], lr=0.1, **options)
        for columns in ([[0, 2, 2]], [[5, 1, 0]]):
            values = T.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
            weight.grad = T.sparse_coo_tensor(T.tensor(columns), values, (6, 2))
            optimizer.step(lambda: (weight**2).sum()) if name == "LBFGS" else optimizer.step()
        return [[round(x, 3) for x in row] for row in weight.tolist()]

    assert outcome(code, funcgrad) == outcome(code, torch)


@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_lbfgs_of_zero_gradients():
    def code(T):
        params = [T.ones(10, 5), T.ones(10)]
        made = [T.optim.LBFGS(params, 0.01, tolerance_grad=t).step(lambda: T.tensor([10])) for t in (np.inf, -np.inf)]
        return [type(x).__name__ for x in made], [p.sum().item() for p in params]

    assert outcome(code, funcgrad) == outcome(code, torch)
