"""Tensors print as PyTorch prints them, to the character."""

import math

import jax
import ml_dtypes
import numpy as np
import pytest
import torch

import funcgrad
from funcgrad import _dtypes, _tensor_str

DTYPES = "float32 float64 float16 bfloat16 float8_e4m3fn float8_e5m2 int64 int32 uint8 uint64 bool complex64 complex128"
OPTIONS = [
    {},
    {"precision": 2},
    {"precision": 0},
    {"sci_mode": True},
    {"sci_mode": False},
    {"threshold": 5, "edgeitems": 1},
    {"linewidth": 30},
    {"linewidth": 5},
    {"profile": "short"},
    {"profile": "full"},
    {"profile": "default", "precision": 7},
]


def values(kind: str, shape, rng) -> np.ndarray:
    if kind == "integral":
        return rng.integers(-1200, 1201, shape).astype(np.float64)
    if kind == "small":
        return rng.standard_normal(shape) * 1e-4
    if kind == "wide":
        return rng.standard_normal(shape) * 10 ** rng.uniform(-6, 10, shape)
    x = rng.standard_normal(shape) * 10
    if kind == "special":
        x = np.where(rng.random(shape) < 0.4, rng.choice([math.nan, math.inf, -math.inf, 0.0, -0.0], shape), x)
    return x


def as_torch(x, dtype: str) -> torch.Tensor:
    x = np.asarray(x)
    d = getattr(torch, dtype)
    if d.is_complex:
        return torch.complex(torch.from_numpy(x), torch.from_numpy(np.array(x[..., ::-1] if x.ndim else x))).to(d)
    if not d.is_floating_point:
        x = np.asarray(np.abs(np.nan_to_num(x, posinf=5, neginf=5)) % 200)
    return torch.from_numpy(x).to(d)


def as_numpy(t: torch.Tensor) -> np.ndarray:
    name = str(t.dtype).removeprefix("torch.")
    if hasattr(ml_dtypes, name):
        return t.detach().double().numpy().astype(name)
    return t.detach().numpy()


def printed(t: torch.Tensor) -> str:
    """What funcgrad prints for a tensor of these values."""
    array, dtype = as_numpy(t), _dtypes.to_dtype(as_numpy(t).dtype)
    suffixes = [f"size={tuple(t.shape)}"] if not t.numel() and t.dim() != 1 else []
    suffixes += _tensor_str.dtype_suffix(dtype, t.numel())
    if t.grad_fn is not None:
        suffixes.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    return _tensor_str.assemble("tensor(", _tensor_str.format_array(array, len("tensor(")), suffixes)


@pytest.mark.parametrize("dtype", DTYPES.split())
def test_values_shapes_and_options(dtype):
    rng = np.random.default_rng(0)
    for kind in ("integral", "small", "wide", "plain", "special"):
        for shape in [(), (1,), (5,), (13,), (3, 4), (2, 3, 2), (2, 1, 2, 9), (0,), (0, 3), (2, 0), (1100,), (40, 30)]:
            t = as_torch(values(kind, shape, rng), dtype)
            for options in OPTIONS if t.numel() < 100 else OPTIONS[:1] + OPTIONS[5:6]:
                with torch._tensor_str.printoptions(**options), _tensor_str.printoptions(**options):
                    assert printed(t) == repr(t), (kind, shape, options)


@pytest.mark.parametrize("shape", [(3,), (2, 11), (1,), (60,), (0, 3)])
def test_suffixes_wrap(shape):
    for dtype in (torch.float32, torch.float64):
        x = torch.linspace(-1, 1, math.prod(shape), dtype=dtype).reshape(shape).requires_grad_()
        for t in (x, x * 2, torch.nn.functional.log_softmax(x, -1)):
            for linewidth in (20, 60, 80):
                with torch._tensor_str.printoptions(linewidth=linewidth), _tensor_str.printoptions(linewidth=linewidth):
                    assert printed(t) == repr(t)


def test_default_dtype_decides_the_suffix():
    tensors = [torch.ones(2, dtype=getattr(torch, d)) for d in ("float32", "float64", "complex64", "complex128")]
    try:
        torch.set_default_dtype(torch.float64)
        _dtypes.set_default_dtype(_dtypes.float64)
        for t in tensors:
            assert printed(t) == repr(t)
    finally:
        torch.set_default_dtype(torch.float32)
        _dtypes.set_default_dtype(_dtypes.float32)


def test_set_printoptions_like_torch():
    try:
        for options in (
            {"precision": 3},
            {"sci_mode": True},
            {"edgeitems": 2},
            {"profile": "short"},
            {"profile": "nope"},
        ):
            torch.set_printoptions(**options)
            _tensor_str.set_printoptions(**options)
            assert _tensor_str.get_printoptions() == torch._tensor_str.get_printoptions()
    finally:
        torch.set_printoptions(profile="default")
        _tensor_str.set_printoptions(profile="default")


# -- through Tensors --------------------------------------------------------------------------------------------------

PROGRAMS = """
t.tensor([1, 2, 3])
t.tensor([1.5, 2, 3])
t.tensor(3)
t.tensor([[1.0, 2.0], [3.5, -4.25]])
t.tensor([True, False])
t.tensor([1 + 2j, 0.5])
t.tensor([1.0], dtype=t.float64)
t.tensor([1.0], dtype=t.bfloat16)
t.tensor([1], dtype=t.int32)
t.tensor([])
t.tensor([[], []])
t.tensor([1.0, 2.0], requires_grad=True)
t.tensor([1.0, 2.0], requires_grad=True) * 2
t.tensor([1.0, 2.0], requires_grad=True) + 1
t.tensor([1.0, 2.0], requires_grad=True).sum()
t.tensor([[1.0, 2.0]], requires_grad=True).view(2)
t.tensor([[1.0, 2.0]], requires_grad=True) @ t.tensor([[1.0], [2.0]])
t.tensor([1.0, 2.0], requires_grad=True).detach()
t.Tensor([1, 2, 3])
t.nn.Parameter(t.Tensor([1, 2, 3]))
t.nn.Parameter(t.tensor([1.0]), requires_grad=False)
[t.nn.Parameter(t.tensor([1.0])), t.tensor(1)]
str(t.tensor([1.0, 2.0]))
f"{t.tensor(1.23456):.3f} {t.tensor([1.0])}"
t.tensor([1.0, 2.0]).as_subclass(Sub)
t.from_numpy(np.arange(2000))
t.from_numpy(np.arange(24.0).reshape(2, 3, 4))
""".strip().split("\n")


@pytest.mark.parametrize("code", PROGRAMS)
def test_tensors(code):
    results = []
    for library in (torch, funcgrad):
        sub = type("Sub", (library.Tensor,), {})
        if not hasattr(library.Tensor, "as_subclass") and "Sub" in code:
            pytest.skip("no as_subclass")
        result = eval(code, {"t": library, "np": np, "Sub": sub})
        results.append(result if isinstance(result, str) else repr(result))
    assert results[0] == results[1]


def test_inside_jit_the_shape_is_shown():
    seen = []

    def step(x):
        seen.append(repr(funcgrad._facade._creation.from_array(x)))
        return x

    jax.jit(step)(np.ones((2, 3), np.float32))
    assert seen == ["tensor(<traced float32[2, 3]>)"]
