"""Handles of hooks, and a Module's backward hooks."""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict


class RemovableHandle:
    """Removes a hook again: ``handle.remove()``, or leave its ``with`` block.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.utils.hooks.RemovableHandle.html
    """

    next_id: int = 0

    def __init__(self, hooks_dict, *, extra_dict=None):
        self.hooks_dict_ref = _reference(hooks_dict)
        self.extra_dict_ref = tuple(map(_reference, _list(extra_dict)))
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1

    def remove(self) -> None:
        """Take the hook out of every registry it is in."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            registry = reference()
            if registry is not None:
                registry.pop(self.id, None)

    def __getstate__(self) -> tuple:
        """The registries themselves: with a module, its handles are copied too."""
        return self.hooks_dict_ref(), self.id, tuple(reference() for reference in self.extra_dict_ref)

    def __setstate__(self, state: tuple) -> None:
        registry, self.id, *extra = state
        # One that is gone is gone: an empty one takes its place.
        self.hooks_dict_ref = weakref.ref(OrderedDict() if registry is None else registry)
        self.extra_dict_ref = tuple(weakref.ref(OrderedDict() if d is None else d) for d in (extra[0] if extra else ()))
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.remove()


def _reference(registry):
    """Calling it gives the registry, if that still exists; plain dictionaries cannot be referred to weakly."""
    return weakref.ref(registry) if isinstance(registry, OrderedDict) else lambda: registry


def _list(extra) -> list:
    return [] if extra is None else list(extra) if isinstance(extra, list | tuple) else [extra]


class BackwardHook:
    """A Module's backward hooks around one of its calls.

    Markers around the inputs and the outputs tell when their gradients are known.
    """

    def __init__(self, module, user_hooks, user_pre_hooks):
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs = None
        self.input_tensors: list[int] | None = None
        self.output_tensors: list[int] | None = None
        self.count = 0

    def setup_input_hook(self, args):
        """Mark the inputs, so that the hooks run when the gradients with respect to them are known."""
        self.count = len(args)
        return self._mark(args, self._inputs_known, "input_tensors")

    def setup_output_hook(self, output):
        """Mark the outputs, so that the gradients with respect to them are noted (and may be changed)."""
        single = not isinstance(output, tuple)
        marked = self._mark((output,) if single else output, self._outputs_known, "output_tensors")
        return marked[0] if single else marked

    def _mark(self, args, known, attribute: str):
        from funcgrad._tensor import Tensor
        from funcgrad.autograd.function import Function
        from funcgrad.engine.state import state

        at = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        tracked = [args[i].requires_grad for i in at]
        if not any(tracked) or not state.grad:
            return args
        setattr(self, attribute, at)

        class BackwardHookFunction(Function):
            @staticmethod
            def forward(ctx, *tensors):
                ctx.set_materialize_grads(
                    attribute == "input_tensors"
                )  # an unused output's gradient is None, an input's 0
                made = tuple(t.view_as(t) for t in tensors)
                ctx.mark_non_differentiable(*[t for t, required in zip(made, tracked) if not required])
                return made

            @staticmethod
            def backward(ctx, *grads):
                return known(at, len(args), grads)

        marked = list(args)
        for i, tensor in zip(at, BackwardHookFunction.apply(*[args[i] for i in at])):
            marked[i] = tensor
        named = isinstance(args, tuple) and hasattr(args, "_fields")
        return type(args)(*marked) if named else tuple(marked)

    def _outputs_known(self, at, count, grads):
        outputs = _spread(at, count, grads)
        for hook in self.user_pre_hooks:
            changed = hook(self.module, outputs)
            if changed is not None:
                outputs = _checked(changed, count, "Backward pre hook", "grad_output")
        self.grad_outputs = outputs
        if self.input_tensors is None:
            self._call_without_inputs(outputs)
        return tuple(outputs[i] for i in at)

    def _call_without_inputs(self, outputs) -> None:
        """No input requires a gradient: the hooks are called now, with None for the inputs' gradients."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs "
            "require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module."
            "register_full_backward_hook for more details.",
            stacklevel=2,
        )
        for hook in self.user_hooks:
            changed = hook(self.module, (None,) * self.count, outputs)
            if changed is not None and not (isinstance(changed, tuple) and all(c is None for c in changed)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )

    def _inputs_known(self, at, count, grads):
        inputs = _spread(at, count, grads)
        if self.output_tensors is None:
            raise RuntimeError(
                "Module backward hook for grad_input is called before the grad_output one. This happens because the "
                "gradient in your nn.Module flows to the Module's input without passing through the Module's output. Make "
                "sure that the output depends on the input and that the loss is computed based on the output."
            )
        for hook in self.user_hooks:
            changed = hook(self.module, inputs, self.grad_outputs)
            if changed is not None:
                inputs = _checked(changed, count, "Backward hook", "grad_input")
        return tuple(inputs[i] for i in at)


def _checked(changed, count: int, what: str, gradients: str) -> tuple:
    """What a hook returned instead of the gradients, as a tuple of the right length."""
    changed = changed if isinstance(changed, tuple) else (changed,)
    if len(changed) != count:
        raise RuntimeError(
            f"{what} returned an invalid number of {gradients}, got {len(changed)}, but expected {count}"
        )
    return changed


def _spread(at, count: int, grads) -> tuple:
    spread = [None] * count
    for i, grad in zip(at, grads):
        spread[i] = grad
    return tuple(spread)
