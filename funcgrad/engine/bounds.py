"""Index values out of range: an error in PyTorch, silence in XLA.

Where an op's index array is at hand when the op is recorded, its values are checked at once, and the error comes at the
user's line. Where it is still to be computed, the program checks it: each launch returns one flag per such op, looked at
before any value reaches the user and before the next launch that finds it computed; the error names the line.
"""

from __future__ import annotations

import threading

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad.engine.values import Handle, Value


def check_now(op, args, kwargs) -> None:
    """Check the index arrays whose values are known.

    Raises:
        PyTorch's error for the first value out of range.
    """
    for value, check in _checks(op, args, kwargs or {}):
        if isinstance(value, int | float):
            known = np.asarray(value)
        elif value.array is None or isinstance(value.array, jax.core.Tracer):
            continue
        else:
            known = np.asarray(value.array)
        error = check.first_bad(known)
        if error is not None:
            raise error


def flags(op, args, kwargs, entry) -> tuple:
    """The checks left to the program: of index arrays that are still to be computed."""
    return tuple(
        Flag(value.ref.index, check, op.name, entry.site)
        for value, check in _checks(op, args, kwargs or {})
        if not isinstance(value, int | float)
        and value.array is None
        and value.ref is not None
        and value.ref.index in entry.reads
    )


def _checks(op, args, kwargs):
    """The checks of a call with the value (or Python number) each is about."""
    try:
        checks = op.bounds(*args, **kwargs)
    except Exception:
        return  # a call this wrong gets its error from the op itself
    for check in checks:
        value = check.indices
        if isinstance(value, Handle):
            value = value._value if value._value is not None else value._refresh()
        if isinstance(value, Value | int | float):
            yield value, check


class Flag:
    """A check left to the program: of the array in `slot`, for the op recorded at `site`."""

    __slots__ = ("check", "name", "site", "slot")

    def __init__(self, slot: int, check, name: str, site: str):
        self.slot = slot
        self.check = check
        self.name = name
        self.site = site

    def raised(self, env: dict):
        """Whether some value is out of range, and the first such value; of NumPy's arrays, computed by NumPy."""
        values, check = env[self.slot], self.check
        xp = np if isinstance(values, np.ndarray) else jnp
        bad = check.bad(values)
        first = xp.argmax(bad.reshape(-1)) if bad.size else 0
        worst = values.reshape(-1)[first] if bad.size else xp.zeros((), values.dtype)
        return xp.stack([xp.any(bad).astype(xp.float64), worst.astype(xp.float64)])

    def error(self, value: float) -> Exception:
        """PyTorch's error, with the op and the line that recorded it."""
        number = int(value) if float(value).is_integer() else value
        error = self.check.error(number, 0) if self.check.located else self.check.error(number)
        return type(error)(f"{error} ({self.name}, recorded at {self.site})")


class _Outstanding(threading.local):
    def __init__(self):
        self.flags: list = []


_outstanding = _Outstanding()


def launched(flags: list[Flag], raised: list) -> None:
    """Remember the flags that a launch returned."""
    _outstanding.flags.append((flags, raised))


def look(wait: bool) -> None:
    """Raise the error of a flag that was raised; with `wait`, look at those still being computed too."""
    if not _outstanding.flags:
        return
    later = []
    found, _outstanding.flags = _outstanding.flags, later
    for i, (flags, raised) in enumerate(found):
        if not wait and not all(r.__class__ is np.ndarray or r.is_ready() for r in raised):
            later.append((flags, raised))
            continue
        for flag, result in zip(flags, raised):
            bad, value = np.asarray(result)
            if bad:
                later.extend(found[i + 1 :])
                raise flag.error(value)
