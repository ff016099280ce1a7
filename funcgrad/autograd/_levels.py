"""Levels of differentiation: what `torch.func` and forward mode differentiate with respect to.

NOTE: [Levels] ``torch.func.grad(f)(x)`` begins a level: `f` is called with an alias of `x` that starts a gradient of its
own and yet passes gradients on to `x`. What `f` makes is recorded like anything else, so transforms nest in any order,
run through `vmap`, launches, closures and in-place writes, and an outer ``backward()`` goes on through them. When the
level ends, what no outer gradient runs through is cut off from the graph. A forward-mode derivative is the gradient of
the gradient with respect to its (linear) cotangent; XLA is left with the forward computation.
"""

from __future__ import annotations

import threading

from funcgrad import _dtypes, _operators
from funcgrad._tensor import Tensor, wrap
from funcgrad.autograd import _backward
from funcgrad.engine import launch as _launch
from funcgrad.engine.backward import where
from funcgrad.engine.nested import python_takes_part
from funcgrad.engine.record import detached, record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op, maker
from funcgrad.engine.values import Freed, Leaf, Origin

START = Op("alias", lambda x: x, starts=True, saves=False)
_END = Op("alias", lambda x: x, differentiable=False)  # no `detach`: a JAX transformation around it goes on through it


class _Levels(threading.local):
    def __init__(self):
        self.open: list[Level] = []


_levels = _Levels()


def depth() -> int:
    """How many levels are open in this thread."""
    return len(_levels.open)


class Level:
    """One level: the places where its gradients start, and whether gradients were being recorded around it.

    Attributes:
        forward, functional: whether it is in forward mode, and a transform of ``torch.func``.
        tangents: whether tangents are taken of what it makes, so that `no_grad` must not cut it off.
        duals: in forward mode, the tensors where its gradients start, each with its tangent.
    """

    def __init__(self, forward: bool = False, functional: bool = True, tangents: bool | None = None):
        self.tangents = forward if tangents is None else tangents
        self.functional = functional
        self.forward = forward
        self.duals: list[tuple[Tensor, Tensor]] = []
        self.starts: list[tuple] = []
        self.connected = False  # whether what comes out of it is differentiated outside

    def __enter__(self) -> Level:
        if not _levels.open and not state.program.limit and state.capture is None and not state.program.traced:
            # A gradient was taken in this program before: a loop of transforms launches once a round.
            _launch.launch("a function transform began")
        self.outer_grad = state.grad
        state.grad = True
        _levels.open.append(self)
        state.tangents += self.tangents
        state.transforms += self.functional
        return self

    def __exit__(self, *exc) -> None:
        state.grad = self.outer_grad
        _levels.open.remove(self)
        state.tangents -= self.tangents
        state.transforms -= self.functional
        if not _levels.open and not self.connected:
            state.program.limit = 0

    def start(self, tensor: Tensor, leaf: bool = True) -> Tensor:
        """An alias of `tensor` where a gradient of this level starts.

        Raises:
            RuntimeError: its dtype has no gradients.
        """
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(tensor)}")
        if tensor.dtype.category < _dtypes.FLOATING:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        with python_takes_part():
            value = record(START, (tensor,))
            self.starts.append((value.program, value.ref.index))
        made = wrap(value)
        if leaf:
            made._leaf = Leaf(made)
        return made

    def ended(self, tensor):
        """A result of this level as the code around it sees it."""
        if not isinstance(tensor, Tensor) or not tensor.requires_grad:
            return tensor
        if self.outer_grad and self.reaches_out([tensor]):
            self.connected = True
            if tensor._leaf is None or tensor._value.origin is tensor._leaf:
                return tensor
            return wrap(tensor._value)  # an argument returned as it came
        return wrap(record(_END, (tensor,)))

    def reaches_out(self, tensors) -> bool:
        """Whether a gradient of any of `tensors` goes on to something outside this level."""
        opened = {place for level in _levels.open if level is not self for place in level.starts}
        return any(_reaches(where(t._read()), opened) for t in tensors if t.requires_grad)

    def gradients(self, outputs, inputs, cotangents, create: bool, batched: bool = False) -> list:
        """The gradients of `outputs` with respect to `inputs`; zeros where there is none."""
        pairs = [(o, c) for o, c in zip(outputs, cotangents) if o.requires_grad]
        if pairs:
            found = _backward.grad(
                [o for o, _ in pairs], inputs, [c for _, c in pairs], True, create,
                allow_unused=True, is_grads_batched=batched,
            )  # fmt: skip
        else:
            found = [None] * len(inputs)
        count = next((c.shape[0] for c in cotangents if c is not None), 0) if batched else 0
        return [g if g is not None else zeros(x, count) for g, x in zip(found, inputs)]

    def dual(self, tensor: Tensor, tangent: Tensor) -> Tensor:
        """An alias of `tensor` that carries a tangent."""
        made = self.start(tensor, leaf=False)
        self.duals.append((made, tangent))
        return made

    def reached_by(self, tensor: Tensor) -> bool:
        """Whether this level's tangents run through `tensor`."""
        return tensor.requires_grad and _reaches(where(tensor._read()), set(self.starts), outside=False)

    def tangent(self, tensor: Tensor) -> Tensor:
        """The tangent of `tensor`, which depends on this level's dual tensors."""
        made, tangents = zip(*self.duals)
        return self.push([tensor], list(made), list(tangents))[0]

    def pull(self, outputs, inputs, cotangents, batched: bool = False) -> list:
        """Cotangents of `inputs`, connected to what is outside this level if that is differentiated."""
        given = [c for c in cotangents if c is not None]
        differentiable = self.reaches_out(outputs) or any(c.requires_grad for c in given)
        create = self.outer_grad and state.grad and differentiable
        return [self.ended(g) for g in self.gradients(outputs, inputs, cotangents, create, batched)]

    def push(self, outputs, inputs, tangents, batched: bool = False) -> list:
        """Tangents of `outputs`: the derivative of the gradient with respect to its cotangent."""
        state_before, state.grad = state.grad, True
        try:
            chosen = [i for i, o in enumerate(outputs) if o.requires_grad]
            dummies = [self.start(zeros(outputs[i])) for i in chosen]
            pulled = self.gradients([outputs[i] for i in chosen], inputs, dummies, True) if chosen else []
            live = [(g, t) for g, t in zip(pulled, tangents) if g.requires_grad]
            if live:
                create = self.outer_grad and (self.reaches_out(outputs) or any(t.requires_grad for _, t in live))
                found = self.gradients([g for g, _ in live], dummies, [t for _, t in live], create, batched)
            else:
                count = tangents[0].shape[0] if batched else 0
                found = [zeros(outputs[i], count) for i in chosen]
        finally:
            state.grad = state_before
        made = dict(zip(chosen, found))
        count = tangents[0].shape[0] if batched else 0
        return [self.ended(made[i]) if i in made else zeros(o, count) for i, o in enumerate(outputs)]


def zeros(like: Tensor, count: int = 0) -> Tensor:
    """Zeros of the shape of `like`, or `count` times as many, along a new first axis."""
    made = _operators.call("zeros_like", like)
    if made.requires_grad:
        made = wrap(detached(made._read()))
    return made if not count else made.unsqueeze(0).expand(count, *like.shape)


def functional() -> bool:
    """Whether a transform of ``torch.func`` is open."""
    return any(level.functional for level in _levels.open)


def inside(program) -> list[Level]:
    """The open levels with a start in `program`."""
    return [level for level in _levels.open if any(place[0] is program for place in level.starts)]


def forward_levels() -> list[Level]:
    """The open levels in forward mode, innermost first."""
    return [level for level in reversed(_levels.open) if level.forward]


def _reaches(place, opened: set, outside: bool = True) -> bool:
    """Whether a gradient arriving at `place` reaches one of the `opened` places, or (if wanted) a leaf outside."""
    seen, waiting = set(), [place]
    while waiting:
        place = waiting.pop()
        if place is None or place in seen:
            continue
        if place in opened:
            return True
        if isinstance(place, Leaf):
            if outside:
                return True
            continue
        seen.add(place)
        program, slot = place
        edge = program.edges.get(slot)
        if isinstance(edge, Leaf | Freed):
            if outside:
                return True
            continue
        if isinstance(edge, Origin):
            waiting.append((edge.program, edge.slot))
            continue
        entry = maker(program.node.path(), slot)
        if entry.op is None:
            if program.nested is not None and slot in program.edges:
                home = program.nested.home(slot)
                if outside or home is None:
                    return True
                waiting.append(home if isinstance(home, tuple) else None)
            continue
        waiting += [(program, s) for s in entry.tracked]
    return False
