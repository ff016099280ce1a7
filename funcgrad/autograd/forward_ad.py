"""Forward mode: dual tensors that carry a tangent along.

See https://docs.pytorch.org/docs/stable/autograd.html#forward-mode-automatic-differentiation.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from funcgrad._tensor import Tensor
from funcgrad.autograd._levels import Level


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns."""

    primal: Tensor
    tangent: Tensor | None


class _Current(threading.local):
    level: Level | None = None


_current = _Current()


def enter_dual_level() -> int:
    """Begin a level; returns its number.

    Raises:
        RuntimeError: one is open already.
    """
    if _current.level is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _current.level = Level(forward=True, functional=False)
    _current.level.__enter__()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: tangents are gone.

    Raises:
        RuntimeError: none is open.
    """
    if _current.level is None:
        raise RuntimeError("Trying to exit a forward AD level that was not entered")
    _current.level.__exit__()
    _current.level = None


class dual_level:
    """Inside, dual tensors carry tangents.

    Example:
        >>> import funcgrad as torch
        >>> import funcgrad.autograd.forward_ad as fwAD
        >>> with fwAD.dual_level():
        ...     x = fwAD.make_dual(torch.tensor(3.0), torch.tensor(1.0))
        ...     fwAD.unpack_dual(x * x).tangent
        tensor(6.)
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """`tensor` with a tangent.

    Raises:
        RuntimeError: no level is open, the shapes differ, or `tensor` has a tangent already.
        ValueError: a tensor that is neither floating point nor complex.
    """
    if _current.level is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    if _current.level.reached_by(tensor):
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not supported."
        )
    return _current.level.dual(tensor, tangent)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The tensor without its tangent, and the tangent (None if it has none)."""
    current = _current.level
    if current is None or not current.reached_by(tensor):
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(current.ended(tensor), current.tangent(tensor))


def __getattr__(name: str):
    if name == "_current_level":  # programs look at it to see whether a level is open
        return -1 if _current.level is None else 0
    raise AttributeError(f"module 'torch.autograd.forward_ad' has no attribute {name!r}")
