"""``compile``: capture one run of a function, then replay it as one program with no Python per op.

`engine.capture` says how a run is noted and entered again; here is what a run means to tensors: which of them it read,
which hold new values afterwards, and which gradients it left.
"""

from __future__ import annotations

import functools
import weakref

from funcgrad._facade import _views
from funcgrad._tensor import DETACH, Tensor, wrap
from funcgrad.engine import launch as _launch
from funcgrad.engine.capture import Capture, Recording, Refused
from funcgrad.engine.direct import Direct
from funcgrad.engine.launch import settle
from funcgrad.engine.record import as_leaf
from funcgrad.engine.state import Program, state
from funcgrad.engine.values import Value


def compile(
    model=None, *, fullgraph=False, dynamic=None, backend="xla", mode=None, options=None, disable=False, name=None
):
    """Capture `model` (a function or Module) on its first call and replay the captured program afterwards.

    The whole call becomes one XLA program: for a training step that is ``zero_grad``, forward, backward, the
    optimizer's step and the update of buffers, with parameters and optimizer state given away to the program and
    returned by it. New shapes or dtypes of the arguments, other Python arguments, ``train()``/``eval()`` and the grad
    mode cause another capture. Python in the function runs only while it is captured.

    Args:
        model: what to compile; without it, `compile` is a decorator.
        fullgraph: for a Module, whether a value read inside ``forward`` is an error (else such a call runs as it is).
        dynamic, backend, mode, options, name: accepted as PyTorch has them.
        disable: return `model` as it is.

    Raises:
        RuntimeError: the function looks at a value; the message names the line.

    Example:
        >>> import funcgrad as torch
        >>> double = torch.compile(lambda x: x * 2)
        >>> double(torch.ones(2))
        tensor([2., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, disable=disable)
    if disable:
        return model
    from funcgrad.nn.modules.module import Module

    if isinstance(model, Module):
        from funcgrad._dynamo.eval_frame import OptimizedModule

        return OptimizedModule(model, Compiled(model.__call__, strict=fullgraph))
    compiled = Compiled(model, strict=True)

    @functools.wraps(model)
    def wrapper(*args, **kwargs):
        return compiled(*args, **kwargs)

    return wrapper


class Compiled:
    """A function with its captured runs, by the structure of the arguments."""

    def __init__(self, function, strict: bool):
        self.function = function
        self.strict = strict
        self.runs: dict[tuple, list[Run]] = {}
        self.reads_values = False

    def __call__(self, *args, **kwargs):
        if state.capture is not None or state.program.traced or self.reads_values:
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        values: list[Value] = []  # reading memory that NumPy shares takes some microseconds: once is enough
        key = (
            state.grad, len(args), *[_structure(a, tensors, values) for a in args], _structure(kwargs, tensors, values)
        )  # fmt: skip
        runs = self.runs.get(key)
        if runs is None:
            runs = self.runs[key] = []
        for run in runs:
            if run.applies():
                return run.replay(values)
        values.clear()  # a value held here could not be given away to the program
        try:
            return self._capture(runs, tensors, args, kwargs)
        except Refused:
            if self.strict:
                raise
            self.reads_values = True
            return self.function(*args, **kwargs)

    def _capture(self, runs: list, tensors: list, args, kwargs):
        from funcgrad.nn.modules._hooks import register_module_forward_pre_hook

        modules: dict = {}
        with Capture() as capture:
            handle = register_module_forward_pre_hook(lambda module, _: modules.update({module: module.training}))
            try:
                result = self.function(*args, **kwargs)
            finally:
                handle.remove()
            run = Run(capture, tensors, result, modules)
        if capture.reusable:
            runs.append(run)
        capture.forget()
        if run.writes:
            _launch.launch("a compiled function ended")
        return result


class Run:
    """One captured run.

    Attributes:
        sources: where each input of the program comes from: the number of an argument, a tensor, a constant value, or
            a function that draws it anew.
        changed: the tensors that existed before and hold a new value afterwards; `slots`: where it comes from.
        grads: (leaf, whether it had a gradient before or None, the tensor that is its gradient afterwards or None).
        modules: those called, with their training flag.
    """

    def __init__(self, capture: Capture, tensors: list, result, modules: dict):
        program = state.program
        self.recording = Recording(program)
        self.numbers = capture.numbers
        self.modules = [(weakref.ref(m), training) for m, training in modules.items()]
        self.sources = [_source(program, slot, tensors, capture) for slot in program.inputs]
        written = [t for note in program.journal for t in note.written()]
        changed = {id(t): t for t in written if id(t) not in capture.fresh and _slot(t, program) is not None}
        self.changed = list(changed.values())
        self.grads = _grads(program, capture)
        self.results: list[Tensor] = []
        self.template = _template(result, self.results, program)
        held = [*self.changed, *[g for _, _, g in self.grads if g is not None]]
        self.slots = [_slot(t, program) for t in held]
        self.outputs = [s for s in (*self.slots, *[_slot(t, program) for t in self.results]) if s is not None]
        self.writes = bool(self.changed or self.grads)
        self.direct: Direct | None = None
        # Arguments and results belong to one call; only what outlives it is kept.
        self.results = [t if _slot(t, program) is None else None for t in self.results]

    def applies(self) -> bool:
        """Whether the state this run was captured in holds again."""
        for reference, training in self.modules:
            module = reference()
            if module is None or module.training is not training:
                return False
        return all(had is None or (leaf._grad is not None) == had for leaf, had, _ in self.grads)

    def replay(self, given: list[Value]):
        """Run the captured program on the arguments' values, which it takes over, and what its other sources hold."""
        if state.program.node.depth:
            _launch.launch("a compiled function was called")
        values = [self._value(source, given) for source in self.sources]
        given.clear()
        if self.direct is not None:
            arrays = self.direct.arrays(values)
            if arrays is not None:
                return self._replay_directly(values, arrays)
        floats, ints, complexes = self._numbers()
        made = self.recording.enter(values, floats, ints, self.outputs)
        state.program.journal.append(_RestoreRun(self, values))
        del values
        results = self._rebind(iter(made))
        if self.writes:
            executable = _launch.launch("a compiled function was called")
            if Direct.serves(executable):
                self.direct = Direct(executable, self.outputs, made)
        return _filled(self.template, results)

    def _replay_directly(self, values: list, arrays: list):
        program, holder = state.program, []
        try:
            self.direct.call(values, arrays, self._numbers(), holder)
        except BaseException as failure:
            state.program = Program()
            if holder:
                self._rebind(self.direct.values(holder))
            else:
                _launch.undo(program, failure)
            raise
        program.journal = []
        return _filled(self.template, self._rebind(self.direct.values(holder)))

    def _rebind(self, made):
        """Have tensors hold the new values; returns an iterator over the tensors among the results."""
        for tensor in self.changed:
            value, leaf = next(made), tensor._leaf
            tensor._value = value if leaf is None or not tensor._value.requires_grad else as_leaf(value, leaf)
            if tensor._memory is not None:
                tensor._memory.forget(tensor)
            if tensor._views:
                _views._outdate(tensor, None)
        for leaf, _, grad in self.grads:
            if grad is not None:
                grad._value = next(made)
            leaf._grad = grad
        return iter([wrap(next(made)) if fixed is None else fixed for fixed in self.results])

    def _numbers(self) -> tuple[list, list, list]:
        """The run-time numbers of this replay."""
        floats, ints = list(self.recording.floats), list(self.recording.ints)
        for kind, first, function in self.numbers:
            numbers = function()
            (floats if kind is float else ints)[first : first + len(numbers)] = numbers
        return floats, ints, self.recording.complexes

    def _value(self, source, given: list) -> Value:
        if source.__class__ is int:
            value = given[source]
        elif isinstance(source, Tensor):
            value = source._read()
        elif isinstance(source, Value):
            value = source
        else:
            value = source()
        if value.array is None:
            settle(value)
        return value


class _RestoreRun:
    """Give tensors back what they held before a replay that failed."""

    def __init__(self, run: Run, values: list):
        by_tensor = {id(s): i for i, s in enumerate(run.sources) if isinstance(s, Tensor)}
        self.tensors = run.changed
        # An input's array is taken from the program: holding its value here would forbid its donation.
        self.olds = [by_tensor.get(id(t), t._value) for t in run.changed]
        self.grads = [(leaf, leaf._grad) for leaf, _, _ in run.grads]

    def written(self) -> list:
        return self.tensors

    def __call__(self, program) -> None:
        for tensor, old in zip(self.tensors, self.olds):
            if isinstance(old, int):
                aval = tensor._value.aval
                old = Value(program.arrays[old], aval, None, None, tensor._value.requires_grad, tensor._leaf)
            tensor._value = old
        for leaf, grad in self.grads:
            leaf._grad = grad


def _source(program, slot: int, tensors: list, capture: Capture):
    value = program.slots[slot]()
    if id(value) in capture.draws:
        return capture.draws[id(value)]
    holder = capture.handles.get(id(value))
    if holder is None or id(holder) in capture.fresh:
        return value if value is not None else Value(program.arrays[program.inputs.index(slot)], None)
    for i, tensor in enumerate(tensors):
        if tensor is holder:
            return i
    while holder._made is not None and holder._made.op is DETACH:
        holder = holder._made.parent
    return holder


def _slot(tensor, program) -> int | None:
    """The slot of `program` whose value the tensor holds, if it does."""
    value = tensor._value
    if value is None:
        return None
    value = getattr(value, "raw", None) or value
    return value.ref.index if value.program is program and value.array is None else None


def _grads(program, capture: Capture) -> list:
    """The leaves that were differentiated, whether each had a gradient before, and the gradient it has now.

    The second is None where the run cleared the gradient itself.
    """
    before: dict = {}
    for note in program.journal:
        for leaf, grad in getattr(note, "undo", ()):
            had = None if id(leaf) in capture.cleared else grad is not None
            before.setdefault(id(leaf), (leaf, had))
    found = []
    for leaf, had in before.values():
        grad = leaf._grad if leaf._grad is not None and _slot(leaf._grad, program) is not None else None
        found.append((leaf, had, grad))
    return found


def _structure(x, tensors: list, values: list):
    """A hashable description of arguments; the tensors among them and what they hold are collected."""
    if isinstance(x, Tensor):
        value = x._read()
        tensors.append(x)
        values.append(value)
        return (type(x), value.aval, value.requires_grad)
    if isinstance(x, tuple | list):
        return (type(x), *[_structure(v, tensors, values) for v in x])
    if isinstance(x, dict):
        return (dict, *[(k, _structure(v, tensors, values)) for k, v in x.items()])
    try:
        hash(x)
    except TypeError:
        return id(x)
    return (type(x), x)


class _Place:
    """Stands for a tensor in the structure of a result."""


_PLACE = _Place()


def _template(x, tensors: list, program):
    if isinstance(x, Tensor):
        tensors.append(x)
        return _PLACE
    if isinstance(x, tuple | list):
        made = [_template(v, tensors, program) for v in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return {k: _template(v, tensors, program) for k, v in x.items()} if isinstance(x, dict) else x


def _filled(template, tensors):
    if template is _PLACE:
        return next(tensors)
    if isinstance(template, tuple | list):
        made = [_filled(v, tensors) for v in template]
        return type(template)(*made) if hasattr(template, "_fields") else type(template)(made)
    return {k: _filled(v, tensors) for k, v in template.items()} if isinstance(template, dict) else template
