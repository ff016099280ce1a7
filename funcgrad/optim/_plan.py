"""Which parameters of a group are stepped together, remembered from one step to the next.

NOTE: [Parameters of different age] PyTorch counts the steps of each parameter and skips parameters without a gradient.
Parameters of one group with the same count are stepped together; others (unfrozen later) by another entry of the same
program. Where PyTorch keeps no count (SGD), a parameter's first step has age 0 and all later ones age 1.
"""

from __future__ import annotations

from itertools import chain
from operator import is_
from typing import Any

from funcgrad._facade import _creation, _views
from funcgrad._tensor import Tensor
from funcgrad.engine.capture import later
from funcgrad.engine.record import record
from funcgrad.engine.repeat import Repeat
from funcgrad.engine.state import state as thread
from funcgrad.engine.values import HANDLES
from funcgrad.optim._packs import Pack, packed
from funcgrad.optim._rule import Rule
from funcgrad.optim._step_count import Clock, StepCount


class Plan:
    """How a group with certain parameters to step is stepped."""

    def __init__(self, optimizer, group: dict[str, Any], rule: Rule, params: list[Tensor]):
        self.rule = rule
        self.params = params
        self.counted = optimizer.counted
        self.mark = "step" if self.counted else rule.names[0] if rule.names else None
        self.entries = [optimizer.state[p] for p in params] if self.mark else []
        ages = self._ages(optimizer, group) if self.mark else [0.0] * len(params)
        self.repeated = len(set(map(id, params))) < len(params)
        before = _occurrences(params) if self.repeated else [0] * len(params)
        cohorts: dict[tuple, list[int]] = {}
        for i, (p, age, k) in enumerate(zip(params, ages, before)):
            cohorts.setdefault((k, age + k if self.counted else age, p.device), []).append(i)
        self.cohorts = [Cohort(self, at, key[1]) for key, at in sorted(cohorts.items(), key=lambda item: item[0][0])]
        self._pack(optimizer, group)

    def _pack(self, optimizer, group: dict[str, Any]) -> None:
        """Keep the packs whose parameters are stepped together still, and make those that can be made."""
        known = optimizer._packs.pop(id(group), [])
        fitting = [pack for cohort in self.cohorts for pack in cohort.take(known)]
        for pack in known:
            if pack not in fitting:
                pack.dissolve()
        packable = self.rule.elementwise and not self.repeated
        if packable and not thread.grad and thread.capture is None and not thread.program.traced:
            for cohort in self.cohorts:
                cohort.pack()
        optimizer._packs[id(group)] = [pack for cohort in self.cohorts for pack in cohort.packs]

    def _ages(self, optimizer, group: dict[str, Any]) -> list[float]:
        """How often each parameter was stepped; makes the state of those that have none."""
        new = [i for i, entry in enumerate(self.entries) if entry.get(self.mark) is None]
        if new:
            make_states(optimizer, group, self.rule, [self.params[i] for i in new])
        if not self.counted:
            return [0.0 if i in set(new) else 1.0 for i in range(len(self.params))]
        return [_age(entry) for entry in self.entries]

    def holds(self, rule: Rule, params: list[Tensor], state: dict) -> bool:
        """Whether everything is as it was: the parameters, their state's entries, and nobody saw a count."""
        if (
            self.repeated
            or rule is not self.rule
            or len(params) != len(self.params)
            or not all(map(is_, params, self.params))
        ):
            return False
        if self.mark is None:
            return True
        if not all(map(is_, map(state.__getitem__, params), self.entries)):
            return False
        return all([cohort.holds() for cohort in self.cohorts])


def _occurrences(params: list[Tensor]) -> list[int]:
    """How often each stands earlier in the list: one that does is stepped again, with a count of its own."""
    seen: dict[int, int] = {}
    result = []
    for p in params:
        result.append(seen.get(id(p), 0))
        seen[id(p)] = result[-1] + 1
    return result


def make_states(optimizer, group: dict[str, Any], rule: Rule, params: list[Tensor]) -> None:
    """Give parameters that are stepped for the first time their state."""
    if thread.capture is not None:
        thread.capture.reusable = False
    for p, arrays in zip(params, rule.initial(group, params)):
        entry = optimizer.state[p]
        if optimizer.counted:
            entry["step"] = StepCount()
        for name, array in sorted(arrays.items(), key=lambda item: item[0] in optimizer.last_states):
            entry[name] = _creation.from_array(array, p.device)


def _age(entry: dict) -> float:
    found = entry["step"]
    if not isinstance(found, StepCount):
        found = entry["step"] = StepCount(float(found.item() if isinstance(found, Tensor) else found))
    return found.read()


class Cohort:
    """Parameters of one age, on one device."""

    def __init__(self, plan: Plan, at: list[int], age: float):
        self.rule = plan.rule
        self.params = [plan.params[i] for i in at]
        self.entries = [plan.entries[i] for i in at] if plan.mark else []
        self.steps = [entry["step"] for entry in self.entries] if plan.counted else []
        self.clock = Clock(age)
        for step in self.steps:
            step.clock = self.clock
        self.repeat = Repeat(plan.rule.op)
        self.positions: tuple = (None, None)
        self._arrange([])

    def take(self, known: list[Pack]) -> list[Pack]:
        """Use those packs whose parameters are all of this cohort; returns them."""
        own = set(map(id, self.entries))
        self._arrange([pack for pack in known if own.issuperset(map(id, pack.entries)) and pack.holds()])
        return self.packs

    def pack(self) -> None:
        """Pack the states that can be and are not yet."""
        loose = [self.params[i] for i in self.loose], [self.entries[i] for i in self.loose]
        self._arrange(self.packs + packed(*loose, self.rule.names))

    def _arrange(self, packs: list[Pack]) -> None:
        """Take the states as these packs, and one by one what is in none of them."""
        place = {id(p): i for i, p in enumerate(self.params)}
        self.packs = packs
        self.packed = tuple(tuple(place[id(p)] for p in pack.params) for pack in packs)
        inside = {i for pack in self.packed for i in pack}
        self.loose = [i for i in range(len(self.params)) if i not in inside]
        self.rows = [[self.entries[i].get(name) for i in self.loose] for name in self.rule.names]
        for i, row in enumerate(self.rows):
            row += [pack.tensors[i] for pack in packs]
        self.states = [t for row in self.rows for t in row if t is not None]
        self.seen = list(chain.from_iterable(map(dict.values, self.entries)))

    def holds(self) -> bool:
        """Whether nothing was removed from the state or replaced there, and no count seen."""
        if self.clock.looked_at or sum(map(len, self.entries)) != len(self.seen):
            return False
        return all(map(is_, chain.from_iterable(map(dict.values, self.entries)), self.seen))

    def record(self, optimizer, group: dict[str, Any], numbers: list[float], tensors: list[Tensor]) -> None:
        """Record one step; if the optimizer's `_unless` is true (a tensor), it will leave everything as it is."""
        unless = [] if optimizer._unless is None else [optimizer._unless]
        rule, params, rows, states = self.rule, self.params, self.rows, self.states
        grads = [p._grad for p in params]
        if not HANDLES.issuperset(map(type, grads)):
            grads = optimizer._dense(grads)
        numbers = [self.clock.now(), *numbers]
        args = (params, grads, rows, numbers, tensors, unless, self.packed)
        if thread.grad:
            values, way = record(rule.op, args)[0], None
        else:
            values, way = self.repeat.record([*params, *grads, *states, *tensors, *unless], numbers, args)
        if thread.capture is not None:
            if unless:  # whether the step counts is known afterwards: a replay could not say it
                thread.capture.reusable = False
            later(float, len(numbers), _Again(self, optimizer, group))
        _views.replace_all([*params, *states], values, self._positions(way) if way else None)
        self.advance(optimizer._unless)

    def _positions(self, way) -> list[int] | None:
        """Where the values stand among the program's inputs that the step replaces, if all of them do."""
        known, positions = self.positions
        if known is not way:
            count = len(self.params)
            positions = way.positions[:count] + way.positions[2 * count : count + len(way.outs)]
            positions = None if None in positions else positions
            self.positions = (way, positions)
        return positions

    def advance(self, unless: Tensor | None) -> None:
        """Count one step."""
        clock = self.clock
        before = clock.count
        thread.program.journal.append(_RestoreCount(clock, before))
        clock.count = before + 1.0 if self.steps else 1.0
        if unless is not None and clock.count != before:
            clock.doubt = (unless, before)


class _RestoreCount:
    """Take back the count of a step whose launch failed."""

    __slots__ = ("clock", "count")

    def __init__(self, clock: Clock, count: float):
        self.clock = clock
        self.count = count

    def written(self) -> list:
        """No tensor was rebound."""
        return []

    def __call__(self, program) -> None:
        self.clock.count, self.clock.doubt = self.count, None
        self.clock.looked_at = True  # a count may have been seen since: have all of them read anew


class _Again:
    """The numbers of a captured step when it is replayed."""

    def __init__(self, cohort: Cohort, optimizer, group: dict[str, Any]):
        self.cohort, self.optimizer, self.group = cohort, optimizer, group

    def __call__(self) -> list[float]:
        cohort = self.cohort
        before, thread.grad = thread.grad, self.optimizer.defaults.get("differentiable", False)
        try:
            rule, numbers, _ = self.optimizer._rule(self.group)
        finally:
            thread.grad = before
        if rule is not cohort.rule:
            raise RuntimeError(
                "an option that changes an optimizer's arithmetic was changed after its step was compiled"
            )
        if cohort.clock.looked_at or any(step.clock is not cohort.clock for step in cohort.steps[:1]):
            cohort.clock = Clock(max([step.read() for step in cohort.steps], default=cohort.clock.count))
            for step in cohort.steps:
                step.clock = cohort.clock
        numbers = [cohort.clock.count, *numbers]
        cohort.advance(None)
        return numbers
