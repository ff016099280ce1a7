"""The graph as PyTorch shows it: ``grad_fn``, ``next_functions``, and hooks on nodes.

The nodes are made when somebody looks at them, from the recorded program; nothing is built while recording.
"""

from __future__ import annotations

from funcgrad.engine.state import Program
from funcgrad.engine.structure import Entry, maker
from funcgrad.engine.values import Freed, Leaf, Origin, Value


class Node:
    """The function that made a tensor, as ``grad_fn`` shows it: its name and the functions before it."""

    __slots__ = ("_entry", "_leaf", "_program")

    def __init__(self, program: Program | None, entry: Entry | None, leaf: Leaf | None = None):
        self._program = program
        self._entry = entry
        self._leaf = leaf

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad" if self._leaf is not None else type(self).__name__

    @property
    def next_functions(self) -> tuple:
        """The (function, output number) of each operand that a gradient flows to."""
        if self._leaf is not None or self._program is None:
            return ()
        return tuple(_function_at(self._program, slot) for slot in self._entry.tracked)

    @property
    def variable(self):
        """The leaf whose gradient accumulates here."""
        return self._leaf.owner() if self._leaf is not None else None

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._entry is not None and (self._entry.op.seam or name == "CheckpointFunctionBackward"):
            name = f"torch.autograd.function.{name}"  # where PyTorch keeps the nodes of users' Functions
        return f"<{name} object at {hex(id(self._entry or self._leaf))}>"

    def __eq__(self, other) -> bool:
        return isinstance(other, Node) and self._entry is other._entry and self._leaf is other._leaf

    def __hash__(self) -> int:
        return hash((id(self._entry), id(self._leaf)))


def _name(entry: Entry, slot: int | None = None) -> str:
    op = entry.op
    inner = getattr(op.function, "inner", None)
    if (
        inner is not None and slot is not None and op.name != "reentrant_checkpoint"
    ):  # a function entered as a whole: the op that made this result of it
        path, slots = inner
        return _name(maker(path, slots[slot - entry.first]), slots[slot - entry.first])
    if op.name == "matmul":
        return _matmul_name(entry)
    if op.name == "getitem":
        return _index_name(entry)
    return op.grad_name


def _index_name(entry: Entry) -> str:
    """Basic indexing is several functions in PyTorch; the last one applied, by the last item that does anything."""
    names = {"i": "SelectBackward0", "n": "UnsqueezeBackward0"}
    for item in reversed(entry.args[1]):
        if item != ":":
            return names.get(item, "SliceBackward0")
    return "AliasBackward0"


def _matmul_name(entry: Entry) -> str:
    """`matmul` is several functions in PyTorch, by the ranks of its operands."""
    return (
        "MmBackward0"
        if len(entry.outs[0][0].shape) == 2
        else "UnsafeViewBackward0"
        if entry.outs[0][0].shape
        else "DotBackward0"
    )


_classes: dict[str, type] = {}


def _named(name: str) -> type:
    """A subclass of `Node` that prints as the function's name."""
    made = _classes.get(name)
    if made is None:
        made = _classes[name] = type(name, (Node,), {"__slots__": ()})
    return made


def node_of(value: Value) -> Node | None:
    """The node that made `value`; None for leaves and for values that do not require grad."""
    if not value.requires_grad:
        return None
    origin = value.origin
    if isinstance(origin, Leaf):
        return None
    if isinstance(origin, Freed):
        slot = value.ref.index if value.ref is not None else -1
        first, count = origin.entry.first, len(origin.entry.outs)
        return _named(_name(origin.entry, slot if first <= slot < first + count else first))(None, origin.entry)
    program, slot = (origin.program, origin.slot) if isinstance(origin, Origin) else (value.program, value.ref.index)
    entry = maker(program.node.path(), slot)
    return _named(_name(entry, slot))(program, entry)


def _function_at(program: Program, slot: int) -> tuple:
    edge = program.edges.get(slot)
    if isinstance(edge, Leaf):
        return (_named("AccumulateGrad")(None, None, edge), 0)
    if isinstance(edge, Origin):
        return _function_at(edge.program, edge.slot)
    if isinstance(edge, Freed):
        return (_named(_name(edge.entry))(None, edge.entry), 0)
    entry = maker(program.node.path(), slot)
    return (_named(_name(entry, slot))(program, entry), slot - entry.first)
