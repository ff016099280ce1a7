"""How a step is recorded: for each parameter group one op for all its parameters.

The op's function is an optimizer's transformation (a `chain` of optax's and funcgrad's own, see `_optax`) applied to
the group's gradients. Hyper-parameters are its run-time inputs; only what changes the arithmetic (``amsgrad``, a
weight decay that is zero) is part of the program's structure.
"""

from __future__ import annotations

import inspect
from operator import is_
from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import numpy as np

from funcgrad._tensor import Tensor
from funcgrad.engine.state import state as thread
from funcgrad.optim._plan import Plan
from funcgrad.optim._rule import NUMBER, TENSOR, Rule, each, kind_of
from funcgrad.optim._step_count import StepCount
from funcgrad.optim.optimizer import Optimizer


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
    starts_from_values = False
    """Whether it depends on the parameters' values."""
    last_states: tuple[str, ...] = ()
    """What PyTorch adds to a parameter's state after the rest."""
    elementwise = False
    """Whether every element is stepped on its own."""
    refuses_sparse = "{} does not support sparse gradients"
    """What is wrong with gradients that are sparse tensors."""
    probes: ClassVar[list] = [jax.ShapeDtypeStruct((2, 2), np.float32)]
    """Parameters whose states show what names a state can have."""
    added: ClassVar[dict[str, Any]] = {}

    def _make_registries(self) -> None:
        super()._make_registries()
        self._packs: dict[int, list] = {}

    def _unpack(self) -> None:
        """Give each tensor of the state its own array, for others to take."""
        for pack in [pack for packs in self._packs.values() for pack in packs]:
            pack.dissolve()
        self._packs.clear()
        self._plans.clear()

    def state_dict(self) -> dict[str, Any]:
        self._unpack()
        return super().state_dict()

    def __getstate__(self) -> dict[str, Any]:
        self._unpack()
        return super().__getstate__()

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
            thread.grad = self.defaults.get("differentiable", False)
            for group in self.param_groups:
                self._step_group(group)
        finally:
            thread.grad = before
        return loss

    _unless: Tensor | None = None
    """In a step that may be skipped: a tensor, true if it is."""

    def _step_unless(self, found: Tensor):
        """Step unless `found` is true, which is decided in the compiled program where it can be.

        Hooks see only steps that are taken, and only these make state: in the first step `found` is looked at.
        """
        own = self.__dict__.get("step")
        plain = inspect.unwrap(type(self).step) is RecordedOptimizer.step and hasattr(own, "_wrapped_by_lr_sched") == (
            own is not None
        )
        if not plain or not self._plans or self._has_step_hooks() or self.defaults.get("differentiable"):
            return None if found.item() else self.step()
        self._unless = found
        try:
            return self.step()
        finally:
            del self._unless

    def _step_group(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p._grad is not None]
        if not params:
            return
        rule, numbers, tensors = self._rule(group)
        plan = self._plans.get(id(group))
        if plan is None or not plan.holds(rule, params, self.state):
            if self._unless is not None and self._unless.item():
                return
            self._check_group(group, params)
            self._dense([p._grad for p in params])
            plan = self._plans[id(group)] = Plan(self, group, rule, params)
        for cohort in plan.cohorts:
            cohort.record(self, group, numbers, tensors)

    def _check_group(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """Raise PyTorch's errors for parameters this optimizer cannot step."""

    def _dense(self, grads: list[Tensor]) -> list[Tensor]:
        """The gradients, sparse ones as dense tensors."""
        if self.refuses_sparse and any(g.is_sparse for g in grads):
            raise RuntimeError(self.refuses_sparse.format(type(self).__name__))
        return [g.to_dense() if g.is_sparse else g for g in grads]

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, list[float], list[Tensor]]:
        """The group's rule, its run-time numbers, and those of its hyper-parameters that are tensors."""
        values = [group[name] for name in self.numbers]
        values += [group[name] for name in self.flags]
        values.append(thread.grad)
        known = self._known_rules.get(id(group))
        if known is None or len(known[0]) != len(values) or not all(map(is_, values, known[0])):
            known = self._known_rules[id(group)] = (values, *_rule_of(self, group))
            if any(isinstance(v, list) for v in values):  # which may be changed in place
                del self._known_rules[id(group)]
        return known[1:]


_rules: dict[tuple, Rule] = {}


def _rule_of(optimizer: RecordedOptimizer, group: dict[str, Any]) -> tuple[Rule, list[float], list[Tensor]]:
    numbers: list[float] = []
    tensors: list[Tensor] = []
    key: list = [type(optimizer), thread.grad]
    for name in optimizer.numbers:
        if group[name] is None:
            raise TypeError(f"the option {name!r} of a parameter group is None, but must be a number")
        for value in each(group[name]):
            kind = kind_of(value, name in optimizer.switches)
            key.append(kind)
            if kind == TENSOR:
                tensors.append(value)
            elif kind == NUMBER:
                numbers.append(float(value))
    key += [group[name] for name in optimizer.flags]
    found = _rules.get(found_key := tuple(key))
    if found is None:
        found = _rules[found_key] = Rule(optimizer, group, thread.grad)
    return found, numbers, tensors
