"""Hooks on tensors: Python that sees, and may change, a gradient on its way."""

from __future__ import annotations

import weakref
from collections import OrderedDict

from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.backward import Seam
from funcgrad.engine.nested import python_takes_part
from funcgrad.engine.structure import position
from funcgrad.engine.values import Freed, Leaf, Origin
from funcgrad.utils.hooks import RemovableHandle


def register_hook(self: Tensor, hook) -> RemovableHandle:
    """Call ``hook(grad)`` when this tensor's gradient is known; it may return another gradient.

    Raises:
        RuntimeError: the tensor does not require grad.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
    """
    value = self._read()
    if not value.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._leaf is not None:
        if self._hooks is None:
            self._hooks = OrderedDict()
        registry, call = self._hooks, hook
    else:
        registry, call = _seam_of(value).hooks, _on_values(hook)
    handle = RemovableHandle(registry)
    registry[handle.id] = call
    return handle


def _on_values(hook):
    """`hook` on tensors as a hook on the engine's values."""

    def call(cotangent):
        changed = hook(wrap(cotangent))
        if changed is None:
            return None
        if not isinstance(changed, Tensor):
            raise TypeError(f"hook returned a {type(changed).__name__}, a Tensor or None was expected")
        return changed._read()

    return call


def _seam_of(value) -> Seam:
    """The seam at the slot that made `value`."""
    with python_takes_part():
        return _seam_at(value)


def _seam_at(value) -> Seam:
    origin = value.origin
    if isinstance(origin, Leaf | Freed):
        return Seam(0, 0)  # its graph is gone: the hook will never be called
    program, slot = (origin.program, origin.slot) if isinstance(origin, Origin) else (value.program, value.ref.index)
    for seam in program.seams:
        if seam.first == slot and seam.function is None:
            return seam
    seam = Seam(position(program.node.path(), slot), slot, hooks=OrderedDict())
    program.seams.append(seam)
    return seam


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this non-leaf tensor in its ``.grad`` too.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.retain_grad.html
    """
    value = self._read()
    if not value.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._leaf is not None or self._retains_grad:
        return
    self._retains_grad = _Retention(self)


class _Retention:
    """Keeps the gradient of a tensor: of what it holds at present, so it follows the writes to it."""

    def __init__(self, tensor: Tensor):
        self.tensor = weakref.ref(tensor)
        self.seam = None
        self.follow()

    def follow(self) -> None:
        """The tensor was written."""
        if self.seam is not None:
            self.seam.last = None
        value = self.tensor()._read()
        self.seam = _seam_of(value) if value.requires_grad else None
        if self.seam is not None:
            self.seam.last = self.keep

    def keep(self, cotangent) -> None:
        tensor = self.tensor()
        if tensor is not None:
            grad = wrap(cotangent)
            tensor._grad = grad if tensor._grad is None else tensor._grad + grad


def register_post_accumulate_grad_hook(self: Tensor, hook) -> RemovableHandle:
    """Call ``hook(tensor)`` after a gradient was accumulated into this leaf's ``.grad``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_post_accumulate_grad_hook.html
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._leaf is None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if self._post_hooks is None:
        self._post_hooks = OrderedDict()
    handle = RemovableHandle(self._post_hooks)
    self._post_hooks[handle.id] = hook
    return handle


def install() -> None:
    for method in (register_hook, retain_grad, register_post_accumulate_grad_hook):
        setattr(Tensor, method.__name__, method)
    Tensor.retains_grad = property(lambda self: bool(self._retains_grad))
