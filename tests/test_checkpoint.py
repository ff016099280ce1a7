"""Checkpointing: every test runs the same code under both libraries."""

import warnings

import pytest
from parity import both


def run(t, function, *args, reentrant=False, **kwargs):
    from importlib import import_module

    return import_module(t.__name__ + ".utils.checkpoint").checkpoint(
        function, *args, use_reentrant=reentrant, **kwargs
    )


def leaf(t, *values):
    return t.tensor([float(v) for v in (values or (1, 2, 3))], requires_grad=True)


def mlp(t):
    t.manual_seed(0)
    return t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Dropout(0.5), t.nn.Linear(4, 3), t.nn.ReLU())


def a_function(t):
    x = leaf(t)
    y = run(t, lambda a: (a.exp() * 2).sin(), x)
    y.sum().backward()
    return y, x.grad, str(y.grad_fn).split(" ")[0]


def a_module_with_dropout(t):
    m, x = mlp(t), leaf(t)
    y = run(t, m, x)
    y.sum().backward()
    return y, x.grad, [p.grad for p in m.parameters()], t.rand(2)


def reentrant(t):
    m, x = mlp(t), leaf(t)
    y = run(t, m, x, reentrant=True)
    y.sum().backward()
    return y, x.grad, [p.grad for p in m.parameters()], t.rand(2), str(y.grad_fn).split(" ")[0]


def nested(t):
    m, x = mlp(t), leaf(t)
    y = run(t, lambda a: run(t, m, a * 2) * run(t, t.exp, a), x)
    y.sum().backward()
    return y, x.grad, [p.grad for p in m.parameters()]


def keyword_arguments_and_other_things(t):
    x = leaf(t)
    made = run(
        t, lambda a, n, scale=1.0, name=None: (a * n, {"name": name, "scaled": a * scale}), x, 3, scale=2.5, name="n"
    )
    (made[0].sum() + (made[1]["scaled"] ** 2).sum()).backward()
    return made, x.grad


def buffers_are_written_twice(t):
    t.manual_seed(0)
    bn, x = t.nn.BatchNorm1d(3), t.randn(4, 3, requires_grad=True)
    for _ in range(2):
        run(t, bn, x).sin().sum().backward()
    return bn.running_mean, bn.running_var, bn.num_batches_tracked, x.grad, bn.weight.grad


def a_value_read_inside(t):
    x = leaf(t)

    def function(a):
        b = a.exp()
        if b.sum().item() > 3:
            b = b * 2
        return b.sin()

    y = run(t, function, x)
    y.sum().backward()
    return y, x.grad


def read_between_forward_and_backward(t):
    m, x = mlp(t), leaf(t)
    y = run(t, m, x).sum()
    value = y.item()
    y.backward()
    return value, x.grad, [p.grad for p in m.parameters()]


def several_outputs_of_which_one_is_used(t):
    x = leaf(t)
    u, v = run(t, lambda a: (a.exp(), a.sin()), x)
    u.sum().backward()
    return v, x.grad


def a_closure_and_an_outer_graph(t):
    x, w = leaf(t), leaf(t, 4, 5, 6)
    h = w * 2
    y = run(t, lambda a: (a * h).tanh() * h.detach(), x * 0.1)
    y.sum().backward()
    return x.grad, w.grad


def inside_it_a_function_of_ones_own(t):
    class Cube(t.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a**3

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            return g * 3 * a * a

    x = leaf(t)
    y = run(t, lambda a: Cube.apply(a.sin()).exp(), x)
    y.sum().backward()
    return y, x.grad


def inside_it_a_hook(t):
    x, seen = leaf(t), []

    def function(a):
        b = a * 2
        b.register_hook(lambda g: g * 10)
        return b.exp()

    run(t, function, x).sum().backward()
    return x.grad, seen


def second_derivative(t):
    x = leaf(t)
    y = run(t, lambda a: a.exp().sin(), x)
    (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    return g, x.grad


def backward_twice(t):
    y = run(t, lambda a: a.exp().sin(), leaf(t)).sum()
    y.backward()
    y.backward()


def without_gradients(t):
    x = leaf(t)
    with t.no_grad():
        return run(t, t.exp, x), run(t, lambda a: a * 2, t.ones(2))


def no_grad_and_detach_inside(t):
    x = leaf(t)

    def function(a):
        with t.no_grad():
            b = a * 3
        return a * b + a.detach() ** 2

    y = run(t, function, x)
    y.sum().backward()
    return y, x.grad


def in_place_inside(t):
    x = leaf(t)

    def function(a):
        b = a * 2
        b.add_(1).mul_(a)
        b[0] = 7.0
        return b

    y = run(t, function, x)
    y.sum().backward()
    return y, x.grad


def an_error_inside(t):
    x = leaf(t)
    try:
        run(t, lambda a: a @ t.ones(7), x)
    except RuntimeError as e:
        message = str(e)
    y = run(t, t.exp, x)
    y.sum().backward()
    return message, x.grad


def sequential(t):
    from importlib import import_module

    m, x = mlp(t), leaf(t)
    sequentially = import_module(t.__name__ + ".utils.checkpoint").checkpoint_sequential
    y = sequentially(m, 2, x, use_reentrant=False)
    y.sum().backward()
    return y, x.grad, [p.grad for p in m.parameters()]


def wrong_arguments(t):
    return [error(lambda k=k: run(t, t.exp, leaf(t), **k)) for k in (
        {"reentrant": True, "k": 1}, {"determinism_check": "no"}, {"reentrant": True, "debug": True}, {"foo_bar": 3},
    )]  # fmt: skip


def error(code):
    try:
        code()
    except Exception as e:
        return type(e).__name__, str(e) if "unexpected" not in str(e) else "unexpected"


def warns(t):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = run(t, lambda a: a * 2, t.ones(2), reentrant=True)
        run(t, t.exp, leaf(t), reentrant=None)
    return y, [str(w.message) for w in caught]


PROGRAMS = [f for f in list(globals().values()) if getattr(f, "__module__", "") == __name__][3:]
PROGRAMS = [f for f in PROGRAMS if f is not error]


@pytest.mark.parametrize("code", PROGRAMS, ids=lambda f: f.__name__)
def test_as_pytorch(code):
    both(code)


def test_training_compiles_once_and_uses_jax_checkpoint():
    import funcgrad as torch
    from funcgrad.engine.explain import compiles

    m, x = mlp(torch), torch.ones(5, 3)
    optimizer = torch.optim.SGD(m.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        torch.utils.checkpoint.checkpoint(m, x, use_reentrant=False).square().mean().backward()
        optimizer.step()

    step(), step()
    before = compiles()
    for _ in range(3):
        step()
    assert compiles() == before

    import jax

    text = str(jax.make_jaxpr(jax.grad(lambda w: torch.to_jax(_checkpointed(torch, w))))(jax.numpy.ones(3)))
    assert "remat" in text or "checkpoint" in text


def _checkpointed(torch, w):
    return torch.utils.checkpoint.checkpoint(lambda a: a.exp().sin().sum(), torch.from_jax(w), use_reentrant=False)
