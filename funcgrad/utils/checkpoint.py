"""Checkpointing: intermediate values are computed again during backward instead of being kept.

See https://docs.pytorch.org/docs/stable/checkpoint.html. A checkpointed function is recorded into a program of its own,
which enters the program around it as one op under ``jax.checkpoint``. Random draws and buffers it read are operands of
that op, so the second computation sees what the first one saw. As in PyTorch, tensors that the function wrote to (the
running statistics of a batch norm) are written once more when a gradient arrives.
"""

from __future__ import annotations

import contextlib
import enum
import warnings
from collections.abc import Callable

from funcgrad import _operators, random
from funcgrad._errors import unsupported
from funcgrad._tensor import Tensor
from funcgrad.engine.nested import Checkpoint
from funcgrad.engine.state import state
from funcgrad.utils import _pytree

_UNSTATED = (
    "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling "
    "checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to "
    "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
    "differences between the two variants."
)
_UNSTATED_SEQUENTIAL = (
    "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In version "
    "2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is recommended, but if you need "
    "to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
    "differences between the two variants."
)


class CheckpointError(RuntimeError):
    """The second computation of a checkpointed function differs from the first."""


class CheckpointPolicy(enum.Enum):
    """What a selective checkpoint does with an op's results."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4


def noop_context_fn() -> tuple:
    """Two contexts that do nothing, for the first computation and the second."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function: Callable,
    *args,
    use_reentrant: bool | None = None,
    context_fn: Callable = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs,
):
    """Call ``function(*args, **kwargs)`` keeping only what it read; backward computes the rest again.

    Args:
        function: any function of tensors and other things; it may read values, though that cuts the checkpoint in two.
        use_reentrant: True for PyTorch's older form: no keyword arguments, gradients only if an argument requires them.
        context_fn: gives two context managers; `function` is called within the first.
        determinism_check: "default" or "none"; the second computation is the same by construction.
        debug, early_stop: accepted as PyTorch has them.
        preserve_rng_state: accepted; both computations always see the same random numbers.

    Raises:
        ValueError: `determinism_check` is unknown, or arguments that `use_reentrant=True` has not.

    Example:
        >>> import funcgrad as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> torch.utils.checkpoint.checkpoint(torch.exp, x, use_reentrant=False).sum().backward()
        >>> x.grad
        tensor([2.7183, 2.7183])
    """
    if use_reentrant is None:
        warnings.warn(_UNSTATED, stacklevel=2)
        use_reentrant = True
    kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return _reentrant(function, args)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
    forward, _ = context_fn()
    with forward:
        return _recorded(function, args, kwargs)


def _reentrant(function, args):
    tensors = [a for a in args if isinstance(a, Tensor)]
    if not any(t.requires_grad for t in tensors):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=3)
    if not state.grad or not any(t.requires_grad for t in tensors):
        before, state.grad = state.grad, False
        try:
            return function(*args)
        finally:
            state.grad = before
    result = _recorded(function, args, {}, reentrant=True)

    def returned(x, direct: bool):
        if not isinstance(x, Tensor):
            return x
        return (
            _operators.call("view_as", x, x) if direct and any(x is t for t in tensors) else x if direct else x.detach()
        )

    if isinstance(result, tuple):
        return tuple(returned(x, True) for x in result)
    return (
        returned(result, True) if isinstance(result, Tensor) else _pytree.tree_map(lambda x: returned(x, False), result)
    )


def _recorded(function, args, kwargs, reentrant: bool = False):
    """`function` as one op, or as several where Python takes part."""
    if not state.grad:
        return function(*args, **kwargs)
    begun = random.get_rng_state() if state.capture is None else None
    with Checkpoint(reentrant) as nested:
        result = function(*args, **kwargs)
        held = {id(t._value) for t in _pytree.tree_leaves(result) if isinstance(t, Tensor)}
    outputs = [t for t in _pytree.tree_leaves(result) if isinstance(t, Tensor) and t.requires_grad]
    if outputs and any(v is not None and id(v) not in held for v in [r() for r in nested.moved]):
        _write_again(function, args, kwargs, outputs, begun, nested.cut)
    return result


def _write_again(function, args, kwargs, outputs: list, begun, grad: bool) -> None:
    """Call the function once more when a gradient first arrives, for what it writes.

    Args:
        begun: the generator's state at the first call.
        grad: whether gradients are to be recorded: it calls Functions, or sets hooks.
    """
    waiting = [True]

    def again(_) -> None:
        if not waiting:
            return
        waiting.clear()
        before, state.grad = state.grad, grad
        now = random.get_rng_state() if begun is not None else None
        try:
            if begun is not None:
                random.set_rng_state(begun)
            function(*args, **kwargs)
        finally:
            state.grad = before
            if now is not None:
                random.set_rng_state(now)

    for t in outputs:
        if not t.is_leaf:
            t.register_hook(again)


def checkpoint_sequential(functions, segments: int, input, use_reentrant: bool | None = None, **kwargs):
    """Checkpoint a chain of functions (or a `Sequential`) in `segments` pieces; the last piece is not checkpointed.

    Raises:
        ValueError: an unknown keyword argument.
    """
    if use_reentrant is None:
        warnings.warn(_UNSTATED_SEQUENTIAL, stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if hasattr(functions, "children"):
        functions = list(functions.children())

    def run(start: int, end: int):
        def forward(x):
            for function in functions[start : end + 1]:
                x = function(x)
            return x

        return forward

    size, end = len(functions) // segments, -1
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        input = checkpoint(run(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return run(end + 1, len(functions) - 1)(input)


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool):
    """Accepted: whether the second computation stops early is XLA's business here."""
    yield


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None):
    """Accepted: both computations are the same program."""
    yield


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation: bool = False):
    """Not supported: `checkpoint` keeps a function's operands and nothing else."""
    raise unsupported("torch.utils.checkpoint.create_selective_checkpoint_contexts")


def detach_variable(inputs: tuple) -> tuple:
    """The tensors among `inputs` detached, each with its own `requires_grad`.

    Raises:
        RuntimeError: `inputs` is not a tuple.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError("Only tuple of tensors is supported. Got Unsupported input type: ", type(inputs).__name__)
    made = [x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
    return tuple(made)


def check_backward_validity(inputs) -> None:
    """Warn if no tensor among `inputs` requires grad."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
