"""How a step over a parameter group is recorded: one op for all its parameters.

The op's function is an optimizer's transformation (a `chain` of optax's and funcgrad's own, see `_optax`) applied to
the group's gradients. Hyper-parameters are its run-time inputs; only what changes the arithmetic (``amsgrad``, a
weight decay that is zero) is part of the program's structure.

NOTE: [Parameters of different age] PyTorch counts the steps of each parameter and skips parameters without a gradient.
Parameters of one group with the same count are stepped together; others (unfrozen later) by another entry of the same
program. Where PyTorch keeps no count (SGD), a parameter's first step has age 0 and all later ones age 1.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import numpy as np

from funcgrad import _creation, _views
from funcgrad._tensor import Tensor
from funcgrad.engine.capture import later
from funcgrad.engine.record import record
from funcgrad.engine.state import state as thread
from funcgrad.engine.structure import SCALAR, STATIC, Op
from funcgrad.optim._step_count import StepCount
from funcgrad.optim.optimizer import Optimizer

OFF, NUMBER, TENSOR = range(3)
"""What an option is: zero where zero drops a term, a Python number, or a tensor."""


class RecordedOptimizer(Optimizer):
    """An optimizer whose step is a gradient transformation.

    A subclass gives ``transformation`` and names the options it reads. Each of `numbers` is a run-time input (a number,
    a tensor, or a tuple of these); one that is in `switches` is None to the transformation while it is zero. `flags`
    are constants. `added` has the options that states saved by older versions may lack.
    """

    numbers: tuple[str, ...] = ("lr",)
    switches: tuple[str, ...] = ("weight_decay",)
    flags: tuple[str, ...] = ("maximize",)
    counted = True
    """Whether the state of a parameter has a ``step``."""
    starts_from_options = False
    """Whether a state's first value depends on the options."""
    added: ClassVar[dict[str, Any]] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.added.items():
                group.setdefault(name, value)
            for p in group["params"]:
                step = self.state[p].get("step") if p in self.state else None
                if step is not None and not isinstance(step, Tensor):
                    self.state[p]["step"] = StepCount(float(step))

    @staticmethod
    def transformation(h: SimpleNamespace):
        """The step's arithmetic, given the hyper-parameters: an optax ``GradientTransformation``."""
        raise NotImplementedError

    def step(self, closure=None):
        """Update the parameters once.

        Args:
            closure: computes the loss anew (and its gradients), and returns it.
        """
        loss = None
        before = thread.grad
        try:
            if closure is not None:
                thread.grad = True
                loss = closure()
            thread.grad = self.defaults["differentiable"]
            for group in self.param_groups:
                self._step_group(group)
        finally:
            thread.grad = before
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p._grad is not None]
        if not params:
            return
        rule, numbers, tensors = self._rule(group)
        self._check_group(group, params)
        if not rule.names and not self.counted:
            self._record(group, rule, params, [], 0.0, numbers, tensors)
            return
        entries, ages = self._entries(group, rule, params)
        first = ages[0]
        if ages.count(first) == len(ages):
            self._record(group, rule, params, entries, first, numbers, tensors)
            return
        for age in dict.fromkeys(ages):
            at = [i for i, a in enumerate(ages) if a == age]
            self._record(group, rule, [params[i] for i in at], [entries[i] for i in at], age, numbers, tensors)

    def _check_group(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """Raise PyTorch's errors for parameters this optimizer cannot step."""

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, list[float], list[Tensor]]:
        """The group's rule, its run-time numbers, and those of its hyper-parameters that are tensors."""
        numbers: list[float] = []
        tensors: list[Tensor] = []
        key: list = [type(self), thread.grad]
        for name in self.numbers:
            value = group[name]
            for v in value if value.__class__ is tuple or value.__class__ is list else (value,):
                if isinstance(v, Tensor):
                    tensors.append(v)
                    key.append(TENSOR)
                elif v is None or (v == 0 and name in self.switches):
                    key.append(OFF)
                else:
                    numbers.append(float(v))
                    key.append(NUMBER)
        for name in self.flags:
            key.append(group[name])
        found = _rules.get(found_key := tuple(key))
        if found is None:
            found = _rules[found_key] = Rule(self, group)
        return found, numbers, tensors

    def _entries(self, group: dict[str, Any], rule: Rule, params: list[Tensor]) -> tuple[list[dict], list[float]]:
        """Each parameter's state, and how often it was stepped; states are made for those that have none."""
        state, counted = self.state, self.counted
        mark = "step" if counted else rule.names[0]
        entries, ages, new = [], [], []
        for p in params:
            entry = state[p]
            found = entry.get(mark)
            if found is None:
                new.append(p)
                ages.append(0.0)
            elif not counted:
                ages.append(1.0)
            elif found.__class__ is StepCount and found._value is None:
                ages.append(found.count)
            else:
                ages.append(_count_of(entry))
            entries.append(entry)
        if new:
            self._make_states(group, rule, new)
        return entries, ages

    def _make_states(self, group: dict[str, Any], rule: Rule, params: list[Tensor]) -> None:
        """Give parameters that are stepped for the first time their state."""
        if thread.capture is not None:
            thread.capture.reusable = False
        for p, arrays in zip(params, rule.initial(group, params)):
            entry = self.state[p]
            if self.counted:
                entry["step"] = StepCount()
            for name, array in arrays.items():
                entry[name] = _creation.from_array(array, p.device)

    def _record(self, group, rule: Rule, params, entries, age: float, numbers: list, tensors: list) -> None:
        """Record one step of parameters of one age."""
        states = [[entry.get(name) for entry in entries] for name in rule.names]
        values, _ = record(rule.op, (params, [p._grad for p in params], states, [age, *numbers], tensors))
        steps = [entry["step"] for entry in entries] if self.counted else []
        if thread.capture is not None:
            again = _Again(self, group, rule, steps, age)
            later(float, 1 + len(numbers), again)
        targets = params.copy()
        for row in states:
            targets += row if rule.uniform else [t for t in row if t is not None]
        _views.replace_all(targets, values)
        _advance(steps, age)


def _advance(steps: list[StepCount], age: float) -> None:
    thread.program.journal.append(_RestoreCounts(steps, age))
    after = age + 1.0
    for s in steps:
        s._value = s._shown = None
        s.count = after


def _count_of(entry: dict) -> float:
    """A step count the user looked at, wrote, or loaded from a file."""
    found = entry["step"]
    if not isinstance(found, StepCount):
        found = entry["step"] = StepCount(float(found.item() if isinstance(found, Tensor) else found))
    return found.read()


class _RestoreCounts:
    """Take back the counts of a step whose launch failed."""

    __slots__ = ("age", "steps")

    def __init__(self, steps: list[StepCount], age: float):
        self.steps = steps
        self.age = age

    def written(self) -> list:
        """No tensor was rebound."""
        return []

    def __call__(self, program) -> None:
        for s in self.steps:
            s._value = s._shown = None
            s.count = self.age


class _Again:
    """The numbers of a captured step when it is replayed."""

    def __init__(self, optimizer: RecordedOptimizer, group, rule: Rule, steps: list[StepCount], age: float):
        self.optimizer, self.group, self.rule, self.steps, self.age = optimizer, group, rule, steps, age

    def __call__(self) -> list[float]:
        before, thread.grad = thread.grad, self.optimizer.defaults["differentiable"]
        try:
            rule, numbers, _ = self.optimizer._rule(self.group)
        finally:
            thread.grad = before
        if rule is not self.rule:
            raise RuntimeError(
                "an option that changes an optimizer's arithmetic was changed after its step was compiled"
            )
        if self.steps:
            self.age = self.steps[0].read()
            _advance(self.steps, self.age)
        return [self.age if self.steps else 1.0, *numbers]


_rules: dict[tuple, Rule] = {}


class Rule:
    """What the steps of all groups with the same kinds of options share.

    Attributes:
        op: the recorded op.
        names: the state's tensors, in the order the op takes and returns them.
        uniform: whether every parameter has all of these.
    """

    def __init__(self, optimizer: RecordedOptimizer, group: dict[str, Any]):
        self.cls = cls = type(optimizer)
        self.kinds = {name: _kind(group[name], name in cls.switches) for name in cls.numbers}
        self.flags = {name: group[name] for name in cls.flags}
        self.op = Op(f"{cls.__name__}.step", self._function, differentiable=thread.grad)
        self.op.kinds = (STATIC, STATIC, STATIC, SCALAR, STATIC)
        skeleton = self._parts(cls.transformation(self._plain(group, look=False)).init([_STRUCT]))[0]
        self.names = tuple(name for part in skeleton for name in part if name != "step")
        self.uniform = all(part[name][0] is not None for part in skeleton for name in part if name != "step")

    def initial(self, group: dict[str, Any], params: list[Tensor]) -> list[dict[str, np.ndarray]]:
        """The states of parameters before their first step."""
        from funcgrad.optim._optax import narrowed_numpy, widened_struct

        structs = [widened_struct(p.shape, p.dtype.numpy) for p in params]
        state = self.cls.transformation(self._plain(group, self.cls.starts_from_options)).init(structs)
        made: list[dict] = [{} for _ in params]
        for part in self._parts(state)[0]:
            for name, arrays in part.items():
                if name != "step":
                    for entry, p, array in zip(made, params, arrays):
                        if array is not None:
                            entry[name] = narrowed_numpy(array, p.shape, p.dtype.numpy)
        return made

    @staticmethod
    def _parts(state) -> tuple[list[dict], Any]:
        """The dicts in the state of a chain, and how to put others in their place."""
        return jax.tree.flatten(state, is_leaf=lambda x: isinstance(x, dict))

    def _plain(self, group: dict[str, Any], look: bool) -> SimpleNamespace:
        """A group's hyper-parameters as Python numbers; tensors are looked at only if asked."""
        values = iter([v for name in self.cls.numbers for v in _each(group[name])])

        def take(kind):
            value = next(values)
            return None if kind == OFF else 1.0 if kind == TENSOR and not look else float(value)

        return self._bound(take)

    def _bound(self, take) -> SimpleNamespace:
        h = SimpleNamespace(**self.flags, dtype=np.dtype(np.float32))
        for name, kind in self.kinds.items():
            setattr(h, name, tuple(take(k) for k in kind) if isinstance(kind, tuple) else take(kind))
        return h

    def _function(self, params, grads, states, numbers, tensors):
        from funcgrad.optim import _optax as ox

        remaining, arrays = iter(numbers[1:]), iter(tensors)
        take = {OFF: lambda: None, NUMBER: lambda: next(remaining), TENSOR: lambda: ox.as_number(next(arrays))}
        h = self._bound(lambda kind: take[kind]())
        h.dtype = params[0].dtype
        transformation = self.cls.transformation(h)
        wide = [ox.widened(p) for p in params]
        skeleton, tree = self._parts(jax.eval_shape(transformation.init, wide))
        given = {name: [s if s is None else ox.widened(s) for s in row] for name, row in zip(self.names, states)}
        state = tree.unflatten([{k: numbers[0] if k == "step" else given[k] for k in part} for part in skeleton])
        updates, new = transformation.update([ox.widened(g) for g in grads], state, wide)
        made = {k: v for part in self._parts(new)[0] for k, v in part.items()}
        results = [ox.narrowed(p + u, like) for p, u, like in zip(wide, updates, params)]
        for name, olds in zip(self.names, states):
            results += [ox.narrowed(s, old) for s, old in zip(made[name], olds) if old is not None]
        return results


_STRUCT = jax.ShapeDtypeStruct((2, 2), np.float32)


def _each(value) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _kind(value, switch: bool):
    if isinstance(value, tuple | list):
        return tuple(_kind(v, switch) for v in value)
    if isinstance(value, Tensor):
        return TENSOR
    return OFF if value is None or (switch and value == 0) else NUMBER
