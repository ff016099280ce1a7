"""Every learning-rate scheduler against PyTorch over 200 steps; chained, composed, restarted from a state."""

import copy
import pickle
import warnings

import pytest
from parity import both

STEPS = 200


def sgd(T, momentum=0.9):
    params = [T.nn.Parameter(T.ones(1)) for _ in range(2)]
    return T.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1, momentum=momentum)


def adam(T):
    return T.optim.Adam([T.nn.Parameter(T.ones(1))], lr=0.1)


SCHEDULERS = {
    "LambdaLR": lambda S, o: S.LambdaLR(o, lambda e: 0.99**e),
    "LambdaLR, several": lambda S, o: S.LambdaLR(o, [lambda e: 1 / (e + 1), lambda e: 0.5]),
    "MultiplicativeLR": lambda S, o: S.MultiplicativeLR(o, lambda e: 0.98),
    "StepLR": lambda S, o: S.StepLR(o, 30, 0.3),
    "MultiStepLR": lambda S, o: S.MultiStepLR(o, [4, 9, 9, 150], 0.1),
    "ConstantLR": lambda S, o: S.ConstantLR(o, 0.3, 60),
    "LinearLR": lambda S, o: S.LinearLR(o, 0.2, 0.7, 70),
    "ExponentialLR": lambda S, o: S.ExponentialLR(o, 0.97),
    "PolynomialLR": lambda S, o: S.PolynomialLR(o, 120, 2.0),
    "CosineAnnealingLR": lambda S, o: S.CosineAnnealingLR(o, 40, 0.001),
    "CosineAnnealingWarmRestarts": lambda S, o: S.CosineAnnealingWarmRestarts(o, 10, 2, 0.001),
    "CyclicLR": lambda S, o: S.CyclicLR(o, 0.001, 0.1, 14, 7),
    "CyclicLR, triangular2": lambda S, o: S.CyclicLR(o, [0.001, 0.01], [0.1, 0.2], 14, mode="triangular2"),
    "CyclicLR, exp_range": lambda S, o: S.CyclicLR(o, 0.001, 0.1, 9, mode="exp_range", gamma=0.99),
    "CyclicLR, a function": lambda S, o: S.CyclicLR(
        o, 0.001, 0.1, 9, scale_fn=lambda x: 0.9**x, scale_mode="iterations"
    ),
    "OneCycleLR": lambda S, o: S.OneCycleLR(o, 0.2, total_steps=201),
    "OneCycleLR, three phases": lambda S, o: S.OneCycleLR(
        o, [0.2, 0.3], epochs=10, steps_per_epoch=21, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": lambda S, o: S.SequentialLR(
        o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.99), S.CosineAnnealingLR(o, 50)], [20, 70]
    ),
    "ChainedScheduler": lambda S, o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 30), S.ExponentialLR(o, 0.99)], o),
    "a chain of all chainable": lambda S, o: S.ChainedScheduler(
        [S.LinearLR(o, 0.5, 1.0, 9), S.StepLR(o, 50), S.MultiStepLR(o, [90], 2.0), S.CosineAnnealingLR(o, 33, 0.01)]
    ),
    "SWALR": lambda S, o: S.SWALR(o, 0.05, 10),
    "SWALR, linear": lambda S, o: S.SWALR(o, [0.05, 0.01], 20, "linear"),
}
FUNCTIONS = ("LambdaLR", "LambdaLR, several", "MultiplicativeLR", "CyclicLR, a function")


def library(T):
    """The schedulers, SWALR among them."""
    namespace = copy.copy(T.optim.lr_scheduler.__dict__)
    return type(
        "S", (), {k: v for k, v in namespace.items() if isinstance(v, type)} | {"SWALR": T.optim.swa_utils.SWALR}
    )


def options(optimizer):
    return [(float(g["lr"]), g.get("momentum"), g.get("betas"), g.get("initial_lr")) for g in optimizer.param_groups]


def follow(optimizer, scheduler, steps):
    seen = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        seen.append([options(optimizer), [float(x) for x in scheduler.get_last_lr()]])
    return seen


@pytest.mark.parametrize("name", SCHEDULERS)
def test_two_hundred_steps(name):
    def code(T):
        optimizer = sgd(T)
        scheduler = SCHEDULERS[name](library(T), optimizer)
        first = [options(optimizer), scheduler.last_epoch if hasattr(scheduler, "last_epoch") else None]
        return [first, follow(optimizer, scheduler, STEPS)]

    both(code, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_states_and_copies(name):
    def code(T):
        optimizer = sgd(T)
        scheduler = SCHEDULERS[name](library(T), optimizer)
        follow(optimizer, scheduler, 37)
        state = scheduler.state_dict()
        keys = sorted(state)
        saved = copy.deepcopy((optimizer.state_dict(), state))
        if name not in FUNCTIONS:
            saved = pickle.loads(pickle.dumps(saved))
        other = sgd(T)
        resumed = SCHEDULERS[name](library(T), other)
        other.load_state_dict(saved[0])
        resumed.load_state_dict(saved[1])
        return [keys, follow(other, resumed, 20)]

    both(code, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR", "OneCycleLR, three phases"])
def test_cycles_of_beta1(name):
    def code(T):
        optimizer = adam(T)
        S = library(T)
        make = {
            "CyclicLR": lambda: S.CyclicLR(optimizer, 0.001, 0.1, 14, base_momentum=0.7, max_momentum=0.95),
            "OneCycleLR": lambda: S.OneCycleLR(optimizer, 0.2, total_steps=201, base_momentum=0.8),
            "OneCycleLR, three phases": lambda: S.OneCycleLR(optimizer, 0.2, total_steps=201, three_phase=True),
        }
        return follow(optimizer, make[name](), STEPS)

    both(code, rtol=1e-9, atol=1e-12)


PLATEAUS = [
    {}, {"mode": "max"}, {"patience": 2, "factor": 0.5, "cooldown": 3}, {"threshold_mode": "abs", "threshold": 0.1},
    {"min_lr": 0.02, "patience": 0}, {"min_lr": [0.03, 0.001], "patience": 1, "eps": 1e-3},
    {"mode": "max", "threshold_mode": "abs", "patience": 1},
]  # fmt: skip


@pytest.mark.parametrize("given", PLATEAUS)
def test_plateaus(given):
    def code(T):
        optimizer = sgd(T)
        scheduler, seen = T.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **given), []
        for i in range(STEPS):
            optimizer.step()
            metric = 1 / (i + 1) if i < 20 else 0.3 + 0.01 * (i % 7)
            scheduler.step(T.tensor(metric) if i % 2 else metric)
            seen.append([options(optimizer), scheduler.num_bad_epochs, scheduler.cooldown_counter])
        state = {k: v for k, v in scheduler.state_dict().items() if k != "best"}
        return [seen, float(scheduler.best), state, scheduler.get_last_lr()]

    both(code)


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "OneCycleLR", "LinearLR", "PolynomialLR", "CyclicLR"])
def test_resumed_by_last_epoch(name):
    def code(T):
        S, optimizer = library(T), sgd(T)
        SCHEDULERS[name](S, optimizer)
        makes = {
            "StepLR": lambda: S.StepLR(optimizer, 30, 0.3, last_epoch=29),
            "CosineAnnealingLR": lambda: S.CosineAnnealingLR(optimizer, 40, 0.001, last_epoch=11),
            "OneCycleLR": lambda: S.OneCycleLR(optimizer, 0.2, total_steps=201, last_epoch=50),
            "LinearLR": lambda: S.LinearLR(optimizer, 0.2, 0.7, 70, last_epoch=5),
            "PolynomialLR": lambda: S.PolynomialLR(optimizer, 120, 2.0, last_epoch=10),
            "CyclicLR": lambda: S.CyclicLR(optimizer, 0.001, 0.1, 14, last_epoch=20),
        }
        return follow(optimizer, makes[name](), 30)

    both(code, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["StepLR", "LambdaLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "LinearLR"])
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_closed_forms(name):
    def code(T):
        optimizer = sgd(T)
        scheduler, seen = SCHEDULERS[name](library(T), optimizer), []
        optimizer.step()
        for epoch in (3, 17, 17.0 if name != "CosineAnnealingWarmRestarts" else 17.5, 55, 0):
            scheduler.step(epoch)
            seen.append([options(optimizer), scheduler.last_epoch])
        return seen

    both(code, rtol=1e-9, atol=1e-12)


def test_a_tensor_learning_rate():
    def code(T):
        lr = T.tensor(0.1, dtype=T.float64)
        optimizer = T.optim.SGD([T.nn.Parameter(T.ones(1))], lr=lr)
        scheduler, seen = T.optim.lr_scheduler.StepLR(optimizer, 2, 0.5), []
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            held = optimizer.param_groups[0]["lr"]
            seen.append([held is lr, held.clone(), scheduler.get_last_lr()[0]])
        return seen

    both(code)


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedules_of_tensors(name, shape):
    def code(T):
        params = [T.nn.Parameter(T.ones(1)) for _ in range(2)]
        rates = [T.full(shape, 0.1), T.full(shape, 0.5)]
        groups = [{"params": [p], "lr": lr} for p, lr in zip(params, rates)]
        optimizer = T.optim.SGD(groups, momentum=0.9)
        scheduler, seen = SCHEDULERS[name](library(T), optimizer), []
        for _ in range(25):
            optimizer.step()
            scheduler.step()
            held = [g["lr"] for g in optimizer.param_groups]
            seen.append([[x is y for x, y in zip(held, rates)], [float(x) for x in held + scheduler.get_last_lr()]])
        return seen

    both(code)


CALLS = [
    "S.StepLR(3, 1)", "S.LambdaLR(o, [lambda e: 1])", "S.LambdaLR(o, 3)", "S.MultiplicativeLR(o, [lambda e: 1])",
    "S.ConstantLR(o, 2.0)", "S.LinearLR(o, 0.0)", "S.LinearLR(o, 0.5, 2.0)", "S.SequentialLR(o, [], [])",
    "S.SequentialLR(o, [S.ConstantLR(o)], [3])", "S.SequentialLR(o, [S.ConstantLR(a), S.ConstantLR(o)], [3])",
    "S.ChainedScheduler([])", "S.ChainedScheduler([S.ConstantLR(a), S.ConstantLR(o)])", "S.ChainedScheduler([3])",
    "S.CosineAnnealingWarmRestarts(o, 0)", "S.CosineAnnealingWarmRestarts(o, 2, 0)",
    "S.CosineAnnealingWarmRestarts(o, 5).step(-1)", "S.CyclicLR(o, 0.1, 1, mode='x')", "S.CyclicLR(o, [0.1], 1)",
    "S.CyclicLR(T.optim.SGD(p), 0.1, 1, cycle_momentum='yes')", "S.CyclicLR(T.optim.Adagrad(p), 0.1, 1)",
    "S.OneCycleLR(o, 0.1)", "S.OneCycleLR(o, 0.1, total_steps=-1)", "S.OneCycleLR(o, 0.1, epochs=2)",
    "S.OneCycleLR(o, 0.1, total_steps=3, pct_start=2)", "S.OneCycleLR(o, 0.1, total_steps=3, anneal_strategy='x')",
    "S.OneCycleLR(T.optim.Adagrad(p), 0.1, total_steps=3)", "S.OneCycleLR(o, [0.1], total_steps=3)",
    "[c.step() for c in [S.OneCycleLR(o, 0.1, total_steps=2)] for _ in range(4)]",
    "S.ReduceLROnPlateau(o, factor=1.0)", "S.ReduceLROnPlateau(o, mode='x')", "S.ReduceLROnPlateau(3)",
    "S.ReduceLROnPlateau(o, min_lr=[1])", "S.ReduceLROnPlateau(o, threshold_mode='x')", "S.ReduceLROnPlateau(o).step()",
    "S.StepLR(o, 1, last_epoch=3)", "S.StepLR(o, 1).step()", "S.StepLR(o, 1).get_lr()", "S.StepLR(o, 1).step(2)",
    "S.StepLR(o, 1, verbose=True)", "S.LRScheduler(o)", "S.SWALR(o, 0.1, -1)", "S.SWALR(o, 0.1, anneal_strategy='x')",
    "S.SWALR(o, [0.1])", "S.StepLR(T.optim.SGD(p, lr=T.tensor(0.1)), 1).get_last_lr()", "S.MultiStepLR(o, [3, 1]).milestones",
    "S.LRScheduler.__name__", "sorted(S.ExponentialLR(o, 0.5).state_dict())", "S.ExponentialLR(o, 0.5).base_lrs",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_errors_and_warnings(call):
    def code(T):
        names = {"T": T, "S": library(T), "o": sgd(T), "a": adam(T), "p": [T.nn.Parameter(T.ones(1))]}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                made = eval(call, names)
                made = str(made) if isinstance(made, list | str) else type(made).__name__
            except Exception as e:
                made = (type(e).__name__, str(e).replace("funcgrad.", "torch."))
        return [made, [(w.category.__name__, str(w.message)) for w in caught]]

    both(code)


def test_the_order_of_steps():
    def code(T):
        optimizer = sgd(T)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler = T.optim.lr_scheduler.StepLR(optimizer, 1)
            optimizer.step = lambda: None
            scheduler.step()
        return [str(w.message) for w in caught]

    both(code)


def test_a_scheduler_of_a_users_own():
    def code(T):
        class Halving(T.optim.lr_scheduler.LRScheduler):
            def get_lr(self):
                return [base / (1 + self.last_epoch) for base in self.base_lrs]

        optimizer = sgd(T)
        return follow(optimizer, Halving(optimizer), 5)

    both(code)
