"""Draws in bulk by one compiled program for each kind, which makes the generator's words and transforms them."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad._draws._cpu_program import CpuProgram
from funcgrad._draws._mt19937 import Engine
from funcgrad._draws._mt19937_blocks import BLOCK, RUN, blocks
from funcgrad._draws._stream import CHUNK

GROUP = 32  # words that every transform can take together: sixteen elements of two words
LEAST = CHUNK // 8  # words that a run is worth
FEW = 2048  # elements
OPTIONS = {"xla_cpu_prefer_vector_width": 512}  # a fifth less time for normals, where the CPU has it


class Bulk:
    """A draw that turns `words` words into each element, in two forms that agree: NumPy's and a compiled one.

    Args:
        plain: ``plain(engine, n, *parameters)``, n elements as a flat array.
        transform: the compiled form, of `CHUNK` words and the parameters.
        words: the number of words for each element.
        parameters: typical parameters, with which the two forms are compared.
        worth: elements in this process at which compiling (0.3 s) starts to pay.
        worth_few: calls for few elements at which compiling the transform for those starts to pay, if ever.
    """

    def __init__(self, plain, transform, words: int, parameters: tuple, worth: int, worth_few: int | None = None):
        self.plain, self.words = plain, words
        self._parameters = parameters

        def function(state, count, *parameters):
            key, made = blocks(state[:BLOCK], count)
            source = jnp.concatenate([state[BLOCK:-1], made])
            taken = lax.dynamic_slice(source, (state[-1].astype(jnp.int32),), (CHUNK,))
            return jnp.concatenate([key, source[-GROUP:], state[-1:]]), transform(taken, *parameters)

        arguments = [((BLOCK + GROUP + 1,), np.uint32), ((), np.int32)]
        arguments += [((), p.dtype) for p in parameters]
        few = [((FEW * words,), np.uint32), *arguments[2:]]
        self._few = worth_few and CpuProgram(transform, few, worth_few, self._same_few, OPTIONS)
        self._program = CpuProgram(function, arguments, worth, self._same, OPTIONS)

    def fill(self, engine, out: np.ndarray, *parameters) -> None:
        """Write the next elements into `out`, a flat array of whole groups of words, while the next ones are made."""
        run = self._program.after(len(out)) if len(out) * self.words >= LEAST + engine.held else None
        done = 0
        if run is not None:
            done = engine.held // GROUP * GROUP // self.words
            self._plainly(engine, out[:done], parameters)
            done += self._run(run, engine, out[done:], parameters)
        self._plainly(engine, out[done:], parameters)

    def _plainly(self, engine, out: np.ndarray, parameters) -> None:
        step = FEW if self._few and self._few.compiled else CHUNK // self.words
        for start in range(0, len(out), step):
            piece = out[start : start + step]
            piece[:] = self.some(engine, len(piece), *parameters)

    def some(self, engine, n: int, *parameters) -> np.ndarray:
        """The next `n` elements, whole groups of words."""
        run = self._few.after(1) if self._few and n <= FEW else None
        if run is None:
            return self.plain(engine, n, *parameters)
        words = np.zeros(FEW * self.words, np.uint32)
        words[: n * self.words] = engine.take(n * self.words)
        return np.asarray(run(words, *map(run.placed, parameters)))[:n]

    def _run(self, run, engine, out: np.ndarray, parameters) -> int:
        """Fill all but a small rest; returns how many elements."""
        key, held = engine.lend()
        left, done, waiting = len(held), 0, None
        # the generator's state words, the words that are not taken, and where these begin: an input of its own for
        # each of them, and for what stays the same, would take longer to hand over than a run takes
        state = np.zeros(BLOCK + GROUP + 1, np.uint32)
        state[:BLOCK], state[BLOCK + GROUP - left : -1], state[-1] = key, held, GROUP - left
        whole, parameters = run.placed(np.int32(RUN)), [run.placed(p) for p in parameters]
        while (missing := (len(out) - done) * self.words) >= LEAST:
            count = min(RUN, -(-(missing - left) // BLOCK))
            state, made = run(state, whole if count == RUN else np.int32(count), *parameters)
            _store(waiting)
            n = min(missing, CHUNK)
            piece = out[done : done + n // self.words]
            waiting = piece, made
            done += len(piece)
            left += count * BLOCK - n
        _store(waiting)
        engine.take_back(np.asarray(state)[:BLOCK], left)
        return done

    def _same(self, run) -> bool:
        want = self.plain(Engine(5), 2048, *self._parameters)
        got = np.empty(LEAST, want.dtype)
        self._run(run, Engine(5), got, self._parameters)
        return np.array_equal(got[: len(want)], want)

    def _same_few(self, run) -> bool:
        got = np.asarray(run(Engine(5).take(FEW * self.words), *self._parameters))
        return np.array_equal(got, self.plain(Engine(5), FEW, *self._parameters))


def _store(waiting) -> None:
    if waiting is not None:
        piece, made = waiting
        piece[:] = np.asarray(made)[: len(piece)]


# -- words as numbers -------------------------------------------------------------------------------------------------


def unit_floats(words):
    """Float32 uniforms of 24 bits."""
    return (words & np.uint32(0xFFFFFF)).astype(jnp.int32).astype(jnp.float32) * np.float32(2.0**-24)


def integers53(words):
    """The low 53 bits of each pair of words, the first one the high half."""
    wide = words.reshape(-1, 2).astype(jnp.uint64)
    return ((wide[:, 0] & np.uint64(0x1FFFFF)) << np.uint64(32)) | wide[:, 1]


def unit_doubles(words):
    """Float64 uniforms of 53 bits."""
    return integers53(words).astype(jnp.int64).astype(jnp.float64) * 2.0**-53
