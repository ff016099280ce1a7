"""Ops that PyTorch lets raise for some values, such as the inverse of a singular matrix.

Their array functions return an `info` beside the result (`ops._marks.raises_for_values`). It is looked at before the
call returns, so the pending program launches here and the error comes at the user's line. Where values cannot be had
yet (a captured step, a program being traced), the program checks `info` itself, and the error names the line.
"""

from __future__ import annotations

import jax
import numpy as np

from funcgrad import _operators
from funcgrad._operators import wrapped
from funcgrad.engine.launch import settle
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import Value
from funcgrad.ops._bounds import Check

_with_info: dict[Op, Op] = {}
_checks: dict[Op, Op] = {}


def run_checked(op: Op, args, kwargs):
    """The op's result as tensors.

    Raises:
        PyTorch's error, if `info` says that the values allow no result.
    """
    target = _with_info.get(op)
    if target is None:
        target = _with_info[op] = Op(op.name, op.function.with_info, grad_name=op.grad_name)
        _checks[op] = _check_op(op)
    values, pack = _operators.record(target, args, kwargs)
    info = values[-1]
    if _is_within_reach():
        settle(info)
        if not isinstance(info.array, jax.core.Tracer):
            op.function.complain(np.asarray(info.array))
    else:
        record(_checks[op], (info,))
    return wrapped((values, lambda tensors: pack(tensors)[0]))


def _is_within_reach() -> bool:
    program = state.program
    return state.capture is None and program.nested is None and not program.traced


def _check_op(op: Op) -> Op:
    """An op that does nothing but have the program check its operand."""

    def error(value: int) -> Exception:
        try:
            op.function.complain(np.asarray(value, np.int32))
        except Exception as e:
            return e
        return RuntimeError(f"{op.name}: failed with info {value}")

    def bounds(info: Value):
        return [Check(info, 0, 0, error, closed=True)]

    return Op(op.name, lambda info: info, differentiable=False, bounds=bounds)
