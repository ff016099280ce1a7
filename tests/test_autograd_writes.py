"""Gradients, in-place writes and views together: every program runs under both libraries."""

import gc
import threading
import warnings

import pytest
from parity import both

import funcgrad
from funcgrad.engine.state import state


def create_graph_through_a_launched_gradient(t):
    x, y = t.ones(2, 2, requires_grad=True), t.ones(2, 2, requires_grad=True)
    z = x**2 + y * x + y**2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of the cycle
        z.backward(t.ones(2, 2), create_graph=True)
    first = x.grad.tolist()  # a launch between the two gradients
    return first, t.autograd.grad([2 * x.grad + y.grad], [x], [t.ones(2, 2)])


def zeros_for_the_unused(t):
    x, a = t.tensor(0.5, requires_grad=True), t.tensor(2.0, requires_grad=True)
    first, zero = t.autograd.grad(x * x, [x, a], create_graph=True, materialize_grads=True)
    return zero, t.autograd.grad(zero, x, materialize_grads=True), t.autograd.grad(first, a, materialize_grads=True)


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


def _error(code):
    try:
        return code()
    except RuntimeError as e:
        return str(e)


def written_since(t):
    """Each of these is refused by PyTorch, or is not, in its own words."""
    found = []

    def attempt(code):
        x, w = t.ones(2, 3, requires_grad=True), t.ones(2, 3, requires_grad=True)
        found.append(_error(lambda: code(x, w)))

    def operand(x, w):
        y = x * 2
        z = y * w
        y.add_(1)
        z.sum().backward()

    def leaf(x, w):
        z = x * w
        with t.no_grad():
            w.add_(1)
        z.sum().backward()

    def plain(x, w):
        c = t.ones(2, 3)
        z = x * c
        c[0] = 3
        z.sum().backward()

    def result(x, w):
        z = x.exp()
        z.add_(1)
        z.sum().backward()

    def own_result(x, w):
        x.clone().exp_().sum().backward()
        return x.grad.sum().item()

    def itself(x, w):
        y = w * 2
        s = y * y
        y *= w
        s.sum().backward()

    def base_of_a_view(x, w):
        y = x.clone()
        v = y[0]
        s = v * v
        y.add_(1)
        s.sum().backward()

    def another_view(x, w):
        y = x.clone()
        s = y.exp2() * y
        y.view(-1)[1:].zero_()
        return _error(lambda: s.sum().backward()).partition(", which")[0]  # PyTorch names a node of its own

    def index(x, w):
        i = t.tensor([0, 1])
        s = x[i]
        i.add_(0)
        s.sum().backward()

    def detached(x, w):
        y = x * 1
        s = y**2
        y.detach().mul_(1)
        s.sum().backward()

    def data(x, w):
        y = x * 1
        s = y**2
        y.data.mul_(1)
        s.sum().backward()
        return x.grad.sum().item()

    def not_saved(x, w):
        y = x * 1
        s = y + w
        y.mul_(2)
        s.sum().backward()
        return x.grad.sum().item()

    def optimizer(x, w):
        p = t.nn.Parameter(t.ones(2, 3))
        s = (p * (x * 1)).sum()
        s.backward(retain_graph=True)
        t.optim.SGD([p], 0.1).step()
        s.backward()

    def read_first(x, w):
        z = (x * w).sum()
        z.item()
        with t.no_grad():
            x.mul_(2)
        z.backward()

    def running_statistics(x, w):
        bn = t.nn.BatchNorm1d(3)
        s = bn(x).sum() + bn(w * 2).pow(2).sum()
        s.backward()
        return bn.num_batches_tracked.item()

    def allowed(x, w):
        with t.autograd.graph.allow_mutation_on_saved_tensors():
            z = x.clone()
            s = z.sin()
            z.mul_(3)
            s.sum().backward()
        return x.grad.sum().item()

    for code in (operand, leaf, plain, result, own_result, itself, base_of_a_view, another_view, index, detached, data,
                 not_saved, optimizer, read_first, running_statistics, allowed):  # fmt: skip
        attempt(code)
    return found


def versions(t):
    x = t.zeros(4)
    found = [x._version]
    x.add_(1)
    v = x.view(2, 2)
    v[0] = 5
    found += [x._version, v._version, x.detach()._version, x.clone()._version]
    x.data.add_(1)
    found += [x._version, x.data._version]
    t.autograd.graph.increment_version(x)
    t.autograd.graph.increment_version([x, v])
    found += [x._version, v._version]
    with t.no_grad():
        x.zero_()
    t.add(x, 1, out=x)
    x.copy_(t.ones(4))
    return found, x._version


@pytest.mark.parametrize(
    "code",
    [
        written_since,
        versions,
        create_graph_through_a_launched_gradient,
        penalty_after_a_read,
        zeros_for_the_unused,
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


def test_a_write_through_data_leaves_its_base_off_the_graph():
    def code(torch):
        w, slow = torch.nn.Parameter(torch.ones(3)), torch.zeros(3)
        slow.data.copy_(w)
        cut = slow.detach()
        cut.mul_(w * 3)
        w.data.mul_(0.5).add_(slow, alpha=0.5)
        return [
            slow.requires_grad,
            (slow + 1).requires_grad,
            cut.requires_grad,
            w.is_leaf,
            slow,
            w,
        ]

    both(code)


def test_a_running_mean_kept_through_data_keeps_no_old_graph():
    """slow weights that follow fast ones and lead them back, as a Lookahead optimizer has them"""
    w, slow = funcgrad.nn.Parameter(funcgrad.ones(3)), funcgrad.zeros(3)
    counts = []
    for _ in range(6):
        (w * w).sum().backward()
        w.data.mul_(0.5).add_(slow, alpha=0.5)
        slow.data.copy_(w)
        w.sum().item()
        gc.collect()
        counts.append(sum(r() is not None for r in state.retained))
    assert counts[-1] == counts[1]


def test_the_weight_that_a_step_changed_too_early():
    """two losses of one network, a step between their backward passes"""

    def code(torch):
        nn, said = torch.nn, []
        for layers in ([(3, 5), (5, 2)], [(3, 5), (5, 2), (2, 1)]):
            torch.manual_seed(0)
            model = nn.Sequential(*[nn.Linear(i, o) for i, o in layers])
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            first, second = model(torch.ones(4, 3)).sum(), model(torch.ones(4, 3)).sum() * 2
            first.backward()
            optimizer.step()
            with pytest.raises(RuntimeError) as caught:
                second.backward()
            said.append(str(caught.value))
        return said

    both(code)
