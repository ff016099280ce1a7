"""The CPU generator's engine: Mersenne Twister 19937, seeded, advanced and saved as PyTorch does it.

NumPy's bit generator (in bulk a compiled loop) makes the words, 624-word blocks at a time; draws take them from a
buffer. That makes a
small draw cheap, lets a rejection sampler look at words before it knows how many it uses, and makes the saved state
free: a block's state words are its output words with the tempering undone.

PyTorch's page: https://docs.pytorch.org/docs/stable/generated/torch.Generator.html
"""

from __future__ import annotations

import secrets
import threading

import numpy as np

from funcgrad._draws._mt19937_blocks import BLOCK, temper, words

DEFAULT_SEED = 67280421310721
STATE_BYTES = 5056  # of torch.get_rng_state()
_REFILL = 4 * BLOCK
_FULL = 1 << 32
_STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "words", "normal", "has_normal", "single", "has_single"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", (BLOCK,)), "<f8", "<i4", "<f4", "u1"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040, 5048, 5052],
        "itemsize": STATE_BYTES,
    }
)


class Engine:
    """The stream of 32-bit words behind one generator, with PyTorch's cached second normals.

    Every method that moves the stream is called with `lock` held; the draws in `_draws` take it themselves.

    Attributes:
        initial_seed: the seed as an unsigned 64-bit integer.
        normal: the cached second half of a pair of float64 normals, or None.
        float_normal: the same for float32; kept only so that a saved state survives (no CPU draw uses it).

    Example:
        >>> engine = Engine(0)
        >>> engine.take(2).tolist()
        [2357136044, 2546248239]
    """

    __slots__ = (
        "_bits", "_initial", "_next", "_previous", "_words", "float_normal", "initial_seed", "lock", "normal",
    )  # fmt: skip

    def __init__(self, seed: int = DEFAULT_SEED):
        self._bits = np.random.MT19937(0)
        self.lock = threading.RLock()
        self.manual_seed(seed)

    # -- seeding ------------------------------------------------------------------------------------------------------

    def manual_seed(self, seed: int) -> Engine:
        """Start the stream of `seed`; a negative seed counts from the top of the unsigned range, as in PyTorch.

        Raises:
            ValueError: the seed does not fit in 64 bits.
        """
        seed = int(seed)
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        with self.lock:
            self.initial_seed = seed % (1 << 64)
            np.random.RandomState(self._bits).seed(self.initial_seed % _FULL)
            self._restart()
            self.normal = self.float_normal = None
        return self

    def seed(self) -> int:
        """Seed from the operating system's entropy; returns the seed."""
        self.manual_seed(secrets.randbits(64))
        return self.initial_seed

    def _restart(self) -> None:
        self._words = np.empty(0, np.uint32)
        self._next = 0
        self._previous = None  # the block before `_words`; None: they follow the initial state words,
        self._initial = None  # which are these; None: those of the seed

    # -- words --------------------------------------------------------------------------------------------------------

    def words(self, n: int) -> np.ndarray:
        """The next `n` words, uint32 or (made in bulk) uint64. It may be a view of the buffer: do not write to it."""
        held = len(self._words) - self._next
        if n > held:
            self._refill(n - held)
        self._next += n
        return self._words[self._next - n : self._next]

    def take(self, n: int) -> np.ndarray:
        """The next `n` words as uint32; do not write to it."""
        return self.words(n).astype(np.uint32, copy=False)

    def peek(self, n: int) -> np.ndarray:
        """The words that ``words(n)`` would return, without taking them."""
        words = self.words(n)
        self._next -= n
        return words

    def skip(self, n: int) -> None:
        """Leave out `n` words that were just looked at with `peek`."""
        self._next += n

    def pairs(self, n: int) -> np.ndarray:
        """`n` 64-bit draws, each made of two words, the first one the high half."""
        halves = self.take(2 * n)
        if halves.ctypes.data % 8:
            halves = halves.copy()
        swapped = halves.view("<u8")
        return (swapped << np.uint64(32)) | (swapped >> np.uint64(32))

    @property
    def held(self) -> int:
        """Words that are made and not taken."""
        return len(self._words) - self._next

    def lend(self) -> tuple[np.ndarray, np.ndarray]:
        """The state words of the last block made, and the words that are not taken, for a program that goes on there."""
        return self._bits.state["state"]["key"], self._words[self._next :]

    def take_back(self, key: np.ndarray, left: int) -> None:
        """Go on after a program that got as far as the block `key` and did not use the last `left` words of it."""
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": BLOCK}}
        self._words, self._next, self._previous = temper(key), BLOCK - left, None

    def _refill(self, missing: int) -> None:
        """Append at least `missing` words, whole blocks; keep the block that the position is in."""
        size = -(-max(missing, _REFILL) // BLOCK) * BLOCK
        new = words(self._bits, size // BLOCK)
        if new is None:
            new = self._bits.random_raw(size)  # a word in each uint64; 1 us for the call, where `integers` takes 5
        if size == _REFILL:
            new = new.astype(np.uint32)
        if self._next == len(self._words):
            if self._next:
                self._previous = self._words[-BLOCK:].copy()
            self._words, self._next = new, 0
            return
        start = self._next // BLOCK * BLOCK
        if start:
            self._previous = self._words[start - BLOCK : start].copy()
        self._words = np.concatenate([self._words[start:], new])
        self._next -= start

    # -- the state as PyTorch saves it --------------------------------------------------------------------------------

    def get_state(self) -> np.ndarray:
        """The state as the bytes of ``torch.get_rng_state()``. Shape: (5056,), uint8."""
        state = np.zeros((), _STATE)
        with self.lock:
            state["seed"], state["seeded"] = self.initial_seed, 1
            state["left"], state["next"], state["words"] = self._position()
            if self.normal is not None:
                state["normal"], state["has_normal"] = self.normal, 1
            if self.float_normal is not None:
                state["single"], state["has_single"] = self.float_normal, 1
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def bookmark(self) -> tuple:
        """Where the stream is, for `go_back`; it costs next to nothing, since buffers are replaced, never written to."""
        return (
            self.initial_seed,
            self._words,
            self._next,
            self._previous,
            self._initial,
            self.normal,
            self.float_normal,
        )

    def go_back(self, mark: tuple) -> None:
        """Continue from a bookmark."""
        with self.lock:
            (self.initial_seed, self._words, self._next, self._previous, self._initial, self.normal,
             self.float_normal) = mark  # fmt: skip
            self.set_state(self.get_state())

    def _position(self) -> tuple[int, int, np.ndarray]:
        """Words left in the block plus one, the index of the next word, and the block's state words."""
        if self._next:
            start = (self._next - 1) // BLOCK * BLOCK
            used = self._next - start
            return BLOCK + 1 - used, used, _untemper(self._words[start : start + BLOCK])
        if self._previous is not None:
            return 1, BLOCK, _untemper(self._previous)
        return 1, 0, self._initial_words()

    def _initial_words(self) -> np.ndarray:
        if self._initial is not None:
            return self._initial
        return np.random.RandomState(self.initial_seed % _FULL).get_state()[1]

    def set_state(self, state: np.ndarray) -> None:
        """Continue from a state that `get_state` or ``torch.get_rng_state()`` returned.

        Raises:
            RuntimeError: not 5056 bytes, or not the state of a Mersenne Twister.
        """
        state = np.ascontiguousarray(state, np.uint8)
        if state.size != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG state size to be "
                f"{state.size}"
            )
        saved = np.frombuffer(state.tobytes(), _STATE)[0]
        left, used = int(saved["left"]), int(saved["next"]) & (_FULL - 1)
        if saved["seeded"] != 1 or not 0 < left <= BLOCK or used > BLOCK:
            raise RuntimeError("Invalid mt19937 state")
        with self.lock:
            self._set_position(left, used, saved["words"].astype(np.uint32))
            self.initial_seed = int(saved["seed"])
            self.normal = float(saved["normal"]) if saved["has_normal"] else None
            self.float_normal = float(saved["single"]) if saved["has_single"] else None

    def _set_position(self, left: int, used: int, key: np.ndarray) -> None:
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": BLOCK}}
        self._restart()
        if left == 1 and used == 0:
            self._initial = key  # never twisted: the first word makes the first block
        else:
            self._words = temper(key)
            self._next = BLOCK if left == 1 else used

    def clone(self) -> Engine:
        """An engine with the same state that moves on its own."""
        other = Engine.__new__(Engine)
        other.__init__(0)
        other.set_state(self.get_state())
        return other

    def __reduce__(self):
        return (_from_state, (self.get_state().tobytes(),))


def _from_state(state: bytes) -> Engine:
    engine = Engine(0)
    engine.set_state(np.frombuffer(state, np.uint8))
    return engine


_B, _C = np.uint32(0x9D2C5680), np.uint32(0xEFC60000)


def _untemper(words: np.ndarray) -> np.ndarray:
    words = words.astype(np.uint32, copy=False)
    y = words ^ (words >> np.uint32(18))
    y = y ^ ((y << np.uint32(15)) & _C)
    x = y
    for _ in range(4):  # each pass makes seven more low bits right
        x = y ^ ((x << np.uint32(7)) & _B)
    return x ^ (x >> np.uint32(11)) ^ (x >> np.uint32(22))


default = Engine()  # behind the default generator; seeded anew in each process, as PyTorch's
default.seed()
