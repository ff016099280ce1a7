"""Flatten and Unflatten. See https://docs.pytorch.org/docs/stable/nn.html#utilities."""

from __future__ import annotations

from funcgrad.nn.modules.module import Module


class Flatten(Module):
    """Make a range of dimensions one.

    Args:
        start_dim, end_dim: the first and the last of them.

    Example:
        >>> import funcgrad as torch
        >>> torch.nn.Flatten()(torch.ones(2, 3, 4)).shape
        torch.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input):
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Make one dimension several.

    Args:
        dim: which; a number (or, in PyTorch, a name).
        unflattened_size: their sizes.
    """

    def __init__(self, dim, unflattened_size):
        super().__init__()
        if isinstance(dim, int):
            self._require_ints(unflattened_size)
        elif isinstance(dim, str):
            raise NotImplementedError("torch.nn.Unflatten with named dimensions is not supported by funcgrad")
        else:
            raise TypeError("invalid argument type for dim parameter")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def _require_ints(self, sizes) -> None:
        if not isinstance(sizes, tuple | list):
            raise TypeError(f"unflattened_size must be a tuple of ints, but found type {type(sizes).__name__}")
        for i, n in enumerate(sizes):
            if not isinstance(n, int):
                raise TypeError(
                    f"unflattened_size must be tuple of ints, but found element of type {type(n).__name__} at pos {i}"
                )

    def forward(self, input):
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
