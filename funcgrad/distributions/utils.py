"""What distributions share. See https://docs.pytorch.org/docs/stable/distributions.html."""

from __future__ import annotations

import functools
from numbers import Number

from funcgrad import _dtypes
from funcgrad._generator import drawn
from funcgrad.distributions import _torch as torch
from funcgrad.distributions._torch import Tensor

euler_constant = 0.57721566490153286060

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]  # fmt: skip


def is_tensor_like(x) -> bool:
    return isinstance(x, Tensor) or hasattr(type(x), "__torch_function__")


def broadcast_all(*values: Tensor | Number) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the dtype and device of the first tensor.

    Raises:
        ValueError: something is neither a number nor a tensor.

    Example:
        >>> [x.tolist() for x in broadcast_all(1.0, 2.0)]
        [1.0, 2.0]
    """
    if not all(is_tensor_like(v) or isinstance(v, Number) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    first = next((v for v in values if isinstance(v, Tensor)), None)
    dtype, device = (first.dtype, first.device) if first is not None else (_dtypes.default_dtype(), None)
    tensors = [v if is_tensor_like(v) else torch.tensor(v, dtype=dtype, device=device) for v in values]
    shape = torch.broadcast_shapes(*[t.shape for t in tensors])
    return tuple([t if t.shape == shape else t.expand(tuple(shape)) for t in tensors])


def draw_like(draw, tensor: Tensor, shape, *args) -> Tensor:
    """``draw(engine, shape, dtype, *args)`` with the dtype and device of `tensor`; see `funcgrad._draws`."""
    shape, dtype = tuple(shape), tensor.dtype
    return drawn(None, lambda engine: draw(engine, shape, dtype, *args), tensor.device)


def _standard_normal(shape, dtype, device) -> Tensor:
    return torch.randn(tuple(shape), dtype=dtype, device=device)


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """`value` summed over its last `dim` dimensions."""
    return value if dim == 0 else value.reshape((*value.shape[:-dim], -1)).sum(-1)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of (unnormalised) log odds, or over the last dimension of log probabilities.

    Args:
        logits: the log odds or log probabilities.
        is_binary: of an event and its opposite, ``1 / (1 + exp(-logits))``; else ``softmax(logits)``.
    """
    return torch.sigmoid(logits) if is_binary else torch.softmax(logits, -1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities moved into the open interval (0, 1), by the dtype's epsilon."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The inverse of `logits_to_probs`: ``log(p) - log(1 - p)``, or ``log(p)``."""
    inside = clamp_probs(probs)
    return torch.log(inside) - torch.log1p(-inside) if is_binary else torch.log(inside)


class _lazy_property_and_property(property):
    """What a class shows in place of a `lazy_property`: a property, for documentation."""

    def __init__(self, wrapped):
        super().__init__(wrapped)


class lazy_property:
    """An attribute computed when first asked for, with gradients recorded even under ``no_grad``, then kept."""

    def __init__(self, wrapped):
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)

    def __get__(self, instance, obj_type=None):
        if instance is None:
            return _lazy_property_and_property(self.wrapped)
        with torch.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle (up to diagonal `diag`) of a batch of square matrices, row by row.

    Shape:
        ``(..., D, D)`` to ``(..., entries)``.
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = _triangle(n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The inverse of `tril_matrix_to_vec`; other entries are zero.

    Shape:
        ``(..., entries)`` to ``(..., D, D)``.
    """
    size = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * size + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    eps = torch.finfo(vec.dtype).eps
    if round(n) - n > eps:
        raise ValueError(f"The size of last dimension is {size} which cannot be expressed as the lower triangular part of a square D x D matrix.")  # fmt: skip
    n = round(n)
    matrix = torch.zeros((*tuple(vec.shape[:-1]), n, n), dtype=vec.dtype, device=vec.device)
    rows, columns = _triangle(n, diag)
    matrix[..., rows, columns] = vec
    return matrix


def _triangle(n: int, diag: int) -> tuple[list[int], list[int]]:
    pairs = [(i, j) for i in range(n) for j in range(n) if j <= i + diag]
    return [i for i, _ in pairs], [j for _, j in pairs]
