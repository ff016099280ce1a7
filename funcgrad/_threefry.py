"""A generator whose numbers come from keys of `jax.random`, inside the recorded program.

It stands where a Mersenne Twister engine does. A draw costs the host one key, three words: the seed and how many draws
were made before. The numbers are as reproducible as PyTorch's, and others.
"""

from __future__ import annotations

import secrets
import threading

import numpy as np

from funcgrad import _device
from funcgrad._draws._mt19937 import Engine
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import Value, aval_of
from funcgrad.ops import keyed_draws

_ops: dict[str, Op] = {}
_TRIAL = Engine(0)


class Threefry:
    """The state of a counter-based generator: a seed and a counter."""

    def __init__(self, seed: int = 67280421310721):
        self.lock = threading.RLock()
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        """Set the seed and begin counting anew."""
        self.initial_seed = seed & (2**64 - 1)
        self.counter = 0

    def seed(self) -> int:
        """Set the seed to a number from the operating system, and return it."""
        self.manual_seed(secrets.randbits(64))
        return self.initial_seed

    def get_state(self) -> np.ndarray:
        """Seed and counter, 8 bytes each, as PyTorch's CUDA generator has them."""
        return np.array([self.initial_seed, self.counter], np.uint64).view(np.uint8)

    def set_state(self, saved: np.ndarray) -> None:
        """Take a state that `get_state` gave."""
        if saved.dtype != np.uint8 or saved.size != 16:
            raise RuntimeError("RNG state is wrong size")
        self.initial_seed, self.counter = (int(x) for x in np.ascontiguousarray(saved).view(np.uint64))

    def bookmark(self) -> tuple:
        """Where the generator is, for `go_back`."""
        return self.initial_seed, self.counter

    def go_back(self, mark: tuple) -> None:
        """Continue from a bookmark."""
        self.initial_seed, self.counter = mark

    def clone(self) -> Threefry:
        """Another one with the same state."""
        made = Threefry(self.initial_seed)
        made.counter = self.counter
        return made

    def _key(self) -> Value:
        words = [self.initial_seed & 0xFFFFFFFF, self.initial_seed >> 32, self.counter & 0xFFFFFFFF]
        self.counter += 1
        array = np.array(words, np.uint32)
        return Value(array, aval_of(array.shape, array.dtype, _device.CPU))

    def draw(self, function, args: tuple, kwargs: dict) -> Value:
        """Record what the host's `function` would draw; in a captured program every replay has a key of its own."""
        if isinstance(args[0], tuple | list):
            function(_TRIAL, (0,), *args[1:], **kwargs)  # raises the errors about its arguments
        key = self._key()
        if state.capture is not None:
            state.capture.draws[id(key)] = self._key
            state.capture.values.append(key)
        name = function.__name__
        op = _ops.get(name)
        if op is None:
            op = _ops[name] = Op(name, getattr(keyed_draws, name), differentiable=False)
        return record(op, (key, *[_lifted(a) for a in args]), kwargs)


def _lifted(a):
    if isinstance(a, np.ndarray):
        return Value(a, aval_of(a.shape, a.dtype, _device.CPU))
    return a
