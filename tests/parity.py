"""Run the same code under PyTorch and funcgrad and compare what it returns."""

from __future__ import annotations

import re

import numpy as np
import torch

import funcgrad


def both(code, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Call ``code(torch)`` and ``code(funcgrad)``; results, or the error raised, must agree."""
    same(outcome(code, funcgrad), outcome(code, torch), rtol, atol)


def outcome(code, library):
    """What the code returns, as NumPy arrays and Python values; or the class and text of what it raises."""
    try:
        return plain(code(library))
    except Exception as e:
        return (type(e).__name__, re.sub(r"0x[0-9a-f]+", "0x", str(e)))


def plain(x):
    """Tensors as (array, dtype name), containers as lists, the rest as it is."""
    if isinstance(x, torch.Tensor | funcgrad.Tensor):
        t = x.detach()
        name = str(t.dtype).split(".")[-1]
        return (np.array(t.float().numpy() if name == "bfloat16" else t.numpy()), name, x.requires_grad)
    if isinstance(x, tuple | list):
        return [plain(v) for v in x]
    if isinstance(x, dict):
        return [(str(k), plain(v)) for k, v in x.items()]
    return x


def same(got, want, rtol, atol, where="result") -> None:
    if isinstance(want, list | tuple):
        assert isinstance(got, list | tuple) and len(got) == len(want), f"{where}: {got} != {want}"
        for i, (g, w) in enumerate(zip(got, want)):
            same(g, w, rtol, atol, f"{where}[{i}]")
    elif isinstance(want, np.ndarray):
        assert isinstance(got, np.ndarray) and got.shape == want.shape, f"{where}: {got} != {want}"
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, err_msg=where)
    elif isinstance(want, float):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, err_msg=where)
    else:
        assert got == want, f"{where}: {got!r} != {want!r}"
