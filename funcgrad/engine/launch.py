"""Launching: run the thread's pending program as one compiled XLA program.

A program's executable is found on its node of the trie, by which of its values somebody still holds. Values that
require grad and were not yet differentiated keep their pullbacks' residuals, so that a later backward() continues
from there and computes nothing twice.
"""

from __future__ import annotations

import sys
import threading
import weakref

import jax
import numpy as np

from funcgrad.engine import bounds, explain, interpret, interrupts
from funcgrad.engine.executable import Executable
from funcgrad.engine.state import Program, state
from funcgrad.engine.values import Freed, Leaf, LeafValue, Origin, Value, aval_of

_settling = threading.RLock()  # one thread at a time computes what another has pending

SEEN = object()
"""The origin of a host array that one launch already read: the next one moves it to the device for good."""


def launch(reason: str) -> Executable | None:
    """Run the pending program, if anybody holds a value of it, and begin a new one; returns what ran."""
    program = state.program
    if program.nested is not None:
        program.nested.launch(reason)
        return
    if state.capture is not None:
        state.capture.refuse(reason)
    state.program = Program()
    return execute(program, reason)


def read(value: Value):
    """The value's array, for a user to look at: computed, and every index that led to it in range."""
    if value.array is None:
        settle(value)
    bounds.look(wait=True)
    return value.array


def abandon() -> None:
    """Drop the pending program; every handle holds again what it held before."""
    program = state.program
    state.program = Program()
    undo(program, RuntimeError("it was abandoned"))


def settle(value: Value) -> None:
    """Compute a pending value (and its whole program with it)."""
    if value.__class__ is LeafValue and (raw := value.raw) is not None:
        if raw.array is None:
            settle(raw)
        value.array, value.raw = raw.array, None
        return
    if value.array is not None:
        return
    program = value.program
    if state.program.nested is not None:
        state.program.nested.settle(value)
    elif program is state.program:
        launch("a value was read")
    elif program.failure is not None:
        raise RuntimeError(
            "this tensor's value was never computed: the program that makes it failed"
        ) from program.failure
    else:
        with _settling:
            if value.array is None:
                _settle_from_another_thread(program, value)
    if value.array is None:
        raise RuntimeError("this tensor's value was never computed: recording it was interrupted")


def execute(program: Program, reason: str) -> Executable | None:
    """Run one program and hand its results to the values that wait for them; returns what ran."""
    bounds.look(wait=False)
    slots = program.slots
    if len(slots) != program.node.slots:
        undo(program, RuntimeError("recording was interrupted"))
        return None
    alive = tuple([i for i, r in enumerate(slots) if (v := r()) is not None and v.array is None])
    v = None
    if not alive and not program.pins:
        program.journal = ()
        program.slots = program.arrays = None
        return None
    holder: list = []
    try:
        executable = find(program, alive, reason)
        _run(program, executable, holder)
    except BaseException as failure:
        if not holder:
            undo(program, failure)
            raise
        _commit(program, executable, *holder[0])
        raise
    _commit(program, executable, *holder[0])
    return executable


def find(program: Program, alive: tuple, reason: str) -> Executable:
    """The executable for this structure and these held values; a superset's serves too."""
    node = program.node
    pins = frozenset().union(*program.pins) if program.pins else frozenset()
    if program.traced:
        return Executable(node, alive, pins, (), reason)
    if node.executables is None:
        node.executables = {}
    found = node.executables.get((alive, pins))
    site = _site(node)
    if found is not None and not (found.interpreted and interpret.is_worn(found)):
        if not found.interpreted:
            interpret.note(site, new=False)
        return found
    if found is None:
        wanted = set(alive)
        for (_, its_pins), candidate in list(node.executables.items()):
            if its_pins == pins and wanted <= candidate.alive and candidate.retains == candidate.retained_by(wanted):
                node.executables[(alive, pins)] = candidate
                return candidate
    if found is None:
        interpret.note(site, new=True)
    wild = found is None and interpret.pays(site, node.path())
    found = node.executables[(alive, pins)] = Executable(node, alive, pins, _donatable(program), reason, wild)
    return found


def _site(node) -> str:
    """The line that recorded the program's last op: where this structure was completed."""
    return node.entry.site or "?"


def _run(program: Program, executable: Executable, holder: list) -> None:
    """Call the executable. The results reach `holder` inside one C call, so that no interrupt can lose them."""
    arrays = program.arrays
    if executable.donates:
        donated, kept = _split(program, executable)
    else:
        donated, kept = (), arrays
    numbers = vectors(executable, program.floats, program.ints, program.complexes)
    if program.traced:
        with jax.enable_x64(True):
            holder.append(executable.replay(donated, kept, *numbers))
    else:
        call(executable, donated, kept, numbers, holder)


SETTLED = 4
"""How many calls of a program may run Python code of JAX's: the first, and those where a number turns into an array."""


def call(executable: Executable, donated, kept, numbers: tuple, holder: list) -> None:
    """Run a program's machine code, made first if need be. The results reach `holder` inside one C call."""
    floats, ints, complexes = numbers
    arguments = (donated,), (kept,), (floats,), (ints,), (complexes,)
    with jax.enable_x64(True):
        if executable.is_compiled and executable.launches > SETTLED:
            holder.extend(map(executable.function, *arguments))
        else:
            with explain.compiling(executable):
                executable.compile(donated, kept, floats, ints, complexes)
                with interrupts.deferred():
                    holder.extend(map(executable.function, *arguments))
    executable.launches += 1
    executable.used = Program.count


def vectors(executable: Executable, floats: list, ints: list, complexes: list) -> tuple:
    """A program's run-time numbers as its arguments.

    Those that are the same as last time, bit by bit, are on the device already: 1.5 µs less a launch.
    """
    found = []
    for pool, dtype in ((floats, np.float64), (ints, np.int64), (complexes, np.complex128)):
        if not pool:
            found.append(None)
            continue
        array = np.array(pool, dtype)
        same = array.tobytes()
        known = executable.numbers.get(dtype)
        if known is None or known[0] != same:
            executable.numbers[dtype] = (same, None)
        elif known[1] is None:
            with jax.enable_x64(True):
                array = jax.device_put(array)
            executable.numbers[dtype] = (same, array)
        else:
            array = known[1]
        found.append(array)
    return tuple(found)


def _commit(program: Program, executable: Executable, outputs: list, residuals: list, raised: list) -> None:
    if raised and not program.traced:
        bounds.launched(executable.flags, raised)
    slots = program.slots
    retained = executable.retained_slots
    for slot, array in zip(executable.outputs, outputs):
        value = slots[slot]()
        if value is None or value.array is not None:
            continue
        value.array = array
        if value.requires_grad and value.origin is None:
            if slot in program.edges:
                value.origin = program.edges[slot]
            else:
                value.origin = Origin(program, slot) if slot in retained else Freed(executable.maker(slot))
    program.journal = ()
    if not program.traced:
        _note_host_arrays(program)
    if retained:
        program.executable = executable
        device = executable.device
        program.residuals = [Value(a, aval_of(a.shape, a.dtype, device)) for a in residuals]
        program.freed = program.node.freed
        program.seen, program.slots = slots, None
        state.retained.append(weakref.ref(program))
    else:
        program.slots = program.arrays = None


def _note_host_arrays(program: Program) -> None:
    """A host array is passed to its first launch as it is; one that comes again moves to the device for good."""
    for index, array in zip(program.inputs, program.arrays):
        if array.__class__ is np.ndarray:
            value = program.slots[index]()
            if value is not None:
                if value.origin is SEEN:
                    value.origin = None
                    with jax.enable_x64(True):
                        value.array = jax.device_put(array)
                elif value.origin is None:
                    value.origin = SEEN


def undo(program: Program, failure: BaseException) -> None:
    """Give every handle back what it held before the program was recorded."""
    program.failure = failure
    for restore in reversed(program.journal):
        restore(program)
    program.journal = ()


# -- donation ---------------------------------------------------------------------------------------------------------


def _donatable(program: Program) -> tuple:
    """Positions among the inputs whose array nobody but this program refers to."""
    return tuple(i for i in range(len(program.arrays)) if _is_ours_alone(program, i))


_REFERENCES = 2  # the list of inputs, and getrefcount's own argument


def _is_ours_alone(program: Program, position: int) -> bool:
    # A host array is copied to the device in any case, so it does not matter who else holds it.
    arrays = program.arrays
    return program.slots[program.inputs[position]]() is None and (
        isinstance(arrays[position], np.ndarray) or sys.getrefcount(arrays[position]) <= _REFERENCES
    )


def _split(program: Program, executable: Executable):
    """The arrays given away and those lent. One that turns out to be held after all is given as a copy."""
    donated, arrays = [], program.arrays
    for position in executable.donates:
        array = arrays[position]
        held = program.slots[program.inputs[position]]() is not None or sys.getrefcount(array) > _REFERENCES + 1
        donated.append(copied(array) if held and not isinstance(array, np.ndarray) else array)
    kept = [arrays[i] for i in executable.keeps]
    array = None
    return donated, kept


def copied(array):
    """The array again, for a program to keep."""
    with jax.enable_x64(True):
        return jax.numpy.array(array, copy=True)


def _settle_from_another_thread(program: Program, value: Value) -> None:
    """Compute one value of another thread's pending program, leaving that program as it is."""
    node, slot = program.node, value.ref.index
    node.executables = node.executables or {}
    key = ((slot,), frozenset())
    executable = node.executables.get(key)
    if executable is None or executable.donates:
        executable = node.executables[key] = Executable(node, (slot,), frozenset(), (), "another thread read a value")
    counts = len([e for e in node.path() if e.op is None])
    numbers = vectors(executable, program.floats, program.ints, program.complexes)
    with jax.enable_x64(True):
        outputs, _, _ = executable.function((), list(program.arrays[:counts]), *numbers)
    value.array = outputs[0]
    if value.requires_grad and value.origin is None:
        edge = program.edges.get(slot)
        value.origin = edge if isinstance(edge, Leaf) else Freed(executable.maker(slot))
