"""Optimizer: the base class of all optimizers.

See https://docs.pytorch.org/docs/stable/optim.html.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict

from funcgrad import _views
from funcgrad._tensor import Tensor
from funcgrad.engine.capture import later
from funcgrad.engine.launch import launch
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import SCALAR, STATIC, Op

required = object()
_steps: dict = {}


class Optimizer:
    def __init__(self, params, defaults: dict):
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got torch.FloatTensor"
            )
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for g in groups:
            self.add_param_group(dict(g))
        self._hooks = OrderedDict()

    def add_param_group(self, group: dict) -> None:
        group["params"] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        for k, v in self.defaults.items():
            group.setdefault(k, v)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p._grad is not None:
                    if set_to_none:
                        p._grad = None
                    else:
                        p._grad.detach_()
                        p._grad.zero_()

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        grad, state.grad = state.grad, False
        try:
            for group in self.param_groups:
                self._step_group(group)
        finally:
            state.grad = grad
        if state.capture is None:
            launch("optimizer.step()")
        return loss

    def _step_group(self, group: dict) -> None:
        params = [p for p in group["params"] if p._grad is not None]
        if not params:
            return
        grads = [p._grad for p in params]
        options = self._options(group)
        key = (type(self), *options.values())
        op = _steps.get(key)
        if op is None:
            op = _steps[key] = self._make_op(options)
        states, step = self._states(group, params)
        values, _ = record(op, (params, grads, states, [float(step), *[group[k] for k in self._numbers]]))
        n = len(params)
        later(float, 1 + len(self._numbers), lambda: [float(self._states(group, params)[1]), *[group[k] for k in self._numbers]])
        _views.replace_all(params, values[:n])
        for i, tensors in enumerate(states):
            _views.replace_all(tensors, values[n * (i + 1) : n * (i + 2)])

    def _make_op(self, options: dict) -> Op:
        update = type(self)._update

        def function(params, grads, states, numbers):
            new, new_states = update(list(params), list(grads), [list(s) for s in states], numbers[0], dict(zip(self._numbers, numbers[1:])), **options)
            return [*new, *[x for s in new_states for x in s]]

        made = Op(f"{type(self).__name__}.step", function, differentiable=False)
        made.kinds = (STATIC, STATIC, STATIC, SCALAR)
        return made
