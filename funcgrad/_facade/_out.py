"""``out=``: write an op's result into tensors that the caller gives."""

from __future__ import annotations

import warnings

from funcgrad._facade import _out_dtypes
from funcgrad._facade._geometry import OVERLAP, check_overlap
from funcgrad._tensor import Tensor
from funcgrad.engine.state import state

_FILL_IN_ORDER = {"arange", "range", "linspace", "logspace"}
"""Ops that ask `out` for enough elements, not for a shape."""


def into(op, result, out, args=(), kwargs=None):
    """Write `result` (a tensor or a tuple of them) into `out` and return `out`.

    Raises:
        RuntimeError: the result's dtype cannot be cast to `out`'s, `out` is an operand of an op that may not write to
            one, or gradients are being recorded.
    """
    _check_operands(op, out, args)
    if op.name in ("nansum", "nanmean") and args[0].is_floating_point() and not out.is_floating_point():
        raise NotImplementedError(f"\"nansum_cpu\" not implemented for '{out.dtype.scalar_name}'")
    if isinstance(out, tuple | list):
        for i, (r, o) in enumerate(zip(result, out, strict=True)):
            _into_one(op, r, o, {} if i else kwargs or {}, i)
        return type(result)(*out) if hasattr(result, "_fields") else tuple(out)
    if not isinstance(out, Tensor):
        raise TypeError(f"{op.name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    return _into_one(op, result, out, kwargs or {}, name=_out_dtypes.acting(op.name, args, kwargs or {}))


_MAY_OVERLAP = set(
    """
    mm matmul bmm addmm addmv mv dot vdot inner outer ger addbmm baddbmm addr tensordot chain_matmul sum mean prod
    amax amin std var norm all any argmax argmin max min logsumexp nansum nanmean median nanmedian cumsum cumprod
    logcumsumexp
""".split()
)
"""Ops that PyTorch lets write to a part of what they read."""


def _check_operands(op, out, args) -> None:
    outs = out if isinstance(out, tuple | list) else [out]
    operands = [x for a in args for x in (a if isinstance(a, tuple | list) else [a])]
    if op.name in _out_dtypes.READS_WHILE_WRITING and any(o is x for o in outs for x in operands):
        raise RuntimeError(OVERLAP)
    if op.name not in _MAY_OVERLAP:
        for o in outs:
            if isinstance(o, Tensor) and (o._root is not None or o._views):
                check_overlap(o, operands)


def _into_one(op, result: Tensor, out: Tensor, kwargs: dict, place: int | None = None, name: str = "") -> Tensor:
    from funcgrad._facade import _storage
    from funcgrad._facade._views import _replace
    from funcgrad._operators import write

    if state.grad and (result.requires_grad or out.requires_grad):
        raise RuntimeError(
            f"{op.name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    name = name or op.name
    name = name if name not in ("max", "min") or place is not None else name + "imum"
    name = {"frexp": "frexp.exponent", "mode": "mode.indices"}.get(name, name) if place else name
    _out_dtypes.check(name, result.dtype, out.dtype, kwargs)
    asked = kwargs.get("dtype") if name in _out_dtypes.COMPUTES_IN else None
    if asked is not None and asked is not out.dtype:
        raise _out_dtypes.expected(asked, out.dtype)
    quiet = op.name in _FILL_IN_ORDER
    if quiet and result.numel() == out.numel():
        result = result.reshape(out.shape)
    if result.shape != out.shape:
        if out.numel() and not quiet:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not "
                f"match the required output shape {list(result.shape)}. This behavior is deprecated, and in a future "
                "PyTorch release outputs will not be resized unless they have zero elements. You can explicitly reuse "
                "an out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        if out._made is None:
            _replace(out, _converted(result, out.dtype)._read())
            return out
        _storage.resize_(out, *result.shape)  # a view grows in its base's memory
    write(out, _converted(result, out.dtype)._read())
    return out


def _converted(result: Tensor, dtype) -> Tensor:
    return result if result.dtype is dtype else result.to(dtype)
