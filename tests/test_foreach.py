"""Ops on lists of tensors, against PyTorch."""

import pytest
import torch
from parity import both

import funcgrad

NAMES = [n for n in dir(torch) if n.startswith("_foreach_")]
CALLS = {
    "add": ["(a, 2)", "(a, b)", "(a, b, alpha=2)", "(a, [1, 2.5, 3])", "(a, T.tensor(2.0))", "(a, T.tensor(2.0), alpha=3)",
            "(a, other=b)", "(a, scalar=1)", "(a, scalars=[1, 2, 3])", "(a, True)"],
    "sub": ["(a, 2)", "(a, b, alpha=2)", "(a, [1, 2.5, 3])"],
    "mul": ["(a, 2)", "(tuple(a), b)", "(a, [1, 2.5, 3])", "(a, T.tensor(2.0))", "(i, 2.5)", "(i, 2)"],
    "div": ["(a, 2)", "(a, b)", "(a, [1, 2.5, 3])", "(a, T.tensor(2.0))", "(i, 2)"],
    "pow": ["(b, 2)", "(b, a)", "(b, [1, 2.5, 3])", "(a, exponent=2)"],
    "clamp_min": ["(a, 0.5)", "(a, b)", "(a, [1, 0.5, -3])", "(i, 1)"],
    "clamp_max": ["(a, 0.5)", "(a, b)", "(a, [1, 0.5, -3])"],
    "maximum": ["(a, 0.5)", "(a, b)", "(a, [1, 0.5, -3])"],
    "minimum": ["(a, 0.5)", "(a, b)", "(a, [1, 0.5, -3])"],
    "copy": ["(a, b)", "(a, src=b, non_blocking=True)", "(a, i)"],
    "mm": ["([a[0]], [a[0].t()])", "([a[0]], mat2=[a[0].t()])"],
    "addcdiv": ["(a, a, b)", "(a, a, b, 2)", "(a, a, b, value=2)", "(a, a, b, [1, 2, 3])", "(a, a, b, scalars=[1, 2, 3])",
                "(a, tensor1=a, tensor2=b)", "(a, a, b, T.tensor([1.0, 2.0, 3.0]))"],
    "addcmul": ["(a, a, b)", "(a, a, b, value=0.5)", "(a, a, b, [1, 2, 3])", "(a, a, b, T.tensor([1.0, 2.0, 3.0]))"],
    "lerp": ["(a, b, 0.5)", "(a, b, b)", "(a, b, [0.1, 0.5, 0.9])", "(a, tensors1=b, weight=0.2)"],
    "norm": ["(a)", "(a, 1)", "(a, float('inf'))", "(a, ord=3, dtype=T.float64)"],
    "powsum": ["(a)", "(a, 3)", "(a, ord=1, dtype=T.float64)"],
}  # fmt: skip
BAD = [
    "_foreach_add([], 1)", "_foreach_sqrt([])", "_foreach_zero_([])", "_foreach_norm([])", "_foreach_add(a, [1])",
    "_foreach_add(a, b[:2])", "_foreach_addcdiv(a, a, b, [1])", "_foreach_addcdiv(a, a, b[:1])", "_foreach_abs(a[0])",
    "_foreach_add(a, T.ones(2))", "_foreach_max([T.ones(0)])", "_foreach_mul_(i, 2.5)", "_foreach_sqrt_(i)",
    "_foreach_add_([T.ones(1, requires_grad=True)], 1)",
]  # fmt: skip


def evaluated(T, call):
    a = [T.tensor([[1.0, -2.0], [0.5, 3.0]]), T.tensor([0.25]), T.tensor(2.0, dtype=T.float64)]
    names = {"T": T, "a": a, "b": [x.abs() + 0.5 for x in a], "i": [T.arange(3), T.arange(4), T.arange(1)]}
    made = eval(f"T.{call}", names)
    return [type(made).__name__, made, a, names["i"]]


@pytest.mark.parametrize("name", NAMES)
def test_every_function(name):
    short = name.removeprefix("_foreach_").removesuffix("_")
    for call in CALLS.get(short, ["(b)", "(i)"] if name[-1] != "_" else ["(b)"]):
        if name[-1] != "_" or not call.startswith("(i"):
            both(lambda T, call=call: evaluated(T, name + call))


@pytest.mark.parametrize("call", BAD)
def test_errors(call):
    both(lambda T: evaluated(T, call))


def test_a_number_to_the_power_of_each():
    both(lambda T: evaluated(T, "_foreach_pow(2.0, b)"))


def test_gradients():
    def code(T):
        x = [T.ones(2, requires_grad=True), T.full((3,), 2.0, requires_grad=True)]
        y = T._foreach_addcmul(T._foreach_mul(x, 3), x, x, value=0.5)
        T.stack(T._foreach_norm(y)).sum().backward()
        return [p.grad for p in x]

    both(code)


def test_nothing_is_missing():
    assert [n for n in NAMES if not hasattr(funcgrad, n)] == []
