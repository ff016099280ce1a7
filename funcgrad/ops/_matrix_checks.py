"""Shape and dtype checks of matrix ops, with PyTorch's wording, and the adjoint they all need."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad.ops._number import Array, dtype_of

_CPP_NAMES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "uint16": "short unsigned int", "uint32": "unsigned int", "uint64": "long unsigned int",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def cpp_name(x) -> str:
    """The C++ type name of an array's elements, as some of PyTorch's messages spell it: ``float``, ``long int``."""
    name = dtype_of(x).name
    return _CPP_NAMES.get(name, f"c10::{name}")


def scalar_name(x) -> str:
    """The dtype name of an array as most of PyTorch's messages spell it: ``Float``, ``Long``."""
    return dtype_of(x).scalar_name


def shape_list(x) -> str:
    """A shape as C++ prints it: ``[2, 3]``."""
    return str(list(x.shape if hasattr(x, "shape") else x))


def check_expandable(x, shape: tuple[int, ...]) -> None:
    """Raise unless `x` can be expanded to `shape`."""
    if x.ndim > len(shape):
        kind = f"torch.{scalar_name(x)}Tensor{{{shape_list(x)}}}"
        raise RuntimeError(
            f"expand({kind}, size={shape_list(shape)}): the number of sizes provided ({len(shape)}) must be greater "
            f"or equal to the number of dimensions in the tensor ({x.ndim})"
        )
    for i in range(1, x.ndim + 1):
        if x.shape[-i] not in (1, shape[-i]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[-i]}) must match the existing size ({x.shape[-i]}) at "
                f"non-singleton dimension {len(shape) - i}.  Target sizes: {shape_list(shape)}.  "
                f"Tensor sizes: {shape_list(x)}"
            )


def check_multipliable(a, b) -> None:
    """Raise unless the matrices `a` and `b` can be multiplied."""
    if a.shape[1] != b.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a.shape[0]}x{a.shape[1]} and {b.shape[0]}x{b.shape[1]})"
        )


def check_float_or_complex(name: str, x, allow_low_precision: bool = False, of: str = "a") -> None:
    """Raise unless `x` has a dtype that decompositions take: float32, float64, complex64 or complex128."""
    d = dtype_of(x)
    if d.category < _dtypes.FLOATING:
        raise RuntimeError(f"{name}: Expected {of} floating point or complex tensor as input. Got {d.scalar_name}")
    if not allow_low_precision and d.itemsize < 4:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {d.scalar_name}")


def check_matrix(name: str, x, arg: str = "A") -> None:
    """Raise unless `x` has at least two dimensions."""
    if x.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {arg} must have at least 2 dimensions.")


def check_square(name: str, x, arg: str = "A") -> None:
    """Raise unless `x` is a batch of square matrices."""
    check_matrix(name, x, arg)
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{name}: {arg} must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices"
        )


def adjoint(x: Array) -> Array:
    """The conjugate transpose of each matrix of a batch."""
    x = jnp.swapaxes(x, -1, -2)
    return jnp.conj(x) if jnp.iscomplexobj(x) else x
