"""Tensors and Modules as JAX pytrees, and arrays to and from JAX.

Inside ``jax.jit``, ``jax.grad`` and ``jax.vmap`` a tensor's array is a tracer; ops on it record as ever, and a launch is
then the program's pure function applied in place.
"""

from __future__ import annotations

import jax

from funcgrad import _device
from funcgrad._tensor import Tensor, _on_subclass
from funcgrad.engine import launch as _launch
from funcgrad.engine.record import as_leaf
from funcgrad.engine.state import state
from funcgrad.engine.values import Leaf, Value, aval_of


def to_jax(tensor: Tensor) -> jax.Array:
    """The tensor's array, computed; inside a JAX transformation, its tracer.

    Example:
        >>> import funcgrad as torch
        >>> torch.to_jax(torch.ones(2)).sum().item()
        2.0
    """
    array = tensor._array()
    return array if isinstance(array, jax.Array) else jax.numpy.asarray(array)


def from_jax(array, requires_grad: bool = False, cls: type = Tensor) -> Tensor:
    """A tensor of a JAX array (or tracer), sharing it."""
    if isinstance(array, jax.core.Tracer) and not state.program.traced:
        # What is pending belongs outside the trace: compute it there, or its results would be this trace's tracers.
        with jax.ensure_compile_time_eval():
            _launch.launch("a JAX transformation began")
    tensor = object.__new__(cls)
    tensor._value = Value(array, aval_of(array.shape, array.dtype, _device.CPU))
    if requires_grad:
        tensor._leaf = Leaf(tensor)
        tensor._value = as_leaf(tensor._value, tensor._leaf)
    return tensor


class _Opaque:
    """Stands in a tensor for a leaf that is no array (JAX unflattens pytrees with all kinds of them)."""

    __slots__ = ("leaf",)

    def __init__(self, leaf):
        self.leaf = leaf


def _flatten(tensor: Tensor):
    value = tensor._value
    if isinstance(value, _Opaque):
        return (value.leaf,), (type(tensor), False)
    return (to_jax(tensor),), (type(tensor), tensor.requires_grad and tensor._leaf is not None)


def _unflatten(aux, children) -> Tensor:
    cls, requires_grad = aux
    (leaf,) = children
    if isinstance(leaf, jax.Array) or (hasattr(leaf, "__array__") and hasattr(leaf, "dtype")):
        return from_jax(leaf, requires_grad, cls)
    tensor = object.__new__(cls)
    tensor._value = _Opaque(leaf)
    return tensor


def register_tensor(cls: type) -> None:
    """Make a tensor class a pytree of one leaf."""
    jax.tree_util.register_pytree_node(cls, _flatten, _unflatten)


register_tensor(Tensor)
_on_subclass.append(register_tensor)


# -- modules ----------------------------------------------------------------------------------------------------------


class Skeleton:
    """What of a module is not an array: equal for modules that compute alike, so that JAX compiles them once."""

    __slots__ = ("attributes", "children", "cls", "names", "persistent")

    def __init__(self, module):
        self.cls = type(module)
        hidden = ("_parameters", "_buffers", "_modules")
        self.attributes = {k: v for k, v in module.__dict__.items() if k not in hidden}
        self.names = (
            tuple((k, v is None) for k, v in module._parameters.items()),
            tuple((k, v is None) for k, v in module._buffers.items()),
        )
        self.children = tuple((k, None if m is None else Skeleton(m)) for k, m in module._modules.items())

    def _key(self):
        return (self.cls, self.names, self.children)

    def __eq__(self, other) -> bool:
        if not isinstance(other, Skeleton) or self._key() != other._key():
            return False
        mine, theirs = self.attributes, other.attributes
        return mine.keys() == theirs.keys() and all(v is theirs[k] or v == theirs[k] for k, v in mine.items())

    def __hash__(self) -> int:
        return hash((self.cls, self.names))

    def build(self, tensors):
        """A module of this kind around `tensors` (an iterator, in `leaves`' order)."""
        module = object.__new__(self.cls)
        module.__dict__.update(self.attributes)
        for registry, names in zip(("_parameters", "_buffers"), self.names):
            module.__dict__[registry] = {k: None if missing else next(tensors) for k, missing in names}
        module.__dict__["_modules"] = {k: None if s is None else s.build(tensors) for k, s in self.children}
        return module


def leaves(module) -> list[Tensor]:
    """The module's parameters and buffers, its own before its children's."""
    own = [t for registry in (module._parameters, module._buffers) for t in registry.values() if t is not None]
    return own + [t for child in module._modules.values() if child is not None for t in leaves(child)]


def _flatten_module(module):
    return tuple(leaves(module)), Skeleton(module)


def _unflatten_module(skeleton: Skeleton, tensors):
    return skeleton.build(iter(tensors))


def register_module(cls: type) -> None:
    """Make a Module class a pytree of its parameters and buffers."""
    jax.tree_util.register_pytree_node(cls, _flatten_module, _unflatten_module)
