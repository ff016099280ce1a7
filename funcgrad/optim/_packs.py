"""Packs: the states of many small parameters side by side in one array.

A step of 300 parameters under Adam has 1200 arrays to take and 900 to return; each costs the program half a microsecond,
recording it another. With packs of sixteen parameters it is 640 and 340: 2.2 ms become 1.1. ``state[p]["exp_avg"]`` is
then a view of a pack, made when somebody looks at it; what is written to it is written to the pack.

Only optimizers that treat every element on its own have packs, and only parameters so small that joining their
gradients costs less than it saves.
"""

from __future__ import annotations

import functools
import math
from operator import is_
from weakref import ref as weak

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _operators
from funcgrad._facade import _views
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.values import Value, aval_of

MEMBERS = 16  # with 300 the concatenation takes ten times as long to compile, and runs no faster
ELEMENTS = 4096

_NARROW, _VIEW = _operators.op("narrow"), _operators.op("view")


class Pack:
    """The states of some parameters.

    Attributes:
        params: the parameters; `entries`: their states, dicts with these `names`.
        tensors: for each name one flat tensor; `views`: the state's tensors, which look at parts of it.
    """

    def __init__(self, params: list[Tensor], entries: list[dict], names: tuple[str, ...]):
        self.params = params
        self.entries = entries
        self.names = names
        self.views = [[entry[name] for entry in entries] for name in names]
        self.tensors = [_joined(views) for views in self.views]

    def holds(self) -> bool:
        """Whether the state has these tensors still."""
        return all(
            all(map(is_, [entry.get(name) for entry in self.entries], views))
            for name, views in zip(self.names, self.views)
        )

    def dissolve(self) -> None:
        """Give every tensor of the state its own array again."""
        for tensor, views in zip(self.tensors, self.views):
            avals = [view._known().aval for view in views]
            array = tensor._read().array
            if is_concrete(array):
                with jax.enable_x64(True):
                    values = [Value(a, aval) for a, aval in zip(_cut(array, tuple(a.shape for a in avals)), avals)]
            else:
                values = [view._read() for view in views]
            looking = [v for v in (r() for r in tensor._views) if v is not None]
            for view, value in zip(views, values):
                view._made = view._root = view._seen = None
                view._value = value
            for v in looking:
                base = _base(v)
                if base is not tensor and base is not v:
                    v._root, base._views = base, [*(base._views or ()), weak(v)]


def packed(params: list[Tensor], entries: list[dict], names: tuple[str, ...]) -> list[Pack]:
    """Packs of those parameters whose states may be parts of one."""
    chosen: dict = {}
    for p, entry in zip(params, entries):
        if 0 < p.numel() <= ELEMENTS and p.is_floating_point() and all(_is_free(entry.get(name), p) for name in names):
            chosen.setdefault((p.dtype, p.device), []).append((p, entry))
    runs = [some[i : i + MEMBERS] for some in chosen.values() for i in range(0, len(some), MEMBERS)]
    return [Pack(*map(list, zip(*run)), names) for run in runs if len(run) > 1]


def _is_free(tensor: Tensor | None, param: Tensor) -> bool:
    """Whether a state's tensor is computed, of its parameter's kind, and nobody's view."""
    return (
        type(tensor) is Tensor
        and tensor._made is tensor._views is tensor._memory is tensor._leaf is None
        and is_concrete(tensor._value.array)
        and tensor.shape == param.shape
        and (tensor.dtype, tensor.device) == (param.dtype, param.device)
    )


def is_concrete(array) -> bool:
    """Whether an array is computed."""
    return array is not None and not isinstance(array, jax.core.Tracer)


def _joined(tensors: list[Tensor]) -> Tensor:
    """A flat tensor that holds these; they become views of it."""
    avals = [t._value.aval for t in tensors]
    arrays = [t._value.array for t in tensors]
    if all(isinstance(a, np.ndarray) for a in arrays):
        array = np.concatenate([a.reshape(-1) for a in arrays])
    else:
        with jax.enable_x64(True):
            array = _whole(arrays)
    flat = wrap(Value(array, aval_of(array.shape, avals[0].dtype.numpy, avals[0].device)))
    start = 0
    for t, aval in zip(tensors, avals):
        part = wrap(None)
        _views.attach(part, flat, _NARROW, (0, start, aval.numel), None)
        _views.attach(t, part, _VIEW, (aval.shape,), None)
        t._value, t._seen = None, Value(None, aval)
        start += aval.numel
    return flat


@jax.jit
def _whole(arrays: list):
    return jnp.concatenate([a.reshape(-1) for a in arrays])


@functools.partial(jax.jit, static_argnums=1)
def _cut(flat, shapes: tuple) -> list:
    cuts = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(jnp.split(flat, cuts), shapes)]


def _base(view: Tensor) -> Tensor:
    """The tensor that a view looks at, over all other views."""
    while view._made is not None:
        view = view._made.parent
    return view


# -- in a step's op ---------------------------------------------------------------------------------------------------


def joined(arrays: list, packs: tuple) -> list:
    """A group's arrays with those of each pack joined to one: first the loose ones, then a flat one for each pack."""
    packed = {i for pack in packs for i in pack}
    loose = [a for i, a in enumerate(arrays) if i not in packed]
    return loose + [jnp.concatenate([arrays[i].reshape(-1) for i in pack]) for pack in packs]


def parted(arrays: list, like: list, packs: tuple) -> list:
    """The inverse of `joined`, for arrays of the shapes of `like`."""
    made: dict = {}
    flat = arrays[len(arrays) - len(packs) :]
    for pack, array in zip(packs, flat):
        start = 0
        for i in pack:
            size = math.prod(like[i].shape)
            made[i] = lax.slice(array, (start,), (start + size,)).reshape(like[i].shape)
            start += size
    loose = iter(arrays)
    return [made[i] if i in made else next(loose) for i in range(len(like))]
