"""Averages of a model's parameters. See https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from funcgrad import _dtypes
from funcgrad._facade import _creation, _views
from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.engine.record import record
from funcgrad.engine.structure import SCALAR, STATIC, Op
from funcgrad.nn.modules.batchnorm import _BatchNorm
from funcgrad.nn.modules.module import Module
from funcgrad.ops._number import as_array
from funcgrad.optim._schedules.base import LRScheduler, per_group

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _towards(averages, currents, part):
    """Each average moved by a part of the way; whole numbers are rounded towards zero."""
    moved = []
    for a, c in zip(averages, currents):
        inexact = _dtypes.to_dtype(a.dtype).category >= _dtypes.FLOATING
        wide = a.dtype if inexact else _dtypes.to_numpy(_dtypes.default_dtype())
        moved.append((a.astype(wide) + as_array(part, wide) * (c.astype(wide) - a.astype(wide))).astype(a.dtype))
    return moved


_TOWARDS = Op("towards", _towards, differentiable=False)
_TOWARDS.kinds = (STATIC, STATIC, SCALAR)
_COPY = Op("copy_all", lambda olds, news: [n.astype(o.dtype) for o, n in zip(olds, news)], differentiable=False)


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """A function that updates exponential moving averages of many tensors at once, in place."""
    _check_decay(decay)

    @no_grad
    def ema_update(ema_param_list, current_param_list, _) -> None:
        made = record(_TOWARDS, (list(ema_param_list), list(current_param_list), 1.0 - decay))
        _views.replace_all(list(ema_param_list), made[0])

    return ema_update


def get_swa_multi_avg_fn() -> Callable:
    """A function that updates plain averages of many tensors at once, in place."""

    @no_grad
    def swa_update(averaged_param_list, current_param_list, num_averaged) -> None:
        part = 1 / (num_averaged + 1)
        made = record(_TOWARDS, (list(averaged_param_list), list(current_param_list), part))
        _views.replace_all(list(averaged_param_list), made[0])

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """A function that gives the exponential moving average of one tensor."""
    _check_decay(decay)

    @no_grad
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable:
    """A function that gives the plain average of one tensor."""

    @no_grad
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those it had at each `update_parameters`.

    Args:
        model: what to average.
        device: where the averages are kept.
        avg_fn: ``(average, current, how many) -> average`` of one tensor; the plain average by default.
        multi_avg_fn: the same for lists of tensors, in place.
        use_buffers: whether buffers are averaged too, rather than copied.

    Example:
        >>> import funcgrad as torch
        >>> model = torch.nn.Linear(1, 1)
        >>> average = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
        >>> ema = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=average)
        >>> ema.update_parameters(model)
        >>> ema.n_averaged
        tensor(1)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device=None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        assert avg_fn is None or multi_avg_fn is None, "Only one of avg_fn and multi_avg_fn should be provided"
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", _creation.tensor(0, dtype=_dtypes.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the averages; the first time, copy them."""
        averages = self._tensors(self.module) if self.use_buffers else list(self.parameters())
        pairs = list(zip(averages, self._tensors(model)))
        averages = [a.detach() for a, _ in pairs]
        currents = [c.detach().to(a.device) for a, c in pairs]
        with no_grad():
            if bool(self.n_averaged == 0):
                _copy(averages, currents)
            elif self.avg_fn is not None:
                _copy(averages, [self.avg_fn(a, c, self.n_averaged) for a, c in zip(averages, currents)])
            else:
                update = self.multi_avg_fn or get_swa_multi_avg_fn()
                for some, others in _by_device_and_dtype(averages, currents):
                    update(some, others, self.n_averaged)
            if not self.use_buffers:
                ours, theirs = list(self.module.buffers()), list(model.buffers())
                _copy([b.detach() for b in ours], [b.detach() for b in theirs])
            self.n_averaged += 1

    def _tensors(self, model: Module) -> list[Tensor]:
        return list(itertools.chain(model.parameters(), model.buffers() if self.use_buffers else ()))


def _copy(olds: list[Tensor], news: list[Tensor]) -> None:
    if olds:
        _views.replace_all(olds, record(_COPY, (olds, [n.to(o.device) for o, n in zip(olds, news)]))[0])


def _by_device_and_dtype(averages: list[Tensor], currents: list[Tensor]) -> Iterable[tuple[list, list]]:
    groups: dict = {}
    for a, c in zip(averages, currents):
        some, others = groups.setdefault((a.device, a.dtype), ([], []))
        some.append(a)
        others.append(c)
    return groups.values()


@no_grad
def update_bn(loader: Iterable[Any], model: Module, device=None) -> None:
    """Compute the running statistics of a model's batch-norm layers anew, from all batches of a loader.

    Args:
        loader: batches; of a tuple or list the first is the input.
        model: which is called on each.
        device: where inputs are moved first.
    """
    layers = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not layers:
        return
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    was_training = model.training
    model.train()
    for batch in loader:
        batch = batch[0] if isinstance(batch, list | tuple) else batch
        model(batch if device is None else batch.to(device))
    for layer, momentum in layers.items():
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Anneal the learning rate to a fixed value, and stay there.

    Args:
        optimizer: whose groups are written.
        swa_lr: the value, for all groups or for each.
        anneal_epochs: how many epochs it takes.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: how far training had come before; -1 for a new run.
    """

    def __init__(self, optimizer, swa_lr: float, anneal_epochs=10, anneal_strategy: str = "cos", last_epoch=-1):
        for lr, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """How much of the way is done when this part of the epochs is."""
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list:
        self._warn_if_asked_directly()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (self.anneal_func(max(0, min(1, s / max(1, self.anneal_epochs)))) for s in (step - 1, step))
        return [_annealed(group["lr"], group["swa_lr"], before, now) for group in self.optimizer.param_groups]


def _annealed(lr, swa_lr, before: float, now: float):
    """Undo what was annealed before, then anneal to now."""
    initial = swa_lr if before == 1 else (lr - before * swa_lr) / (1 - before)
    return swa_lr * now + initial * (1 - now)
