"""The graph as PyTorch shows it, hooks, and users' Functions: every program runs under both libraries."""

from importlib import import_module

import pytest
from parity import both


def leaf(t, *values):
    return t.tensor([float(v) for v in (values or (1, 2, 3))], requires_grad=True)


def error(code):
    try:
        return code()
    except Exception as e:
        return type(e).__name__, str(e)


def multi_grad_all(t):
    x, y = leaf(t), leaf(t, 4, 5, 6)
    seen = []
    h = t.autograd.graph.register_multi_grad_hook(
        (x, y), lambda g: seen.append([None if q is None else q.tolist() for q in g])
    )
    (x * 2).sum().backward()
    (x * y).sum().backward()
    h.remove()
    (x * y).sum().backward()
    return seen


def multi_grad_any(t):
    x, y = leaf(t), leaf(t, 4, 5, 6)
    seen = []
    t.autograd.graph.register_multi_grad_hook((x, y), lambda g: seen.append(g.tolist()), mode="any")
    (x * y).sum().backward()
    return len(seen)


def edges(t):
    x = leaf(t)
    y = x * 2
    z = y.exp()
    e = t.autograd.graph.get_gradient_edge(y)
    return t.autograd.grad(z.sum(), e), str(e.node).split(" ")[0], e.output_nr


def nothing_differentiable(t):
    class Positive(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            result = x > 0
            ctx.mark_non_differentiable(result)
            return result

        @staticmethod
        def backward(ctx, g):
            raise AssertionError

    class Rounded(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return (x * 2).long(), x.argsort()

        @staticmethod
        def backward(ctx, *grads):
            raise AssertionError

    x = leaf(t)
    mask = Positive.apply(x)
    x.masked_fill(mask, 0).sum().backward()
    return mask, Rounded.apply(x), x.grad


def defaults_reach_setup_context(t):
    class Scaled(t.autograd.Function):
        @staticmethod
        def forward(x, scale=2.0):
            return x * scale

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.scale = inputs

        @staticmethod
        def backward(ctx, g):
            return g * ctx.scale, None

    x = leaf(t)
    Scaled.apply(x).sum().backward()
    Scaled.apply(x, 3.0).sum().backward()
    return x.grad


def edge_leaf(t):
    x = leaf(t)
    z = x.exp()
    e = t.autograd.graph.get_gradient_edge(x)
    return t.autograd.grad(z.sum(), [e])


def edge_out(t):
    x = leaf(t)
    z = x.exp().sum()
    e = t.autograd.graph.get_gradient_edge(z)
    z = None
    return t.autograd.grad(e, x), error(lambda: t.autograd.graph.get_gradient_edge(t.ones(2)))


def node_meta(t):
    x = leaf(t)
    y = x * 2
    y.grad_fn.metadata["a"] = 3
    return y.grad_fn.metadata, y.grad_fn.name()


def node_hook(t):
    x = leaf(t)
    y = x * 2
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].tolist(), go[0].tolist())))
    y.exp().sum().backward()
    return seen, x.grad


def node_hook_change(t):
    x = leaf(t)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10, None))
    y.exp().sum().backward()
    return x.grad


def node_prehook(t):
    x = leaf(t)
    y = x * 2
    h = y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.exp().sum().backward()
    g = x.grad.clone()
    h.remove()
    return g


def save_cpu(t):
    x = leaf(t)
    with t.autograd.graph.save_on_cpu():
        y = x * x
    y.sum().backward()
    return x.grad


def disable_hooks(t):
    with t.autograd.graph.disable_saved_tensors_hooks("no!"):
        return error(lambda: t.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x).__enter__())


def allow_mut(t):
    x = leaf(t)
    with t.autograd.graph.allow_mutation_on_saved_tensors():
        a = x.clone()
        y = a * a
        a.sin_()
        y.sum().backward()
    return x.grad


def next_fns(t):
    x = leaf(t)
    w = leaf(t)
    y = (x * w + x).exp().sum()

    def tree(n):
        return None if n is None else (n.name(), [tree(k) for k, _ in n.next_functions])

    return tree(y.grad_fn)


def leaf_node(t):
    x = leaf(t)
    y = x * 2
    n = y.grad_fn.next_functions[0][0]
    return n.name(), n.variable is x, str(n).split(" ")[0], len(y.grad_fn.next_functions)


def double_names(t):
    x = leaf(t)
    r = []
    for f in (
        lambda x: x * x,
        lambda x: x.exp(),
        lambda x: x**3,
        lambda x: x.sin(),
        lambda x: x / (x + 1),
        lambda x: x.sigmoid(),
        lambda x: x.tanh(),
        lambda x: (x @ x)[None],
        lambda x: x.log(),
        lambda x: x.sqrt(),
    ):
        (g,) = t.autograd.grad(f(x).sum(), x, create_graph=True)
        r.append(str(g.grad_fn).split(" ")[0])
    return r


def hooks_order(t):
    x = leaf(t)
    y = x * 2
    s = []
    y.register_hook(lambda g: s.append("a"))
    y.register_hook(lambda g: (s.append("b"), g * 2)[1])
    y.retain_grad()
    h = x.register_hook(lambda g: s.append(g.tolist()))
    y.sum().backward()
    h.remove()
    return s, y.grad, x.grad


def post_acc(t):
    x = leaf(t)
    s = []
    x.register_post_accumulate_grad_hook(lambda p: (s.append(p.grad.tolist()), setattr(p, "grad", None)))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    return s, x.grad


def once_diff(t):
    from_ = import_module(t.__name__ + ".autograd.function").once_differentiable

    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @from_
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    x = leaf(t)
    (g,) = t.autograd.grad(F.apply(x).sum(), x, create_graph=True)
    return g, g.requires_grad, error(lambda: g.sum().backward())


def fn_nontensor(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, k, s, d):
            ctx.k = k
            return x * k, s, 5

        @staticmethod
        def backward(ctx, g, *r):
            return g * ctx.k, None, None, None

    x = leaf(t)
    y, s, n = F.apply(x, 3, "q", {"a": 1})
    y.sum().backward()
    return x.grad, s, n


def fn_dirty(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = leaf(t)
    y = x * 2
    z = F.apply(y)
    z.sum().backward()
    return x.grad, y is z, y, str(y.grad_fn).split(" ")[0]


def fn_none(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            return x * 1, y * 1

        @staticmethod
        def backward(ctx, a, b):
            return (None if a is None else a * 2), (None if b is None else b * 2)

    x, y = leaf(t), leaf(t)
    a, b = F.apply(x, y)
    a.sum().backward()
    return x.grad, y.grad


def fn_errors(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g, g

    class G(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g[:1]

    class H(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return 3

    class Wrong(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)
            return x

    class J(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    x = leaf(t)
    return [
        error(lambda: F.apply(x).sum().backward()),
        error(lambda: G.apply(x).sum().backward()),
        error(lambda: H.apply(x).sum().backward()),
        error(lambda: Wrong.apply(x)),
        error(lambda: J.apply(x).sum().backward()),
    ]


def fn_identity(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(t)
    y = F.apply(x)
    y.sum().backward()
    return x.grad, y is x, y.requires_grad


def fn_view(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view(-1)

        @staticmethod
        def backward(ctx, g):
            return g.view(2, 2) * 2

    x = t.ones(2, 2, requires_grad=True)
    y = F.apply(x)
    y.sum().backward()
    return x.grad, y


def fn_dbl(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = leaf(t)
    (g,) = t.autograd.grad(F.apply(x).sum(), x, create_graph=True)
    (h,) = t.autograd.grad(g.sum(), x)
    return g, h


def fn_gradfn_attr(t):
    class F(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.q = 7
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g

    y = F.apply(leaf(t))
    return y.grad_fn.saved_tensors[0], y.grad_fn.q, y.grad_fn.name(), type(y.grad_fn).__name__


def accumulate_errors(t):
    x = leaf(t)
    return [
        error(lambda: t.autograd.backward([x.sum()], [t.ones(2)])),
        error(lambda: (x * 2).backward()),
        error(lambda: t.ones(1).backward()),
        error(lambda: t.autograd.grad(x.sum(), t.ones(1))),
        error(lambda: t.autograd.grad(x.sum(), [])),
        error(lambda: x.sum().backward(inputs=[])),
        error(lambda: x.backward(t.ones(3))),
        error(lambda: x.add_(1)),
        error(lambda: x[0].add_(1)),
        error(lambda: x.view(3).add_(1)),
        error(lambda: t.autograd.grad(t.ones(1), x)),
    ]


def sparse_zero(t):
    x = leaf(t)
    (x * 0).sum().backward()
    a = x.grad
    x.grad = None
    y = x.detach()
    return a, x.grad, y.requires_grad


def ret_twice(t):
    x = leaf(t)
    y = (x.exp()).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad, error(lambda: y.backward())


def grad_dtype(t):
    x = leaf(t)
    err1 = error(lambda: setattr(x, "grad", t.ones(2)))
    err2 = error(lambda: setattr(x, "grad", t.ones(3, dtype=t.float64)))
    return err1, err2, error(lambda: setattr(x, "grad", 3))


def accumulate_grad_is_new(t):
    x = leaf(t)
    x.sum().backward()
    g = x.grad
    x.sum().backward()
    return g is x.grad, g


def retains(t):
    x = leaf(t)
    y = x * 2
    y.retain_grad()
    z = y * 3
    z.sum().backward()
    return y.grad, y.retains_grad, z.retains_grad, x.retains_grad


def checks(t):
    x = t.ones(2, dtype=t.double, requires_grad=True)
    return (
        t.autograd.gradcheck(lambda a: a.exp() * a, (x,)),
        t.autograd.gradgradcheck(lambda a: a.exp() * a, (x,)),
        t.autograd.gradcheck(lambda a: a.exp() * a, (x,), fast_mode=True),
    )


def is_leafs(t):
    x = leaf(t)
    return (
        x.is_leaf,
        (x * 2).is_leaf,
        x.detach().is_leaf,
        (x * 2).detach().requires_grad_().is_leaf,
        x.data.requires_grad,
    )


def output_nr(t):
    a, b = leaf(t).max(0) if 0 else t.unbind(t.ones(2, 2, requires_grad=True))
    return a.output_nr, b.output_nr


def setgradmulti(t):
    x = leaf(t)
    y = x.clone()
    y[0] = 0
    y[1:] *= 2
    z = y.sum()
    z.backward()
    return x.grad


def var_api(t):
    V = t.autograd.Variable
    v = V(t.ones(2), requires_grad=True)
    return isinstance(v, V), isinstance(v, t.Tensor), v


def multithread(t):
    with t.autograd.set_multithreading_enabled(False):
        x = leaf(t)
        x.sum().backward()
        return x.grad


PROGRAMS = [
    multi_grad_all,
    multi_grad_any,
    edges,
    edge_leaf,
    nothing_differentiable,
    defaults_reach_setup_context,
    edge_out,
    node_meta,
    node_hook,
    node_hook_change,
    node_prehook,
    save_cpu,
    disable_hooks,
    allow_mut,
    next_fns,
    leaf_node,
    double_names,
    hooks_order,
    post_acc,
    once_diff,
    fn_nontensor,
    fn_dirty,
    fn_none,
    fn_errors,
    fn_identity,
    fn_view,
    fn_dbl,
    fn_gradfn_attr,
    accumulate_errors,
    sparse_zero,
    ret_twice,
    grad_dtype,
    accumulate_grad_is_new,
    retains,
    checks,
    is_leafs,
    output_nr,
    setgradmulti,
    var_api,
    multithread,
]


@pytest.mark.parametrize("code", PROGRAMS, ids=lambda f: f.__name__)
def test_as_pytorch(code):
    both(code)


NAMES = """
x + 1
x / 2
2**x
x**2
x @ w
x @ v
x.sum()
x.sum(0)
x.mean(1)
x.max()
x.max(0)[0]
x.clamp(0, 1)
x[0]
x[0:1]
x.T
x.chunk(2)[0]
x.split([1, 1])[1]
F.linear(x, w.t())
F.linear(x, w.t(), b)
F.dropout(x)
F.cross_entropy(x, t.tensor([0, 1]))
t.linalg.inv(t.eye(2, requires_grad=True))
x.clone().fill_(1.0)
x.clone().copy_(t.ones(2, 3))
"""


@pytest.mark.parametrize("source", NAMES.strip().splitlines())
def test_names(source):
    def code(t):
        made = {"x": t.ones(2, 3), "w": t.ones(3, 4), "b": t.ones(4), "v": t.ones(3)}
        leaves = {name: value.requires_grad_() for name, value in made.items()}
        return type(eval(source, {"t": t, "F": t.nn.functional, **leaves}).grad_fn).__name__

    both(code)


def a_function_seen_again_after_a_launch(t):
    """Its backward and its hooks are there when a launched graph is differentiated twice."""

    class Cube(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 30 * x**2

    x = leaf(t)
    h = x * x
    h.register_hook(lambda g: g * 10)
    y = (Cube.apply(x * 2) * h).sum()
    y.item()
    (g,) = t.autograd.grad(y, x, create_graph=True)
    g.sum().item()
    return g.detach(), t.autograd.grad(g.sum(), x)


def writes_without_gradients(t):
    x = leaf(t)
    y = x * 2
    with t.no_grad():
        y.add_(1)
        y[0] = 7.0
        y.mul_(3)
    (y * y).sum().backward()
    return y, x.grad


def two_graphs_launched_together(t):
    x, y = leaf(t), leaf(t)
    doubled = x * 2
    bool(t.ones(1))  # `doubled` is launched first
    total, product = doubled.sum(0), y * 3
    total.item(), product.sum().item()
    product.backward(t.ones(3))
    total.backward()
    return x.grad, y.grad


MORE = [a_function_seen_again_after_a_launch, writes_without_gradients, two_graphs_launched_together]


@pytest.mark.parametrize("code", MORE)
def test_more(code):
    both(code)
