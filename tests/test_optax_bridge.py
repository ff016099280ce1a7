"""optax's optimizers and schedules under PyTorch's interface, and PyTorch's optimizers under optax's."""

import copy
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import funcgrad
from funcgrad.engine import explain
from funcgrad.optim import OptaxSchedule, from_optax, to_optax

SHAPES = [(3, 4), (5,), (2, 3, 2)]
_generator = np.random.default_rng(0)
PARAMS = [_generator.standard_normal(s, dtype=np.float32) for s in SHAPES]
GRADS = [[_generator.standard_normal(s, dtype=np.float32) for s in SHAPES] for _ in range(6)]


def clipped_sgd(lr, decay=0.9):
    """A chain of a user's own."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.trace(decay), optax.scale_by_learning_rate(lr))


FACTORIES = {
    "lion": (optax.lion, {"weight_decay": 0.1}),
    "adabelief": (optax.adabelief, {}),
    "adan": (optax.adan, {}),
    "lamb": (optax.lamb, {}),
    "lars": (optax.lars, {}),
    "novograd": (optax.novograd, {}),
    "sm3": (optax.sm3, {}),
    "optimistic": (optax.optimistic_gradient_descent, {}),
    "rprop": (optax.rprop, {}),
    "adafactor": (optax.adafactor, {"min_dim_size_to_factor": 2}),
    "muon": (optax.contrib.muon, {}),
    "schedule-free": (optax.contrib.schedule_free_adamw, {}),
    "a chain": (clipped_sgd, {"decay": 0.5}),
}
DEFAULT = ("lion", "lamb", "sm3", "adafactor", "schedule-free", "a chain")


def stepped(optimizer, grads):
    params = optimizer.param_groups[0]["params"]
    for some in grads:
        for p, g in zip(params, some):
            p.grad = funcgrad.from_numpy(g.copy())
        optimizer.step()
    return params


def parameters():
    return [funcgrad.nn.Parameter(funcgrad.from_numpy(p.copy())) for p in PARAMS]


def with_optax(transformation, grads, params=PARAMS):
    params = [jnp.asarray(p) for p in params]
    state = transformation.init(params)

    @jax.jit
    def step(grads, state, params):
        updates, state = transformation.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for some in grads:
        params, state = step([jnp.asarray(g) for g in some], state, params)
    return params


def same(params, wanted, rtol=2e-5):
    for p, w in zip(params, wanted, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), np.asarray(w), rtol=rtol, atol=2e-6)


@pytest.mark.parametrize("name", FACTORIES)
def test_as_in_optax_and_through_a_checkpoint(name, full):
    if name not in DEFAULT and not full:
        pytest.skip("run with --full")
    factory, options = FACTORIES[name]
    lr = "learning_rate" if "learning_rate" in inspect.signature(factory).parameters else "lr"
    wanted = with_optax(factory(**{lr: 0.1}, **options), GRADS)
    cls = from_optax(factory, lr=0.1)
    optimizer = cls(parameters(), **options)
    stepped(optimizer, GRADS[:3])
    other = cls(parameters(), **options)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for mine, theirs in zip(other.param_groups[0]["params"], optimizer.param_groups[0]["params"]):
        mine.data.copy_(theirs.data)
    same(stepped(other, GRADS[3:]), wanted)
    same(stepped(optimizer, GRADS[3:]), wanted)


def test_pickle_and_deepcopy():
    optimizer = from_optax(optax.lion, lr=0.1)(parameters(), weight_decay=0.0)
    stepped(optimizer, GRADS[:2])
    copies = [pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)]
    wanted = [p.detach().numpy() for p in stepped(optimizer, GRADS[2:])]
    for other in copies:
        assert repr(other) == repr(optimizer)
        same(stepped(other, GRADS[2:]), wanted)


def test_its_interface():
    Lion = from_optax(optax.lion)
    assert Lion.__name__ == "Lion" and issubclass(Lion, funcgrad.optim.Optimizer)
    optimizer = Lion(parameters(), lr=0.1, b1=0.5)
    assert {k: optimizer.param_groups[0][k] for k in ("lr", "b1", "weight_decay")} == {
        "lr": 0.1, "b1": 0.5, "weight_decay": 1e-3,
    }  # fmt: skip
    stepped(optimizer, GRADS[:1])
    state = optimizer.state[optimizer.param_groups[0]["params"][0]]
    assert list(state) == ["step", "mu"] and state["step"] == 1 and state["mu"].shape == (3, 4)
    with pytest.raises(TypeError, match="missing the option 'lr'"):
        Lion(parameters())
    with pytest.raises(TypeError, match="unexpected keyword argument 'momentum'"):
        Lion(parameters(), lr=0.1, momentum=0.9)


def test_a_changed_option_compiles_nothing():
    optimizer = from_optax(optax.lion, lr=0.1)(parameters())
    scheduler = funcgrad.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    stepped(optimizer, GRADS[:2])
    before = explain.compiles()
    for i in range(4):
        scheduler.step()
        optimizer.param_groups[0]["b1"] = 0.8 + i / 100
        stepped(optimizer, GRADS[:1])
    assert explain.compiles() == before


def test_parameters_of_different_age_and_groups():
    params = parameters()
    optimizer = from_optax(optax.adabelief, lr=0.1)([{"params": params[:2]}, {"params": params[2:], "lr": 0.2}])
    for i, some in enumerate(GRADS):
        for k, (p, g) in enumerate(zip(params, some)):
            p.grad = None if k == 1 and i < 3 else funcgrad.from_numpy(g.copy())
        optimizer.step()
    for k, (lr, first) in enumerate([(0.1, 0), (0.1, 3), (0.2, 0)]):
        wanted = with_optax(optax.adabelief(lr), [g[k : k + 1] for g in GRADS[first:]], PARAMS[k : k + 1])
        same(params[k : k + 1], wanted)
    assert [float(optimizer.state[p]["step"]) for p in params] == [6, 3, 6]


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_dtypes(dtype):
    w = funcgrad.ones(3, dtype=getattr(funcgrad, dtype), requires_grad=True)
    optimizer = from_optax(optax.lion, lr=0.25)([w], weight_decay=0.0)
    (w * funcgrad.tensor([1.0, -1.0, 2.0], dtype=w.dtype)).sum().backward()
    optimizer.step()
    assert w.dtype is getattr(funcgrad, dtype) and w.tolist() == [0.75, 1.25, 0.75]
    assert optimizer.state[w]["mu"].dtype is w.dtype


@pytest.mark.parametrize(
    ("factory", "text"),
    [(optax.polyak_sgd, "needs more than gradients"), (optax.lbfgs, "more"), (optax.noisy_sgd, "random keys")],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_an_optimizer(factory, text):
    with pytest.raises(NotImplementedError, match=text):
        from_optax(factory)


def test_a_common_state_needs_all_gradients():
    optimizer = from_optax(optax.contrib.schedule_free_adamw, lr=0.1)(parameters())
    optimizer.param_groups[0]["params"][0].grad = funcgrad.ones(3, 4)
    with pytest.raises(NotImplementedError, match="each of them must have a gradient"):
        optimizer.step()


def test_a_transformation_itself():
    cls = from_optax(optax.chain(optax.clip(0.5), optax.sgd(0.1)))
    same(stepped(cls(parameters()), GRADS), with_optax(optax.chain(optax.clip(0.5), optax.sgd(0.1)), GRADS))


# -- schedules --------------------------------------------------------------------------------------------------------


def test_a_schedule():
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.5, 3, 10)
    optimizer = funcgrad.optim.SGD(parameters(), lr=9.0)
    scheduler, seen = OptaxSchedule(optimizer, schedule), []
    for some in GRADS:
        seen += scheduler.get_last_lr()
        stepped(optimizer, [some])
        scheduler.step()
    np.testing.assert_allclose(seen, [float(schedule(i)) for i in range(6)], rtol=1e-6)
    same(optimizer.param_groups[0]["params"], with_optax(optax.sgd(schedule), GRADS))
    again = OptaxSchedule(funcgrad.optim.SGD(parameters()), schedule)
    again.load_state_dict(pickle.loads(pickle.dumps(scheduler.state_dict())))
    again.step()
    assert again.get_last_lr() == [float(schedule(7))]


def test_a_schedule_for_each_group_and_with_others():
    a, b, _ = parameters()
    optimizer = funcgrad.optim.SGD([{"params": [a]}, {"params": [b]}], lr=1.0)
    schedules = [optax.linear_schedule(1.0, 0.0, 4), optax.constant_schedule(0.25)]
    scheduler = OptaxSchedule(optimizer, schedules)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.75, 0.25]


# -- the way back -----------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": dict(lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.01),
    "Adam": dict(lr=0.01, amsgrad=True),
    "AdamW": dict(lr=0.01),
    "Adamax": {},
    "NAdam": {},
    "RAdam": dict(lr=0.1),
    "Adagrad": dict(lr_decay=0.1),
    "Adadelta": {},
    "RMSprop": dict(centered=True, momentum=0.9),
    "Rprop": {},
    "ASGD": {},
    "Adafactor": {},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_to_optax(name):
    params = [torch.nn.Parameter(torch.from_numpy(p.copy())) for p in PARAMS]
    optimizer = getattr(torch.optim, name)(params, **OPTIMIZERS[name])
    for some in GRADS:
        for p, g in zip(params, some):
            p.grad = torch.from_numpy(g.copy())
        optimizer.step()
    ours = to_optax(getattr(funcgrad.optim, name)(parameters(), **OPTIMIZERS[name]))
    for p, w in zip(with_optax(ours, GRADS), params):
        np.testing.assert_allclose(np.asarray(p), w.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_to_optax_takes_any_tree_and_keeps_dtypes():
    transformation = optax.chain(optax.clip(1.0), to_optax(funcgrad.optim.SGD(parameters(), lr=0.5)))
    params = {"a": jnp.ones(2, jnp.bfloat16), "b": [jnp.ones(())]}
    updates, _ = transformation.update(params, transformation.init(params), params)
    assert updates["a"].dtype == jnp.bfloat16 and float(updates["b"][0]) == -0.5


def test_to_optax_refuses():
    with pytest.raises(NotImplementedError, match="LBFGS"):
        to_optax(funcgrad.optim.LBFGS(parameters()))
    a, b, _ = parameters()
    with pytest.raises(ValueError, match="several parameter groups"):
        to_optax(funcgrad.optim.SGD([{"params": [a]}, {"params": [b]}]))
