"""Connectionist temporal classification: the likelihood of a label sequence under frame-wise log-probabilities.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.ctc_loss.html
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from funcgrad import _dtypes, _errors
from funcgrad.ops import _loops
from funcgrad.ops._elementwise import derivatives
from funcgrad.ops._loss import reduced, reduction_name
from funcgrad.ops._number import Array, cast

# Stands for log(0): sums of it stay finite, so that no derivative is inf - inf.
NEVER = -1e30
_CHECKING = "(while checking arguments for ctc_loss_allocate_outputs)"


def ctc_loss(
    log_probs: Array,
    targets: Array,
    input_lengths: Array | Sequence[int],
    target_lengths: Array | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Array:
    """Minus the log of the summed probability of all alignments of each target sequence with its input frames.

    The gradient is PyTorch's: it takes `log_probs` for normalised, and so is that of the logits below a log_softmax.

    Args:
        targets: labels other than `blank`, one sequence a row, or all sequences one after the other.
        input_lengths, target_lengths: one for each sample. Numbers are constants of the compiled program, arrays not.
        reduction: the mean divides each loss by its target's length (at least 1) first.
        zero_infinity: make impossible targets' losses and gradients zero.

    Shape:
        log_probs: (T, N, C) or (T, C). targets: (N, S) or (sum of target_lengths).

    Raises:
        RuntimeError: shapes, dtypes, lengths (where these are numbers) or `blank` do not fit.

    Example:
        >>> ctc_loss(jnp.log(jnp.full((1, 1, 2), 0.5)), jnp.array([[1]]), (1,), (1,))
        Array(0.6931472, dtype=float32)
    """
    reduction = reduction_name(reduction)
    batched = log_probs.ndim == 3
    x = log_probs if batched else jnp.expand_dims(log_probs, min(1, log_probs.ndim))
    _check(x, targets, input_lengths, target_lengths, blank)
    labels = _padded_targets(targets, target_lengths, x.shape[1])
    frames, lengths = (
        cast(jnp.asarray(v, jnp.int64 if isinstance(v, list | tuple) else None), _dtypes.int64).reshape(-1)
        for v in (input_lengths, target_lengths)
    )
    loss, mass = _losses(x, labels, frames, lengths, blank)
    loss = _with_gradient_of_both(loss, mass)
    impossible = loss > -NEVER / 2
    if zero_infinity:
        loss = jnp.where(impossible, jnp.zeros((), x.dtype), loss)
    else:
        loss = _infinite_where(loss, impossible)
    if reduction == "mean":
        loss = loss / jnp.maximum(lengths, 1).astype(x.dtype)
    return reduced(loss if batched or reduction != "none" else loss[0], reduction)


@derivatives(lambda y, loss, mass: jnp.ones_like(loss), lambda y, loss, mass: jnp.ones_like(mass))
def _with_gradient_of_both(loss: Array, mass: Array) -> Array:
    """`loss`, with the derivative of ``loss + mass``; adding and subtracting `mass` would cost digits."""
    return loss


@derivatives(lambda y, loss, impossible: jnp.where(impossible, jnp.nan, 1).astype(loss.dtype), None)
def _infinite_where(loss: Array, impossible: Array) -> Array:
    return jnp.where(impossible, jnp.asarray(jnp.inf, loss.dtype), loss)


def _padded_targets(targets: Array, target_lengths, samples: int) -> Array:
    """The label sequences as rows; entries beyond a row's length are arbitrary labels."""
    targets = cast(targets, _dtypes.int64)
    if targets.ndim == 2:
        return targets
    if isinstance(target_lengths, list | tuple):
        width = max(target_lengths, default=0)
        target_lengths = jnp.asarray(target_lengths, jnp.int64)
    else:
        width = targets.shape[0]  # the lengths' values are not known here; their sum bounds them
    if not width:
        return jnp.zeros((samples, 0), jnp.int64)
    lengths = cast(target_lengths, _dtypes.int64).reshape(-1)
    starts = jnp.cumsum(lengths) - lengths
    return jnp.take(targets, starts[:, None] + jnp.arange(width, dtype=jnp.int64), mode="clip")


def _losses(x: Array, labels: Array, frames: Array, lengths: Array, blank: int) -> tuple[Array, Array]:
    """Each sample's loss (about 1e30 if impossible), and the sum of its frames' probabilities.

    State ``2 k + 1`` of the forward recursion has emitted the k-th label last, state ``2 k`` the blank before it.
    """
    steps, samples, _ = x.shape
    states = 2 * labels.shape[1] + 1
    extended = jnp.full((samples, states), blank, jnp.int64).at[:, 1::2].set(labels)
    emitted = jnp.maximum(jnp.take_along_axis(x, extended[None], 2, mode="clip"), jnp.asarray(NEVER, x.dtype))
    # The blank between two labels may be skipped if they differ.
    before = jnp.pad(extended, ((0, 0), (2, 0)), constant_values=-1)[:, :states]
    position = jnp.arange(states, dtype=jnp.int64)
    skips = (position % 2 == 1) & (position > 1) & (extended != before)
    start = jnp.where(position[None] < 2, emitted[0], jnp.asarray(NEVER, x.dtype))
    last = _forward(start, emitted[1:], skips, frames)
    end = 2 * lengths[:, None]
    final = jnp.where((position == end) | (position == end - 1), last, jnp.asarray(NEVER, x.dtype))
    loss = -_log_sum(final, axis=1)
    # Without frames only the empty target is possible.
    empty = jnp.where(lengths == 0, 0.0, -NEVER).astype(x.dtype)
    counted = jnp.arange(steps, dtype=jnp.int64)[:, None] < frames
    mass = jnp.sum(jnp.where(counted[..., None], jnp.exp(x), jnp.zeros((), x.dtype)), (0, 2))
    return jnp.where(frames == 0, empty, loss), mass


def _forward(start: Array, emitted: Array, skips: Array, frames: Array) -> Array:
    """The log-probability of each state after each sample's last frame."""

    def step(alpha, inputs):
        frame, emission = inputs
        one = jnp.pad(alpha, ((0, 0), (1, 0)), constant_values=NEVER)[:, :-1]
        two = jnp.pad(alpha, ((0, 0), (2, 0)), constant_values=NEVER)[:, : alpha.shape[1]]
        two = jnp.where(skips, two, jnp.asarray(NEVER, alpha.dtype))
        new = _log_sum(jnp.stack([alpha, one, two]), axis=0) + emission
        return jnp.where(frame < frames[:, None], new, alpha), None

    count = jnp.arange(1, emitted.shape[0] + 1, dtype=jnp.int64)
    return _loops.scan(step, start, (count, emitted))[0]


def _log_sum(x: Array, axis: int) -> Array:
    largest = jax.lax.stop_gradient(jnp.max(x, axis, keepdims=True))
    return jnp.log(jnp.sum(jnp.exp(x - largest), axis)) + largest.squeeze(axis)


# -- checks -----------------------------------------------------------------------------------------------------------


def _check(x: Array, targets: Array, input_lengths, target_lengths, blank: int) -> None:
    if not x.size:
        raise RuntimeError("log_probs tensor must not be empty")
    for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        if not isinstance(lengths, list | tuple) and _dtypes.to_dtype(lengths.dtype).category > _dtypes.INTEGER:
            raise RuntimeError(f"{name} must be integral")
    if x.ndim != 3:
        raise RuntimeError(
            f"Expected 3-dimensional tensor, but got {x.ndim}-dimensional tensor for argument #1 'log_probs' "
            f"{_CHECKING}"
        )
    if targets.ndim not in (1, 2):
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {targets.ndim}-dimensional tensor for argument #2 'targets' "
            f"{_CHECKING}"
        )
    steps, samples, classes = x.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        if (len(lengths) if isinstance(lengths, list | tuple) else lengths.size) != samples:
            raise RuntimeError(f"{name} must be of size batch_size")
    if targets.ndim == 2 and targets.shape[0] != samples:
        _refuse_targets(f"size {samples}", 0, targets)
    _check_target_lengths(targets, target_lengths)
    _check_input_lengths(input_lengths, steps)
    _errors.check_dtype("ctc_loss_cpu", _dtypes.to_dtype(x.dtype), "f")


def _check_target_lengths(targets: Array, lengths) -> None:
    if not isinstance(lengths, list | tuple):
        return
    for n in lengths:
        if n < 0:
            raise RuntimeError(f"Expected target_lengths to have value at least 0, but got value {n} {_CHECKING}")
    if targets.ndim == 2 and max(lengths, default=0) > targets.shape[1]:
        _refuse_targets(f"size at least {max(lengths)}", 1, targets)
    if targets.ndim == 1 and sum(lengths) != targets.shape[0]:
        _refuse_targets(f"size {sum(lengths)}", 0, targets)


def _check_input_lengths(lengths, steps: int) -> None:
    for n in lengths if isinstance(lengths, list | tuple) else ():
        if not 0 <= n <= steps:
            limit = f"at most {steps}" if n > steps else "at least 0"
            raise RuntimeError(f"Expected input_lengths to have value {limit}, but got value {n} {_CHECKING}")


def _refuse_targets(expected: str, dim: int, targets: Array) -> None:
    raise RuntimeError(
        f"Expected tensor to have {expected} at dimension {dim}, but got size {targets.shape[dim]} for argument "
        f"#2 'targets' {_CHECKING}"
    )
