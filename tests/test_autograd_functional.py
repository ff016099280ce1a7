"""``torch.autograd.functional`` and forward mode: every program runs under both libraries."""

from importlib import import_module

import pytest
from parity import both

# PyTorch's own forward mode warns of how it is made.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning"),
]

# `A` is torch.autograd.functional, `fw` torch.autograd.forward_ad, `f` and `g` a scalar function and an elementwise one.
TABLE = """
A.vjp(g,x)
A.vjp(f,x)
A.vjp(g,x,t.ones(2))
A.vjp(g,x,(x,x))
A.vjp(g,3)
A.vjp(g,(x,3))
A.vjp(lambda a:3,x)
A.vjp(lambda a:(a,3),x)
A.vjp(lambda a:t.ones(3),x,x)
A.vjp(lambda a:t.ones(3),x,x,strict=True)
A.vjp(lambda a,b:a.sum(),(x,x),strict=True)
A.vjp(lambda a,b:a.sum(),(x,x))
A.vjp(lambda a:a.sum(),x,create_graph=True,strict=True)
A.vjp(lambda a:a.sum(),x,create_graph=True)
A.vjp(f,x,create_graph=True)
A.jvp(g,x)
A.jvp(g,x,x)
A.jvp(g,x,t.ones(2))
A.jvp(lambda a:t.ones(3),x,x)
A.jvp(lambda a:t.ones(3),x,x,strict=True)
A.jvp(lambda a:a,x,x,strict=True,create_graph=True)
A.jvp(g,t.ones(1))
A.jvp(g,t.tensor(2.))
A.jvp(lambda a,b:(a*b,a.sum()),(x,x),(x,x*2))
A.jacobian(g,x)
A.jacobian(lambda a,b:(a*b,a.sum()),(x,x))
A.jacobian(lambda a:t.ones(2),x,strict=True)
A.jacobian(lambda a,b:a,(x,x),strict=True)
A.jacobian(lambda a:a*1,x,strict=True,create_graph=True)
A.jacobian(g,x,vectorize=True)
A.jacobian(g,x,vectorize=True,strategy='forward-mode')
A.jacobian(g,x,strategy='forward-mode')
A.jacobian(g,x,strategy='foo')
A.jacobian(g,x,vectorize=True,strict=True)
A.jacobian(g,x,vectorize=True,strategy='forward-mode',create_graph=True)
A.jacobian(lambda a:3,x)
A.jacobian(g,x,create_graph=True)
A.jacobian(lambda a,b:(a*b,a.sum()),(x,x),vectorize=True,strategy='forward-mode')
A.hessian(f,x)
A.hessian(g,x)
A.hessian(lambda a,b:(a*b).sum(),(x,x))
A.hessian(f,x,vectorize=True)
A.hessian(f,x,outer_jacobian_strategy='foo')
A.hessian(lambda a:(a,a),x)
A.hessian(lambda a:a.sum(),x,strict=True)
A.hessian(lambda a:3,x)
A.hessian(lambda a,b:(a**2).sum(),(x,x),strict=True)
A.vhp(f,x,x)
A.vhp(g,x,x)
A.vhp(f,x)
A.vhp(lambda a:a.sum(),x,x)
A.vhp(lambda a:a.sum(),x,x,strict=True)
A.vhp(lambda a:(a,a),x,x)
A.vhp(lambda a:t.tensor(1.),x,x,strict=True)
A.vhp(lambda a:t.tensor(1.),x,x)
A.vhp(f,t.tensor([2.]))
A.hvp(f,x,x)
A.hvp(g,x,x)
A.hvp(lambda a:a.sum(),x,x)
A.hvp(lambda a:a.sum(),x,x,strict=True)
A.hvp(lambda a,b:(a**2).sum(),(x,x),(x,x),strict=True)
A.hvp(lambda a,b:(a**2*b).sum(),(x,x),(x,x))
fw.make_dual(x,x)
"""


def names(t) -> dict:
    modules = {"A": "functional", "fw": "forward_ad"}
    found = {name: import_module(f"{t.__name__}.autograd.{path}") for name, path in modules.items()}
    return {"t": t, "x": t.tensor([1.0, 2.0, 3.0]), "f": lambda a: (a**2).sum(), "g": lambda a: a**2, **found}


@pytest.mark.parametrize("source", TABLE.strip().splitlines())
def test_as_pytorch(source):
    both(lambda t: eval(source, names(t)), rtol=1e-4, atol=1e-5)


def dual_numbers(t):
    n = names(t)
    fw, x = n["fw"], n["x"]
    with fw.dual_level():
        d = fw.make_dual(x, x * 2)
        y = d * d
        w = (y.sin() * x).sum()
        return [fw.unpack_dual(v) for v in (d, x, y, w)]


def dual_parameters(t):
    fw = names(t)["fw"]
    t.manual_seed(0)
    m, p = t.nn.Linear(3, 2), t.ones(2, 3)
    with fw.dual_level():
        out = t.func.functional_call(m, {"weight": fw.make_dual(m.weight, p)}, (t.ones(3),))
        return fw.unpack_dual(out).tangent.detach(), fw.unpack_dual(out).primal


def wrong_duals(t):
    n, found = names(t), []
    fw, x = n["fw"], n["x"]
    with fw.dual_level():
        d = fw.make_dual(x, x)
        for code in (
            lambda: fw.make_dual(x, t.ones(2)),
            lambda: fw.make_dual(t.ones(3, dtype=t.int64), x),
            lambda: fw.dual_level().__enter__(),
            lambda: fw.make_dual(d, x),
        ):
            try:
                code()
            except Exception as e:
                found.append((type(e).__name__, str(e)))
    return found


@pytest.mark.parametrize("code", [dual_numbers, dual_parameters, wrong_duals], ids=lambda f: f.__name__)
def test_forward_mode(code):
    both(code)
