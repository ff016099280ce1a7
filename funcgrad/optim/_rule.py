"""An optimizer's arithmetic as an op: its transformation, applied to the gradients of many parameters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad._errors import broadcast_shapes
from funcgrad._tensor import Tensor
from funcgrad.engine.structure import SCALAR, STATIC, Op
from funcgrad.optim._packs import joined, parted

OFF, NUMBER, TENSOR = range(3)
"""What an option is: zero where zero drops a term, a Python number, or a tensor."""


def kind_of(value, switch: bool) -> int:
    if isinstance(value, Tensor):
        return TENSOR
    return OFF if value is None or (switch and value == 0) else NUMBER


def each(value) -> tuple:
    """The numbers of an option that may be several."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


class Rule:
    """What the steps of all groups with the same kinds of options share.

    Attributes:
        op: ``(params, grads, states, numbers, tensors, unless, packs) -> [new parameters and states]``, to be
            recorded; `unless` may hold an array that is true if the step is to be skipped, `packs` says which
            parameters' states come in one array, after the others (see `_packs`).
        names: the state's tensors, in the order the op takes and returns them.
        elementwise: whether every element of a parameter is stepped on its own, with a state of its own.
    """

    def __init__(self, optimizer, group: dict[str, Any], differentiable: bool):
        self.cls = cls = type(optimizer)
        self.kinds = {name: self._kinds(group[name], name in cls.switches) for name in cls.numbers}
        self.flags = {name: group[name] for name in cls.flags}
        self.op = Op(f"{cls.__name__}.step", self._function, differentiable=differentiable)
        self.op.kinds = (STATIC, STATIC, STATIC, SCALAR, STATIC, STATIC, STATIC)
        skeleton = _parts(cls.transformation(self._plain(group, look=False)).init(cls.probes))[0]
        self.names = tuple(name for part in skeleton for name in part if name != "step")
        rows = [part[name] for part in skeleton for name in part if name != "step"]
        uniform = all(len(row) == len(cls.probes) and all(x is not None for x in row) for row in rows)
        self.elementwise = cls.elementwise and uniform and bool(self.names)

    def initial(self, group: dict[str, Any], params: list[Tensor]) -> list[dict[str, np.ndarray]]:
        """The states of parameters before their first step."""
        from funcgrad.optim._optax import narrowed_numpy, widened_struct

        if self.cls.starts_from_values:
            from funcgrad.optim._from_optax import initial

            return initial(self, group, params)
        structs = [widened_struct(p.shape, p.dtype.numpy) for p in params]
        state = self.cls.transformation(self._plain(group, self.cls.starts_from_options)).init(structs)
        made: list[dict] = [{} for _ in params]
        for part in _parts(state)[0]:
            for name in part:
                for entry, p, array in zip(made, params, part[name] if name != "step" else ()):
                    if array is not None:
                        entry[name] = narrowed_numpy(array, p.shape, p.dtype.numpy)
        return made

    def transformation(self, group: dict[str, Any]):
        """The group's transformation, its hyper-parameters as Python numbers."""
        return self.cls.transformation(self._plain(group, look=True))

    @staticmethod
    def _kinds(value, switch: bool):
        if isinstance(value, tuple | list):
            return tuple(kind_of(v, switch) for v in value)
        return kind_of(value, switch)

    def _plain(self, group: dict[str, Any], look: bool) -> SimpleNamespace:
        """A group's hyper-parameters as Python numbers; tensors are looked at only if asked."""
        values = iter([v for name in self.cls.numbers for v in each(group[name])])

        def take(kind):
            value = next(values)
            return None if kind == OFF else 1.0 if kind == TENSOR and not look else float(value)

        return self._bound(take)

    def _bound(self, take) -> SimpleNamespace:
        h = SimpleNamespace(**self.flags, dtype=np.dtype(np.float32))
        for name, kind in self.kinds.items():
            setattr(h, name, tuple(take(k) for k in kind) if isinstance(kind, tuple) else take(kind))
        return h

    def _function(self, params, grads, states, numbers, tensors, unless, packs):
        from funcgrad.optim import _optax as ox

        remaining, arrays = iter(numbers[1:]), iter(tensors)
        take = {OFF: lambda: None, NUMBER: lambda: next(remaining), TENSOR: lambda: ox.as_number(next(arrays))}
        h = self._bound(lambda kind: take[kind]())
        h.dtype = params[0].dtype
        transformation = self.cls.transformation(h)
        wide = joined([ox.widened(p) for p in params], packs)
        skeleton, tree = _parts(jax.eval_shape(transformation.init, wide))
        given = {name: [s if s is None else ox.widened(s) for s in row] for name, row in zip(self.names, states)}
        _check_shapes(params, grads)
        for part in skeleton:
            for name in part.keys() - {"step"}:
                _check_shapes(part[name], given[name])
        state = tree.unflatten([{k: numbers[0] if k == "step" else given[k] for k in part} for part in skeleton])
        updates, new = transformation.update(joined([ox.widened(g) for g in grads], packs), state, wide)
        made = {k: v for part in _parts(new)[0] for k, v in part.items()}
        moved = parted([p + u for p, u in zip(wide, updates)], params, packs)
        results = [ox.narrowed(p, like) for p, like in zip(moved, params)]
        for name, olds in zip(self.names, states):
            results += [ox.narrowed(s, old) for s, old in zip(made.get(name, olds), olds) if old is not None]
        if unless:
            before = [*params, *[old for olds in states for old in olds if old is not None]]
            results = [jnp.where(unless[0] > 0, old, new) for new, old in zip(results, before)]
        return results


def _check_shapes(expected, given) -> None:
    """Gradients and states may be of another shape than their parameters, where the user replaced one of them."""
    for e, g in zip(expected, given):
        if e is not None and g is not None and e.shape != g.shape:
            common = broadcast_shapes(g.shape, e.shape)
            raise RuntimeError(f"output with shape {list(g.shape)} doesn't match the broadcast shape {list(common)}")


def _parts(state) -> tuple[list[dict], Any]:
    """The dicts in the state of a chain, and how to put others in their place."""
    return jax.tree.flatten(state, is_leaf=lambda x: isinstance(x, dict))
