"""`norm` and `dist`, by PyTorch's older names for the norms of `torch.linalg`.

See https://docs.pytorch.org/docs/stable/generated/torch.norm.html
"""

from __future__ import annotations

from funcgrad import _dtypes
from funcgrad.ops._number import Array, broadcast, dtype_of, kind_of, promote
from funcgrad.ops.norms import matrix_norm, vector_norm


def norm(input: Array, p="fro", dim=None, keepdim=False, *, dtype=None) -> Array:
    r"""A norm over `dim` (or all dimensions): :math:`(\sum_i |x_i|^p)^{1/p}`.

    Args:
        p: any number, the infinities included; ``"fro"`` is 2, ``"nuc"`` the sum of a matrix's singular values.

    Example:
        >>> torch.norm(torch.tensor([3., 4.]))
        tensor(5.)
    """
    dims = [dim] if isinstance(dim, int) else dim
    if isinstance(p, str) and not (p == "fro" and (dims is None or len(dims) <= 2)):
        return matrix_norm(input, p, tuple(range(input.ndim) if dims is None else dims), keepdim, dtype=dtype)
    order = 2 if p is None or p == "fro" else p
    if not isinstance(order, int | float):
        if isinstance(order, complex):
            raise RuntimeError("linalg.vector_norm: Expected a non-complex scalar as the order of norm.")
        kind = type(order).__name__
        raise TypeError(f"linalg_vector_norm(): argument 'ord' (position 2) must be Number, not {kind}")
    return vector_norm(input, order, dims, keepdim, dtype=dtype)


def dist(input: Array, other: Array, p=2) -> Array:
    r"""The `p`-norm of the difference of two broadcastable tensors: :math:`\|x - y\|_p`.

    Example:
        >>> torch.dist(torch.tensor([1., 2.]), torch.tensor([4., 6.]))
        tensor(5.)
    """
    if not hasattr(other, "shape"):
        raise TypeError(f"dist(): argument 'other' (position 2) must be Tensor, not {kind_of(other).__name__}")
    if not isinstance(p, int | float):
        raise TypeError(f"dist(): argument 'p' (position 3) must be Number, not {type(p).__name__}")
    a, b = broadcast(*promote(input, other))
    d = dtype_of(a)
    if d.category < _dtypes.FLOATING:
        raise RuntimeError(
            f"norm(): input dtype should be either floating point or complex. Got {d.scalar_name} instead."
        )
    return vector_norm(a - b, p)
