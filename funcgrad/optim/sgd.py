from __future__ import annotations

from funcgrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    _numbers = ("lr",)

    def __init__(self, params, lr=1e-3):
        super().__init__(params, dict(lr=lr))

    def _options(self, group):
        return {}

    def _states(self, group, params):
        return [], 1

    @staticmethod
    def _update(params, grads, states, step, h):
        return [p - h["lr"] * g for p, g in zip(params, grads)], []
