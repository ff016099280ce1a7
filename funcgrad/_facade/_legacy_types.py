"""``torch.FloatTensor``, ``torch.sparse.FloatTensor`` and their like: constructors of one dtype, also for isinstance."""

from __future__ import annotations

import warnings

from funcgrad import _dtypes, _formats
from funcgrad._facade import _creation
from funcgrad._size import Size
from funcgrad._tensor import Tensor

_NAMES = ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double")
_warned: set[str] = set()


class _Legacy(type):
    """The class of the legacy tensor types."""

    layout = _formats.strided

    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype and instance.layout is type(cls).layout

    def __call__(cls, *args, **kwargs) -> Tensor:
        return _creation.legacy_tensor(*args, dtype=cls.dtype)


class _LegacySparse(_Legacy):
    """The class of the legacy sparse types: of (indices, values, size=None), of a size, or of nothing.

    Values keep their own dtype; only an empty tensor has the dtype of the type.
    """

    layout = _formats.sparse_coo

    def __call__(cls, *args, device=None) -> Tensor:
        from funcgrad.sparse import sparse_coo_tensor  # imported late: it is a part of the tensor this module types

        if len(args) in (2, 3) and isinstance(args[0], Tensor) and isinstance(args[1], Tensor):
            indices, values = args[:2]
            if indices.dtype is not _dtypes.int64:
                raise RuntimeError(f"expected scalar type Long but found {indices.dtype.scalar_name}")
            _warn_once("indices, values" + ", shape" * (len(args) == 3))
            return sparse_coo_tensor(*args)
        sizes = tuple(args[0]) if len(args) == 1 and isinstance(args[0], Size | tuple | list) else args
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in sizes):
            got = ", ".join(type(a).__name__ for a in args)
            raise TypeError(f"new() received an invalid combination of arguments - got ({got})")
        _warn_once("shape" if args else "")
        return sparse_coo_tensor(sizes or (0,), dtype=cls.dtype)


def _warn_once(form: str) -> None:
    if form in _warned:
        return
    _warned.add(form)
    old, new = (f"{form}, *, device=", f"{form}, dtype=, device=") if form else ("", "(0,), dtype=")
    warnings.warn(
        f"torch.sparse.SparseTensor({old}) is deprecated.  Please use torch.sparse_coo_tensor({new}).", stacklevel=3
    )


def _types(kind: type, module: str, names: tuple[str, ...]) -> dict:
    by_name = {d.scalar_name: d for d in _dtypes.ALL}
    return {f"{n}Tensor": kind(f"{n}Tensor", (), {"dtype": by_name[n], "__module__": module}) for n in names}


def public() -> dict:
    """``FloatTensor``, ``LongTensor``, ..."""
    return _types(_Legacy, "torch", _NAMES)


def sparse() -> dict:
    """``sparse.FloatTensor``, ``sparse.LongTensor``, ...: there is none of bool."""
    return _types(_LegacySparse, "torch.sparse", _NAMES[1:])
