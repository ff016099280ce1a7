"""PyTorch's dtype objects and its type-promotion rules.

The rules are PyTorch's, not JAX's: operands fall into categories (bool < integer < floating < complex), and a
zero-dimensional tensor or a Python number changes the result's dtype only when its category is higher than that of
every operand of more dimensions. See https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from funcgrad._warnings import warn_once


class dtype:
    """A tensor's element type, printed as PyTorch prints it (``torch.float32``).

    Example:
        >>> import funcgrad as torch
        >>> torch.float32, torch.float32.itemsize, torch.float32.is_floating_point
        (torch.float32, 4, True)

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype
    """

    __slots__ = (
        "category",
        "is_complex",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "name",
        "numpy",
        "scalar_name",
    )

    def __init__(self, name: str, numpy_type, category: int, scalar_name: str):
        self.name = name
        self.numpy = np.dtype(numpy_type)
        self.itemsize = self.numpy.itemsize
        self.category = category
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_signed = name != "bool" and not name.startswith("uint")
        self.scalar_name = scalar_name  # as C++ error messages spell it: "Float", "Long", ...

    def to_real(self) -> dtype:
        """The dtype of this one's real part: ``complex64.to_real()`` is ``float32``."""
        return _REAL.get(self, self)

    def to_complex(self) -> dtype:
        """The complex dtype with this one as its real part: ``float32.to_complex()`` is ``complex64``."""
        return _COMPLEX.get(self, self)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __call__(self, tensor, memory_format=None):
        """`tensor` converted to this dtype, as NumPy's types convert."""
        return tensor.to(self)

    def __reduce__(self):
        return (_by_name, (self.name,))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


BOOL, INTEGER, FLOATING, COMPLEX = range(4)

bool_ = dtype("bool", np.bool_, BOOL, "Bool")
uint8 = dtype("uint8", np.uint8, INTEGER, "Byte")
int8 = dtype("int8", np.int8, INTEGER, "Char")
int16 = dtype("int16", np.int16, INTEGER, "Short")
int32 = dtype("int32", np.int32, INTEGER, "Int")
int64 = dtype("int64", np.int64, INTEGER, "Long")
uint16 = dtype("uint16", np.uint16, INTEGER, "UInt16")
uint32 = dtype("uint32", np.uint32, INTEGER, "UInt32")
uint64 = dtype("uint64", np.uint64, INTEGER, "UInt64")
float16 = dtype("float16", np.float16, FLOATING, "Half")
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOATING, "BFloat16")
float32 = dtype("float32", np.float32, FLOATING, "Float")
float64 = dtype("float64", np.float64, FLOATING, "Double")
float8_e4m3fn = dtype("float8_e4m3fn", ml_dtypes.float8_e4m3fn, FLOATING, "Float8_e4m3fn")
float8_e5m2 = dtype("float8_e5m2", ml_dtypes.float8_e5m2, FLOATING, "Float8_e5m2")
float8_e4m3fnuz = dtype("float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz, FLOATING, "Float8_e4m3fnuz")
float8_e5m2fnuz = dtype("float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz, FLOATING, "Float8_e5m2fnuz")
float8_e8m0fnu = dtype("float8_e8m0fnu", ml_dtypes.float8_e8m0fnu, FLOATING, "Float8_e8m0fnu")
complex64 = dtype("complex64", np.complex64, COMPLEX, "ComplexFloat")
complex128 = dtype("complex128", np.complex128, COMPLEX, "ComplexDouble")

ALL = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float16, bfloat16, float32, float64,
    float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e8m0fnu, complex64, complex128,
)  # fmt: skip
ALIASES = {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
    "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip

_REAL = {complex64: float32, complex128: float64}
_COMPLEX = {float32: complex64, float64: complex128, float16: complex64, bfloat16: complex64}
_BY_NUMPY = {d.numpy: d for d in ALL}
_NAMES = {d.name: d for d in ALL}
_PYTHON = {bool: bool_, int: int64, float: float64, complex: complex128}
_UNSIGNED_WIDE = (uint16, uint32, uint64)
_FLOAT8 = (float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e8m0fnu)


def _by_name(name: str) -> dtype:
    return _NAMES[name]


def to_dtype(x) -> dtype:
    """The dtype object for a dtype object, a NumPy/JAX dtype, or one of Python's number types."""
    if type(x) is dtype:
        return x
    if x in _PYTHON:
        return _PYTHON[x]
    return _BY_NUMPY[np.dtype(x)]


def check_is_dtype(name: str, x) -> None:
    """Refuse what PyTorch does not take for a dtype: strings, NumPy's types.

    Raises:
        TypeError: `x` is neither a dtype nor one of Python's number types.
    """
    if type(x) is not dtype and not (isinstance(x, type) and x in _PYTHON):
        raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type(x).__name__}")


def to_numpy(x) -> np.dtype:
    """The NumPy dtype that arrays of this dtype have (JAX's arrays use NumPy's dtypes)."""
    return to_dtype(x).numpy


# -- the default floating dtype ---------------------------------------------------------------------------------------

_default = float32


def default_dtype() -> dtype:
    """The dtype of floating-point results that no operand decides; ``float32`` unless set."""
    return _default


def set_default_dtype(d: dtype) -> None:
    global _default
    if not (type(d) is dtype and d.is_floating_point):
        raise TypeError(f"only floating-point types are supported as the default type, but got {d}")
    _default = d


def default_complex() -> dtype:
    return complex128 if _default is float64 else complex64


def warn_of_cast(source: dtype, target: dtype) -> None:
    """Warn, once, where a conversion loses imaginary parts."""
    if source.is_complex and target.category in (FLOATING, INTEGER):
        warn_once("Casting complex values to real discards the imaginary part")


# -- promotion --------------------------------------------------------------------------------------------------------


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both can be converted to, as ``torch.promote_types``."""
    a, b = type1, type2
    if a is b:
        return a
    if a in _FLOAT8 or b in _FLOAT8:
        raise _unpromotable("Float8 Types", a, b)
    lower, higher = (b, a) if b.category < a.category else (a, b)
    if higher.category in (INTEGER, COMPLEX) and (a in _UNSIGNED_WIDE or b in _UNSIGNED_WIDE):
        raise _unpromotable("uint16, uint32, uint64 types", a, b)
    if lower.category < higher.category:
        return complex128 if higher.is_complex and lower is float64 else higher
    if higher.category == INTEGER:
        wider = max(a, b, key=lambda d: d.itemsize)
        return int16 if wider.itemsize == 1 else wider
    if higher.category == COMPLEX:
        return complex128
    return float32 if a.itemsize == b.itemsize == 2 else max(a, b, key=lambda d: d.itemsize)


def _unpromotable(types: str, a: dtype, b: dtype) -> RuntimeError:
    names = f"{a.scalar_name} and {b.scalar_name}"
    return RuntimeError(f"Promotion for {types} is not supported, attempted to promote {names}")


def number_dtype(kind: type) -> dtype:
    """The dtype that a bare Python number of type `kind` gives a result."""
    if kind is float:
        return _default
    return default_complex() if kind is complex else _PYTHON[kind]


def result_type(dims: list[dtype], zero_dims: list[dtype], numbers: list[type]) -> dtype:
    """Promote operands: those with dimensions, those without, and Python numbers (by type), in that precedence."""
    result = _fold(dims)
    zero = _fold(zero_dims)
    number = _fold([number_dtype(k) for k in numbers])
    return _combine(result, _combine(zero, number))


def _fold(dtypes: list[dtype]) -> dtype | None:
    result = None
    for d in dtypes:
        result = d if result is None else promote_types(result, d)
    return result


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """`lower` counts only when its category is higher than that of `higher`."""
    if higher is None or lower is None:
        return higher or lower
    if lower.category > higher.category:
        return promote_types(higher, lower)
    return higher


def can_cast(source: dtype, target: dtype) -> bool:
    """Whether a result of dtype `source` may be written to `target` (no fall in category)."""
    if source.category == INTEGER and target in _FLOAT8:
        return True
    return source.category <= target.category
