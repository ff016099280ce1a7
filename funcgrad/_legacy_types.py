"""``torch.FloatTensor`` and its like: constructors of one dtype, also usable with isinstance."""

from __future__ import annotations

from funcgrad import _creation, _dtypes
from funcgrad._tensor import Tensor


class _Legacy(type):
    """The class of the legacy tensor types."""

    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *args, **kwargs) -> Tensor:
        return _creation.legacy_tensor(*args, dtype=cls.dtype)


def public() -> dict:
    """``FloatTensor``, ``LongTensor``, ..."""
    names = {d.scalar_name: d for d in _dtypes.ALL if d.scalar_name in (
        "Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double")}  # fmt: skip
    return {
        f"{name}Tensor": _Legacy(f"{name}Tensor", (), {"dtype": d, "__module__": "torch"}) for name, d in names.items()
    }
