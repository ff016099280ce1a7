"""``out=``: write an op's result into tensors that the caller gives."""

from __future__ import annotations

import warnings

from funcgrad import _dtypes
from funcgrad._tensor import Tensor
from funcgrad.engine.state import state


def into(op, result, out):
    """Write `result` (a tensor or a tuple of them) into `out` and return `out`.

    Raises:
        RuntimeError: the result's dtype cannot be cast to `out`'s, or gradients are being recorded.
    """
    if isinstance(out, tuple | list):
        for r, o in zip(result, out, strict=True):
            _into_one(op, r, o)
        return type(result)(*out) if hasattr(result, "_fields") else tuple(out)
    if not isinstance(out, Tensor):
        raise TypeError(f"{op.name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    return _into_one(op, result, out)


def _into_one(op, result: Tensor, out: Tensor) -> Tensor:
    from funcgrad._operators import write
    from funcgrad._views import _replace

    if state.grad and (result.requires_grad or out.requires_grad):
        raise RuntimeError(
            f"{op.name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    if not _dtypes.can_cast(result.dtype, out.dtype):
        raise RuntimeError(
            f"result type {result.dtype.scalar_name} can't be cast to the desired output type {out.dtype.scalar_name}"
        )
    if result.shape != out.shape:
        if out.numel():
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not "
                f"match the required output shape {list(result.shape)}. This behavior is deprecated, and in a future "
                "PyTorch release outputs will not be resized unless they have zero elements. You can explicitly reuse "
                "an out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        _replace(out, result.to(out.dtype)._read())
    else:
        write(out, result._read())
    return out
