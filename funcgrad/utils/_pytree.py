"""Nested containers as trees, as ``torch.utils._pytree``.

Unlike JAX's, these trees keep a dict's own order of keys and take ``None`` for a leaf.
"""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PyTree = Any
Context = Any


@dataclass(frozen=True)
class SequenceKey:
    """A step into a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, tree):
        return tree[self.idx]


@dataclass(frozen=True)
class MappingKey:
    """A step into a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, tree):
        return tree[self.key]


@dataclass(frozen=True)
class GetAttrKey:
    """A step into a named tuple."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, tree):
        return getattr(tree, self.name)


class _Node(NamedTuple):
    """How a type of container comes apart: ``flatten(tree)`` gives children and context, ``unflatten`` undoes it."""

    flatten: Callable[[Any], tuple[list, Any]]
    unflatten: Callable[[Iterable, Any], Any]
    keys: Callable[[Any], list]


def _indices(tree) -> list:
    return [SequenceKey(i) for i in range(len(tree))]


def _mapping_keys(tree) -> list:
    return [MappingKey(key) for key in tree]


def _field_names(kind: type) -> list[str]:
    if hasattr(kind, "_fields"):
        return list(kind._fields)
    return [name for name, value in vars(kind).items() if type(value) is types.MemberDescriptorType]


_NODES: dict[Any, _Node] = {
    list: _Node(lambda t: (list(t), None), lambda c, _: list(c), _indices),
    tuple: _Node(lambda t: (list(t), None), lambda c, _: tuple(c), _indices),
    dict: _Node(lambda t: (list(t.values()), list(t)), lambda c, keys: dict(zip(keys, c)), _mapping_keys),
    OrderedDict: _Node(lambda t: (list(t.values()), list(t)), lambda c, keys: OrderedDict(zip(keys, c)), _mapping_keys),
    defaultdict: _Node(
        lambda t: (list(t.values()), [t.default_factory, list(t)]),
        lambda c, context: defaultdict(context[0], zip(context[1], c)),
        _mapping_keys,
    ),
    deque: _Node(lambda t: (list(t), t.maxlen), lambda c, maxlen: deque(c, maxlen), _indices),
    "namedtuple": _Node(
        lambda t: (list(t), type(t)),
        lambda c, kind: kind(*c) if hasattr(kind, "_fields") else kind(c),
        lambda t: [GetAttrKey(name) for name in _field_names(type(t))],
    ),
}
_MAPPINGS = (dict, OrderedDict, defaultdict)


def register_pytree_node(
    cls: type, flatten_fn: Callable, unflatten_fn: Callable, *, serialized_type_name: str | None = None,
    to_dumpable_context=None, from_dumpable_context=None, flatten_with_keys_fn: Callable | None = None,
) -> None:  # fmt: skip
    """Treat objects of exactly `cls` as containers.

    Args:
        flatten_fn: gives the list of children and a context.
        unflatten_fn: makes the object again from children and context.
        flatten_with_keys_fn: as `flatten_fn`, with a list of ``(key, child)``.

    Raises:
        ValueError: `cls` is registered.
    """
    if cls in _NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")

    def keys(tree):
        if flatten_with_keys_fn is None:
            raise ValueError(f"Did not find a flatten_with_keys_fn for type: {cls}. Please pass a flatten_with_keys_fn")
        return [key for key, _ in flatten_with_keys_fn(tree)[0]]

    _NODES[cls] = _Node(flatten_fn, unflatten_fn, keys)


def is_namedtuple_class(cls: type) -> bool:
    return isinstance(cls, type) and issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def is_namedtuple_instance(obj) -> bool:
    return is_namedtuple_class(type(obj))


def is_namedtuple(obj) -> bool:
    """Whether `obj` is a named tuple or a class of them."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def _kind(tree) -> Any:
    """What `tree` is looked up by in the table of containers; ``None`` of a leaf."""
    cls = type(tree)
    if cls in _NODES:
        return cls
    return "namedtuple" if is_namedtuple_class(cls) else None


@dataclass(init=False, eq=True)
class TreeSpec:
    """The shape of a tree: its containers, without the leaves.

    Attributes:
        type: of the container; ``None`` of a leaf.
        context: what besides the children is needed to make it again.
    """

    type: Any
    context: Any
    _children: list[TreeSpec]
    num_leaves: int = field(compare=False)
    num_nodes: int = field(compare=False)

    def __init__(self, type: Any = None, context: Any = None, children_specs: Iterable[TreeSpec] = ()):
        self.type, self.context, self._children = type, context, list(children_specs)
        self.num_nodes = 1 + sum(c.num_nodes for c in self._children)
        self.num_leaves = 1 if type is None else sum(c.num_leaves for c in self._children)

    @property
    def num_children(self) -> int:
        return len(self._children)

    def children(self) -> list[TreeSpec]:
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        return self._children[index]

    children_specs = property(children)

    def is_leaf(self) -> bool:
        return self.type is None

    def flatten_up_to(self, tree) -> list:
        """The subtrees of `tree` where this one has its leaves.

        Raises:
            ValueError: `tree` has other containers.
        """
        if self.is_leaf():
            return [tree]
        kind = _kind(tree)
        both_mappings = self.type in _MAPPINGS and kind in _MAPPINGS
        if kind != self.type and not both_mappings:
            raise ValueError(f"Node type mismatch; expected {_shown(self)}, but got {type(tree)}.")
        if both_mappings:
            keys = self.context[1] if self.type is defaultdict else self.context
            if set(keys) != set(tree):
                raise ValueError(f"Node keys mismatch; expected {keys}, but got {list(tree)}.")
            parts = [tree[key] for key in keys]
        else:
            parts, context = _NODES[kind].flatten(tree)
            if len(parts) != self.num_children:
                raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(parts)}.")
            if kind is not deque and context != self.context:
                raise ValueError(f"Node context mismatch for node type {_shown(self)}.")
        return [x for spec, part in zip(self._children, parts) for x in spec.flatten_up_to(part)]

    def unflatten(self, leaves: Iterable):
        """The tree of this shape with these leaves."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
                f"holds {self.num_leaves} items ({self})."
            )
        return self._filled(iter(leaves))

    def _filled(self, leaves: Iterator):
        if self.is_leaf():
            return next(leaves)
        return _NODES[self.type].unflatten([c._filled(leaves) for c in self._children], self.context)

    def __hash__(self) -> int:
        return hash((self.type, repr(self.context), tuple(self._children)))

    def __repr__(self, indent: int = 0) -> str:
        if self.is_leaf():
            return "*"
        name = self.type if isinstance(self.type, str) else self.type.__name__
        inner = (",\n" + " " * (indent + 2)).join(c.__repr__(indent + 2) for c in self._children)
        return f"TreeSpec({name}, {self.context}, [{inner}])"


def _shown(spec: TreeSpec):
    return spec.context if spec.type == "namedtuple" else spec.type


class LeafSpec(TreeSpec):
    """The shape of a leaf."""

    def __new__(cls):
        return TreeSpec()


# -- functions over trees ---------------------------------------------------------------------------------------------


def tree_is_leaf(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `tree` is no container, or one that `is_leaf` takes for a leaf."""
    return (is_leaf is not None and is_leaf(tree)) or _kind(tree) is None


def tree_iter(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> Iterator:
    """The leaves, one after the other."""
    if tree_is_leaf(tree, is_leaf):
        yield tree
    else:
        for part in _NODES[_kind(tree)].flatten(tree)[0]:
            yield from tree_iter(part, is_leaf)


def tree_leaves(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves."""
    return list(tree_iter(tree, is_leaf))


def tree_structure(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The shape."""
    if tree_is_leaf(tree, is_leaf):
        return TreeSpec()
    kind = _kind(tree)
    parts, context = _NODES[kind].flatten(tree)
    return TreeSpec(kind, context, [tree_structure(part, is_leaf) for part in parts])


def tree_flatten(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeSpec]:
    """The leaves and the shape.

    Example:
        >>> tree_flatten({"a": [1, 2], "b": 3})[0]
        [1, 2, 3]
    """
    return tree_leaves(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_unflatten(leaves: Iterable, treespec: TreeSpec) -> PyTree:
    """The tree with these leaves and this shape."""
    return treespec.unflatten(leaves)


def tree_map(func: Callable, tree: PyTree, *rests: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> PyTree:
    """`func` of the leaves (of several trees, of their leaves at the same places), in a tree of the same shape.

    Example:
        >>> tree_map(lambda x, y: x * y, {"a": 1, "b": (2,)}, {"a": 3, "b": (4,)})
        {'a': 3, 'b': (8,)}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(map(func, leaves, *(spec.flatten_up_to(rest) for rest in rests)))


def tree_map_(func: Callable, tree: PyTree, *rests: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> PyTree:
    """Call `func` on the leaves for its effects; returns `tree`."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _chosen(types_or_pred) -> Callable[[Any], bool]:
    if isinstance(types_or_pred, type | tuple | types.UnionType):
        return lambda x: isinstance(x, types_or_pred)
    return types_or_pred


def map_only(type_or_types_or_pred, /) -> Callable:
    """A decorator: the function is applied to what is of these types, everything else stays."""
    chosen = _chosen(type_or_types_or_pred)
    return lambda func: lambda x: func(x) if chosen(x) else x


def tree_map_only(type_or_types_or_pred, /, func: Callable, tree: PyTree, is_leaf=None) -> PyTree:
    """`tree_map` of the leaves of some types (or that satisfy a predicate); the others stay."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred, /, func: Callable, tree: PyTree, is_leaf=None) -> PyTree:
    """`tree_map_` of the leaves of some types."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable, tree: PyTree, is_leaf=None) -> bool:
    """Whether `pred` holds of all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable, tree: PyTree, is_leaf=None) -> bool:
    """Whether `pred` holds of a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types, /, pred: Callable, tree: PyTree, is_leaf=None) -> bool:
    """Whether `pred` holds of all leaves of some types."""
    return all(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types, /, pred: Callable, tree: PyTree, is_leaf=None) -> bool:
    """Whether `pred` holds of a leaf of some types."""
    return any(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


# -- paths ------------------------------------------------------------------------------------------------------------


def tree_leaves_with_path(tree: PyTree, is_leaf=None, _path: tuple = ()) -> list[tuple[tuple, Any]]:
    """The leaves, each with the keys that lead to it."""
    if tree_is_leaf(tree, is_leaf):
        return [(_path, tree)]
    node = _NODES[_kind(tree)]
    parts = zip(node.keys(tree), node.flatten(tree)[0])
    return [entry for key, part in parts for entry in tree_leaves_with_path(part, is_leaf, (*_path, key))]


def tree_flatten_with_path(tree: PyTree, is_leaf=None) -> tuple[list[tuple[tuple, Any]], TreeSpec]:
    """`tree_flatten`, each leaf with the keys that lead to it."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable, tree: PyTree, *rests: PyTree, is_leaf=None) -> PyTree:
    """`tree_map` of a function that also takes the keys that lead to the leaf, first."""
    leaves, spec = tree_flatten_with_path(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten(func(path, leaf, *more) for (path, leaf), *more in zip(leaves, *others))


def keystr(kp: tuple) -> str:
    """The keys as Python writes them: ``['a'][0].x``."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: tuple) -> Any:
    """What the keys lead to."""
    for key in kp:
        obj = key.get(obj)
    return obj
