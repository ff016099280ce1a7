"""Random programs of optimizer calls against PyTorch; and what few programs do: repeated or replaced parameters."""

import copy
import importlib
import io
import pickle
import warnings

import numpy as np
import pytest
from parity import both, outcome

OPTIONS = {
    "SGD": [{}, dict(momentum=0.9, dampening=0.1, weight_decay=0.01), dict(momentum=0.9, nesterov=True, maximize=True)],
    "Adam": [dict(amsgrad=True), dict(weight_decay=0.1, maximize=True), dict(fused=True), dict(foreach=True)],
    "AdamW": [{}, dict(amsgrad=True)],
    "Adamax": [{}, dict(weight_decay=0.1)],
    "NAdam": [{}, dict(decoupled_weight_decay=True, weight_decay=0.1)],
    "RAdam": [{}, dict(weight_decay=0.1)],
    "Adagrad": [{}, dict(lr_decay=0.1, initial_accumulator_value=0.1)],
    "Adadelta": [{}, dict(maximize=True)],
    "RMSprop": [dict(momentum=0.5), dict(centered=True, momentum=0.9, weight_decay=0.1)],
    "Rprop": [{}],
    "ASGD": [{}, dict(t0=2, lambd=0.1)],
    "Adafactor": [{}, dict(weight_decay=0.1)],
}
SHAPES = [(3, 4), (4,), (), (2, 3, 2), (1, 5), (6, 6), (0,)]


class Program:
    """An optimizer that random calls are made on; the same seed makes the same calls in both libraries."""

    def __init__(self, T, name: str, options: dict, seed: int):
        self.T, self.name = T, name
        self.draw = np.random.default_rng(seed)
        self.params = [self.parameter() for _ in range(self.draw.integers(1, 7))]
        k = self.draw.integers(0, len(self.params))
        groups = [{"params": self.params[:k]}, {"params": self.params[k:], "lr": 0.05}]
        self.optimizer = getattr(T.optim, name)(groups if k % 2 else self.params, lr=0.02, **options)

    def array(self, shape, dtype):
        return self.T.tensor(self.draw.standard_normal(shape).tolist(), dtype=dtype).reshape(shape)

    def parameter(self):
        shape = SHAPES[self.draw.integers(len(SHAPES) - (self.name == "Adafactor"))]
        dtype = self.T.float64 if self.draw.random() < 0.25 else self.T.float32
        return self.T.nn.Parameter(self.array(shape, dtype))

    def one(self):
        return self.params[self.draw.integers(len(self.params))]

    def revived(self, optimizer):
        self.optimizer = optimizer
        self.params = [p for group in optimizer.param_groups for p in group["params"]]

    # -- calls

    def step(self):
        for p in self.params:
            gradient = self.array(p.shape, p.dtype)
            p.grad = None if self.draw.random() < 0.2 else gradient
        self.optimizer.step()

    def other_rates(self):
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.draw.random() * 0.1)

    def other_options(self):
        group = self.optimizer.param_groups[-1]
        new = {"weight_decay": 0.1, "betas": (0.8, 0.95), "maximize": True}
        group.update({k: v for k, v in new.items() if k in group and self.draw.random() < 0.5})
        if not group.get("nesterov", True):
            group["momentum"] = float(self.draw.choice([0, 0.5]))

    def write_state(self):
        for v in list(self.optimizer.state.get(self.one(), {}).values()):
            if isinstance(v, self.T.Tensor):
                v.mul_(0.5) if v.dim() else v.add_(1)

    def replace_state(self):
        state = self.optimizer.state.get(self.one(), {})
        for k, v in list(state.items()):
            state[k] = v.clone() * 0.7 if isinstance(v, self.T.Tensor) and v.dim() else v
        if state:
            state["mine"] = self.T.ones(2)

    def drop_state(self):
        self.optimizer.state.pop(self.one(), None)

    def add_group(self):
        self.params.append(self.parameter())
        self.optimizer.add_param_group({"params": [self.params[-1]], "lr": 0.3})

    def reload(self):
        self.optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))

    def reload_file(self):
        file = io.BytesIO()
        self.T.save(self.optimizer.state_dict(), file)
        file.seek(0)
        self.optimizer.load_state_dict(self.T.load(file))

    def write_parameter(self):
        with self.T.no_grad():
            self.one().mul_(0.9)

    def replace_data(self):
        p = self.one()
        p.data = p.data * 1.1 + 0.1

    def zero_grad(self):
        self.optimizer.zero_grad(set_to_none=bool(self.draw.random() < 0.5))
        self.optimizer.step()

    def pickled(self):
        self.revived(pickle.loads(pickle.dumps(self.optimizer)))

    def copied(self):
        self.revived(copy.deepcopy(self.optimizer))

    def seen(self):
        state = [list(self.optimizer.state.get(p, {}).items()) for p in self.params]
        return [[p.detach().clone() for p in self.params], copy.deepcopy(state)]


CALLS = [k for k in vars(Program) if k not in ("array", "parameter", "one", "revived", "seen") and k[0] != "_"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OPTIONS)
def test_random_programs(name, full):
    for seed in range(40 if full else 3):
        options = OPTIONS[name][seed % len(OPTIONS[name])]

        def code(T, options=options, seed=seed):
            program, shown = Program(T, name, options, seed), []
            for _ in range(program.draw.integers(5, 15)):
                call = "step" if program.draw.random() < 0.4 else CALLS[program.draw.integers(len(CALLS))]
                getattr(program, call)()
                if program.draw.random() < 0.3:
                    shown.append(program.seen())
            return [*shown, program.seen()]

        both(code, rtol=2e-4 if name in ("Rprop", "Adadelta") else 3e-5)


# -- misuse -----------------------------------------------------------------------------------------------------------


def stepped(T, name, change, steps=2, **options):
    """Parameters after steps, and one more after `change(optimizer, params)`."""
    params = [T.nn.Parameter(T.arange(1.0, 5.0) * k) for k in (1, 2)]
    optimizer = getattr(T.optim, name)(params, lr=0.1, **options)
    for i in range(steps + 1):
        if i == steps:
            change(optimizer, params)
        for k, p in enumerate(params):
            p.grad = T.full_like(p, 0.5 * k + i - 1)
        optimizer.step()
    return [*params, [float(s["step"]) for s in optimizer.state.values() if "step" in s]]


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_a_parameter_given_twice_is_stepped_twice(name):
    def code(T):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p, q = (T.nn.Parameter(T.ones(2) * k) for k in (1, 2))
            optimizer = getattr(T.optim, name)([p, q, p], lr=0.1)
        for i in range(3):
            p.grad, q.grad = T.full((2,), 1.0 + i), T.ones(2)
            optimizer.step()
        return [
            p,
            q,
            sorted(optimizer.state_dict()["state"]),
            [float(s.get("step", 0)) for s in optimizer.state.values()],
        ]

    both(code)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adafactor"])
def test_state_of_another_shape(name):
    def code(T):
        def change(optimizer, params):
            params[0].data = T.ones(2)

        return stepped(T, name, change, **({"momentum": 0.9} if name == "SGD" else {}))

    both(lambda T: [x[:22] for x in outcome(code, T)])


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_no_learning_rate(name):
    both(lambda T: outcome(lambda T: stepped(T, name, lambda o, p: o.param_groups[0].update(lr=None)), T)[0])


def test_lists_of_parameters_changed_by_hand():
    def code(T):
        def change(optimizer, params):
            optimizer.param_groups[0]["params"].pop(0)
            optimizer.param_groups = [dict(optimizer.param_groups[0])]

        return stepped(T, "Adam", change)

    both(code)


def test_a_count_is_printed_as_a_number():
    def code(T):
        params = [T.nn.Parameter(T.ones(1))]
        optimizer = T.optim.Adam(params)
        params[0].grad = T.ones(1)
        optimizer.step()
        step = optimizer.state[params[0]]["step"]
        return [f"{step}", f"{step:.1f}", repr(step), int(step), step + 1, step.shape]

    both(code)


@pytest.mark.parametrize("name", ["ASGD", "Adafactor"])
def test_infinite_gradients(name):
    def code(T):
        p = T.nn.Parameter(T.arange(1.0, 5.0))
        optimizer = getattr(T.optim, name)([p], lr=0.1)
        for i in range(3):
            p.grad = T.tensor([float("nan"), 1.0, float("inf"), -float("inf")]) if i < 2 else T.ones(4)
            optimizer.step()
        return p

    both(code)


# -- other tensors than the optimizer's own ---------------------------------------------------------------------------

BAD_STATES = [
    3, {}, {"state": 3}, {"state": {}}, {"state": {0: 3}}, {"state": {}, "param_groups": 3},
    {"state": {}, "param_groups": []}, {"state": {}, "param_groups": [1]}, {"state": {}, "param_groups": [{}]},
    {"state": {}, "param_groups": [{"params": [0]}]}, {"state": {}, "param_groups": [{"params": [0, 1]}]},
]  # fmt: skip


def test_swapped_parameters_and_state():
    def code(T):
        swap, seen = T.optim.swap_in_optimizer_params_and_state, []
        own, other = ([T.nn.Parameter(T.ones(2) * (i + k)) for i in (1, 2)] for k in (0, 5))
        optimizer = T.optim.Adam(own, lr=0.1)
        for p in own + other:
            p.grad = T.ones(2)

        def attempt(state, params=other):
            def go(T):
                with swap(optimizer, dict(zip("ab", params)), state):
                    optimizer.step()

            seen.append(outcome(go, T))

        attempt(optimizer.state_dict())  # which has no state yet
        optimizer.step()
        state = copy.deepcopy(optimizer.state_dict())
        state["param_groups"][0]["lr"] = 1.0
        attempt(state)
        for bad in [*BAD_STATES, {**state, "state": {own[0]: {}}}, {**state, "state": {7: {}}}]:
            attempt(bad)
        attempt(state, other[:1])
        optimizer.step()
        return [seen, own, other, state["state"][0]["exp_avg"], optimizer.state[own[0]]["step"] + 0, str(optimizer)]

    both(code)


def test_what_optimizers_written_like_pytorchs_import():
    def code(T):
        m = importlib.import_module(f"{T.__name__}.optim.optimizer")
        z = [T.tensor([1 + 2j]), T.ones(1)]
        pairs = list(z)
        m._view_as_real(z, pairs)
        with T.enable_grad():
            seen = m._use_grad_for_differentiable(lambda self: T.is_grad_enabled())(T.optim.SGD([T.ones(1)]))
        given = [m._get_value(T.tensor(2.5)), m._get_value(3), m._to_scalar(T.ones(1)), m._stack_if_compiling([1])]
        flags = m._default_to_fused_or_foreach([T.ones(1)], False)
        return [
            z,
            pairs,
            seen,
            given,
            flags,
            str(m._get_scalar_dtype()).split(".")[1],
            m._disable_dynamo_if_unsupported()(lambda x: -x)(2),
        ]

    both(code)
