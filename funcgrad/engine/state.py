"""What each thread has of its own: the pending program and the modes that recording depends on."""

from __future__ import annotations

import threading

from funcgrad.engine import structure

# NOTE: [When to launch]
# A value that leaves funcgrad (item, print, numpy) launches the pending program and waits for it. Otherwise launches
# come where a training loop repeats itself: after optimizer.step(), and at the first differentiable op after a
# backward() (so that gradient accumulation and hand-written updates launch once a round, and clipping, the optimizer's
# step and the backward() before it are one program). A program that grows past CAP entries is launched as it is.

CAP = 2000


class Program:
    """The pending program of a thread; after its launch, the graph that gradients run back through.

    Attributes:
        node: the structure recorded so far (a node of the trie).
        slots: a weak reference to the value in each slot.
        arrays: the inputs' arrays, in order; `inputs`: their slots.
        edges: for each tracked input slot, where its gradient goes on.
        limit: at how many entries recording asks whether to launch.
        seams: slots where Python code takes part in backward (hooks, user Functions).
        pins: sets of slots that a backward() in progress will still start from.
        writes: notes of the slots that in-place ops made outdated (see `saved`).
        seen, places: of a launched program that may still be differentiated: its slots' values, and where each stands.
        journal: how to undo what handles were made to hold, should the launch fail.
        nested: for a program recorded inside another, the `nested.Nested` that will enter it there.
    """

    __slots__ = (
        "__weakref__",
        "arrays",
        "complexes",
        "edges",
        "executable",
        "failure",
        "floats",
        "freed",
        "inputs",
        "ints",
        "journal",
        "limit",
        "nested",
        "node",
        "pins",
        "places",
        "residuals",
        "seams",
        "seen",
        "serial",
        "slots",
        "traced",
        "writes",
    )
    count = 0

    def __init__(self):
        Program.count += 1
        self.serial = Program.count
        self.node = structure.root()
        self.slots = []
        self.arrays = []
        self.inputs = []
        self.floats = []
        self.ints = []
        self.complexes = []
        self.edges = {}
        self.seams = []
        self.limit = CAP
        self.pins = []
        self.journal = []
        self.writes = []
        self.seen = self.places = None
        self.traced = False
        self.executable = None
        self.residuals = None
        self.freed = frozenset()
        self.failure = None
        self.nested = None

    def trim(self) -> None:
        """Take back the numbers that a call which failed had packed."""
        for pool, count in zip((self.floats, self.ints, self.complexes), self.node.numbers):
            del pool[count:]


class _State(threading.local):
    def __init__(self):
        self.program = Program()
        self.grad = True
        self.inference = False
        self.capture = None
        self.allows_writes = False  # to what backward needs again
        self.retained: list = []  # weak references to launched programs that may still be differentiated
        self.tangents = 0  # levels of forward mode, which gradient modes do not switch off
        self.transforms = 0  # transforms of ``torch.func`` under way


state = _State()
