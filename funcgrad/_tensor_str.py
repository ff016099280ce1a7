"""How tensors are printed: PyTorch's layout, character for character.

The work is done on NumPy arrays (`format_array`, `assemble`), so that it can be tested without a Tensor;
`_str` adds what only a Tensor knows (device, ``requires_grad``, ``grad_fn``).

Source: https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import textwrap

import jax
import numpy as np

from funcgrad import _dtypes
from funcgrad.engine.nested import Batch
from funcgrad.engine.state import state

__all__ = ["assemble", "format_array", "get_printoptions", "printoptions", "set_printoptions"]


@dataclasses.dataclass
class PrintOptions:
    """The current settings of `set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PRINT_OPTS = PrintOptions()
_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors print; what is left ``None`` stays, except `sci_mode`, which ``None`` makes automatic.

    Args:
        precision: digits after the point.
        threshold: tensors of more elements are summarised.
        edgeitems: elements shown at each end of a summarised dimension.
        linewidth: characters after which a line is broken.
        profile: ``"default"``, ``"short"`` or ``"full"``; the other arguments then override it.
        sci_mode: whether floats are written as ``1.0000e+00``.

    Example:
        >>> torch.set_printoptions(precision=2)
        >>> torch.tensor([1.12345])
        tensor([1.12])
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    new = dict(_PROFILES.get(profile, {}))
    new |= {name: value for name, value in given.items() if value is not None}
    for name, value in new.items():
        setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict:
    """The current settings as a dict."""
    return dataclasses.asdict(PRINT_OPTS)


@contextlib.contextmanager
def printoptions(**options):
    """`set_printoptions` for the duration of a ``with`` block."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


class _Style:
    """How every element of one tensor is written: digits, scientific or not, and to what width."""

    def __init__(self, values: np.ndarray):
        self.is_float = values.dtype.kind not in "biu"
        self.sci, self.integral, self.width = False, True, 1
        flat = values.ravel()
        if not self.is_float:
            self.width = max((len(str(v)) for v in flat.tolist()), default=1)
            return
        flat = flat.astype(np.float64)
        flat = flat[np.isfinite(flat) & (flat != 0)]
        if not flat.size:
            return
        low, high = float(np.abs(flat).min()), float(np.abs(flat).max())
        self.integral = bool((flat == np.ceil(flat)).all())
        self.sci = high / low > 1000.0 or high > 1e8 or (low < 1e-4 and not self.integral)
        if PRINT_OPTS.sci_mode is not None:
            self.sci = PRINT_OPTS.sci_mode
        self.width = max(len(self.write(v)) for v in flat.tolist())

    def write(self, value) -> str:
        if not self.is_float:
            return str(value)
        if self.sci:
            return f"{value:.{PRINT_OPTS.precision}e}"
        if self.integral:
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{PRINT_OPTS.precision}f}"

    def __call__(self, value) -> str:
        return self.write(value).rjust(self.width)


class _ComplexStyle:
    """Two styles side by side: each part decides for itself whether it is integral or scientific."""

    def __init__(self, values: np.ndarray):
        self.real, self.imag = _Style(values.real), _Style(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value) -> str:
        imag = self.imag(value.imag).lstrip()
        return f"{self.real(value.real)}{'' if imag[0] in '+-' else '+'}{imag}j"


def format_array(array: np.ndarray, indent: int = 0) -> str:
    """The bracketed elements of `array`, lines after the first indented by `indent` spaces.

    Example:
        >>> print(format_array(np.eye(2)))
        [[1., 0.],
         [0., 1.]]
    """
    if array.dtype.isbuiltin == 2:  # bfloat16 and the eight-bit floats: not NumPy's own
        array = array.astype(np.float32)
    if not array.size:
        return "[]"
    edge = PRINT_OPTS.edgeitems if array.size > PRINT_OPTS.threshold else None
    style = (_ComplexStyle if array.dtype.kind == "c" else _Style)(_shown(array, edge))
    return _nested(array, indent, edge, style)


def _shown(array: np.ndarray, edge: int | None) -> np.ndarray:
    """The elements that will be printed, which alone decide the style."""
    if edge is not None:
        for axis in range(array.ndim):
            if array.shape[axis] > 2 * edge:
                ends = np.r_[0:edge, array.shape[axis] - edge : array.shape[axis]]
                array = array.take(ends, axis)
    return array


def _nested(array: np.ndarray, indent: int, edge: int | None, style) -> str:
    if array.ndim == 0:
        return style(array.item())
    size = array.shape[0]
    cut = edge is not None and size > 2 * edge
    rows = [*range(edge), *range(size - edge, size)] if cut else range(size)
    if array.ndim == 1:
        items = [style(v) for v in array[rows].tolist()]
    else:
        items = [_nested(array[i], indent + 1, edge, style) for i in rows]
    if cut:
        items.insert(edge, " ..." if array.ndim == 1 else "...")
    if array.ndim > 1:
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(items) + "]"
    fit = max(1, (PRINT_OPTS.linewidth - indent) // (style.width + 2))
    lines = [", ".join(items[i : i + fit]) for i in range(0, len(items), fit)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def assemble(prefix: str, body: str, suffixes: list[str]) -> str:
    """``prefix body, suffix, …)``, a suffix starting a new line where it would not fit."""
    text = prefix + body
    column = len(text) - text.rfind("\n") + 1  # one for the closing parenthesis
    for suffix in suffixes:
        if column + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * len(prefix) + suffix
            column = len(prefix) + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def dtype_suffix(dtype: _dtypes.dtype, numel: int) -> list[str]:
    """``dtype=…`` unless it is what a reader assumes: of an empty tensor only the default floating dtype is."""
    assumed = {_dtypes.default_dtype()}
    if numel:
        assumed |= {_dtypes.default_complex(), _dtypes.int64, _dtypes.bool_}
    return [] if dtype in assumed else [f"dtype={dtype!r}"]


def _batched_str(tensor, nested: Batch) -> str:
    """A tensor inside a function under vmap: the whole batch, as it stands outside."""
    value, axis = nested.lowered(tensor._read())
    outer = object.__new__(type(tensor))
    outer._value = value
    with nested.outside():
        shown = textwrap.indent(_str(outer), "    ")
    return f"BatchedTensor(lvl={nested.level}, bdim={axis}, value=\n{shown}\n)"


def _str(tensor) -> str:
    """``repr(tensor)``, waiting for its value."""
    nested = state.program.nested
    if isinstance(nested, Batch) and nested.varies(tensor._read()):
        return _batched_str(tensor, nested)
    plain = type(tensor).__name__ in ("Tensor", "Parameter", "Buffer")
    prefix = "tensor(" if plain else f"{type(tensor).__name__}("
    suffixes = [] if tensor.device.type == "cpu" else [f"device='{tensor.device}'"]
    size = f"size={tuple(tensor.shape)}"
    if tensor.device.type == "meta":
        body = "..."
        suffixes += [size, *dtype_suffix(tensor.dtype, 1)]
    else:
        body = _body(tensor._array(), len(prefix))
        suffixes += [size] if not tensor.numel() and tensor.dim() != 1 else []
        suffixes += dtype_suffix(tensor.dtype, tensor.numel())
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name().rsplit('::')[-1]}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return assemble(prefix, body, suffixes)


def _body(array, indent: int) -> str:
    if isinstance(array, jax.core.Tracer):  # inside jax.jit and the like there are no values to show
        return f"<traced {_dtypes.to_dtype(array.dtype).name}{list(array.shape)}>"
    return format_array(np.asarray(array), indent)
