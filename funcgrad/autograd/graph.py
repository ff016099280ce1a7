"""The graph as PyTorch shows it: ``grad_fn``, ``next_functions``, and hooks on nodes.

The nodes are made when somebody looks at them, from the recorded program; nothing is built while recording.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from funcgrad._facade import _views
from funcgrad._tensor import Tensor, wrap
from funcgrad.autograd import _saved
from funcgrad.engine import saved
from funcgrad.engine.backward import Seam
from funcgrad.engine.state import Program, state
from funcgrad.engine.structure import Entry, maker, position
from funcgrad.engine.values import Freed, Leaf, Origin, Ref, Value
from funcgrad.utils.hooks import RemovableHandle


class Node:
    """The function that made a tensor, as ``grad_fn`` shows it: its name and the functions before it."""

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
        return tuple(
            (None, 0) if slot is None else _function_at(self._program, slot) for slot in _operands(self._entry)
        )

    @property
    def variable(self):
        """The leaf whose gradient accumulates here."""
        return self._leaf.owner() if self._leaf is not None else None

    @property
    def metadata(self) -> dict:
        """A dict for whatever a user wants to note of this node."""
        if self._program is None:
            return self.__dict__.setdefault("_metadata", {})
        return _notes.setdefault(self._program, {}).setdefault(self._entry, {})

    def register_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(grad_inputs, grad_outputs)`` after this node's gradients were computed; it may replace them."""
        return self._register(hook, after=True)

    def register_prehook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` before this node's gradients are computed; it may replace them."""
        return self._register(hook, after=False)

    def _register(self, hook: Callable, after: bool) -> RemovableHandle:
        registry: OrderedDict = OrderedDict()
        handle = RemovableHandle(registry)
        registry[handle.id] = hook
        if self._leaf is not None:
            tensor = self._leaf.owner()
            if after:
                tensor.register_post_accumulate_grad_hook(
                    lambda t: [h((), (t.grad,)) for h in registry.values()].clear()
                )
            else:
                tensor.register_hook(lambda g: _replaced(registry, lambda h: h((g,)), (g,))[0])
        elif self._program is not None:
            _seam_for(self._program, self._entry, registry, after)
        return handle

    def __getattr__(self, name: str):
        if name.startswith("__") or self.__dict__.get("_program") is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        if name.startswith(("_saved_", "_raw_saved_")) and not self._entry.op.seam:
            return _saved.attribute(self._program, self._entry, name)
        context = _context(self._program, self._entry)
        if context is None or not hasattr(context, name):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(context, name)

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._entry is not None and (self._entry.op.seam or name == "CheckpointFunctionBackward"):
            name = f"torch.autograd.function.{name}"  # where PyTorch keeps the nodes of users' Functions
        return f"<{name} object at {hex(id(self._entry or self._leaf))}>"

    def __eq__(self, other) -> bool:
        return isinstance(other, Node) and self._entry is other._entry and self._leaf is other._leaf

    def __hash__(self) -> int:
        return hash((id(self._entry), id(self._leaf)))


def _node(program: Program, entry: Entry, slot: int) -> Node:
    """The node of an entry: the same one as long as somebody holds it."""
    name = _name(entry, slot)
    key = (id(program), id(entry), name)
    found = _nodes.get(key)
    if found is None:
        found = _nodes[key] = _named(name)(program, entry)
    return found


_nodes: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_notes: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
"""What users noted of nodes, by program and entry."""


def _operands(entry: Entry) -> list[int | None]:
    """The slots of the operands that may require grad; None for one that does not."""
    if entry.op.seam or entry.op.name in _FIXED_OPERANDS or len(entry.reads) > 2:
        return list(entry.tracked)
    return [slot if slot in entry.tracked else None for slot in entry.reads] + [None] * (
        entry.op.name in _BINARY and len(entry.reads) == 1 and len(entry.args) > 1 and not _same_twice(entry)
    )


_FIXED_OPERANDS = {"getitem", "where", "gather", "scatter", "index_select"}
_BINARY = {"add", "sub", "mul", "div"}


def _same_twice(entry: Entry) -> bool:
    return all(isinstance(a, Ref) and a.index == entry.reads[0] for a in entry.args[:2])


def _context(program: Program, entry: Entry):
    """What a user's Function saved, if the entry is one."""
    for seam in program.seams:
        if seam.first == entry.first and seam.context is not None:
            return seam.context
    return None


def _replaced(registry: dict, call: Callable, present: tuple) -> tuple:
    """`present` after every hook; a hook may return None to leave it, or a tuple (or a tensor, for one)."""
    for hook in list(registry.values()):
        found = call(hook)
        if found is not None:
            found = found if isinstance(found, tuple | list) else (found,)
            if len(found) != len(present):
                name = getattr(hook, "__name__", "<unknown>")
                raise RuntimeError(
                    f"hook '{name}' has returned an incorrect number of values (got {len(found)}, but expected "
                    f"{len(present)})"
                )
            present = tuple(f if f is not None else p for f, p in zip(found, present))
    return present


def _seam_for(program: Program, entry: Entry, registry: OrderedDict, after: bool) -> None:
    """Let backward call the hooks in `registry` at an entry."""
    own = next((s for s in program.seams if s.function is not None and s.first == entry.first), None)
    if own is not None:  # a user's Function
        own.function = _around(own.function, registry, after)
        return
    seam = next((s for s in program.seams if s.node_hooks and s.first == entry.first), None)
    if seam is None:
        seam = Seam(position(program.node.path(), entry.first), entry.first, len(entry.outs))
        seam.node_hooks = lambda given, made: given if made is None else made
        program.seams.append(seam)
    earlier, operands = seam.node_hooks, _operands(entry)
    places = [operands.index(slot) for slot in entry.tracked]

    def call(given: list, made: list | None) -> list | None:
        found = earlier(given, made)
        if made is None:
            return _call_hooks(registry, after, found, None)
        every = [None] * len(operands)
        for place, gradient in zip(places, found):
            every[place] = gradient
        every = _call_hooks(registry, after, given, every)
        return [every[place] for place in places]

    seam.node_hooks = call


def _call_hooks(registry: OrderedDict, after: bool, given: list, made: list | None) -> list | None:
    """Before (`made` is None) and after a node's gradients: the values that take their place."""
    if after == (made is None):
        return given if made is None else made
    outputs = tuple(None if v is None else wrap(v) for v in given)
    if made is None:
        found = _replaced(registry, lambda hook: hook(outputs), outputs)
    else:
        inputs = tuple(None if v is None else wrap(v) for v in made)
        found = _replaced(registry, lambda hook: hook(inputs, outputs), inputs)
    return [None if t is None else t._read() for t in found]


def _around(function: Callable, registry: OrderedDict, after: bool) -> Callable:
    def called(arrived, create: bool, retain: bool):
        arrived = _call_hooks(registry, after, arrived, None)
        made = function(arrived, create, retain)
        slots, values = [s for s, _ in made], [v for _, v in made]
        return list(zip(slots, _call_hooks(registry, after, arrived, values)))

    return called


def _name(entry: Entry, slot: int | None = None) -> str:
    op = entry.op
    inner = getattr(op.function, "inner", None)
    if (
        inner is not None and slot is not None and op.name != "reentrant_checkpoint"
    ):  # a function entered as a whole: the op that made this result of it
        path, slots = inner
        return _name(maker(path, slots[slot - entry.first]), slots[slot - entry.first])
    by_call = _BY_CALL.get(op.name)
    if by_call is not None:
        return by_call(entry) or op.grad_name
    if entry.vjp is not None:
        return _gradient_name(entry, slot)
    return op.grad_name


def _index_name(entry: Entry) -> str:
    """Basic indexing is several functions in PyTorch; the last one applied, by the last item that does anything."""
    names = {"i": "SelectBackward0", "n": "UnsqueezeBackward0"}
    for item in reversed(entry.args[1]):
        if item != ":":
            return names.get(item, "SliceBackward0")
    return "AliasBackward0"


_GRADIENT_OF = {"sigmoid": "SigmoidBackward", "tanh": "TanhBackward", "sqrt": "DivBackward0", "log": "DivBackward0"}


def _gradient_name(entry: Entry, slot: int | None) -> str:
    """What PyTorch computes last for this gradient: the sum of several, or the derivative of the op that comes first."""
    slice_ = entry.vjp
    at = slice_.results[slot - entry.first] if slot is not None else slice_.results[0]
    readers = [e for e in slice_.swept if at in e.tracked]
    if len(readers) != 1:
        return "AddBackward0"
    op = readers[0].op
    if [getattr(a, "index", None) for a in readers[0].args].count(at) > 1:
        return "AddBackward0"
    found = _GRADIENT_OF.get(op.name, "MulBackward0")
    return found + "Backward0" if found.endswith("Backward") else found


def _matmul_name(entry: Entry) -> str:
    """`matmul` is several functions in PyTorch, by the ranks of its operands."""
    rank = len(entry.outs[0][0].shape)
    return ("DotBackward0", "MvBackward0", "MmBackward0")[rank] if rank < 3 else "UnsafeViewBackward0"


def _linear_name(entry: Entry) -> str:
    rank, biased = len(entry.outs[0][0].shape), len(entry.reads) > 2
    if rank == 2:
        return "AddmmBackward0" if biased else "MmBackward0"
    return "ViewBackward0" if biased else "UnsafeViewBackward0"


def _has_dim(entry: Entry) -> bool:
    given = entry.args[1] if len(entry.args) > 1 else (entry.kwargs or {}).get("dim")
    return given is not None


def _numbered(name: str, with_dim: int, without: int) -> Callable:
    return lambda entry: f"{name}Backward{with_dim if _has_dim(entry) else without}"


def _pow_name(entry: Entry) -> str:
    base, exponent = (*entry.args, None)[:2]
    if not isinstance(base, Ref):
        return "PowBackward2"
    return "PowBackward1" if isinstance(exponent, Ref) else "PowBackward0"


_BY_CALL: dict[str, Callable] = {
    "matmul": _matmul_name,
    "linear": _linear_name,
    "getitem": _index_name,
    "pow": _pow_name,
    "sum": _numbered("Sum", 1, 0),
    "mean": _numbered("Mean", 1, 0),
    "max": _numbered("Max", 0, 1),
    "min": _numbered("Min", 0, 1),
    "squeeze": _numbered("Squeeze", 1, 0),
    "clamp": lambda entry: "ClampBackward0" if len(entry.reads) > 1 else "ClampBackward1",
    "scatter": lambda entry: "ScatterBackward0" if len(entry.reads) > 2 else "ScatterBackward1",
    "split": lambda entry: "SplitWithSizesBackward0" if isinstance(entry.args[1], tuple) else None,
    "diag": lambda entry: "DiagEmbedBackward0" if len(entry.outs[0][0].shape) == 2 else "DiagonalBackward0",
    "fill": lambda entry: "FillBackward2",
    "zero": lambda entry: "ZeroBackward0",
}
"""Functions that PyTorch has several of, and by what it chooses."""


_classes: dict[str, type] = {}


def _named(name: str) -> type:
    """A subclass of `Node` that prints as the function's name."""
    made = _classes.get(name)
    if made is None:
        made = _classes[name] = type(name, (Node,), {})
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
    return _node(program, entry, slot)


def output_number(value: Value) -> int:
    """Which of the results of its entry a value is."""
    if not value.requires_grad or isinstance(value.origin, Leaf | Freed):
        return 0
    origin = value.origin
    program, slot = (origin.program, origin.slot) if isinstance(origin, Origin) else (value.program, value.ref.index)
    return slot - maker(program.node.path(), slot).first


def _function_at(program: Program, slot: int) -> tuple:
    edge = program.edges.get(slot)
    if isinstance(edge, Leaf):
        return (_named("AccumulateGrad")(None, None, edge), 0)
    if isinstance(edge, Origin):
        return _function_at(edge.program, edge.slot)
    if isinstance(edge, Freed):
        return (_named(_name(edge.entry))(None, edge.entry), 0)
    entry = maker(program.node.path(), slot)
    return (_node(program, entry, slot), slot - entry.first)


# -- the functions of torch.autograd.graph ------------------------------------------------------------------------------


class GradientEdge(NamedTuple):
    """A place in the graph: where the gradient of a tensor goes. `ownership_token` keeps that graph alive."""

    node: Node
    output_nr: int
    ownership_token: Tensor | None = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge a tensor stands for, which `torch.autograd.grad` and `backward` take in its place.

    Raises:
        RuntimeError: the tensor does not require grad.
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    value = tensor._read()
    node = node_of(value) or _named("AccumulateGrad")(None, None, tensor._leaf)
    return GradientEdge(node, tensor.output_nr, wrap(value))


def tensor_of(edge):
    """The tensor in whose place a gradient edge was given; anything else as it is."""
    return edge.ownership_token if isinstance(edge, GradientEdge) else edge


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable, *, mode: str = "all") -> RemovableHandle:
    """Call `fn` when the gradients of several tensors are known.

    Args:
        fn: called once a backward with the list of gradients (None where there is none), or with `mode` "any" with the
            first gradient to arrive.
        mode: "all" or "any".

    Raises:
        ValueError: another mode.
        RuntimeError: a tensor does not require grad.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    arrived: dict = {}

    def hook(index: int):
        def note(grad) -> None:
            count = _sweeps.count
            seen = arrived.setdefault(count, {})
            for old in [k for k in arrived if k != count]:
                del arrived[old]
            seen[index] = grad
            if mode == "any":
                if len(seen) == 1:
                    fn(grad)
            elif len(seen) == 1:  # the last of them is known when the sweep ends
                _sweeps.after.append(lambda: fn([seen.get(i) for i in range(len(tensors))]))

        return note

    handles = [t.register_hook(hook(i)) for i, t in enumerate(tensors)]

    class Handle(RemovableHandle):
        def __init__(self):
            pass

        def remove(self) -> None:
            for handle in handles:
                handle.remove()

    return Handle()


class _Sweeps(threading.local):
    """How many backwards there have been, and what to call at the end of this one."""

    def __init__(self):
        self.count = 0
        self.after: list = []


_sweeps = _Sweeps()


def finish() -> None:
    """A backward() has ended: hooks that wait for several gradients are called."""
    _sweeps.count += 1
    while _sweeps.after:
        _sweeps.after.pop(0)()


class saved_tensors_hooks:
    """Inside, ``pack_hook(tensor)`` is kept for each tensor that PyTorch would save; backward() calls ``unpack_hook``.

    The gradient is then computed from what `unpack_hook` returns: the op is evaluated once more in backward().

    Example:
        >>> import funcgrad as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t):
        ...     y = x * x
        >>> y.sum().backward()
        >>> x.grad
        tensor([4., 4.])

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.saved_tensors_hooks
    """

    def __init__(self, pack_hook: Callable, unpack_hook: Callable):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _disabled:
            raise RuntimeError(_disabled[-1])
        _saved.push(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exc) -> None:
        _saved.pop()


_disabled: list[str] = []


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str):
    """Inside, `saved_tensors_hooks` raises an error with this message."""
    _disabled.append(error_message)
    try:
        yield
    finally:
        _disabled.pop()


class save_on_cpu(contextlib.nullcontext):
    """Accepted: values that backward needs again stay where they are."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Inside, tensors that backward needs again may be written: recorded values never change.

    Raises:
        RuntimeError: inside another one.
    """
    if state.allows_writes:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    state.allows_writes = True
    try:
        yield None
    finally:
        state.allows_writes = False


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a write to the memory of `tensor` (or of each of several) that funcgrad did not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        _views.count_write(t, t._read(), 1 << 60)


saved.node_name = _name
