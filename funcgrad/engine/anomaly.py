"""Anomaly detection: every gradient of a region is looked at for NaN, and the op that made the first one is named."""

from __future__ import annotations

import threading

import jax.numpy as jnp


class _Mode(threading.local):
    detecting = False


_mode = _Mode()


def detecting() -> bool:
    """Whether backward() looks for NaNs in this thread."""
    return _mode.detecting


def detect(wanted: bool) -> None:
    """Switch detection on or off."""
    _mode.detecting = wanted


class NaNFlag:
    """Whether the gradient of one operand of one entry holds a NaN; see `bounds.Flag`, which it stands beside."""

    __slots__ = ("entry", "key", "operand")

    def __init__(self, key: tuple, entry, operand: int):
        self.key = key
        self.entry = entry
        self.operand = operand

    def raised(self, env: dict):
        """The flag, and nothing to show."""
        return jnp.stack([env[self.key].astype(jnp.float64), jnp.zeros((), jnp.float64)])

    def error(self, value: float) -> Exception:
        """PyTorch's error, with the line that recorded the op."""
        return RuntimeError(
            f"Function '{self.entry.op.grad_name}' returned nan values in its {self.operand}th output. "
            f"({self.entry.op.name}, recorded at {self.entry.site})"
        )


def flags_of(path, slice_) -> tuple:
    """The flags of a region, in the order in which its gradients are computed."""
    found = []
    for position in reversed(slice_.entries):
        entry = path[position]
        if entry.vjp is None:
            found += [NaNFlag((id(slice_), position, k), entry, k) for k in range(len(entry.tracked))]
    return tuple(found)


def note(env: dict, slice_, position: int, k: int, cotangent) -> None:
    """Remember whether a gradient holds a NaN."""
    is_nan = jnp.isnan(cotangent) if jnp.issubdtype(cotangent.dtype, jnp.inexact) else jnp.zeros((), bool)
    env[(id(slice_), position, k)] = jnp.any(is_nan)
