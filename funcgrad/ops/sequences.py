"""Sequences of different lengths in one array.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from funcgrad import _errors
from funcgrad.ops._number import Array, Scalar, as_array, cast


def pad_sequence(
    sequences: Sequence[Array], batch_first: bool = False, padding_value: Scalar = 0.0, padding_side: str = "right"
) -> Array:
    """Arrays of different lengths side by side, the short ones padded to the longest.

    Args:
        batch_first: (N, T, ...) instead of (T, N, ...).
        padding_side: whether the padding stands on the ``"right"`` (behind) or on the ``"left"``.

    Example:
        >>> pad_sequence([jnp.ones(2), jnp.ones(1)], batch_first=True)
        Array([[1., 1.],
               [1., 0.]], dtype=float32)
    """
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    first = sequences[0]
    if not first.ndim:
        raise RuntimeError("ArrayRef: invalid slice, N = 1; size = 0")
    longest = max(x.shape[0] for x in sequences)
    filler = as_array(padding_value, first.dtype)
    padded = []
    for x in sequences:
        if x.shape[1:] != first.shape[1:]:
            _errors.broadcast_shapes((*x.shape[:1], *first.shape[1:]), x.shape)
            x = jnp.broadcast_to(x, (*x.shape[:1], *first.shape[1:]))
        missing = jnp.broadcast_to(filler, (longest - x.shape[0], *first.shape[1:]))
        x = cast(x, first.dtype)
        padded.append(jnp.concatenate([missing, x] if padding_side == "left" else [x, missing], 0))
    return jnp.stack(padded, 0 if batch_first else 1)
