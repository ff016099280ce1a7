"""Gradients, in-place writes and views together: every program runs under both libraries."""

import threading
import warnings

import pytest
from parity import both


def create_graph_through_a_launched_gradient(t):
    x, y = t.ones(2, 2, requires_grad=True), t.ones(2, 2, requires_grad=True)
    z = x**2 + y * x + y**2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of the cycle
        z.backward(t.ones(2, 2), create_graph=True)
    first = x.grad.tolist()  # a launch between the two gradients
    return first, t.autograd.grad([2 * x.grad + y.grad], [x], [t.ones(2, 2)])


def penalty_after_a_read(t):
    w = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (g,) = t.autograd.grad((w**3).sum(), w, create_graph=True)
    norm = g.norm()
    seen = norm.item()
    norm.backward()
    return seen, w.grad


def function_that_writes_to_views(t):
    class Add(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.mark_dirty(x)
            x.add_(y)
            return x

        @staticmethod
        def backward(ctx, g):
            return g, g

    r, b = t.ones(4, 4, requires_grad=True), t.full((2, 2), 3.0, requires_grad=True)
    x = r.clone()
    Add.apply(x.narrow(1, 2, 2).narrow(0, 1, 2), b)
    Add.apply(x.narrow(1, 0, 2).narrow(0, 1, 2), b)
    (x * t.arange(16.0).view(4, 4)).sum().backward()
    return r.grad, b.grad, x


def retained_gradients_follow_writes(t):
    found = []
    for again in range(3):
        a = t.tensor([1.0], requires_grad=True).clone()
        a.retain_grad()
        for _ in range(again):
            a.mul_(2)
            a.retain_grad()
        a.sum().backward()
        found.append(a.grad)
    return found


def transposed_in_place_then_written(t):
    a = t.arange(6.0).view(2, 3)
    b = a.view(6)[:4].view(2, 2)
    b.transpose_(0, 1)
    b += 1
    b[0, 1] = 9
    return b, a


def unsqueezed_in_place_then_written(t):
    a = t.arange(4.0).view(2, 2).clone()
    b = a.view(2, 2)
    c = b[0]
    b.unsqueeze_(0)
    b *= 2
    c += 1
    return b, a, c


def nothing_saved_so_twice(t):
    x = t.ones(2, requires_grad=True).clone()
    out = x.clone()
    y = out[0:1]
    return [t.autograd.grad(out.sum() + y.sum(), x) for _ in range(3)]


def backward_inside_backward(t):
    class Inner(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with t.enable_grad():
                ctx.x, ctx.y = x.detach().requires_grad_(), t.full((2, 2), 3.0, requires_grad=True)
                ctx.made = ctx.x * ctx.y
            return ctx.made.detach()

        @staticmethod
        def backward(ctx, g):
            with t.enable_grad():
                ctx.made.sum().backward()
            return ctx.x.grad * g

    x = t.ones(2, 2, requires_grad=True)
    Inner.apply(x * 2).sum().backward()
    return x.grad


def threads_reach_one_leaf(t):
    x = t.ones(5, 5, requires_grad=True)
    threads = [threading.Thread(target=lambda: (x * 2).sum().backward()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return x.grad


@pytest.mark.parametrize(
    "code",
    [
        create_graph_through_a_launched_gradient,
        penalty_after_a_read,
        function_that_writes_to_views,
        retained_gradients_follow_writes,
        transposed_in_place_then_written,
        unsqueezed_in_place_then_written,
        nothing_saved_so_twice,
        backward_inside_backward,
        threads_reach_one_leaf,
    ],
)
def test_as_pytorch(code):
    both(code)
