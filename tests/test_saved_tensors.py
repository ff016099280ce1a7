"""What ops save for backward, and hooks that pack and unpack it: every program runs under both libraries."""

import pytest
from parity import both


def _error(code):
    try:
        return code()
    except (RuntimeError, TypeError) as e:
        return type(e).__name__, str(e)


def leaf(t, *values):
    return t.tensor([float(v) for v in (values or (1, 2, 3))], requires_grad=True)


def calls(t):
    """How often the hooks are called, on what, and whether gradients are recorded there."""
    found = []

    def pack(x):
        found.append(("pack", x.tolist(), x.requires_grad, t.is_grad_enabled()))
        return x

    def unpack(x):
        found.append(("unpack", x.tolist()))
        return x

    a, b, c = leaf(t), leaf(t, 4, 5, 6), t.ones(3)
    with t.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = a * b + c
        z = (y.exp() * c).sum() + t.sigmoid(a).sum()
        m = t.ones(2, 3) @ a
        with t.no_grad():
            a * b
    found.append("outside")
    a * b
    (z + m.sum()).backward()
    return sorted(map(str, found)), a.grad, b.grad


def changed(t):
    """The gradient comes from what the unpack hook returns."""
    found = []
    ops = [
        lambda x: x * x,
        lambda x: x.sin(),
        lambda x: x**3,
        lambda x: x.exp(),
        lambda x: x.tanh(),
        lambda x: x.sqrt(),
        lambda x: t.sigmoid(x),
        lambda x: x.relu(),
        lambda x: x / (x + 1),
        lambda x: t.softmax(x, 0),
        lambda x: t.nn.functional.linear(x, t.ones(2, 3)),
    ]
    for op in ops[:-2]:
        x = leaf(t)
        with t.autograd.graph.saved_tensors_hooks(lambda v: v * 2, lambda v: v):
            y = op(x)
        y.sum().backward()
        found.append(x.grad)
    for op in ops[-2:]:
        x = leaf(t)
        with t.autograd.graph.saved_tensors_hooks(lambda v: v * 2, lambda v: v / 2):
            y = op(x)
        y.sum().backward()
        found.append(x.grad)
    return found


def kept_elsewhere(t):
    store = {}

    def pack(x):
        store[len(store)] = x.numpy().copy()
        return len(store) - 1

    t.manual_seed(0)
    net = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.GELU(), t.nn.LayerNorm(4), t.nn.Linear(4, 2))
    with t.autograd.graph.saved_tensors_hooks(pack, lambda i: t.from_numpy(store[i])):
        loss = net(t.ones(5, 3)).pow(2).mean()
    seen = loss.item()  # a launch in between
    loss.backward()
    return seen, [p.grad for p in net.parameters()], len(store) > 4


def nested(t):
    x = leaf(t)
    hooks = t.autograd.graph.saved_tensors_hooks
    with hooks(lambda v: v * 2, lambda v: v):
        with hooks(lambda v: v * 3, lambda v: v):
            y = x.sin()
        z = x.cos()
    (y + z).sum().backward()
    return x.grad


def second_derivative(t):
    x = leaf(t)
    with t.autograd.graph.saved_tensors_hooks(lambda v: (v,), lambda v: v[0]):
        y = (x**3).sum()
    (g,) = t.autograd.grad(y, x, create_graph=True)
    g.sum().backward()
    return g, x.grad


def own_function(t):
    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, None)
            return x * x

        @staticmethod
        def backward(ctx, g):
            x, nothing = ctx.saved_tensors
            assert nothing is None
            return g * 2 * x

    x = leaf(t)
    with t.autograd.graph.saved_tensors_hooks(lambda v: v.tolist(), lambda v: t.tensor(v) * 10):
        y = Square.apply(x)
    y.sum().backward()
    return x.grad


def twice(t):
    x = leaf(t)
    with t.autograd.graph.saved_tensors_hooks(lambda v: v, lambda v: v):
        y = x.sin().sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad, _error(y.backward)[0]


def errors(t):
    x, hooks = leaf(t), t.autograd.graph.saved_tensors_hooks

    def wrong_result():
        with hooks(lambda v: v, lambda v: 1):
            y = x.sin()
        y.sum().backward()

    def disabled():
        with t.autograd.graph.disable_saved_tensors_hooks("not here"):
            with hooks(lambda v: v, lambda v: v):
                pass

    def fails():
        with hooks(lambda v: 1 / 0, lambda v: v):
            x.sin()

    found = [_error(wrong_result), _error(disabled)]
    with pytest.raises(ZeroDivisionError):
        fails()
    x.sin().sum().backward()  # no hooks are left
    return found, x.grad


def attributes(t):
    a, b, c = leaf(t), leaf(t, 4, 5, 6), t.ones(3)
    y, z = a * b, a * c
    found = [y.grad_fn._saved_self, y.grad_fn._saved_other, z.grad_fn._saved_self, z.grad_fn._saved_other.tolist()]
    e = (a * 2).exp()
    found += [e.grad_fn._saved_result, e.grad_fn._saved_result.grad_fn is e.grad_fn]
    p = a**2
    found += [p.grad_fn._saved_self is not None, p.grad_fn._saved_exponent, hasattr(y.grad_fn, "_saved_nothing")]
    found += [t.stack([a, b]).grad_fn._saved_dim, a.sum().grad_fn._saved_self_sym_sizes]
    e.sum().backward()
    found += [_error(lambda: e.grad_fn._saved_result)]
    with t.no_grad():
        c.add_(1)
    return found, _error(lambda: z.sum().backward())[0]


def raw_hooks(t):
    found = []
    for pack, unpack in ((lambda v: v * 2, lambda v: v), (lambda v: v * 2, lambda v: v / 2)):
        x = leaf(t)
        y = x * x
        y.grad_fn._raw_saved_self.register_hooks(pack, unpack)
        found += [y.grad_fn._saved_self, y.grad_fn._saved_other]
        y.sum().backward()
        found += [x.grad]
    z = x * t.ones(3)
    found.append(_error(lambda: z.grad_fn._raw_saved_self.register_hooks(pack, unpack)))
    return found


@pytest.mark.parametrize(
    "code",
    [calls, changed, kept_elsewhere, nested, second_derivative, own_function, twice, errors, attributes, raw_hooks],
)
def test_as_pytorch(code):
    both(code)
