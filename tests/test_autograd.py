"""Gradients as PyTorch users know them: every test runs the same code under both libraries."""

import pytest
from parity import both


def leaf(t, *values):
    return t.tensor([float(v) for v in (values or (1, 2, 3))], requires_grad=True)


def accumulates(t):
    x = leaf(t)
    (x * 2).sum().backward()
    (x * x).sum().backward()
    return x.grad


def with_gradient_argument(t):
    x = leaf(t)
    (x * x).backward(t.tensor([1.0, 10.0, 100.0]))
    return x.grad


def several_roots(t):
    x = leaf(t)
    t.autograd.backward([(x * 2).sum(), (x * x).sum()])
    return x.grad


def only_some_inputs(t):
    x, y = leaf(t), leaf(t, 4, 5, 6)
    (x * y).sum().backward(inputs=[y])
    return x.grad is None, y.grad


def grad_of_leaves_and_others(t):
    x = leaf(t)
    u = x * 2
    return t.autograd.grad((u * u).sum(), [u, x])


def grad_leaves_dot_grad_alone(t):
    x = leaf(t)
    return t.autograd.grad((x * x).sum(), x), x.grad


def unused_is_an_error(t):
    x, y = leaf(t), leaf(t)
    return t.autograd.grad((x * x).sum(), [x, y])


def unused_allowed(t):
    x, y = leaf(t), leaf(t)
    return t.autograd.grad((x * x).sum(), [x, y], allow_unused=True)


def unused_materialised(t):
    x, y = leaf(t), leaf(t)
    return t.autograd.grad((x * x).sum(), [x, y], materialize_grads=True)


def batched_gradients(t):
    x = leaf(t)
    return t.autograd.grad(x * x, x, t.eye(3), is_grads_batched=True)


def second_derivative(t):
    x = leaf(t)
    (g,) = t.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = t.autograd.grad(g.sum(), x)
    return g.detach(), h


def third_derivative(t):
    x = leaf(t)
    y = (x**4).sum()
    for _ in range(3):
        (y,) = t.autograd.grad(y.sum(), x, create_graph=True)
    return y.detach()


def gradient_penalty(t):
    x, w = leaf(t), leaf(t, 0.5, -1, 2)
    out = (x * w).tanh().sum()
    (g,) = t.autograd.grad(out, x, create_graph=True)
    (out + ((g.norm() - 1) ** 2)).backward()
    return x.grad, w.grad


def second_derivative_after_a_read(t):
    x = leaf(t)
    y = (x**3).sum()
    y.item()
    (g,) = t.autograd.grad(y, x, create_graph=True)
    g.sum().item()
    (g * g).sum().backward()
    return x.grad


def read_before_backward(t):
    x = leaf(t)
    loss = (x * x).sum()
    value = loss.item()
    loss.backward()
    return value, x.grad


def branch_on_a_value(t):
    x = leaf(t)
    y = x * 2
    z = y * y if y.sum() > 5 else y
    z.sum().backward()
    return x.grad


def shared_trunk(t):
    x = leaf(t, 0.1, 0.2, 0.3)
    trunk = (x * 3).exp()
    trunk.sum().backward(retain_graph=True)
    other = (trunk * trunk).sum()
    other.item()
    other.backward()
    return x.grad


def backward_twice(t):
    x = leaf(t)
    loss = (x * x).sum()
    loss.backward()
    loss.backward()


def backward_twice_after_a_read(t):
    x = leaf(t)
    loss = (x * x).sum()
    loss.item()
    loss.backward()
    loss.backward()


def backward_twice_where_nothing_was_saved(t):
    x = leaf(t)
    loss = x.sum()
    loss.backward()
    loss.backward()
    return x.grad


def backward_twice_retained(t):
    x = leaf(t)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    return x.grad


def no_scalar(t):
    (leaf(t) * 2).backward()


def no_graph(t):
    t.ones(2).sum().backward()


def wrong_gradient_shape(t):
    (leaf(t) * 2).backward(t.ones(2))


def in_place_on_a_leaf(t):
    leaf(t).add_(1)


def in_place_on_a_view_of_a_leaf(t):
    leaf(t)[0] = 1.0


def in_place_on_an_intermediate(t):
    x = leaf(t)
    y = x * 2
    y.mul_(3)
    y += x
    y.sum().backward()
    return x.grad


def in_place_through_a_view(t):
    x = leaf(t)
    y = x * 2
    y[1] = 5.0
    y[0].mul_(3)
    y.sum().backward()
    return y.detach(), x.grad


def detach_cuts(t):
    x = leaf(t)
    (x * x.detach()).sum().backward()
    return x.grad


def detach_shares(t):
    x = leaf(t)
    d = x.detach()
    d.mul_(2)
    return x.detach(), d


def no_grad_contexts(t):
    x = leaf(t)
    with t.no_grad():
        a = (x * 2).requires_grad
        with t.enable_grad():
            b = (x * 2).requires_grad
    with t.set_grad_enabled(False):
        c = (x * 2).requires_grad

    @t.no_grad()
    def f(x):
        return x * 2

    return a, b, c, f(x).requires_grad, (x * 2).requires_grad


def inference_mode(t):
    x = leaf(t)
    with t.inference_mode():
        y = x * 2
    return y.requires_grad, t.is_inference_mode_enabled()


def hooks_change_gradients(t):
    x = leaf(t)
    y = x * 2
    handle = y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (y * y).sum().backward()
    first = x.grad.clone()
    handle.remove()
    x.grad = None
    z = x * 2
    z.sum().backward()
    return first, x.grad


def retained_gradients(t):
    x = leaf(t)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    return y.grad, x.grad


def post_accumulate_hooks(t):
    x = leaf(t)
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.sum().item()))
    (x * x).sum().backward()
    return seen


def make_function(t):
    class Cube(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return x * x * x * scale

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x * x * ctx.scale, None

    return Cube


def own_function(t):
    x = leaf(t)
    y = make_function(t).apply(x * 2, 0.5)
    (y * y).sum().backward()
    return y.detach(), x.grad


def own_function_after_a_read(t):
    x = leaf(t)
    y = make_function(t).apply(x * 2, 0.5).sum()
    value = y.item()
    y.backward()
    return value, x.grad


def own_function_twice_differentiated(t):
    x = leaf(t)
    (g,) = t.autograd.grad(make_function(t).apply(x, 1.0).sum(), x, create_graph=True)
    (h,) = t.autograd.grad(g.sum(), x)
    return h


def own_function_in_the_middle(t):
    x = leaf(t)
    trunk = x * 2
    y = make_function(t).apply(trunk, 1.0)
    (y + trunk * trunk).sum().backward()
    return x.grad


def own_function_new_style(t):
    class Scale(t.autograd.Function):
        @staticmethod
        def forward(x, k):
            return x * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.k = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.k, None

    x = leaf(t)
    Scale.apply(x, 4.0).sum().backward()
    return x.grad


def own_function_two_results(t):
    class Split(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            return a * 2 + b * 3

    x = leaf(t)
    a, b = Split.apply(x)
    a.sum().backward()
    return x.grad


def own_function_wrong_count(t):
    class Bad(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, g, g

    Bad.apply(leaf(t)).sum().backward()


def graph_of_functions(t):
    x = leaf(t)
    y = (x * 2).sum()
    return (
        y.grad_fn.name(),
        y.grad_fn.next_functions[0][0].name(),
        y.grad_fn.next_functions[0][0].next_functions[0][0].name(),
        x.grad_fn,
        x.is_leaf,
        y.is_leaf,
    )


def stop_requiring_grad(t):
    x = leaf(t)
    (x * 2).requires_grad_(False)


def integers_have_no_gradient(t):
    t.tensor([1, 2], requires_grad=True)


def manual_update(t):
    w = leaf(t)
    for _ in range(3):
        loss = ((w - 1) ** 2).sum()
        loss.backward()
        with t.no_grad():
            w -= 0.1 * w.grad
        w.grad = None
    w.data.sub_(1)
    return w.detach(), w.requires_grad


def zeroing_gradients(t):
    x = leaf(t)
    (x * 2).sum().backward()
    g = x.grad
    x.grad.zero_()
    (x * 3).sum().backward()
    return g is x.grad, x.grad


CASES = [f for name, f in list(globals().items()) if callable(f) and getattr(f, "__module__", "") == __name__]
CASES = [f for f in CASES if f.__name__ not in ("leaf", "make_function")]


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_as_pytorch(case):
    both(case)
