"""Random programs of indexing, promotion, views and in-place writes end with the same tensors under both libraries."""

import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import funcgrad

DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool", "float16", "complex64")
BINARY = (
    "add",
    "sub",
    "mul",
    "maximum",
    "minimum",
    "eq",
    "lt",
    "logical_and",
    "logical_xor",
    "bitwise_or",
    "atan2",
    "xlogy",
)
UNARY = ("neg", "abs", "sign", "square", "sin", "exp", "floor", "logical_not", "sum", "mean", "cumsum(0)", "amax(-1)")
VIEWS = (
    "t()", "flatten()", "unsqueeze(0)", "squeeze()", "[0]", "[-1]", "[1:]", "[::2]", "[..., 0]", "[:, :1]", "[None]",
    "view(-1)", "transpose(0, -1)", "narrow(0, 0, 1)", "diagonal()", "expand(2, -1, -1)", "unfold(0, 2, 1)", "chunk(2)[1]",
    "reshape(-1, 1)", "movedim(0, -1)", "real", "mT", "split(1)[0]", "select(-1, 1)", "unbind(0)[-1]", "detach()",
)  # fmt: skip
INDICES = (
    "0", "-1", "1:", "::2", "..., 1", "None", "[0, -1]", "t.tensor([1, 0, 1])", "t.tensor([[0], [1]])", "{x} > 0", "{x}[0] > 0",
    "t.tensor(1)", ":, t.tensor([0, 0])", "t.tensor([0, 1]), t.tensor([1, 0])", "..., t.tensor([True, False])", "[]",
    "t.tensor([0]), None, 1:", "t.tensor([True, False]), 0",
)  # fmt: skip
INPLACE = (
    "add_({0})", "mul_({0})", "sub_({0})", "zero_()", "fill_({1})", "copy_({0}.clone())", "clamp_(0, 1)", "neg_()", "div_({1})",
    "masked_fill_({2} > 0, {1})", "pow_(2)", "index_fill_(0, t.tensor([0]), {1})", "logical_not_()", "index_add_(0, t.tensor([0]), {0}[:1].clone())",
    "t_()", "unsqueeze_(0)", "squeeze_()", "transpose_(0, -1)", "round_()", "bitwise_xor_({0})",
)  # fmt: skip
NUMBERS = ("2", "-1", "0.5", "True", "3", "1j", "0")


@st.composite
def statements(draw, most: int):
    """Source lines over the variables a, b, c and what the lines define."""
    names, lines = ["a", "b", "c"], []
    for i in range(draw(st.integers(5, most))):
        x, y, z = (draw(st.sampled_from(names)) for _ in range(3))
        number = draw(st.sampled_from(NUMBERS))
        kind = draw(st.integers(0, 6))
        new = f"v{i}"
        if kind == 0:
            other = draw(st.sampled_from((y, number)))
            lines.append(f"{new} = {x}.{draw(st.sampled_from(BINARY))}({other})")
        elif kind == 1:
            op = draw(st.sampled_from(UNARY))
            lines.append(f"{new} = {x}.{op}" + ("" if "(" in op else "()"))
        elif kind == 2:
            view = draw(st.sampled_from(VIEWS))
            lines.append(f"{new} = {x}{view}" if view[0] == "[" else f"{new} = {x}.{view}")
        elif kind == 3:
            lines.append(f"{new} = {x}[{draw(st.sampled_from(INDICES)).format(x=x)}]")
        elif kind == 4:
            value = draw(st.sampled_from((y, number)))
            lines.append(f"{x}[{draw(st.sampled_from(INDICES)).format(x=x)}] = {value}")
            continue
        elif kind == 5:
            lines.append(f"{x}.{draw(st.sampled_from(INPLACE)).format(y, number, z)}")
            continue
        else:
            sign = draw(st.sampled_from(("+=", "*=", "-=", "/=", "|=")))
            sign, y = draw(st.sampled_from(((sign, y), ("//=", "2"), ("%=", "-3"))))  # a zero divisor raises later
            lines.append(f"{x} {sign} {draw(st.sampled_from((y, number if sign not in ('//=', '%=') else y)))}")
            continue
        names.append(new)
    return lines


def run(library, lines: list[str], dtypes: list[str]):
    """Every line's error class (None where there is none), and all tensors at the end."""
    values = {"t": library}
    for seed, (name, dtype) in enumerate(zip("abc", dtypes)):
        data = np.random.RandomState(seed).randint(-3, 4, (2, 3)[: 1 + (seed < 2)])
        data = data.clip(0) if dtype in ("uint8", "bool") else data
        values[name] = library.tensor(data.tolist()).to(getattr(library, dtype))
    errors = []
    for line in lines:
        try:
            exec(line, values)
            errors.append(None)
        except (RuntimeError, TypeError, IndexError, ValueError, NameError, NotImplementedError) as e:
            errors.append(e)
    return errors, {name: v for name, v in values.items() if name != "t" and not name.startswith("__")}


def check(lines: list[str], dtypes: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (want_errors, want), (got_errors, got) = (run(library, lines, dtypes) for library in (torch, funcgrad))
    if any(w.dtype is torch.complex32 for w in want.values()):
        return  # a dtype of neither NumPy nor XLA
    if any("single memory location" in str(e) for e in want_errors):
        return  # operands that overlap the result: PyTorch refuses most, here nothing is overwritten while it is read
    program = "\n".join(lines)
    for line, w, g in zip(lines, want_errors, got_errors):
        assert (w is None) == (g is None), f"{line}: {g!r}, PyTorch {w!r}; dtypes {dtypes}\n{program}"
    assert got.keys() == want.keys(), program
    for name, w in want.items():
        g, what = got[name], f"{name}, dtypes {dtypes}\n{program}"
        assert tuple(g.shape) == tuple(w.shape) and str(g.dtype).split(".")[1] == str(w.dtype).split(".")[1], what
        x, y = g.clone().numpy(), w.resolve_conj().resolve_neg().numpy()
        rtol = {2: 2e-2, 4: 1e-4, 8: 1e-4 if y.dtype.kind == "c" else 1e-9}.get(y.dtype.itemsize, 1e-9)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol, err_msg=what)


def test_programs(full):
    @settings(
        max_examples=3000 if full else 25, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(statements(30 if full else 10), st.lists(st.sampled_from(DTYPES), min_size=3, max_size=3))
    def programs(lines, dtypes):
        check(lines, dtypes)

    programs()


def test_a_difference_is_noticed(monkeypatch):
    monkeypatch.setattr(funcgrad.Tensor, "neg_", lambda self: self.abs_())
    with pytest.raises(AssertionError, match=re.escape("a.neg_()")):
        check(["a.neg_()"], ["float32"] * 3)
