"""What L-BFGS remembers, and the direction it computes from that.

PyTorch keeps lists of vectors; as inputs of a compiled program each length would be another program. Here the vectors
are the rows of two matrices, used as rings. They have room for the whole history at once if that is little; otherwise
their room doubles.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad import _operators
from funcgrad._facade import _creation
from funcgrad._operators import apply
from funcgrad._tensor import Tensor
from funcgrad.engine.structure import SCALAR, STATIC, Op
from funcgrad.ops._number import Scalar, as_array

_SMALLEST_ROOM = 8
_LITTLE = 1 << 22  # elements


def flattened(arrays):
    """Arrays as one vector; a complex number counts as two."""
    flat = [jnp.stack([a.real, a.imag], -1).ravel() if jnp.iscomplexobj(a) else a.ravel() for a in arrays]
    widest = jnp.result_type(*[f.dtype for f in flat])
    return jnp.concatenate([f.astype(widest) for f in flat])


def like_parameters(flat, params) -> list:
    """The inverse of `flattened`, in the parameters' shapes and dtypes."""
    made, start = [], 0
    for p in params:
        size = p.size * (2 if jnp.iscomplexobj(p) else 1)
        part = flat[start : start + size]
        if jnp.iscomplexobj(p):
            part = jax.lax.complex(part[::2], part[1::2])
        made.append(part.reshape(p.shape).astype(p.dtype))
        start += size
    return made


def _first(gradient):
    return -gradient, -jnp.vdot(gradient, gradient)


def _next(gradient, previous, direction, t: Scalar, changes, steps, ro, diagonal, first: Scalar, count: Scalar):
    """Keep the last change, if the loss curves upwards along it, and compute the next direction from all kept.

    Args:
        changes, steps: rows of gradient changes :math:`y` and parameter changes :math:`s`; ro: :math:`1 / y^T s`.
        diagonal: the scale :math:`y^T s / y^T y` of the last.
        first, count: where the oldest row is, and how many there are.
    """
    room = changes.shape[0]
    y, s = gradient - previous, direction * as_array(t, direction.dtype)
    curvature = jnp.vdot(y, s)
    kept = curvature > 1e-10
    first, count = as_array(first), as_array(count)
    full = count == room
    at = jnp.where(full, first, (first + count) % room)
    changes, steps, ro = (
        rows.at[at].set(jnp.where(kept, row, rows[at]))
        for rows, row in ((changes, y), (steps, s), (ro, 1.0 / curvature))
    )
    diagonal = jnp.where(kept, curvature / jnp.vdot(y, y), diagonal)
    first = jnp.where(kept & full, (first + 1) % room, first)
    count = jnp.where(kept & ~full, count + 1, count)
    direction = _two_loops(gradient, changes, steps, ro, diagonal, first, count)
    return direction, jnp.vdot(gradient, direction), kept, changes, steps, ro, diagonal


def _two_loops(gradient, changes, steps, ro, diagonal, first, count):
    """:math:`-H g`: from the newest change to the oldest, and back."""
    room = changes.shape[0]

    def backwards(i, carry):
        q, al = carry
        at = (first + count - 1 - i) % room
        weight = jnp.vdot(steps[at], q) * ro[at]
        return q - weight * changes[at], al.at[at].set(weight)

    def forwards(i, r):
        at = (first + i) % room
        return r + steps[at] * (al[at] - jnp.vdot(changes[at], r) * ro[at])

    q, al = jax.lax.fori_loop(0, count, backwards, (-gradient, jnp.zeros_like(ro)))
    return jax.lax.fori_loop(0, count, forwards, q * diagonal)


def _grown(rows, room: int):
    return jnp.concatenate([rows, jnp.zeros((room - rows.shape[0], *rows.shape[1:]), rows.dtype)])


_FIRST = Op("lbfgs_first", _first, differentiable=False)
_NEXT = Op("lbfgs_next", _next, differentiable=False)
_NEXT.kinds = (STATIC, STATIC, STATIC, SCALAR, STATIC, STATIC, STATIC, STATIC, SCALAR, SCALAR)
_GROW = Op("lbfgs_grow", lambda rows, room: _grown(rows, room), differentiable=False)


class Rows(Sequence):
    """The vectors of one kind, oldest first, as PyTorch's state has them; made when looked at."""

    def __init__(self, history: History, which: str):
        self._history, self._which = history, which

    def __len__(self) -> int:
        return self._history.count

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError("list index out of range")
        history = self._history
        return getattr(history, self._which)[(history.first + i % len(self)) % history.room]

    def __reduce__(self):
        return list, (list(self),)


class History:
    """The last changes of the parameters and of the gradient."""

    def __init__(self, size: int):
        self.size = size
        self.clear()

    @classmethod
    def of(cls, entry: dict, size: int) -> History:
        """The history in a state: the one that made it, or one built from a loaded state's lists."""
        rows = entry.get("old_dirs")
        if isinstance(rows, Rows) and rows._history.size == size:
            return rows._history
        made = cls(size)
        if rows:
            made._fill(*(list(entry[name])[-size:] for name in ("old_dirs", "old_stps", "ro")), entry["H_diag"])
        return made

    def entries(self) -> dict:
        """What PyTorch's state has of it."""
        names = {"old_dirs": "changes", "old_stps": "steps", "ro": "inverses"}
        made = {name: Rows(self, which) for name, which in names.items()}
        return {**made, "H_diag": self.diagonal if self.count else 1, "al": [None] * self.size}

    def clear(self) -> None:
        self.room = self.first = self.count = 0
        self.changes = self.steps = self.inverses = self.diagonal = None

    def first_direction(self, gradient: Tensor) -> tuple:
        """Straight down, and the slope there."""
        direction, slope = apply(_FIRST, (gradient,))
        return direction, slope.numpy()[()]

    def next_direction(self, gradient: Tensor, previous: Tensor, direction: Tensor, t) -> tuple:
        """The direction after a step of `t` times the last one, and the slope along it."""
        self._make_room(gradient)
        rows = (self.changes, self.steps, self.inverses, self.diagonal)
        made = apply(_NEXT, (gradient, previous, direction, float(t), *rows, self.first, self.count))
        direction, slope, kept, self.changes, self.steps, self.inverses, self.diagonal = made
        slope = slope.numpy()[()]
        if kept.item():
            if self.count == self.room:
                self.first = (self.first + 1) % self.room
            else:
                self.count += 1
        return direction, slope

    def _make_room(self, like: Tensor) -> None:
        if self.room == 0:
            self.room = self.size if like.numel() * self.size <= _LITTLE else min(_SMALLEST_ROOM, self.size)
            dtype, size = like.dtype.numpy, like.numel()
            zeros = [np.zeros(shape, dtype) for shape in ((self.room, size), (self.room, size), (self.room,))]
            made = [_creation.from_array(x, like.device) for x in (*zeros, np.ones((), dtype))]
            self.changes, self.steps, self.inverses, self.diagonal = made
        elif self.count == self.room < self.size:
            self.room = min(2 * self.room, self.size)
            rows = self.changes, self.steps, self.inverses
            self.changes, self.steps, self.inverses = (apply(_GROW, (r, self.room)) for r in rows)

    def _fill(self, changes: list, steps: list, inverses: list, diagonal) -> None:
        self.count = self.room = len(changes)
        self.changes, self.steps = _operators.call("stack", changes), _operators.call("stack", steps)
        inverses = [r if isinstance(r, Tensor) else changes[0].new_tensor(r) for r in inverses]
        self.inverses = _operators.call("stack", inverses)
        self.diagonal = diagonal if isinstance(diagonal, Tensor) else changes[0].new_tensor(float(diagonal))
