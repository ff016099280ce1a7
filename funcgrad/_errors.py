"""Errors with PyTorch's classes and wording, used by every layer."""

from __future__ import annotations


def wrap_dim(dim: int, ndim: int) -> int:
    """`dim` as a non-negative axis of an `ndim`-dimensional tensor (a scalar counts as having one axis).

    Raises:
        IndexError: `dim` is outside ``[-ndim, ndim - 1]``.
    """
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {dim})"
        )
    return dim + bound if dim < 0 else dim


def wrap_dims(dims, ndim: int) -> tuple[int, ...]:
    """Each of `dims` wrapped; a repeated axis is an error."""
    wrapped = tuple(wrap_dim(d, ndim) for d in dims)
    for i, d in enumerate(wrapped):
        if d in wrapped[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return wrapped


def unsupported(path: str, why: str = "") -> NotImplementedError:
    """The error for a feature PyTorch has and funcgrad does not (yet)."""
    return NotImplementedError(f"{path} is not supported by funcgrad" + (f": {why}" if why else ""))
