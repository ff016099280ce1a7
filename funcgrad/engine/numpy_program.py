"""Running an array function with NumPy: no compile, so the right thing for shapes met only once.

NOTE: [Shapes that change]
    XLA compiles each program for its shapes: 45 ms for the smallest. Text that grows by a token a step, or batches of
    sentences of all lengths, would wait for the compiler at every step. The array functions are JAX's; traced once for the
    new shapes (a millisecond) they are a list of JAX's primitives, and on the CPU NumPy has nearly all of them. So such
    programs run there, until an op has spent as long as compiling it would take.

NOTE: [Time that is counted]
    NumPy and XLA round differently. So what decides between them is not a clock's time but one made up from the number
    and the sizes of the operations that ran: a program takes the same decisions, and prints the same digits, every time.
"""

from __future__ import annotations

import math
import threading
import warnings

import jax
import numpy as np
from jax.extend.core import Literal

from funcgrad.engine import numpy_primitives
from funcgrad.engine.replay import inlined

COMPILE = 0.1
"""Seconds that compiling one op takes, about: what it may spend in NumPy before it is compiled."""


TRACE, LINE, ELEMENT, PRODUCT = 2e-3, 3e-6, 1e-9, 1e-10
"""Seconds to trace an op, to call NumPy, for each element it reads or makes, for each product of a contraction."""


class Work(threading.local):
    """What this thread has done in NumPy, in seconds as counted."""

    seconds = 0.0


work = Work()


class Beyond(Exception):
    """A function needs something that NumPy does not have."""


class Warming:
    """An array function that NumPy runs at first and XLA once that pays.

    Attributes:
        is_beyond: whether NumPy cannot run it, as its first call found.
        trace: its jaxpr, where somebody has traced it already; then it returns a list.
    """

    def __init__(self, function):
        self.function = function
        self.program: NumpyProgram | None = None
        self.compiled = None
        self.seconds = 0.0
        self.is_beyond = False
        self.trace = None

    def __call__(self, *args):
        if self.compiled is not None:
            return self.compiled(*args)
        if any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(args)):
            return self.function(*args)
        if self.program is None:
            try:
                work.seconds += TRACE
                self.program = NumpyProgram(self.function, args, self.trace)
            except Beyond:
                self.is_beyond = True
                self.compiled = jax.jit(self.function)
                return self.compiled(*args)
        start = work.seconds
        results = self.program(*args)
        self.seconds += work.seconds - start
        if self.seconds > COMPILE:
            self.compiled = jax.jit(self.function)
        return results


class NumpyProgram:
    """``function(*args)`` as a list of NumPy calls, for arguments of these shapes and dtypes.

    With `trace`, the jaxpr of the function, which returns a list, it is not traced again.

    Raises:
        Beyond: NumPy cannot run it.
    """

    def __init__(self, function, args, trace=None):
        if trace is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an op's warnings were given at its line, when it was recorded
                trace, shapes = jax.make_jaxpr(inlined(function), return_shape=True)(*args)
        else:
            shapes = [0] * len(trace.jaxpr.outvars)
        self.tree = jax.tree.structure(shapes)
        self.steps = Steps(trace)

    def __call__(self, *args):
        return jax.tree.unflatten(self.tree, self.steps([np.asarray(x) for x in jax.tree.leaves(args)]))


class Steps:
    """A jaxpr's equations, nested calls opened, as NumPy functions on a list of slots."""

    def __init__(self, closed):
        self.constants: list = []
        self.lines: list = []
        self.size = 0
        self.seconds = 0.0
        self.inputs = [self._slot() for _ in closed.jaxpr.invars]
        self.outputs = self._inline(closed, self.inputs)

    def __call__(self, arrays: list) -> list:
        work.seconds += self.seconds
        slots = [None] * self.size
        for slot, array in self.constants:
            slots[slot] = array
        for slot, array in zip(self.inputs, arrays):
            slots[slot] = array
        with np.errstate(all="ignore"):
            for function, reads, writes, dtypes in self.lines:
                made = function(*[slots[i] for i in reads])
                if made.__class__ is not list:
                    made = (made,)
                for i, dtype, array in zip(writes, dtypes, made):
                    slots[i] = array if array.dtype == dtype else array.astype(dtype)
        return [np.asarray(slots[i]) for i in self.outputs]

    def _slot(self) -> int:
        self.size += 1
        return self.size - 1

    def _constant(self, value, dtype) -> int:
        slot = self._slot()
        self.constants.append((slot, np.asarray(value, dtype)))
        return slot

    def _inline(self, closed, inputs: list[int]) -> list[int]:
        jaxpr = closed.jaxpr
        where = dict(zip(jaxpr.invars, inputs))
        where.update({v: self._constant(c, v.aval.dtype) for v, c in zip(jaxpr.constvars, closed.consts)})

        def slot_of(atom) -> int:
            return self._constant(atom.val, atom.aval.dtype) if isinstance(atom, Literal) else where[atom]

        for eqn in jaxpr.eqns:
            reads = [slot_of(v) for v in eqn.invars]
            where.update(zip(eqn.outvars, self._line(eqn, reads)))
        return [slot_of(v) for v in jaxpr.outvars]

    def _line(self, eqn, reads: list[int]) -> list[int]:
        name = eqn.primitive.name
        if name in _CALLS:
            return self._inline(next(eqn.params[k] for k in _CALLS[name] if k in eqn.params), reads)
        dtypes = [v.aval.dtype for v in eqn.outvars]
        if any(d.kind not in "biufc" for d in dtypes):
            raise Beyond(name)
        function = _LOOPS[name](**eqn.params) if name in _LOOPS else numpy_primitives.find(eqn.primitive, eqn.params)
        if function is None:
            raise Beyond(name)
        writes = [self._slot() for _ in dtypes]
        self.lines.append((function, reads, writes, dtypes))
        self.seconds += _seconds(eqn)
        return writes


def _seconds(eqn) -> float:
    """How long NumPy takes for an equation, about; what a loop's body takes is counted as it runs."""
    read, made = ([math.prod(v.aval.shape) for v in vs] for vs in (eqn.invars, eqn.outvars))
    seconds = LINE + ELEMENT * (sum(read) + sum(made))
    if eqn.primitive.name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        seconds += PRODUCT * made[0] * math.prod(eqn.invars[0].aval.shape[d] for d in contracted)
    return seconds


_CALLS = {
    "jit": ("jaxpr",),
    "pjit": ("jaxpr",),
    "closed_call": ("call_jaxpr",),
    "core_call": ("call_jaxpr",),
    "custom_jvp_call": ("call_jaxpr",),
    "custom_vjp_call": ("call_jaxpr", "fun_jaxpr"),
    "custom_vjp_call_jaxpr": ("fun_jaxpr",),
}
"""Primitives that call a function, and the parameter that holds it."""


def _cond(branches, **_):
    branches = [Steps(b) for b in branches]
    return lambda which, *operands: branches[min(max(int(which), 0), len(branches) - 1)](list(operands))


def _while(cond_jaxpr, body_jaxpr, cond_nconsts, body_nconsts, **_):
    goes_on, body = Steps(cond_jaxpr), Steps(body_jaxpr)

    def function(*operands):
        asked, given = operands[:cond_nconsts], operands[cond_nconsts : cond_nconsts + body_nconsts]
        carried = list(operands[cond_nconsts + body_nconsts :])
        while goes_on([*asked, *carried])[0]:
            carried = body([*given, *carried])
        return carried

    return function


def _scan(jaxpr, length, reverse, num_consts=None, num_carry=None, ft_in=None, ft_out=None, **_):
    if ft_in is not None:  # JAX 0.12 tells trees: constants, carried values and rows; carried values and rows
        num_consts, num_carry, num_rows = (len(tree) for tree in ft_in.unpack())
        if num_consts + num_carry + num_rows != len(jaxpr.jaxpr.invars) or len(ft_out) != len(jaxpr.jaxpr.outvars):
            raise Beyond("scan")
    body = Steps(jaxpr)
    stacked = [v.aval for v in jaxpr.jaxpr.outvars[num_carry:]]

    def function(*operands):
        fixed, rows = operands[:num_consts], operands[num_consts + num_carry :]
        carried = list(operands[num_consts : num_consts + num_carry])
        made = [np.empty((length, *a.shape), a.dtype) for a in stacked]
        for i in reversed(range(length)) if reverse else range(length):
            found = body([*fixed, *carried, *[r[i] for r in rows]])
            carried = found[:num_carry]
            for all_of_it, row in zip(made, found[num_carry:]):
                all_of_it[i] = row
        return [*carried, *made]

    return function


_LOOPS = {"cond": _cond, "while": _while, "scan": _scan}
