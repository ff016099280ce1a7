"""`assert_close`: values, and what else must agree, in PyTorch's words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from funcgrad import _dtypes
from funcgrad._facade import _creation
from funcgrad._tensor import Tensor

_TOLERANCES = {
    _dtypes.float16: (1e-3, 1e-5), _dtypes.bfloat16: (1.6e-2, 1e-5), _dtypes.float32: (1.3e-6, 1e-5),
    _dtypes.float64: (1e-7, 1e-7), _dtypes.complex64: (1.3e-6, 1e-5), _dtypes.complex128: (1e-7, 1e-7),
}  # fmt: skip
"""Relative and absolute; every other dtype must agree exactly."""


class _Options(NamedTuple):
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool
    allow_subclasses: bool


class _Mismatch(Exception):
    """What differs, and where: the error to raise."""

    def __init__(self, message: str, kind: type = AssertionError, path: tuple = ()):
        super().__init__(message)
        self.message, self.kind, self.path = message, kind, path


def assert_close(
    actual, expected, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Assert that ``|actual - expected| <= atol + rtol |expected|`` for tensors, arrays, numbers and containers of them.

    Args:
        rtol, atol: both or neither; by default those of the less exact dtype.
        equal_nan: whether NaNs are equal.
        check_device, check_dtype, check_layout, check_stride: what else must agree.
        msg: instead of the message, or a function of it.

    Raises:
        AssertionError: they are not close; the message says where.
        TypeError: of a kind that cannot be compared.

    Example:
        >>> import funcgrad as torch
        >>> torch.testing.assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))

    Source: https://docs.pytorch.org/docs/stable/testing.html#torch.testing.assert_close
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    options = _Options(rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride, allow_subclasses)
    try:
        _compare(actual, expected, options, ())
    except _Mismatch as e:
        where = f"\n\nThe failure occurred for item {''.join(f'[{k!r}]' for k in e.path)}" if e.path else ""
        text = e.message + where
        if e.kind is AssertionError and msg is not None:
            text = msg(text) if callable(msg) else msg
        raise e.kind(text) from None


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan: bool = True, msg: str = "") -> None:
    """Deprecated: `assert_close` without the checks of dtype and device."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please use "
        "`torch.testing.assert_close()` instead. You can find detailed upgrade instructions in "
        "https://github.com/pytorch/pytorch/issues/61844.",
        FutureWarning,
        stacklevel=2,
    )
    actual, expected = (x if isinstance(x, Tensor) else _creation.tensor(x) for x in (actual, expected))
    if rtol is None and atol is None:
        wide = _dtypes.float64 in (actual.dtype, expected.dtype)
        half = _dtypes.float16 in (actual.dtype, expected.dtype)
        rtol, atol = (1e-3, 1e-3) if half else (1e-5, 1e-8) if wide else (1e-4, 1e-5)
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=True,
        check_dtype=False,
        msg=msg or None,
    )


def _compare(actual, expected, options: _Options, path: tuple) -> None:
    kinds = (actual, expected)
    if all(isinstance(x, Mapping) for x in kinds):
        _compare_mappings(actual, expected, options, path)
    elif all(isinstance(x, Sequence) and not isinstance(x, str) for x in kinds):
        if len(actual) != len(expected):
            raise _Mismatch(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path=path)
        for i, (a, b) in enumerate(zip(actual, expected)):
            _compare(a, b, options, (*path, i))
    elif actual is None or expected is None:
        if actual is not expected:
            raise _Mismatch(f"None mismatch: {actual} is not {expected}", path=path)
    elif all(isinstance(x, bool | np.bool_) for x in kinds):
        if bool(actual) is not bool(expected):
            raise _Mismatch(f"Booleans mismatch: {bool(actual)} is not {bool(expected)}", path=path)
    elif all(isinstance(x, int | float | complex | np.number) for x in kinds):
        _compare_numbers(actual, expected, options, path)
    elif all(isinstance(x, Tensor) for x in kinds) or all(isinstance(x, np.ndarray) for x in kinds):
        tensors = [x if isinstance(x, Tensor) else _creation.from_array(np.array(x)) for x in kinds]
        _compare_tensors(*tensors, options, path)
    else:
        names = " and ".join(str(type(x)).replace("funcgrad._tensor.", "torch.") for x in kinds)
        raise _Mismatch(f"No comparison pair was able to handle inputs of type {names}.", TypeError, path)


def _compare_mappings(actual: Mapping, expected: Mapping, options: _Options, path: tuple) -> None:
    missing, extra = expected.keys() - actual.keys(), actual.keys() - expected.keys()
    if missing or extra:
        raise _Mismatch(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing)}\n"
            f"Additional keys in the actual mapping: {sorted(extra)}",
            path=path,
        )
    for key in sorted(expected) if all(isinstance(k, str) for k in expected) else expected:
        _compare(actual[key], expected[key], options, (*path, key))


def _compare_numbers(actual, expected, options: _Options, path: tuple) -> None:
    rtol, atol = options.rtol, options.atol
    if rtol is None:
        exact = all(isinstance(x, int | np.integer) for x in (actual, expected))
        rtol, atol = (0.0, 0.0) if exact else (1e-7, 1e-7)
    gap = abs(actual - expected)
    both_nan = actual != actual and expected != expected
    if actual == expected or (both_nan and options.equal_nan):
        return
    if math.isfinite(gap) and gap <= atol + rtol * abs(expected):
        return
    relative = gap / abs(expected) if expected else math.inf
    raise _Mismatch(_scalar_message(actual, expected, gap, relative, rtol, atol), path=path)


def _allowed(tolerance: float) -> str:
    return f" (up to {tolerance} allowed)"


def _scalar_message(actual, expected, gap, relative, rtol: float, atol: float) -> str:
    exact = not rtol and not atol
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {gap}{'' if exact else _allowed(atol)}\n"
        f"Relative difference: {relative}{'' if exact else _allowed(rtol)}"
    )


def _compare_tensors(actual: Tensor, expected: Tensor, options: _Options, path: tuple) -> None:
    if not options.allow_subclasses and type(actual) is not type(expected):
        raise _Mismatch("No comparison pair was able to handle inputs of these types.", TypeError, path)
    _check_attributes(actual, expected, options, path)
    rtol, atol = options.rtol, options.atol
    if rtol is None:
        found = [_TOLERANCES.get(t.dtype, (0.0, 0.0)) for t in (actual, expected)]
        rtol, atol = max(r for r, _ in found), max(a for _, a in found)
    a, b = (_numbers(t) for t in (actual, expected))
    with np.errstate(all="ignore"):
        gap = np.abs(a - b)
        close = (a == b) | ((gap <= atol + rtol * np.abs(b)) & np.isfinite(b) & np.isfinite(a))
        if options.equal_nan:
            close |= np.isnan(a) & np.isnan(b)
        if close.all():
            return
        relative = np.where(gap == 0, 0, _floats(gap) / _floats(np.abs(b)))
    if not actual.dim():
        raise _Mismatch(
            _scalar_message(actual.item(), expected.item(), gap.item(), relative.item(), rtol, atol), path=path
        )
    raise _Mismatch(_tensor_message(close, gap, relative, rtol, atol), path=path)


def _check_attributes(actual: Tensor, expected: Tensor, options: _Options, path: tuple) -> None:
    checks = (
        ("shape", True, lambda t: t.shape), ("device", options.check_device, lambda t: t.device),
        ("dtype", options.check_dtype, lambda t: t.dtype), ("layout", options.check_layout, lambda t: t.layout),
        ("stride()", options.check_stride, lambda t: t.stride()),
    )  # fmt: skip
    for name, wanted, get in checks:
        if wanted and get(actual) != get(expected):
            raise _Mismatch(
                f"The values for attribute '{name}' do not match: {get(actual)} != {get(expected)}.", path=path
            )


def _numbers(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach()
    if tensor.dtype.numpy.kind not in "biufc":
        tensor = tensor.to(_dtypes.float32)
    array = tensor.cpu()._host()
    return array.astype(np.int64) if array.dtype.kind in "bu" else array


def _floats(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind in "iu" else array


def _tensor_message(close: np.ndarray, gap: np.ndarray, relative: np.ndarray, rtol: float, atol: float) -> str:
    exact, count, total = not rtol and not atol, int((~close).sum()), close.size
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n",
        f"Mismatched elements: {count} / {total} ({count / total:.1%})",
    ]
    for name, values, tolerance in (("absolute", gap, atol), ("relative", relative, rtol)):
        at = int(np.argmax(np.where(close, -1.0, np.where(np.isnan(values), np.inf, values))))
        index = tuple(int(i) for i in np.unravel_index(at, close.shape))
        value = values.reshape(-1)[at].item()
        lines.append(f"Greatest {name} difference: {value} at index {index}{'' if exact else _allowed(tolerance)}")
    return "\n".join(lines)
