"""Random draws of samplers and loaders, in PyTorch's order, on the host."""

from __future__ import annotations

import sys

from funcgrad import _draws, _dtypes, _generator
from funcgrad._facade import _creation


def _engine(generator):
    return (_generator.default_generator if generator is None else generator).engine


def permutation(n: int, generator=None) -> list[int]:
    """``torch.randperm(n, generator=generator).tolist()``"""
    return _draws.randperm(_engine(generator), n).tolist()


def integers(high: int, count: int, generator=None) -> list[int]:
    """``torch.randint(high, (count,), generator=generator).tolist()``"""
    return _draws.randint(_engine(generator), 0, high, (count,)).tolist()


def seed(generator=None) -> int:
    """``torch.empty((), dtype=torch.int64).random_(generator=generator).item()``"""
    return int(_draws.random(_engine(generator), (), _dtypes.int64))


def seeded(number: int):
    """A new generator with this seed."""
    return _generator.Generator().manual_seed(number)


def seeded_by_default():
    """A new generator with a seed drawn from the default one."""
    return seeded(seed())


def multinomial(weights, count: int, replacement: bool, generator=None) -> list[int]:
    """``torch.multinomial(weights, count, replacement, generator=generator).tolist()``"""
    return _draws.multinomial(_engine(generator), weights.numpy(), count, replacement).tolist()


def float64_tensor(values):
    return _creation.as_tensor(values, dtype=_dtypes.float64)


def process_group() -> tuple[int, int]:
    """How many processes train together, and which of them this one is."""
    distributed = sys.modules.get("funcgrad.distributed")
    if distributed is None or not distributed.is_initialized():
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
    return distributed.get_world_size(), distributed.get_rank()
