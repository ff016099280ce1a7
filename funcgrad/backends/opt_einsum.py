"""``torch.backends.opt_einsum``: XLA contracts in the order that JAX finds."""

from __future__ import annotations

import contextlib

enabled = True
strategy = "auto"


def is_available() -> bool:
    """True: JAX brings it."""
    return True


def get_opt_einsum():
    """The module that finds the order of contractions."""
    import opt_einsum

    return opt_einsum


def set_flags(_enabled=None, _strategy=None) -> tuple:
    """Accepted and kept."""
    global enabled, strategy
    before = (enabled, strategy)
    enabled = before[0] if _enabled is None else _enabled
    strategy = before[1] if _strategy is None else _strategy
    return before


def flags(enabled=None, strategy=None):
    """Accepted; nothing changes."""
    return contextlib.nullcontext()
