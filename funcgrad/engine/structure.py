"""Structures: the trie of programs.

A program is a path from the trie's root. Each edge is one thing that was recorded: an input of some shape, dtype and
device, or an op with its static arguments and the slots it reads. Recording a step that was recorded before follows
existing edges, one dictionary look-up each, and finds every fact about it already there: the results' shapes, which
entries a gradient runs through, the compiled executables. A node *is* the structure of the program that leads to it,
so the cache of executables hangs on the nodes, and where two programs differ is where their paths part.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable

from funcgrad import _dtypes

STATIC, SCALAR, EXPONENT = range(3)
"""How a parameter takes a Python number: as a constant, as a run-time input, or as `exponent_is_static` decides."""


class Op:
    """One op: a pure array function, and how its parameters take Python numbers.

    Attributes:
        name: PyTorch's name for it.
        function: the array function.
        kinds: STATIC, SCALAR or EXPONENT for each positional parameter; `keywords`: the same by name.
        differentiable: whether gradients flow through it at all.
        saves: whether backward needs what forward saved; PyTorch then refuses a second backward.
        starts: its results require grad of themselves: a leaf, or what a user's Function returns.
        creates: it makes its result of nothing, on the device given by its keyword ``device``.
        data_dependent: the shape of its result depends on values.
        seam: gradients do not flow through it by themselves: a user's Function.
        bounds: gives the checks of a call's index arrays (`engine.bounds`), or None.
        grads: for each result whether it may require grad (None: every floating-point one).
        reflected: its first operand may be a Python number too (``2 - x``).
        untracked: stands for the op in keys recorded with gradients switched off.
    """

    __slots__ = (
        "bounds",
        "creates",
        "data_dependent",
        "differentiable",
        "function",
        "grad_name",
        "grads",
        "keywords",
        "kinds",
        "name",
        "parameters",
        "reflected",
        "saves",
        "seam",
        "starts",
        "untracked",
    )

    def __init__(
        self,
        name: str,
        function: Callable,
        *,
        differentiable=True,
        grad_name=None,
        saves=True,
        starts=False,
        seam=False,
        creates=False,
        bounds=None,
        reflected=False,
        grads=None,
    ):
        self.name = name
        self.function = function
        self.differentiable = differentiable
        self.grad_name = grad_name or "".join(p.capitalize() for p in name.split("_") if p) + "Backward0"
        self.saves = saves
        self.starts = starts
        self.seam = seam
        self.creates = creates
        self.data_dependent = getattr(function, "data_dependent", False)
        self.bounds = bounds
        self.grads = grads
        self.reflected = reflected
        self.untracked = object()

    def __getattr__(self, name: str):
        # Signatures are read when an op is first used: reading all of them would take a fifth of the import.
        if name not in ("parameters", "keywords", "kinds"):
            raise AttributeError(name)
        self.parameters = _parameters(self.function)
        self.keywords = {name: kind for name, kind, _ in self.parameters}
        self.kinds = _positional_kinds(self.parameters)
        if self.reflected:
            self.kinds = (SCALAR, *self.kinds[1:])
        return getattr(self, name)

    def __repr__(self) -> str:
        return self.name


def _parameters(function) -> list[tuple[str, int, object]]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    hints = getattr(function, "__annotations__", {})
    return [(p.name, _kind(hints.get(p.name)), p.kind) for p in signature.parameters.values()]


def _kind(annotation) -> int:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", None) or str(annotation)
    if "Exponent" in text:
        return EXPONENT
    if "Scalar" in text:
        return SCALAR
    parts = typing.get_args(annotation)
    return SCALAR if any("Number" in str(p) for p in parts) else STATIC


def _positional_kinds(parameters) -> tuple:
    kinds = []
    for _, kind, how in parameters:
        if how is inspect.Parameter.VAR_POSITIONAL:
            return (*kinds, *[kind] * 64)
        if how in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            kinds.append(kind)
    return (*kinds, *[STATIC] * 4)


def exponent_is_static(exponent: float | complex) -> bool:
    """Squares, roots and whole powers are constants of the program: XLA multiplies instead of calling pow."""
    return not isinstance(exponent, complex) and (2 * exponent).is_integer() and abs(exponent) <= 16


class Scalar:
    """In an entry's arguments: the Python number at `index` of the program's packed numbers of one kind."""

    __slots__ = ("index", "kind")

    def __init__(self, kind: type, index: int):
        self.kind = kind
        self.index = index


class Entry:
    """One recorded thing: what it computes from which slots, and the slots of its results.

    Attributes:
        op: the op, or None for an input of the program.
        args, kwargs: the arguments, with `Ref` and `Scalar` in place of values and run-time numbers.
        reads: the slots it reads, in order of appearance; `tracked`: which of those carry gradients to it.
        first: the slot of its first result; `outs`: each result's (aval, requires_grad).
        pack: puts the list of results into the structure the op returns, or None if it is a single one.
        vjp: for a gradient, the `slices.Slice` it runs through.
        site: the line of the user's program that recorded it first.
        flags: the checks of index values left to the program.
        stops: whether it was recorded with gradients switched off: a JAX transformation around it finds none either.
        copies: whether it is a view op that had to copy (``reshape`` of a tensor with gaps).
        kind: equal for entries that compute the same function of their operands, whatever program they stand in.
    """

    __slots__ = (
        "args",
        "copies",
        "first",
        "flags",
        "kind",
        "kwargs",
        "op",
        "outs",
        "pack",
        "reads",
        "site",
        "stops",
        "tracked",
        "vjp",
    )

    def __init__(self, op, args, kwargs, reads, tracked, first, outs, pack=None, vjp=None, site=None, kind=None):
        self.op = op
        self.args = args
        self.kwargs = kwargs
        self.reads = reads
        self.tracked = tracked
        self.first = first
        self.outs = outs
        self.pack = pack
        self.vjp = vjp
        self.site = site
        self.kind = kind
        self.flags = ()
        self.copies = False
        self.stops = False

    @property
    def passes_gradient(self) -> bool:
        """Whether a gradient arriving at its results goes on to what it read, without Python's help."""
        return bool(self.tracked) and not self.op.seam and any(grad for _, grad in self.outs)


class Node:
    """A structure: the program recorded along the path from the root to here."""

    __slots__ = (
        "calls",
        "children",
        "depth",
        "entry",
        "executables",
        "freed",
        "numbers",
        "parent",
        "path_cache",
        "slots",
        "visits",
    )

    def __init__(self, parent: Node | None, entry: Entry | None, numbers: tuple | None = None):
        self.parent = parent
        self.entry = entry
        self.children: dict = {}
        self.executables: dict | None = None
        self.calls: dict | None = None  # the ops that are this program as a whole: see `nested`
        self.depth = parent.depth + 1 if parent else 0
        self.slots = (parent.slots if parent else 0) + (len(entry.outs) if entry else 0)
        self.freed = parent.freed if parent else frozenset()
        self.numbers = numbers or (parent.numbers if parent else (0, 0, 0))  # how many floats, ints, complexes
        self.path_cache = None
        self.visits = 0

    def path(self) -> list[Entry]:
        """The entries from the root to here."""
        if self.path_cache is None:
            entries, node = [], self
            while node.parent is not None:
                if node.path_cache is not None:
                    break
                entries.append(node.entry)
                node = node.parent
            self.path_cache = (node.path_cache or []) + entries[::-1]
        return self.path_cache


_roots: dict = {}


def root() -> Node:
    """The empty program. Results depend on the default dtype, so each default has a trie of its own."""
    default = _dtypes.default_dtype()
    node = _roots.get(default)
    if node is None:
        node = _roots[default] = Node(None, None)
    return node


def forget() -> None:
    """Drop every structure (and with it every executable); running programs keep theirs."""
    _roots.clear()


def position(path: list[Entry], slot: int) -> int:
    """Where in `path` the entry stands whose result is in `slot`."""
    low, high = 0, len(path) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if path[middle].first <= slot else (low, middle - 1)
    return low


def maker(path: list[Entry], slot: int) -> Entry:
    """The entry of `path` whose result is in `slot`."""
    return path[position(path, slot)]
