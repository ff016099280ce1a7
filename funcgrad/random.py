"""The default generator: ``torch.random``.

See https://docs.pytorch.org/docs/stable/random.html.
"""

from __future__ import annotations

import contextlib

from funcgrad._draws import bernoulli_algorithm as bernoulli_algorithm
from funcgrad._generator import ALGORITHM, Generator
from funcgrad._generator import default_generator as default_generator
from funcgrad._tensor import Tensor


def manual_seed(seed) -> Generator:
    """Seed the default generator; on the CPU the same seed gives PyTorch's numbers.

    Example:
        >>> import funcgrad as torch
        >>> _ = torch.manual_seed(0)
        >>> torch.rand(1)
        tensor([0.4963])
    """
    return default_generator.manual_seed(int(seed))


def use(algorithm: str) -> None:
    """Choose how tensors on the CPU draw: ``"mt19937"``, with PyTorch's numbers, or ``"threefry"``.

    With threefry a draw is part of the compiled program, made from a `jax.random` key: as reproducible for a seed, and
    without work on the host, but not PyTorch's numbers. Other devices always draw so. The two have states of their own.

    Example:
        >>> import funcgrad as torch
        >>> torch.random.use("threefry")
        >>> _ = torch.manual_seed(0)
        >>> torch.rand(1).shape
        torch.Size([1])
        >>> torch.random.use("mt19937")
    """
    if algorithm not in ("mt19937", "threefry"):
        raise ValueError(f'the algorithm must be "mt19937" or "threefry", not {algorithm!r}')
    ALGORITHM[0] = algorithm


def seed() -> int:
    """Seed the default generator from the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed last set."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state, in PyTorch's byte layout."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled: bool = True, device_type: str = "cuda"):
    """Draws inside leave the default generator as it was before."""
    if not enabled:
        yield
        return
    saved = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(saved)
