"""``torch.Size``: the tuple that shapes are."""

from __future__ import annotations

import math
import operator


class Size(tuple):
    """A shape: a tuple of integers printed as PyTorch prints it.

    Example:
        >>> import funcgrad as torch
        >>> torch.ones(2, 3).size()
        torch.Size([2, 3])
    """

    __slots__ = ()

    def __new__(cls, sizes=()):
        return tuple.__new__(cls, [operator.index(n) for n in sizes])

    def numel(self) -> int:
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, item):
        found = tuple.__getitem__(self, item)
        return tuple.__new__(Size, found) if isinstance(item, slice) else found

    def __add__(self, other):
        if not isinstance(other, tuple):
            raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        return tuple.__new__(Size, tuple.__add__(self, other))

    def __radd__(self, other):
        if not isinstance(other, tuple):
            if not hasattr(other, "__add__"):
                return NotImplemented
            name = type(other).__name__
            raise TypeError(f'can only concatenate {name} (not "torch.Size") to {name}')
        return tuple.__new__(Size, other + tuple(self))

    def __mul__(self, count):
        return tuple.__new__(Size, tuple.__mul__(self, count))

    __rmul__ = __mul__

    def __reduce__(self):
        return (Size, (tuple(self),))
