"""``backward`` and ``grad``: PyTorch's entry points to the engine's gradients."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from funcgrad import _operators
from funcgrad._tensor import Tensor, wrap
from funcgrad.autograd import graph
from funcgrad.engine.backward import Sweep, straight, where
from funcgrad.engine.nested import Batch, python_takes_part
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import Leaf, Origin

_accumulating = threading.RLock()  # several threads may reach one leaf
_ACCUMULATE = Op("accumulate", lambda old, new: [a + b for a, b in zip(old, new)], saves=False)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Accumulate the gradients of `tensors` into the leaves' ``.grad``.

    Args:
        tensors: one tensor or several; their gradients add up.
        grad_tensors: a cotangent for each; None for a tensor of one element.
        retain_graph: keep what is needed for another backward; by default only if `create_graph`.
        create_graph: record the gradients so that they can be differentiated again.
        inputs: accumulate only into these.

    Raises:
        RuntimeError: as PyTorch, e.g. "grad can be implicitly created only for scalar outputs".

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html
    """
    if state.transforms:
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or functorch.vjp "
            "instead or call backward() outside of functorch transforms."
        )
    if grad_tensors is None and inputs is None and not create_graph and isinstance(tensors, Tensor):
        root = tensors._read()
        if root.aval.numel == 1 and root.requires_grad and not root.aval.dtype.is_complex:
            found = straight(root, bool(retain_graph))
            if found is not None:
                _accumulate([(t, v) for leaf, v in found if (t := leaf.owner()) is not None], False)
                return
    tensors = _sequence(tensors)
    grads = _cotangents(tensors, _sequence(grad_tensors if grad_variables is None else grad_variables, len(tensors)))
    wanted = None
    if inputs is not None:
        inputs = _sequence(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        wanted = [where(t._read()) for t in inputs]
    sweep = _swept(tensors, grads, create_graph if retain_graph is None else retain_graph, create_graph, wanted)
    if inputs is None:
        reached = [(leaf.owner(), value) for leaf, value in sweep.leaves.items()]
    else:
        reached = [(t, sweep.result(w)) for t, w in zip(inputs, wanted)]
    _accumulate([(t, v) for t, v in reached if t is not None and v is not None], create_graph)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
) -> tuple:
    """The gradients of the sum of `outputs` with respect to `inputs`, leaving every ``.grad`` as it is.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    given = _sequence(grad_outputs, len(outputs))
    options = (retain_graph, create_graph, allow_unused, materialize_grads)
    if isinstance(state.program.nested, Batch) and not any(state.program.nested.owns(o._read()) for o in outputs):
        return _outside(state.program.nested, outputs, inputs, given, is_grads_batched, options)
    if is_grads_batched and any(_has_seams(o._read()) for o in outputs):
        return _row_by_row(outputs, inputs, given, options)
    grads = _cotangents(outputs, given, is_grads_batched)
    for t in inputs:
        if not t.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    wanted = [where(t._read()) for t in inputs]
    batch = next((g.shape[0] for g in grads if g is not None), 0) if is_grads_batched else 0
    if is_grads_batched and not batch:
        return tuple(_operators.call("zeros_like", t.detach()).unsqueeze(0).expand(0, *t.shape) for t in inputs)
    sweep = _swept(outputs, grads, create_graph if retain_graph is None else retain_graph, create_graph, wanted, batch)
    results = []
    for i, (t, place) in enumerate(zip(inputs, wanted)):
        value = sweep.result(place)
        if value is not None:
            results.append(_hooked(t, wrap(value)) if isinstance(place, Leaf) else wrap(value))
        elif materialize_grads:
            results.append(_operators.call("zeros_like", t.detach()).requires_grad_(create_graph))
        elif allow_unused:
            results.append(None)
        else:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
    graph.finish()
    return tuple(results)


def _row_by_row(outputs, inputs, grads, options: tuple) -> tuple:
    """Batched cotangents one after the other, where Python takes part in backward (hooks, users' Functions)."""
    retain_graph, create_graph, allow_unused, materialize_grads = options
    count = next(g.shape[0] for g in grads if g is not None)
    rows = []
    for i in range(count):
        keep = True if i < count - 1 else retain_graph
        row = [None if g is None else g[i] for g in grads]
        rows.append(grad(outputs, inputs, row, keep, create_graph, True, allow_unused, False, materialize_grads))
    return tuple(None if col[0] is None else _operators.call("stack", list(col)) for col in zip(*rows))


def _has_seams(value) -> bool:
    """Whether Python takes part in the gradient of `value`."""
    seen, waiting = set(), [where(value)]
    while waiting:
        place = waiting.pop()
        if place is None or isinstance(place, Leaf) or place[0] in seen:
            continue
        program = place[0]
        seen.add(program)
        if program.seams:
            return True
        waiting += [(e.program, e.slot) for e in program.edges.values() if isinstance(e, Origin)]
    return False


def _outside(nested: Batch, outputs, inputs, grads, batched: bool, options: tuple) -> tuple:
    """Under vmap, the gradient of a graph from outside: cotangents of all examples at once, carried through it there."""
    retain_graph, create_graph, allow_unused, materialize_grads = options
    lowered = [None if g is None else nested.lowered(g._read()) for g in grads]
    counts = [g.shape[0] for g in grads if g is not None] if batched else []
    varying = any(pair is not None and pair[1] is not None for pair in lowered)
    with nested.outside():
        given = [None if pair is None else wrap(pair[0]) for pair in lowered]
        if varying:
            given = [
                g if g is None or pair[1] is not None else g.unsqueeze(0).expand(nested.size, *g.shape)
                for g, pair in zip(given, lowered)
            ]
            if batched:
                given = [None if g is None else g.flatten(0, 1) for g in given]
        found = grad(
            outputs,
            inputs,
            given,
            retain_graph,
            create_graph,
            True,
            allow_unused,
            varying or batched,
            materialize_grads,
        )
        if varying and batched:
            found = [None if g is None else g.unflatten(0, (nested.size, counts[0])) for g in found]
        values = [None if g is None else g._read() for g in found]
    return tuple(None if v is None else wrap(nested.example(v, 0) if varying else v) for v in values)


def _sequence(x, count: int | None = None) -> list:
    if x is None:
        return [None] * (count or 0)
    if isinstance(x, graph.GradientEdge):
        return [graph.tensor_of(x)]
    return (
        [x]
        if isinstance(x, Tensor)
        else [graph.tensor_of(y) for y in x]
        if isinstance(x, Sequence) or hasattr(x, "__iter__")
        else [x]
    )


def _cotangents(tensors: list, grads: list, batched: bool = False) -> list:
    """Check the roots and their cotangents; a scalar root may go without (None stands for ones)."""
    if len(grads) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(grads)} gradients")
    for i, (t, g) in enumerate(zip(tensors, grads)):
        if not t.requires_grad:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if t.numel() != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if t.dtype.is_complex:
                raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {t.dtype}")
        elif (g.shape[1:] if batched else g.shape) != t.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {t.shape}."
            )
        elif g.dtype.is_complex != t.dtype.is_complex:
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
                f"grad_output[{i}] has a dtype of {g.dtype} and output[{i}] has a dtype of {t.dtype}."
            )
    return grads


def _swept(tensors, grads, retain: bool, create: bool, wanted, batch: int = 0) -> Sweep:
    with python_takes_part():
        return _swept_here(tensors, grads, retain, create, wanted, batch)


def _swept_here(tensors, grads, retain: bool, create: bool, wanted, batch: int) -> Sweep:
    before, state.grad = state.grad, bool(create)
    try:
        sweep = Sweep(bool(retain), bool(create), wanted, batch)
        for t, g in zip(tensors, grads):
            if g is not None and g.dtype is not t.dtype:
                g = g.to(t.dtype)
            sweep.start(t._read(), None if g is None else g._read())
        sweep.run()
    finally:
        state.grad = before
    return sweep


def _hooked(tensor: Tensor, grad: Tensor) -> Tensor:
    """The leaf's gradient after its hooks."""
    for hook in list((tensor._hooks or {}).values()):
        changed = hook(grad)
        if changed is not None:
            grad = changed
    return grad


def _accumulate(reached: list, create: bool) -> None:
    """Add gradients into ``.grad``; one entry for all those that already have one."""
    before, state.grad = state.grad, create
    _accumulating.acquire()
    try:
        adding, values = [], []
        undo = []
        for tensor, value in reached:
            if tensor._hooks:
                value = _hooked(tensor, wrap(value))._read()
            have = tensor._grad
            undo.append((tensor, have))
            if have is None:
                tensor._grad = wrap(value)
            elif create:
                tensor._grad = _operators.call("add", have, wrap(value))
            else:
                adding.append(have)
                values.append(value)
        if adding:
            sums, _ = record(_ACCUMULATE, (adding, values))
            for have, total in zip(adding, sums):
                _operators.write(have, total)
        state.program.journal.append(_RestoreGrads(undo))
    finally:
        _accumulating.release()
        state.grad = before
    graph.finish()
    for tensor, _ in reached:
        if tensor._post_hooks:
            for hook in list(tensor._post_hooks.values()):
                changed = hook(tensor)
                if changed is not None:
                    raise TypeError(f"expected Variable, but hook returned '{type(changed).__name__}'")


class _RestoreGrads:
    """Give leaves back the ``.grad`` they had before a program that failed."""

    __slots__ = ("undo",)

    def __init__(self, undo: list):
        self.undo = undo

    def written(self) -> list:
        """No tensor was rebound: only ``.grad``."""
        return []

    def __call__(self, program) -> None:
        for tensor, grad in self.undo:
            tensor._grad = grad
