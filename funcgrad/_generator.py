"""Generators: the only state of random numbers.

On the CPU a generator is PyTorch's Mersenne Twister: the same seed gives PyTorch's numbers. See
https://docs.pytorch.org/docs/stable/generated/torch.Generator.html.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jax.experimental import io_callback

from funcgrad import _device
from funcgrad._draws import _mt19937
from funcgrad._draws._mt19937 import Engine
from funcgrad._facade._creation import from_array
from funcgrad._tensor import Tensor, wrap
from funcgrad._threefry import Threefry
from funcgrad.engine.launch import read
from funcgrad.engine.nested import Batch, draws_forbidden
from funcgrad.engine.record import record
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import Value, aval_of
from funcgrad.ops._number import Array

ALGORITHM = ["mt19937"]
"""What draws on the CPU: ``mt19937``, with PyTorch's numbers, or ``threefry``; see `funcgrad.random.use`."""


class Generator:
    """A source of random numbers with a state of its own.

    Args:
        device: whose generator it is; the CPU's.

    Example:
        >>> import funcgrad as torch
        >>> g = torch.Generator().manual_seed(0)
        >>> torch.rand(2, generator=g)
        tensor([0.4963, 0.7682])
    """

    def __init__(self, device="cpu"):
        self._device = _device.device(device)
        self._engine = Engine()
        self._keyed = None  # the counter-based engine, once it was needed
        self.noted = None  # the program (and engine) that already knows how to give this generator its state back

    @property
    def engine(self):
        """The Mersenne Twister, or the counter-based engine where that was asked for."""
        return self.engine_for(self._device)

    @engine.setter
    def engine(self, engine) -> None:
        if isinstance(engine, Threefry):
            self._keyed = engine
        else:
            self._engine = engine

    def engine_for(self, device: _device.device):
        """What draws for tensors on `device`."""
        if device.type == "cpu" and ALGORITHM[0] == "mt19937":
            return self._engine
        if self._keyed is None:
            self._keyed = Threefry(self._engine.initial_seed)
        return self._keyed

    @property
    def device(self) -> _device.device:
        return self._device

    def manual_seed(self, seed: int) -> Generator:
        """Set the seed; the same seed gives the same numbers as in PyTorch."""
        self._engine.manual_seed(seed)
        if self._keyed is not None:
            self._keyed.manual_seed(self._engine.initial_seed)
        return self

    def seed(self) -> int:
        """Set the seed to a number from the operating system, and return it."""
        return self.engine.seed()

    def initial_seed(self) -> int:
        """The seed last set."""
        return self.engine.initial_seed

    def get_state(self) -> Tensor:
        """The state in PyTorch's byte layout."""
        return from_array(self.engine.get_state())

    def set_state(self, new_state: Tensor) -> None:
        """Take a state that `get_state` (or PyTorch's) gave."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        self.engine.set_state(np.asarray(new_state._host()))

    def clone_state(self) -> Generator:
        """A generator with the same state."""
        made = Generator(self._device)
        made.engine = self.engine.clone()
        return made

    def graphsafe_get_state(self) -> Generator:
        """The generator itself."""
        return self

    def graphsafe_set_state(self, other: Generator) -> None:
        """Take the state of another generator."""
        self.engine = other.engine.clone()

    def __reduce__(self):
        return (_rebuild, (str(self._device), self.engine.get_state()))


def _rebuild(device: str, saved: np.ndarray) -> Generator:
    made = Generator(device)
    made.engine.set_state(saved)
    return made


default_generator = Generator()
default_generator.engine = _mt19937.default


def drawn(generator: Generator | None, draw, device=None, shape: tuple | None = None) -> Tensor:
    """A tensor of ``draw(engine)``, a NumPy array; of ``draw(engine, shape)`` if a shape is given.

    The draw happens now, on the host; the recorded program takes the array as an input. In a captured function every
    replay draws anew. Should the program fail, the generator goes back to where it was.

    Raises:
        RuntimeError: under vmap in its randomness error mode.
    """
    if state.program.nested is not None or draws_forbidden():
        return _drawn_for_a_batch(generator, draw, device, shape)
    if shape is not None:
        return drawn(generator, lambda engine: draw(engine, shape), device)
    source = default_generator if generator is None else generator
    device = device or _device.CPU
    program, engine = state.program, source.engine_for(device)
    if source.noted != (program.serial, id(engine)):
        source.noted = program.serial, id(engine)
        program.journal.append(_RestoreState(engine))

    def make() -> Value:
        array = draw(engine)
        return array if isinstance(array, Value) else Value(array, aval_of(array.shape, array.dtype, _device.CPU))

    tensor = wrap(make())
    if state.capture is not None and engine.__class__ is Engine:
        state.capture.draws[id(tensor._value)] = make
        state.capture.values.append(tensor._value)
    return tensor if device.type == "cpu" else tensor.to(device)


def _drawn_for_a_batch(generator: Generator | None, draw, device, shape: tuple | None) -> Tensor:
    """A draw while a program is recorded inside another: one for all examples of a batch, or one for each."""
    if draws_forbidden():
        raise RuntimeError(DRAWN)
    nested = state.program.nested
    if not isinstance(nested, Batch) or nested.randomness == "same":
        with nested.outside():
            return drawn(generator, draw, device, shape)
    if nested.randomness == "error":
        raise RuntimeError(DRAWN)
    with nested.outside():
        if shape is not None:
            made = drawn(generator, draw, device, (nested.size, *shape))
        else:
            made = drawn(generator, lambda engine: np.stack([draw(engine) for _ in range(nested.size)]), device)
    return wrap(nested.example(made._read(), 0))


DRAWN = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness "
    "flags on vmap or perform the randomness operation out of vmap"
)


class _RestoreState:
    """Put a generator back to its state before a program that failed."""

    __slots__ = ("engine", "saved")

    def __init__(self, engine: Engine):
        self.engine = engine
        self.saved = engine.bookmark()

    def written(self) -> list:
        """No tensor was rebound."""
        return []

    def __call__(self, program) -> None:
        self.engine.go_back(self.saved)


def readable(value: Value) -> bool:
    """Whether the array is computed or may be; a program that is traced or captured cannot be read."""
    if value.array is not None:
        return not isinstance(value.array, jax.core.Tracer)
    return state.capture is None and not value.program.traced


def at_hand(value: Value) -> bool:
    """Whether the array is best read: reading in the middle of a differentiable program would split it in two."""
    return readable(value) and (value.array is not None or not value.program.edges)


def drawn_from(generator: Generator | None, draw, parameters: tuple[Tensor, ...], *extras, like=None) -> Tensor:
    """A tensor of ``draw(engine, *parameters, *extras)``, the parameters as NumPy arrays.

    Where those cannot be read, the program itself calls `draw`, which then also takes its words from the generator when
    the program runs: after the draws that were made while it was recorded.

    `like` is the shape and NumPy dtype of the result; those of the first parameter if not given.
    """
    values = [p.detach()._read() for p in parameters]
    source = default_generator if generator is None else generator
    engine = source.engine_for(parameters[0].device)
    if isinstance(engine, Threefry):
        return drawn(generator, lambda engine: draw(engine, *values, *extras), parameters[0].device)
    if all(readable(v) for v in values):
        arrays = [np.asarray(read(v)) for v in values]
        return drawn(generator, lambda engine: draw(engine, *arrays, *extras), parameters[0].device)
    shape, dtype = like or (tuple(parameters[0].shape), parameters[0].dtype.numpy)
    return wrap(record(_DRAW, (list(values), draw, extras, source, shape, dtype)))


def _draw(parameters: Sequence[Array], draw, extras, source, shape, dtype) -> Array:
    def host(*arrays):
        return np.asarray(draw(source.engine, *map(np.asarray, arrays), *extras))

    stopped = [jax.lax.stop_gradient(p) for p in parameters]
    return io_callback(host, jax.ShapeDtypeStruct(shape, dtype), *stopped, ordered=True)


_DRAW = Op("draw", _draw, differentiable=False)
