"""Padding: by a constant, by reflection, by the edge, and periodically.

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes, _errors
from funcgrad.ops._number import Array
from funcgrad.ops._sizes import brackets
from funcgrad.ops._windows import pad_last


def _pairs(pad, input: Array) -> tuple[tuple[int, int], ...]:
    """`pad` as (before, after) for each padded axis, in the order of the axes."""
    if not isinstance(pad, list | tuple):
        raise TypeError(f"pad(): argument 'pad' (position 2) must be tuple of ints, not {type(pad).__name__}")
    for i, n in enumerate(pad):
        if not hasattr(n, "__index__"):
            raise TypeError(
                "pad(): argument 'pad' (position 2) must be tuple of ints, "
                f"but found element of type {type(n).__name__} at pos {i}"
            )
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.ndim}"
        )
    pairs = zip(map(int, pad[::2]), map(int, pad[1::2]))
    return tuple(pairs)[::-1]


def _constant(input: Array, pairs, value) -> Array:
    d = _dtypes.to_dtype(input.dtype)
    if isinstance(value, complex) and not d.is_complex:
        raise RuntimeError(f"value cannot be converted to type {d.scalar_name.lower()} without overflow")
    if any(n + lo + hi < 0 for n, (lo, hi) in zip(input.shape[input.ndim - len(pairs) :], pairs)):
        raise RuntimeError("narrow(): length must be non-negative.")
    if d.category < _dtypes.FLOATING:
        value = bool(value) if d is _dtypes.bool_ else int(value)
    return pad_last(input, pairs, value)


def constant_pad_nd(input: Array, pad, value=0) -> Array:
    """Surround `input` by `value`; negative widths crop. As `pad` in the mode 'constant'.

    Example:
        >>> constant_pad_nd(jnp.ones(2), (1, -1), 5)
        Array([5., 1.], dtype=float32)
    """
    return _constant(input, _pairs(pad, input), value)


# -- padding with the input's own elements ----------------------------------------------------------------------------


def _part(x: Array, axis: int, start: int, stop: int, reverse: bool = False) -> Array:
    part = lax.slice_in_dim(x, start, stop, axis=axis)
    return lax.rev(part, (axis,)) if reverse else part


def _edges(x: Array, axis: int, low: int, high: int, mode: str) -> tuple[Array, Array]:
    """What comes before and after `x` along `axis`, for non-negative widths."""
    n = x.shape[axis]
    if mode == "reflect":
        return _part(x, axis, 1, low + 1, True), _part(x, axis, n - 1 - high, n - 1, True)
    if mode == "circular":
        return _part(x, axis, n - low, n), _part(x, axis, 0, high)
    shapes = [(*x.shape[:axis], width, *x.shape[axis + 1 :]) for width in (low, high)]
    ends = _part(x, axis, 0, 1), _part(x, axis, n - 1, n)
    return tuple(jnp.broadcast_to(end, shape) for end, shape in zip(ends, shapes))


def _extend(x: Array, axis: int, low: int, high: int, mode: str) -> Array:
    """`x` padded (cropped where negative) along one axis."""
    n = x.shape[axis]
    if mode == "circular":  # repeats what cropping leaves; the other modes crop what they have extended
        x = _part(x, axis, max(-low, 0), n - max(-high, 0))
    grown = max(low, 0), max(high, 0)
    if any(grown):
        before, after = _edges(x, axis, *grown, mode)
        x = jnp.concatenate([before, x, after], axis)
    if mode != "circular":
        x = _part(x, axis, max(-low, 0), x.shape[axis] - max(-high, 0))
    return x


def _check_extension(input: Array, pairs, mode: str) -> None:
    ndim, first = len(pairs), input.ndim - len(pairs)
    sizes = [n + lo + hi for n, (lo, hi) in zip(input.shape[first:], pairs)]
    if mode == "circular":
        for n, size, (lo, hi) in zip(input.shape[first:], sizes, pairs):
            if lo > n or hi > n:
                raise RuntimeError("Padding value causes wrapping around more than once.")
            if size < 0:
                raise RuntimeError("Negative padding value is resulting in an empty dimension")
        return
    name = {"reflect": "reflection", "replicate": "replication"}[mode]
    start = 1 if input.ndim == ndim + 2 else 0
    if 0 in input.shape[start:]:
        raise RuntimeError(
            f"Expected {ndim + 1}D or {ndim + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {brackets(input.shape)}"
        )
    if mode == "reflect":
        for i in reversed(range(ndim)):
            if max(pairs[i]) >= input.shape[first + i]:
                raise RuntimeError(
                    f"Argument #{4 + 2 * (ndim - 1 - i)}: Padding size should be less than the corresponding input "
                    f"dimension, but got: padding {pairs[i]} at dimension {first + i} of input {brackets(input.shape)}"
                )
    if all(n < 1 for n in sizes):
        letters = "DHW"[3 - ndim :]
        old, new = ([f"{c}: {n}" for c, n in zip(letters, ns)] for ns in (input.shape[first:], sizes))
        raise RuntimeError(f"input ({', '.join(old)}) is too small. Calculated output {' '.join(new)}")
    _errors.check_dtype(f"{name}_pad{ndim}d", _dtypes.to_dtype(input.dtype), "ihfc")


def pad(input: Array, pad, mode: str = "constant", value=None) -> Array:
    """Surround `input`; a negative width crops.

    Args:
        pad: widths before and after, for the last axis first: ``(left, right, top, bottom, ...)``.
        mode: ``'constant'`` (`value`, 0 unless given), or the input's own elements: ``'reflect'`` (mirrored at the
            edge element), ``'replicate'`` (the edge element) or ``'circular'``; those three pad the last 1 to 3 axes
            of an input with that many axes and a channel axis, and maybe a batch axis before.

    Example:
        >>> pad(jnp.array([[1.0, 2.0, 3.0]]), (2, 1), "reflect")
        Array([[3., 2., 1., 2., 3., 2.]], dtype=float32)
    """
    pairs = _pairs(pad, input)
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if not (1 <= len(pairs) <= 3 and input.ndim in (len(pairs) + 1, len(pairs) + 2)):
        raise NotImplementedError(f"Padding size {len(pad)} is not supported for {input.ndim}D input tensor.")
    _check_extension(input, pairs, mode)
    x = input
    for i, (low, high) in enumerate(pairs):
        x = _extend(x, input.ndim - len(pairs) + i, low, high, mode)
    return x
