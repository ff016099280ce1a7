"""funcgrad against PyTorch's OpInfo database: a deterministic sample by default, everything with ``--full``.

`opinfo_runner` has the checks. What is known to differ stands in `GAPS`, with the reason; a gap that closes fails.
"""

import pytest
import torch
from opinfo_runner import OPS, dtype_for, error_failures, failures, in_sample

DTYPES = ("float64", "int64", "bool", "complex64", "bfloat16", "float16", "int32", "uint8")
ONE_OF = 7
"""The default run takes one op of so many."""

TIES = "which of several equal elements comes first is left open, and PyTorch's kernels choose by their own algorithms"
HALF_COMPLEX = "complex32 is a dtype of neither NumPy nor XLA"
ATEN = "PyTorch's kernels under their internal names are not offered"
LOST_DIGITS = "PyTorch takes its derivative as a difference of exponentials, which loses digits"
GAUGE = "eigenvectors are determined up to a factor, and the samples' functions of them are not"
GAPS = {
    ("chalf", "values", None): HALF_COMPLEX,
    ("complex", "values", "float16"): HALF_COMPLEX,
    ("view_as_complex", "values", "float16"): HALF_COMPLEX,
    ("slice", "values", None): ATEN,
    ("max_pool2d_with_indices_backward", "values", None): ATEN,
    ("torch._scaled_mm", "values", None): ATEN,
    ("torch._scaled_mm_v2", "values", None): ATEN,
    ("kthvalue", "values", "int64"): TIES,
    ("topk", "values", "int64"): TIES,
    ("topk", "values", "bfloat16"): TIES,
    ("sort", "values", "bool"): TIES,
    ("sort", "values", "uint8"): TIES,
    ("sort", "values", "bfloat16"): TIES,
    ("argsort", "values", "bool"): TIES,
    ("msort", "values", "bfloat16"): TIES,
    ("logcumsumexp", "values", "float32"): LOST_DIGITS,
    ("logcumsumexp", "values", "complex64"): LOST_DIGITS,
    ("logcumsumexp", "values", "bfloat16"): LOST_DIGITS,
    ("logcumsumexp", "second", "float64"): LOST_DIGITS,
    ("linalg.eig", "values", None): GAUGE,
    ("matrix_exp", "values", "bfloat16"): "PyTorch overflows where the result is finite",
    ("matrix_exp", "values", "float16"): "PyTorch overflows where the result is finite",
    ("native_batch_norm", "forms", "float32"): "it has no out=",
    ("addbmm", "forms", "float32"): "PyTorch lets addbmm_ resize its operand",
    ("nn.functional.max_unpool1d", "jax", "float32"): "JAX cannot batch the scatter's linear_call",
}
"""(op, check, dtype or None for all): why funcgrad differs from PyTorch."""


def is_gap(name: str, check: str, dtype: str) -> bool:
    return (name, check, dtype) in GAPS or (name, "values", None) in GAPS


def plan(name: str, full: bool):
    """(check, dtype, how many samples) of what to run for an op."""
    first = next((d for d in ("float32", "int64", "bool") if dtype_for(OPS[name], d)), None)
    if first is None:
        return
    yield "values", first, 40 if full else 3
    for dtype in DTYPES:
        if dtype != first and dtype_for(OPS[name], dtype) and (full or in_sample(name, len(DTYPES) // 2, dtype)):
            yield "values", dtype, 10 if full else 2
    if OPS[name].supports_gradgrad and dtype_for(OPS[name], "float64"):
        yield "second", "float64", 5 if full else 1
    for check in ("forms", "jax", "repeats"):
        yield check, first, 5 if full else 1


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        metafunc.parametrize("name", [name for name in OPS if full or in_sample(name, ONE_OF)])


def test_op(name, full):
    found = []
    for check, dtype, limit in plan(name, full):
        if not is_gap(name, check, dtype):
            found += [f"{check} {dtype}: {why}" for why in failures(OPS[name], getattr(torch, dtype), check, limit)[:2]]
    assert not found, "\n".join(found)


def test_errors(name):
    if not is_gap(name, "errors", "float32"):
        assert not error_failures(OPS[name])


@pytest.mark.parametrize("gap", GAPS, ids=str)
def test_a_gap_is_still_one(gap):
    name, check, dtype = gap
    op = OPS[name]
    if check == "errors":
        assert error_failures(op, first=True), "remove it from GAPS"
        return
    dtype = dtype or next(d for d in ("float32", *DTYPES, "float8_e4m3fn") if dtype_for(op, d))
    assert failures(op, getattr(torch, dtype), check, 40, first=True), "remove it from GAPS"
