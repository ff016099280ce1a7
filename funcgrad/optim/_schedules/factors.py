"""Schedulers that multiply the learning rate by a factor each epoch."""

from __future__ import annotations

import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from funcgrad.optim._schedules.base import LRScheduler, values_of
from funcgrad.optim.optimizer import Optimizer


class Factored(LRScheduler):
    """The next learning rate is the present one times `_factor`, which may be None for "as it is"."""

    def _factor(self) -> float | None:
        raise NotImplementedError

    def get_lr(self) -> list:
        self._warn_if_asked_directly()
        factor = self._factor()
        if factor is None:
            return values_of(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class OfFunctions(LRScheduler):
    """Learning rates from functions of the epoch: one for all groups, or a list with one for each."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable | list[Callable], last_epoch: int = -1):
        self.optimizer = optimizer
        groups = len(optimizer.param_groups)
        if isinstance(lr_lambda, list | tuple) and len(lr_lambda) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        self._check_functions()
        super().__init__(optimizer, last_epoch)

    def _check_functions(self) -> None:
        """Whether they can be called."""

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of the functions only the attributes of callable objects."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(f, types.FunctionType) else f.__dict__.copy() for f in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "lr_lambdas"})
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"]):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(OfFunctions):
    r""":math:`\gamma_t = \gamma_0 f(t)`.

    Args:
        optimizer: whose groups are written.
        lr_lambda: :math:`f`, or one for each group.
        last_epoch: how far training had come before; -1 for a new run.

    Example:
        >>> import funcgrad as torch
        >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
        >>> scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.05]
    """

    def get_lr(self) -> list:
        self._warn_if_asked_directly()
        return [lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(OfFunctions):
    r""":math:`\gamma_t = \gamma_{t-1} f(t)`.

    Args:
        optimizer: whose groups are written.
        lr_lambda: :math:`f`, or one for each group.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def _check_functions(self) -> None:
        for f in self.lr_lambdas:
            if not callable(f):
                raise TypeError(f"lr_lambda should be a function, but got {type(f).__name__}")

    def get_lr(self) -> list:
        self._warn_if_asked_directly()
        if self._is_initial:
            return values_of(self.optimizer, "lr")
        groups = self.optimizer.param_groups
        return [group["lr"] * f(self.last_epoch) for f, group in zip(self.lr_lambdas, groups, strict=True)]


class StepLR(Factored):
    """Multiply by `gamma` every `step_size` epochs.

    Args:
        optimizer: whose groups are written.
        step_size: how many epochs.
        gamma: the factor.
        last_epoch: how far training had come before; -1 for a new run.

    Example:
        >>> import funcgrad as torch
        >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5)
        >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        return self.gamma if self.last_epoch != 0 and self.last_epoch % self.step_size == 0 else None

    def _get_closed_form_lr(self) -> list:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(Factored):
    """Multiply by `gamma` at each of the `milestones`.

    Args:
        optimizer: whose groups are written.
        milestones: epochs, in increasing order; one that stands twice counts twice.
        gamma: the factor.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        times = self.milestones[self.last_epoch]
        return self.gamma**times if times else None

    def _get_closed_form_lr(self) -> list:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]


class ConstantLR(Factored):
    """Multiply by `factor` at first, and take that back after `total_iters` epochs.

    Args:
        optimizer: whose groups are written.
        factor: between 0 and 1.
        total_iters: how many epochs.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1):
        if factor > 1.0 or factor < 0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else None

    def _get_closed_form_lr(self) -> list:
        done = self.last_epoch >= self.total_iters
        return [lr * (self.factor + done * (1 - self.factor)) for lr in self.base_lrs]


class LinearLR(Factored):
    """Go from `start_factor` to `end_factor` times the learning rate in `total_iters` equal differences.

    Args:
        optimizer: whose groups are written.
        start_factor: greater than 0 and at most 1.
        end_factor: between 0 and 1.
        total_iters: how many epochs.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def _get_closed_form_lr(self) -> list:
        rise = self.end_factor - self.start_factor
        epochs = min(self.total_iters, self.last_epoch)
        return [lr * (self.start_factor + rise * epochs / self.total_iters) for lr in self.base_lrs]


class ExponentialLR(Factored):
    """Multiply by `gamma` every epoch.

    Args:
        optimizer: whose groups are written.
        gamma: the factor.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        return None if self._is_initial else self.gamma

    def _get_closed_form_lr(self) -> list:
        return [lr * self.gamma**self.last_epoch for lr in self.base_lrs]


class PolynomialLR(Factored):
    r""":math:`\gamma_t = \gamma_0 (1 - t / T)^{power}` for :math:`T` = `total_iters` epochs.

    Args:
        optimizer: whose groups are written.
        total_iters: after how many epochs the learning rate is zero.
        power: of the polynomial.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _factor(self):
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        now, before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return (now / before) ** self.power

    def _get_closed_form_lr(self) -> list:
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * (1.0 - done) ** self.power for lr in self.base_lrs]
