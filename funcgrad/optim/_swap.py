"""Stepping other tensors than an optimizer's own.

See https://docs.pytorch.org/docs/stable/generated/torch.optim.swap_in_optimizer_params_and_state.html.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from funcgrad._tensor import Tensor
from funcgrad.optim.optimizer import Optimizer

_NAME = "swap_in_optimizer_params_and_state"


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Tensor], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Inside, an optimizer steps these parameters with this state; afterwards its own again.

    What is written to the state's tensors in place stays in `swapin_optim_state`; other changes are forgotten.

    Args:
        optimizer: one that has a state already.
        swapin_parameters: tensors by name, in the order of the optimizer's parameters.
        swapin_optim_state: the groups' options and the state, as `Optimizer.state_dict` returns them.

    Raises:
        RuntimeError: the state does not fit the optimizer.

    Example:
        >>> import funcgrad as torch
        >>> w, other = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.9)
        >>> w.grad = other.grad = torch.ones(2)
        >>> optimizer.step()
        >>> with torch.optim.swap_in_optimizer_params_and_state(optimizer, {"w": other}, optimizer.state_dict()):
        ...     optimizer.step()
        >>> w, other
        (tensor([0.5000, 0.5000], requires_grad=True), tensor([-0.9500, -0.9500], requires_grad=True))
    """
    state, fitting = _checked(optimizer, list(swapin_parameters.values()), swapin_optim_state)
    own_state, own_groups = optimizer.state, [dict(group) for group in optimizer.param_groups]
    try:
        swapped: defaultdict[Tensor, Any] = defaultdict(dict)
        for group, new, params in fitting:
            group.update(new, params=params)
            for p, number in zip(params, new["params"]):
                swapped[p] = dict(state.get(number, {}))
        optimizer.state = swapped
        yield
    finally:
        for group, own in zip(optimizer.param_groups, own_groups):
            group.clear()
            group.update(own)
        optimizer.state = own_state


def _need(fits: bool, text: str) -> None:
    if not fits:
        raise RuntimeError(text)


def _checked(optimizer: Optimizer, parameters: list[Tensor], given) -> tuple[dict, list[tuple]]:
    """The new state, and for each of the optimizer's groups its new options and parameters."""
    _need(bool(optimizer.state), f"{_NAME} requires initialized optimizer state.")
    _need(isinstance(given, dict), f"{_NAME} requires a DCP-style optimizer state_dict.")
    state, groups = given.get("state"), given.get("param_groups")
    _check_state(state)
    _need(
        isinstance(groups, list),
        f"{_NAME} requires swapin_optim_state['param_groups'] to be a list of param-group dicts, "
        f"got {type(groups).__name__}.",
    )
    _need(
        len(groups) == len(optimizer.param_groups),
        "swapin_optim_state has a different number of parameter groups than the live optimizer.",
    )
    fitting, start, known = [], 0, set()
    for i, (group, new) in enumerate(zip(optimizer.param_groups, groups)):
        _check_group(i, group, new)
        known.update(new["params"])
        end = start + len(new["params"])
        _need(
            end <= len(parameters),
            f"{_NAME} requires the explicit parameter state to match optimizer.param_groups ordering.",
        )
        fitting.append((group, new, parameters[start:end]))
        start = end
    extra = [k for k in state if k not in known]
    _need(
        not extra,
        f"{_NAME} requires swapin_optim_state['state'] to be keyed only by packed parameter ids from "
        f"param_groups[*]['params']; got extra keys {extra!r}.",
    )
    return state, fitting


def _check_state(state) -> None:
    _need(
        isinstance(state, dict),
        f"{_NAME} requires swapin_optim_state['state'] to be a dict mapping packed parameter ids to per-param state "
        f"dicts, got {type(state).__name__}.",
    )
    _need(
        not any(isinstance(k, Tensor) for k in state),
        f"{_NAME} requires optimizer.state_dict()-style state keyed by packed parameter ids.",
    )
    _need(
        all(isinstance(v, dict) for k, v in state.items() if isinstance(k, int)),
        f"{_NAME} requires per-parameter optimizer state entries to be dictionaries.",
    )


def _check_group(index: int, group: dict[str, Any], new) -> None:
    _need(isinstance(new, dict), f"{_NAME} requires each optimizer param group to be a dictionary.")
    numbers = new.get("params")
    _need(
        isinstance(numbers, list) and all(isinstance(n, int) for n in numbers),
        f"{_NAME} requires optimizer.state_dict()-style param_groups[*]['params'] entries keyed by packed parameter "
        "ids.",
    )
    _need(
        len(numbers) == len(group["params"]),
        f"swapin_optim_state param group {index} has a different number of params than the live optimizer param group.",
    )
    only_new, only_own = [k for k in new if k not in group], [k for k in group if k not in new]
    _need(
        not only_new and not only_own,
        f"{_NAME} requires optimizer.state_dict()-style param group keys to exactly match the live optimizer group "
        f"keys for group {index}. Keys only in swap-in: {only_new}. Keys only in live: {only_own}.",
    )
