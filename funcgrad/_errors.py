"""Errors with PyTorch's classes and wording, used by every layer."""

from __future__ import annotations


class LinAlgError(RuntimeError):
    """A matrix that an operation needs to be invertible or positive-definite is not, as ``torch.linalg.LinAlgError``."""


def wrap_dim(dim: int, ndim: int) -> int:
    """`dim` as a non-negative axis of an `ndim`-dimensional tensor (a scalar counts as having one axis).

    Raises:
        IndexError: `dim` is outside ``[-ndim, ndim - 1]``.
    """
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {dim})")
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


def broadcast_shapes(*shapes) -> tuple[int, ...]:
    """The common shape of an elementwise op's operands.

    Raises:
        RuntimeError: two sizes at one (right-aligned) dimension differ and neither is 1.
    """
    result: tuple[int, ...] = ()
    for shape in shapes:
        shape = tuple(shape)
        if shape != result:
            result = _broadcast_pair(result, shape)
    return result


def _broadcast_pair(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    ndim = max(len(a), len(b))
    long_a, long_b = (1,) * (ndim - len(a)) + a, (1,) * (ndim - len(b)) + b
    for i in reversed(range(ndim)):
        if long_a[i] != long_b[i] and 1 not in (long_a[i], long_b[i]):
            raise RuntimeError(
                f"The size of tensor a ({long_a[i]}) must match the size of tensor b ({long_b[i]}) "
                f"at non-singleton dimension {i}"
            )
    return tuple(y if x == 1 else x for x, y in zip(long_a, long_b))


def _kind(d) -> str:
    if d.category == 1:
        return "u" if d.name in ("uint16", "uint32", "uint64") else "i"
    if d.category == 2:
        return "8" if d.itemsize == 1 else "h" if d.itemsize == 2 else "f"
    return "b" if d.category == 0 else "c"


def check_dtype(kernel: str, d, kinds: str) -> None:
    """Raise PyTorch's error for a dtype that its CPU kernel lacks.

    Args:
        kernel: the kernel's name in PyTorch's message, such as ``bitwise_and_cpu``.
        d: a `_dtypes.dtype`.
        kinds: what the kernel has: ``b`` bool, ``i`` integers, ``u`` uint16 to uint64, ``f`` float32 and float64,
            ``h`` float16 and bfloat16, ``8`` the 8-bit floats, ``c`` complex.
    """
    if _kind(d) not in kinds:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{d.scalar_name}'")


def refusing(path: str):
    """A function that stands for one that funcgrad lacks: it raises `unsupported` when called."""

    def function(*args, **kwargs):
        raise unsupported(path)

    function.__name__ = function.__qualname__ = path.rpartition(".")[2]
    function.__doc__ = "Not supported."
    function.is_missing = True
    return function
