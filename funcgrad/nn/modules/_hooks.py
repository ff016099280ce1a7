"""A Module's hooks: Python called before and after forward and backward, per module and for all modules."""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict

from funcgrad._tensor import Tensor
from funcgrad.utils.hooks import BackwardHook, RemovableHandle

GLOBAL_FORWARD_PRE: OrderedDict = OrderedDict()
GLOBAL_FORWARD: OrderedDict = OrderedDict()
GLOBAL_FORWARD_ALWAYS: dict = {}
GLOBAL_FORWARD_KWARGS: dict = {}
GLOBAL_BACKWARD_PRE: OrderedDict = OrderedDict()
GLOBAL_BACKWARD: OrderedDict = OrderedDict()
GLOBAL_REGISTRATION: dict[str, OrderedDict] = {
    "module": OrderedDict(),
    "parameter": OrderedDict(),
    "buffer": OrderedDict(),
}


def any_global() -> bool:
    """Whether any hook for all modules is registered."""
    return bool(GLOBAL_FORWARD_PRE or GLOBAL_FORWARD or GLOBAL_BACKWARD_PRE or GLOBAL_BACKWARD)


def _register(registry: OrderedDict, hook, prepend: bool = False, extra: list | tuple = ()) -> RemovableHandle:
    handle = RemovableHandle(registry, extra_dict=list(extra))
    registry[handle.id] = hook
    if prepend:
        registry.move_to_end(handle.id, last=False)
    return handle


class BoundHook:
    """A hook that is given its module first; it refers to the module weakly, except in a pickle or a copy."""

    def __init__(self, hook, module):
        self.hook = hook
        self.module = weakref.ref(module)

    def __call__(self, *args):
        return self.hook(self.module(), *args)

    def __getstate__(self) -> dict:
        return {"hook": self.hook, "module": self.module()}

    def __setstate__(self, state: dict) -> None:
        self.hook = state["hook"]
        self.module = weakref.ref(state["module"])


class HooksMixin:
    """The hook methods of Module."""

    def register_forward_pre_hook(self, hook, *, prepend: bool = False, with_kwargs: bool = False) -> RemovableHandle:
        """Call ``hook(module, args)`` before every forward; it may return other arguments.

        Args:
            hook: the function; with `with_kwargs` it is called as ``hook(module, args, kwargs)``.
            prepend: run it before the hooks already there.
        """
        handle = _register(self._forward_pre_hooks, hook, prepend, [self._forward_pre_hooks_with_kwargs])
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(
        self, hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after every forward; it may return another output.

        Args:
            hook: the function; with `with_kwargs` it is called as ``hook(module, args, kwargs, output)``.
            prepend: run it before the hooks already there.
            always_call: run it even when forward raised.
        """
        extra = [self._forward_hooks_with_kwargs, self._forward_hooks_always_called]
        handle = _register(self._forward_hooks, hook, prepend, extra)
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's gradient is computed; it may return another."""
        return _register(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients with respect to the inputs are known."""
        if self._is_full_backward_hook is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one "
                "of them."
            )
        self._is_full_backward_hook = True
        return _register(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook) -> RemovableHandle:
        """The deprecated form of `register_full_backward_hook`."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one "
                "of them."
            )
        self._is_full_backward_hook = False
        return _register(self._backward_hooks, hook)

    def register_state_dict_pre_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict``."""
        return _register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict``."""
        hook._from_public_api = True
        return _register(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook"
            )
        return _register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)`` before loading."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook, with_module: bool = False) -> RemovableHandle:
        return _register(self._load_state_dict_pre_hooks, BoundHook(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading."""
        return _register(self._load_state_dict_post_hooks, hook)

    # -- calling ------------------------------------------------------------------------------------------------------

    def _call_with_hooks(self, *args, **kwargs):
        """Forward between its hooks."""
        so_far = {"called": set(), "output": None}
        try:
            return self._hooked_forward(args, kwargs, so_far)
        except Exception:
            self._call_always_hooks(args, kwargs, so_far)
            raise

    def _hooked_forward(self, args, kwargs, so_far: dict):
        for key, hook in (*GLOBAL_FORWARD_PRE.items(), *self._forward_pre_hooks.items()):
            if key in self._forward_pre_hooks_with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise RuntimeError(
                            f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                        )
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        backward = self._backward_hook()
        if backward is not None:
            args = backward.setup_input_hook(args)
        output = so_far["output"] = self.forward(*args, **kwargs)
        for key, hook in (*GLOBAL_FORWARD.items(), *self._forward_hooks.items()):
            so_far["called"].add(key)
            with_kwargs = key in self._forward_hooks_with_kwargs or key in GLOBAL_FORWARD_KWARGS
            changed = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            if changed is not None:
                output = so_far["output"] = changed
        if backward is None:
            return output
        if not isinstance(output, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(output)}",
                stacklevel=2,
            )
        return backward.setup_output_hook(output)

    def _backward_hook(self) -> BackwardHook | None:
        pre = [*GLOBAL_BACKWARD_PRE.values(), *self._backward_pre_hooks.values()]
        full = [*GLOBAL_BACKWARD.values(), *self._backward_hooks.values()]
        return BackwardHook(self, full, pre) if pre or full else None

    def _call_always_hooks(self, args, kwargs, so_far: dict) -> None:
        always = {**GLOBAL_FORWARD_ALWAYS, **self._forward_hooks_always_called}
        for key, hook in (*GLOBAL_FORWARD.items(), *self._forward_hooks.items()):
            if key not in always or key in so_far["called"]:
                continue
            with_kwargs = key in self._forward_hooks_with_kwargs or key in GLOBAL_FORWARD_KWARGS
            try:
                changed = hook(self, args, *((kwargs,) if with_kwargs else ()), so_far["output"])
            except Exception as e:
                warnings.warn(
                    f"{'global ' if key in GLOBAL_FORWARD else ''}module forward hook with ``always_call=True`` raised an "
                    f"exception that was silenced as another error was raised in forward: {e}",
                    stacklevel=2,
                )
                continue
            if changed is not None:
                so_far["output"] = changed


def register_module_forward_pre_hook(hook) -> RemovableHandle:
    """As ``Module.register_forward_pre_hook``, for every module."""
    return _register(GLOBAL_FORWARD_PRE, hook)


def register_module_forward_hook(hook, *, with_kwargs: bool = False, always_call: bool = False) -> RemovableHandle:
    """As ``Module.register_forward_hook``, for every module."""
    handle = _register(GLOBAL_FORWARD, hook, extra=[GLOBAL_FORWARD_ALWAYS, GLOBAL_FORWARD_KWARGS])
    if always_call:
        GLOBAL_FORWARD_ALWAYS[handle.id] = True
    if with_kwargs:
        GLOBAL_FORWARD_KWARGS[handle.id] = True
    return handle


def register_module_full_backward_pre_hook(hook) -> RemovableHandle:
    """As ``Module.register_full_backward_pre_hook``, for every module."""
    return _register(GLOBAL_BACKWARD_PRE, hook)


def register_module_full_backward_hook(hook) -> RemovableHandle:
    """As ``Module.register_full_backward_hook``, for every module."""
    return _register(GLOBAL_BACKWARD, hook)


register_module_backward_hook = register_module_full_backward_hook


def register_module_module_registration_hook(hook) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` when a submodule is registered."""
    return _register(GLOBAL_REGISTRATION["module"], hook)


def register_module_parameter_registration_hook(hook) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` when a parameter is registered."""
    return _register(GLOBAL_REGISTRATION["parameter"], hook)


def register_module_buffer_registration_hook(hook) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when a buffer is registered."""
    return _register(GLOBAL_REGISTRATION["buffer"], hook)


def registered(kind: str, module, name: str, thing):
    """What the registration hooks make of a new parameter, buffer or module."""
    for hook in GLOBAL_REGISTRATION[kind].values():
        changed = hook(module, name, thing)
        if changed is not None:
            thing = changed
    return thing
