"""Hooks of `torch.nn.Module`, from its documentation: each program runs under both libraries, results must agree."""

import collections
import pickle
import warnings

import pytest
from module_programs import Programs, error

case = Programs()


# -- forward hooks ----------------------------------------------------------------------------------------------------


@case
def forward_hooks_in_order(torch):
    m = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        m.weight.copy_(torch.eye(2))
    seen = []
    m.register_forward_hook(lambda m, a, y: seen.append("hook1"))
    m.register_forward_hook(lambda m, a, y: (seen.append("hook2"), y + 1)[1], prepend=True)
    m.register_forward_pre_hook(lambda m, a: seen.append("pre1"))
    m.register_forward_pre_hook(lambda m, a: (seen.append("pre2"), a[0] * 2)[1], prepend=True)
    m.register_forward_pre_hook(lambda m, a: (a[0] * 3,))
    y = m(torch.ones(1, 2))
    return seen, y, type(m.register_forward_hook(print)).__name__


@case
def hooks_with_keywords(torch):
    class M(torch.nn.Module):
        def forward(self, x, scale=1):
            return x * scale

    m = M()
    m.register_forward_pre_hook(lambda m, a, k: (a, {"scale": k.get("scale", 1) + 1}), with_kwargs=True)
    m.register_forward_hook(lambda m, a, k, y: y + k["scale"] * 100, with_kwargs=True)
    out = [m(torch.ones(1)), m(torch.ones(1), scale=5)]
    bad = M()
    bad.register_forward_pre_hook(lambda m, a, k: a, with_kwargs=True)
    return out, error(bad, torch.ones(1))


@case
def handles_remove(torch):
    m, seen = torch.nn.ReLU(), []
    with m.register_forward_hook(lambda *a: seen.append(1)):
        m(torch.ones(1))
    m(torch.ones(1))
    h = m.register_forward_pre_hook(lambda *a: seen.append(2))
    m(torch.ones(1))
    h.remove()
    h.remove()
    m(torch.ones(1))
    return seen, len(m._forward_hooks), len(m._forward_pre_hooks)


@case
def always_called_hooks(torch):
    class Fails(torch.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    m, seen = Fails(), []
    m.register_forward_hook(lambda m, a, y: seen.append("plain"))
    m.register_forward_hook(lambda m, a, y: seen.append(("always", y)), always_call=True)
    m.register_forward_hook(lambda m, a, k, y: seen.append(("keywords", k)), always_call=True, with_kwargs=True)
    out = [error(m, torch.ones(1))]
    ok = torch.nn.ReLU()
    ok.register_forward_hook(lambda m, a, y: seen.append("ok always"), always_call=True)
    ok(torch.ones(1))
    raising = torch.nn.ReLU()

    def raises(m, a, y):
        seen.append("raises")
        raise KeyError("hook")

    raising.register_forward_hook(raises)
    raising.register_forward_hook(lambda m, a, y: seen.append(("after", y is None)), always_call=True)
    return out, error(raising, torch.ones(1)), seen


@case
def always_called_hooks_that_fail(torch):
    class Fails(torch.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    m = Fails()
    m.register_forward_hook(lambda m, a, y: 1 / 0, always_call=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = error(m, torch.ones(1))
    return out, [str(w.message) for w in caught]


@case
def global_forward_hooks(torch):
    module, seen = torch.nn.modules.module, []
    m = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    m[0].register_forward_hook(lambda *a: seen.append("own"))
    m[0].register_forward_pre_hook(lambda *a: seen.append("own pre"))
    handles = [
        module.register_module_forward_pre_hook(lambda m, a: seen.append(("pre", type(m).__name__))),
        module.register_module_forward_hook(lambda m, a, y: seen.append(("post", type(m).__name__))),
        module.register_module_forward_hook(lambda m, a, k, y: seen.append(("kw", k)), with_kwargs=True),
        module.register_module_forward_hook(lambda m, a, y: y * 2, always_call=True),
    ]
    try:
        y = m(torch.ones(1))
    finally:
        for h in handles:
            h.remove()
    n = len(seen)
    m(torch.ones(1))
    return seen[:n], y, len(seen) - n


# -- backward hooks ---------------------------------------------------------------------------------------------------


@case
def full_backward_hooks(torch):
    torch.manual_seed(0)
    m = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
    seen = []
    m[0].register_full_backward_hook(lambda m, gi, go: seen.append(("full", gi, go)))
    m[0].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    m[0].register_full_backward_hook(lambda m, gi, go: seen.append(("first", gi)), prepend=True)
    m[0].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    m[0].register_full_backward_pre_hook(lambda m, go: seen.append(("pre", go)))
    x = torch.ones(2, 2, requires_grad=True)
    m(x).sum().backward()
    return seen, x.grad, m[0].weight.grad


@case
def backward_hooks_without_input_gradients(torch):
    torch.manual_seed(0)
    m, seen = torch.nn.Linear(2, 3), []
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m(torch.ones(2, 2)).sum().backward()
    return seen, m.weight.grad, [str(w.message) for w in caught]


@case
def backward_hooks_of_several_inputs(torch):
    class M(torch.nn.Module):
        def forward(self, x, y, k=2.0):
            return x * y, x + k

    m, seen = M(), []
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x, y = torch.ones(2, requires_grad=True), torch.full((2,), 3.0, requires_grad=True)
    a, b = m(x, y, 5.0)
    (a * 2 + b).sum().backward()
    a, b = m(x, torch.ones(2))
    a.sum().backward()
    return seen, x.grad, y.grad


@case
def backward_hooks_that_err(torch):
    m = torch.nn.Linear(2, 2)
    m.register_full_backward_hook(lambda m, gi, go: (None, None))
    x = torch.ones(1, 2, requires_grad=True)
    first = error(m(x).sum().backward)
    m = torch.nn.Linear(2, 2)
    m.register_full_backward_pre_hook(lambda m, go: (go[0], go[0]))
    second = error(m(x).sum().backward)
    m = torch.nn.Linear(2, 2)
    m.register_full_backward_hook(lambda *a: None)
    third = error(m.register_backward_hook, lambda *a: None)
    m = torch.nn.Linear(2, 2)
    m.register_backward_hook(lambda *a: None)
    return first, second, third, error(m.register_full_backward_hook, lambda *a: None)


@case
def global_backward_hooks(torch):
    module, seen = torch.nn.modules.module, []
    torch.manual_seed(0)
    m = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh())
    m[1].register_full_backward_hook(lambda m, gi, go: seen.append("own"))
    handles = [
        module.register_module_full_backward_pre_hook(lambda m, go: seen.append(("pre", type(m).__name__, go))),
        module.register_module_full_backward_hook(lambda m, gi, go: seen.append(("full", type(m).__name__, gi))),
    ]
    x = torch.ones(1, 2, requires_grad=True)
    try:
        m(x).sum().backward()
    finally:
        for h in handles:
            h.remove()
    n = len(seen)
    m(x).sum().backward()
    return seen[:n], seen[n:], x.grad


@case
def hooks_at_the_last_function(torch):
    """The old kind of backward hooks: what they see, replace, and warn of."""
    nn, seen = torch.nn, []

    class M(nn.Module):
        def forward(self, x):
            return {"y": x.exp()}

    def shapes(gradients):
        return sorted(str(None if g is None else tuple(g.shape)) for g in gradients)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for m in (nn.Sigmoid(), nn.Linear(2, 3), M()):
            m.register_backward_hook(lambda m, gi, go: seen.append((type(m).__name__, shapes(gi), shapes(go))))
            m.register_backward_hook(lambda m, gi, go: (*(g * 2 for g in gi),))
            x = torch.ones(4, 2, requires_grad=True)
            y = m(x.exp())
            (y["y"] if isinstance(y, dict) else y).sum().backward()
            seen.append(x.grad)
    wrong = nn.Sigmoid()
    wrong.register_backward_hook(lambda m, gi, go: ())
    text = error(wrong(torch.ones(2, requires_grad=True)).sum().backward)
    return seen, [str(w.message) for w in caught], error(m.register_full_backward_hook, print), text


@case
def old_and_new_hooks_for_all_modules(torch):
    module = torch.nn.modules.module
    with module.register_module_backward_hook(print):
        text = error(module.register_module_full_backward_hook, print)
    module._global_is_full_backward_hook = None
    module.register_module_forward_hook(lambda *a: 1 / 0)
    module._global_forward_hooks = type(module._global_forward_hooks)()
    return text, torch.nn.ReLU()(torch.ones(1))


@case
def named_tuples_pass_full_hooks(torch):
    Pair = collections.namedtuple("Pair", "double triple")

    class Split(torch.nn.Module):
        def forward(self, x):
            return Pair(x * 2, x * 3)

    m, seen = Split(), []
    m.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    y = m(torch.arange(3.0, requires_grad=True))
    y.triple.sum().backward()
    return type(y).__name__, seen


@case
def handles_are_copied_with_their_modules(torch):
    m = torch.nn.Sequential(torch.nn.LazyLinear(2), torch.nn.ReLU())
    m.handle = m.register_forward_hook(error)
    again = pickle.loads(pickle.dumps(m))
    before = len(again._forward_hooks), again.handle.id == m.handle.id
    again.handle.remove()
    return before, len(again._forward_hooks), len(m._forward_hooks), again[0].has_uninitialized_params()


@pytest.mark.parametrize("name", case)
def test_program(name):
    case.check(name)
