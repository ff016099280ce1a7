"""Optimizer: parameter groups, state, checkpoints and hooks; what all optimizers share.

See https://docs.pytorch.org/docs/stable/optim.html.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeAlias

from funcgrad import _dtypes
from funcgrad._tensor import Tensor
from funcgrad.engine.launch import launch
from funcgrad.engine.state import state as thread
from funcgrad.optim._step_count import StepCount
from funcgrad.optim._subclassing import (  # noqa: F401  (optimizers written like PyTorch's import them from here)
    _capturable_doc,
    _default_to_fused_or_foreach,
    _differentiable_doc,
    _disable_dynamo_if_unsupported,
    _foreach_doc,
    _fused_doc,
    _get_scalar_dtype,
    _get_value,
    _maximize_doc,
    _params_doc,
    _stack_if_compiling,
    _to_scalar,
    _use_grad_for_differentiable,
    _view_as_real,
)
from funcgrad.utils.hooks import RemovableHandle

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
StateDict: TypeAlias = dict[str, Any]
GlobalOptimizerPreHook: TypeAlias = Callable[["Optimizer", tuple, dict], "tuple[tuple, dict] | None"]
GlobalOptimizerPostHook: TypeAlias = Callable[["Optimizer", tuple, dict], None]

_global_optimizer_pre_hooks: dict[int, GlobalOptimizerPreHook] = OrderedDict()
_global_optimizer_post_hooks: dict[int, GlobalOptimizerPostHook] = OrderedDict()
_HOOKS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")


class _RequiredParameter:
    """The default of an option that every parameter group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()


def register_optimizer_step_pre_hook(hook: GlobalOptimizerPreHook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every optimizer's step."""
    return _register(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: GlobalOptimizerPostHook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every optimizer's step."""
    return _register(_global_optimizer_post_hooks, hook)


def _register(registry: OrderedDict, hook: Callable, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(registry)
    registry[handle.id] = hook
    if prepend:
        registry.move_to_end(handle.id, last=False)
    return handle


class Optimizer:
    """The base class of all optimizers. A subclass gives ``step``; it may update parameters with any tensor ops.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts (parameter groups) with ``"params"`` and options.
        defaults: the options of groups that do not give their own.

    Attributes:
        param_groups: the groups: dicts that may be changed between steps.
        state: for each parameter a dict of tensors under PyTorch's names.

    Raises:
        TypeError: `params` is a tensor, or holds something that is not one.
        ValueError: `params` is empty, or a parameter is not a leaf or stands in two groups.
    """

    OptimizerPreHook: TypeAlias = Callable[["Optimizer", tuple, dict], "tuple[tuple, dict] | None"]
    OptimizerPostHook: TypeAlias = Callable[["Optimizer", tuple, dict], None]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_registries()
        self._patch_step_function()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"torch.{_typename(params)}"
            )
        self.state: defaultdict[Tensor, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)
        if thread.capture is None and not thread.program.traced:
            # What made the parameters runs by itself: then the first step is the same program as the second.
            launch("an optimizer was made")

    def _make_registries(self) -> None:
        self._plans: dict = {}  # how each group was stepped last, and with which options: see `_recorded_step`
        self._known_rules: dict = {}
        for name in _HOOKS:
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", OrderedDict())

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_registries()
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        blocks = []
        for i, group in enumerate(self.param_groups):
            options = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            blocks.append(f"\nParameter Group {i}\n" + "".join(options))
        return f"{type(self).__name__} ({''.join(blocks)})"

    # -- stepping -----------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None):
        """Update the parameters once.

        Args:
            closure: computes the loss anew (and its gradients), and returns it.
        """
        raise NotImplementedError

    def _cuda_graph_capture_health_check(self) -> None:
        """Nothing to check here; optimizers derived from PyTorch's call it."""

    _accelerator_graph_capture_health_check = _cuda_graph_capture_health_check

    def _optimizer_step_code(self) -> None:
        """Called after every step, for profilers to find."""

    @staticmethod
    def profile_hook_step(func: Callable) -> Callable:
        """`func`, a ``step`` method, with the registered hooks around it, and one launch of what it recorded."""

        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            self = args[0]
            if _global_optimizer_pre_hooks or self._optimizer_step_pre_hooks:
                args, kwargs = _run_pre_hooks(self, func, args, kwargs)
            out = func(*args, **kwargs)
            self._optimizer_step_code()
            if _global_optimizer_post_hooks or self._optimizer_step_post_hooks:
                post = (self._optimizer_step_post_hooks, _global_optimizer_post_hooks)
                for hook in itertools.chain.from_iterable(list(hooks.values()) for hooks in post):
                    hook(self, args, kwargs)
            if thread.capture is None and not thread.program.traced and not self.defaults.get("differentiable"):
                launch("optimizer.step()")
            return out

        return wrapper

    def _has_step_hooks(self) -> bool:
        own = self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
        return bool(own or _global_optimizer_pre_hooks or _global_optimizer_post_hooks)

    def _patch_step_function(self) -> None:
        cls = type(self)
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{cls.__name__}.zero_grad"
        if not getattr(cls.step, "hooked", None):
            cls.step = self.profile_hook_step(cls.step)
            cls.step.hooked = True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every gradient, or make it zero.

        Args:
            set_to_none: whether ``.grad`` becomes None (parameters that get no gradient are then skipped by ``step``).
        """
        if set_to_none:
            for group in self.param_groups:
                for p in group["params"]:
                    p._grad = None
            if thread.capture is not None:
                thread.capture.cleared.update(id(p) for group in self.param_groups for p in group["params"])
            return
        grads = [p._grad for group in self.param_groups for p in group["params"] if p._grad is not None]
        for grad in grads:
            if grad.grad_fn is not None:
                grad.detach_()
            else:
                grad.requires_grad_(False)
            grad.zero_()

    # -- groups -------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters to those optimized, with options of their own.

        Args:
            param_group: ``"params"`` and options.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _unpack_params(param_group)
        for p in param_group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {_typename(p)}")
            if not self.defaults.get("differentiable") and not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        params = param_group["params"]
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        self._check_against_groups(param_group)
        self.param_groups.append(param_group)

    def _check_against_groups(self, param_group: dict[str, Any]) -> None:
        present: set = set()
        for group in self.param_groups:
            present.update(group["params"])
            if ("param_names" in param_group) != ("param_names" in group):
                which = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {which} to the optimizer"
                )
        if not present.isdisjoint(param_group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def state_dict(self) -> StateDict:
        """The state and the groups' options, with parameters replaced by their numbers; PyTorch can load it.

        The tensors are the optimizer's own, not copies.
        """
        for hook in list(self._optimizer_state_dict_pre_hooks.values()):
            hook(self)
        numbers: dict[int, int] = {}
        groups, start = [], 0
        for group in self.param_groups:
            numbers |= {id(p): i for i, p in enumerate(group["params"], start) if id(p) not in numbers}
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
            start += len(packed["params"])
        state = {(numbers[id(k)] if isinstance(k, Tensor) else k): v for k, v in self.state.items()}
        result: StateDict = {"state": state, "param_groups": groups}
        for hook in list(self._optimizer_state_dict_post_hooks.values()):
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Take over a state that `state_dict` returned, here or in PyTorch.

        Raises:
            ValueError: its groups do not match this optimizer's in number or size.
        """
        state_dict = state_dict.copy()
        for hook in list(self._optimizer_load_state_dict_pre_hooks.values()):
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        owners = {k: (p, s) for g, s in zip(groups, saved) for k, p in zip(s["params"], g["params"])}
        state: defaultdict[Any, Any] = defaultdict(dict)
        for k, value in state_dict["state"].items():
            if k in owners:
                p, options = owners[k]
                state[p] = _for_param(value, p, options)
            else:
                state[k] = value
        for group, new in zip(groups, saved):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in list(self._optimizer_load_state_dict_post_hooks.values()):
            hook(self)

    # -- hooks --------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: OptimizerPreHook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return other args and kwargs."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: OptimizerPostHook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict` is made."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` on what `state_dict` made; it may return another."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before `load_state_dict`; it may return another one to load."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after `load_state_dict`."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _run_pre_hooks(optimizer: Optimizer, func: Callable, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    both = (_global_optimizer_pre_hooks, optimizer._optimizer_step_pre_hooks)
    for hook in itertools.chain.from_iterable(list(hooks.values()) for hooks in both):
        result = hook(optimizer, args, kwargs)
        if result is None:
            continue
        if not (isinstance(result, tuple) and len(result) == 2):
            raise RuntimeError(f"{func} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
        args, kwargs = result
    return args, kwargs


def _unpack_params(group: dict[str, Any]) -> None:
    """Make ``group["params"]`` a list of tensors, and move names given with them to ``"param_names"``."""
    params = group["params"]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead."
        )
    items = [params] if isinstance(params, Tensor) else list(params)
    names = [item[0] for item in items if isinstance(item, tuple)]
    group["params"] = [item[1] if isinstance(item, tuple) else item for item in items]
    if names:
        if len(names) != len(items):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        group["param_names"] = names


def _for_param(value, param: Tensor, options: dict, key=None):
    """A loaded state entry on its parameter's device, and of its dtype unless it is a step count."""
    if isinstance(value, StepCount):
        return value
    if isinstance(value, Tensor):
        if key == "step":
            on_device = options.get("capturable") or options.get("fused")
            return value.to(dtype=_dtypes.float32, device=param.device) if on_device else value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {k: _for_param(v, param, options, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return type(value)(_for_param(v, param, options) for v in value)
    return value


def _typename(x) -> str:
    """A value's type as PyTorch writes it in its messages."""
    if isinstance(x, Tensor):
        return x.type().removeprefix("torch.")
    module = type(x).__module__
    return f"{module}.{type(x).__name__}" if module not in ("builtins", "") else type(x).__name__
