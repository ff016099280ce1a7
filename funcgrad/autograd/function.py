"""User-written differentiable functions: ``torch.autograd.Function``."""

from __future__ import annotations

import functools
import inspect

from funcgrad import _dtypes
from funcgrad._operators import check_writable, write
from funcgrad._tensor import Tensor, wrap
from funcgrad.autograd import _function_rules, _levels, _saved
from funcgrad.engine.backward import Seam
from funcgrad.engine.nested import python_takes_part
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op


class FunctionCtx:
    """What ``forward`` saves for ``backward``."""

    _to_save: tuple = ()
    _packed = None
    _non_differentiable: tuple = ()
    _dirty: tuple = ()
    _materialize = True
    _freed = False

    def save_for_backward(self, *tensors) -> None:
        """Keep tensors (or None) for ``backward``, as ``ctx.saved_tensors``."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors) -> None:
        """Keep tensors for a ``jvp``."""
        self.saved_for_forward = tensors

    @property
    def saved_tensors(self) -> tuple:
        if self._freed:
            from funcgrad.engine.backward import SECOND_TIME

            raise RuntimeError(SECOND_TIME)
        return self._to_save if self._packed is None else _saved.unpack_all(self._packed)

    def mark_non_differentiable(self, *tensors) -> None:
        """Say that these results carry no gradient."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors) -> None:
        """Say that these operands were changed in place."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether cotangents that did not arrive are zeros (the default) or None."""
        self._materialize = bool(value)


class Function(FunctionCtx):
    """A function with its own gradient.

    Subclasses define static methods ``forward(ctx, *args)`` (or ``forward(*args)`` with ``setup_context``) and
    ``backward(ctx, *grads)``; call it with ``apply``.

    Example:
        >>> import funcgrad as torch
        >>> class Double(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         return g * 2
        >>> x = torch.ones(2, requires_grad=True)
        >>> Double.apply(x).sum().backward()
        >>> x.grad
        tensor([2., 2.])

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
    """

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future "
            "version of PyTorch."
        )

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @staticmethod
    def jvp(ctx, *grad_inputs):
        raise NotImplementedError(_function_rules.NO_JVP)

    @staticmethod
    def vmap(info, in_dims, *args):
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        raise NotImplementedError("setup_context is not implemented.")

    generate_vmap_rule = False

    @classmethod
    def _context(cls) -> type:
        return type(cls.__name__ + "Backward", (FunctionCtx,), {})

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run ``forward`` and make its results differentiable through ``backward``."""
        own = _own(cls)
        if "setup_context" in own:  # which is given the defaults too
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if _function_rules.transformed() and "_for_all_examples" not in own and "setup_context" not in own:
            raise RuntimeError(_function_rules.NO_SETUP)
        batch = _function_rules.batch_over(args)
        if batch is not None and not _function_rules.differentiated_inside(batch, args):
            return _function_rules.apply_batched(cls, "vmap" in own, batch, args)

        def forward(ctx, args):
            grad, state.grad = state.grad, False
            try:
                if "setup_context" not in own:
                    return cls.forward(ctx, *args, **kwargs)
                if batch is None:
                    results = cls.forward(*args, **kwargs)
                else:
                    results = _function_rules.apply_batched(cls, "vmap" in own, batch, args)
                cls.setup_context(ctx, tuple(args), results)
                return results
            finally:
                state.grad = grad

        if _function_rules.traced(args):
            return _function_rules.apply_traced(cls, forward, args)
        ctx = object.__new__(cls._context())
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        before = [a._read() if isinstance(a, Tensor) else None for a in args]
        results = forward(ctx, args)
        if not (state.grad and any(ctx.needs_input_grad)):
            return results
        with python_takes_part():
            connected = _connect(cls, ctx, before, results)
        if not _levels.forward_levels():
            return connected
        has_backward = bool(own & {"backward", "vjp"})
        return _function_rules.push_forward(cls, "jvp" in own, has_backward, ctx, args, connected)


@functools.lru_cache(maxsize=256)
def _own(cls) -> frozenset:
    return frozenset(name for base in cls.__mro__[: cls.__mro__.index(Function)] for name in vars(base))


def _connect(cls, ctx, args, results):
    """Put a seam into the program: its operands, `cls.backward`, its results.

    Args:
        args: the values of the arguments that are tensors, as they were before the call; None for the others.
    """
    for t in ctx._dirty:
        check_writable(t)
    single = isinstance(results, Tensor)
    outs = [results] if single else list(results)
    skip = {id(t) for t in ctx._non_differentiable}
    chosen = [
        i
        for i, t in enumerate(outs)
        if isinstance(t, Tensor) and id(t) not in skip and t.dtype.category >= _dtypes.FLOATING
    ]
    if not chosen:
        return results
    operands = [(i, a) for i, a in enumerate(args) if a is not None and a.requires_grad]
    values, _ = record(_op_of(cls), ([a for _, a in operands], [outs[i] for i in chosen]))
    program = state.program
    slots = [a.ref.index for _, a in operands]
    seam = Seam(program.node.depth - 1, values[0].ref.index, len(values))
    operands = [(slot, i, a.aval) for slot, (i, a) in zip(slots, operands)]
    avals = [t._read().aval if isinstance(t, Tensor) else None for t in outs]
    seam.context = ctx
    ctx._packed = _saved.pack_all(ctx._to_save)
    seam.function = functools.partial(_run_backward, cls, ctx, len(args), operands, avals, chosen)
    program.seams.append(seam)
    for i, value in zip(chosen, values):
        if any(outs[i] is t for t in ctx._dirty):
            write(outs[i], value)
        else:
            outs[i] = wrap(value)
    return outs[0] if single else type(results)(outs) if isinstance(results, list) else tuple(outs)


_ops: dict = {}


def _op_of(cls) -> Op:
    found = _ops.get(cls)
    if found is None:
        found = _ops[cls] = Op(
            "function",
            lambda operands, results: list(results),
            starts=True,
            seam=True,
            grad_name=cls.__name__ + "Backward",
        )
    return found


def _run_backward(cls, ctx, count: int, operands, avals, chosen, arrived, create: bool, retain: bool):
    """Call the user's backward; yield (slot, cotangent) for each operand that has one."""
    grads: list = [None] * len(avals)
    for i, value in zip(chosen, arrived):
        if value is not None:
            grads[i] = wrap(value)
    if ctx._materialize:
        grads = [_zeros(aval) if g is None and aval is not None else g for g, aval in zip(grads, avals)]
    before, state.grad = state.grad, create
    try:
        made = getattr(cls, "vjp", cls.backward)(ctx, *grads) if "vjp" in _own(cls) else cls.backward(ctx, *grads)
    finally:
        state.grad = before
    if ctx._to_save and not retain:
        ctx._freed = True
    made = made if isinstance(made, tuple | list) else (made,)
    made = list(made)
    while len(made) > count and made[-1] is None:
        made.pop()
    if len(made) != count:
        raise RuntimeError(
            f"function {cls.__name__}Backward returned an incorrect number of gradients (expected {count}, got {len(made)})"
        )
    result = []
    for slot, i, operand in operands:
        grad = made[i]
        if grad is None:
            continue
        if not isinstance(grad, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(grad).__name__})")
        if grad.shape != operand.shape:
            raise RuntimeError(
                f"Function {cls.__name__}Backward returned an invalid gradient at index {i} - got {list(grad.shape)} "
                f"but expected shape compatible with {list(operand.shape)}"
            )
        result.append((slot, grad.to(operand.dtype)._read()))
    return result


def _zeros(aval) -> Tensor:
    from funcgrad import _operators

    return _operators.apply(_operators.op("zeros"), (aval.shape,), {"dtype": aval.dtype, "device": aval.device})


def once_differentiable(function):
    """Mark a ``backward`` whose result cannot itself be differentiated."""

    @functools.wraps(function)
    def once(ctx, *grads):
        before, state.grad = state.grad, False
        try:
            return function(ctx, *grads)
        finally:
            state.grad = before

    return once
