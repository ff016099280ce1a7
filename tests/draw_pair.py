"""An engine of funcgrad and PyTorch's generator side by side, compared to the bit after every draw."""

import secrets

import numpy as np
import torch

from funcgrad import _dtypes
from funcgrad._draws._mt19937 import Engine

FLOATS = ("float32", "float64", "bfloat16", "float16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
WIDE = ("uint16", "uint32", "uint64")
SIZES = (0, 1, 15, 16, 17, 1000)


def bits(x) -> np.ndarray:
    """The elements' bits, of a tensor or an array."""
    if isinstance(x, torch.Tensor):
        x = x.detach().contiguous()
        x = x.view(torch.int16) if x.dtype is torch.bfloat16 else x
        x = x.numpy()
    x = np.ascontiguousarray(x)
    return x.view(np.dtype((np.void, x.dtype.itemsize))) if x.size else x.view(np.int8) if x.ndim else x


def name_of(x) -> str:
    return str(x.dtype).removeprefix("torch.")


def to_array(t: torch.Tensor) -> np.ndarray:
    if t.dtype is torch.bfloat16:
        return t.view(torch.int16).numpy().view(_dtypes.bfloat16.numpy)
    return t.numpy()


class Pair:
    """A funcgrad engine and PyTorch's default generator, seeded alike."""

    def __init__(self, seed: int | None = None):
        seed = secrets.randbits(48) if seed is None else seed
        print(f"seed {seed}")
        torch.manual_seed(seed)
        self.engine = Engine(seed)
        self.rng = np.random.default_rng(abs(seed))

    def same_state(self) -> None:
        np.testing.assert_array_equal(self.engine.get_state(), torch.get_rng_state().numpy())

    def same(self, theirs: torch.Tensor, ours: np.ndarray) -> None:
        assert tuple(theirs.shape) == ours.shape
        assert name_of(theirs) == name_of(ours)
        different = (bits(theirs) != bits(ours)).sum() if ours.size else 0
        assert different == 0, f"{different} of {ours.size} differ"
        self.same_state()
