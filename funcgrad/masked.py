"""``torch.masked``: reductions and normalisations of the elements where a mask is True.

Masked-out elements are replaced by what leaves the result alone (0 in a sum, minus infinity in a maximum), so a row
with no element left gives that value; the mask broadcasts to the input. See https://docs.pytorch.org/docs/stable/masked.html.
"""

from __future__ import annotations

import builtins
import math

from funcgrad import _dtypes, _errors
from funcgrad._operators import call
from funcgrad._tensor import Tensor

_SMALL = (_dtypes.uint8, _dtypes.bool_, _dtypes.int8, _dtypes.int16, _dtypes.int32)


def _filled(input: Tensor, mask: Tensor | None, value) -> Tensor:
    """`input` with `value` where the mask is False."""
    if mask is None:
        return input
    if mask.dim() > input.dim():
        raise IndexError("_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
    if mask.shape != input.shape:
        mask = call("broadcast_to", mask, tuple(input.shape))
    return call("masked_fill", input, call("logical_not", mask), value)


def _lowest(dtype):
    """What any element of the dtype is larger than or equal to."""
    if dtype.category >= _dtypes.FLOATING:
        return -math.inf
    unsigned = dtype is _dtypes.bool_ or dtype.name[0] == "u"
    return 0 if unsigned else -(2 ** (8 * dtype.itemsize - 1))


def _highest(dtype):
    if dtype.category >= _dtypes.FLOATING:
        return math.inf
    return True if dtype is _dtypes.bool_ else 2 ** (8 * dtype.itemsize - (dtype.name[0] != "u")) - 1


def _wide(input: Tensor, dtype) -> Tensor:
    """`input` as `dtype`; without one, small integers as int64."""
    return input.to(dtype or (_dtypes.int64 if input.dtype in _SMALL else input.dtype))


def _axes(dim, ndim: int) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    found: list[int] = []
    for d in dims:
        wrapped = _errors.wrap_dim(d, ndim)
        if wrapped in found:
            raise RuntimeError(f"dim={wrapped} appears multiple times in the list of dims")
        found.append(wrapped)
    return tuple(sorted(found)) if ndim else ()


def _over(name: str, x: Tensor, dim, keepdim: bool) -> Tensor:
    return call(name, x, _axes(dim, x.dim()), keepdim) if x.dim() else call(name, x)


def sum(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The sum over `dim`.

    Example:
        >>> import funcgrad as torch
        >>> torch.masked.sum(torch.tensor([1, 2, 4]), mask=torch.tensor([True, False, True]))
        tensor(5)
    """
    return _over("sum", _filled(_wide(input, dtype), mask, 0), dim, keepdim)


def prod(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The product over `dim`."""
    x = _filled(_wide(input, dtype), mask, 1)
    for d in reversed(_axes(dim, x.dim()) or range(x.dim())):
        x = call("prod", x, d, True)
    return x if keepdim or not x.dim() else x.squeeze(_axes(dim, x.dim()) or tuple(range(x.dim())))


def amax(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The largest element over `dim`."""
    x = input.to(dtype or input.dtype)
    return call("amax", _filled(x, mask, _lowest(x.dtype)), _axes(dim, x.dim()), keepdim)


def amin(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The smallest element over `dim`."""
    x = input.to(dtype or input.dtype)
    return call("amin", _filled(x, mask, _highest(x.dtype)), _axes(dim, x.dim()), keepdim)


def argmax(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """Where the largest element is."""
    x = input.to(dtype or input.dtype)
    return call("argmax", _filled(x, mask, _lowest(x.dtype)), dim, bool(keepdim)).to(x.dtype)  # as PyTorch does


def argmin(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """Where the smallest element is."""
    x = input.to(dtype or input.dtype)
    return call("argmin", _filled(x, mask, _highest(x.dtype)), dim, bool(keepdim)).to(x.dtype)


def cumsum(input: Tensor, dim: int, *, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The running sum along `dim`."""
    return call("cumsum", _filled(_wide(input, dtype), mask, 0), dim)


def cumprod(input: Tensor, dim: int, *, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The running product along `dim`."""
    return call("cumprod", _filled(_wide(input, dtype), mask, 1), dim)


def softmax(input: Tensor, dim: int, *, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The softmax along `dim`; 0 where masked out, NaN in slices with no element left."""
    return call("softmax", _filled(input.to(dtype or input.dtype), mask, -math.inf), dim)


def log_softmax(input: Tensor, dim: int, *, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `softmax`."""
    return call("log_softmax", _filled(input.to(dtype or input.dtype), mask, -math.inf), dim)


def softmin(input: Tensor, dim: int, *, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The softmax of ``-input``."""
    return call("softmax", call("neg", _filled(input.to(dtype or input.dtype), mask, math.inf)), dim)


def logsumexp(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of the sum of exponentials over `dim`."""
    x = input.to(dtype or input.dtype)
    return call("logsumexp", _filled(x, mask, _lowest(x.dtype)), _axes(dim, x.dim()), keepdim).to(x.dtype)


def logaddexp(
    input: Tensor, other: Tensor, *, dtype=None, input_mask: Tensor | None = None, other_mask: Tensor | None = None
) -> Tensor:
    """The logarithm of the sum of both's exponentials."""
    x, y = input.to(dtype or input.dtype), other.to(dtype or input.dtype)
    return call("logaddexp", _filled(x, input_mask, -math.inf), _filled(y, other_mask, -math.inf))


def norm(input: Tensor, ord=2.0, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The vector norm over `dim`."""
    x = _filled(input.to(dtype or input.dtype), mask, math.inf if ord == -math.inf else 0)
    return call("linalg.vector_norm", x, ord, _axes(dim, x.dim()), bool(keepdim))


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype=None, mask: Tensor | None = None
) -> Tensor:
    """``input / max(norm(input), eps)`` along `dim`, 0 where masked out."""
    x = input.to(dtype or input.dtype)
    size = norm(x, ord, dim, keepdim=True, mask=mask)
    return call("div", _filled(x, mask, 0), call("clamp_min", size, eps))


def _count(input: Tensor, dim, mask: Tensor | None) -> Tensor:
    """How many elements count, kept with size 1 at `dim`."""
    ones = call("ones_like", input, dtype=_dtypes.int64)
    return _over("sum", _filled(ones, mask, 0), dim, True)


def _shaped(x: Tensor, dim, keepdim: bool) -> Tensor:
    return x if keepdim or not x.dim() else x.squeeze(_axes(dim, x.dim()) or tuple(range(x.dim())))


def mean(input: Tensor, dim=None, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The mean over `dim`; NaN where no element is left."""
    x = input.to(dtype or input.dtype)
    if x.dtype.category < _dtypes.FLOATING:
        x = x.to(_dtypes.default_dtype())
    total = _over("sum", _filled(x, mask, 0), dim, True)
    return _shaped(call("div", total, _count(input, dim, mask)), dim, keepdim)


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype=None, mask: Tensor | None = None) -> Tensor:
    """The median along `dim`; NaN where no element is left."""
    x = input.to(dtype or input.dtype)
    if mask is None:
        return call("median", x, dim, keepdim)[0] if x.dim() else x
    return call("nanmedian", _filled(x, mask, math.nan), dim, keepdim)[0]


def var(
    input: Tensor, dim=None, unbiased=None, *, correction=None, keepdim: bool = False, dtype=None, mask: Tensor | None = None
) -> Tensor:  # fmt: skip
    """The variance over `dim`, the sum of squares divided by ``max(count - correction, 0)`` (correction 1 by default)."""
    if unbiased is not None and correction is not None:
        raise RuntimeError("Only one of unbiased and correction may be given")
    correction = (1 if unbiased in (None, True) else 0) if correction is None else correction
    x = input.to(dtype or input.dtype)
    if x.dtype.category < _dtypes.FLOATING:
        x = x.to(_dtypes.default_dtype())
    count = _count(input, dim, mask)
    centre = call("div", _over("sum", _filled(x, mask, 0), dim, True), count)
    off = call("sub", x, centre)
    squares = call("mul", off, call("conj", off)) if x.is_complex() else call("square", off)
    total = _over("sum", _filled(squares, mask, 0), dim, True)
    left = call("clamp_min", call("sub", count, correction), 0)
    return _shaped(call("div", total, left), dim, keepdim)


def std(input: Tensor, dim=None, unbiased=None, **options) -> Tensor:
    """The square root of `var`."""
    return call("sqrt", var(input, dim, unbiased, **options))


class MaskedTensor:
    """A tensor with a mask of its own: not supported."""

    def __init__(self, *args, **kwargs):
        raise _errors.unsupported("torch.masked.MaskedTensor")


def masked_tensor(data, mask, requires_grad: bool = False):
    """Not supported."""
    raise _errors.unsupported("torch.masked.masked_tensor")


def as_masked_tensor(data, mask):
    """Not supported."""
    raise _errors.unsupported("torch.masked.as_masked_tensor")


def is_masked_tensor(obj) -> builtins.bool:
    """False: there are none."""
    return isinstance(obj, MaskedTensor)
