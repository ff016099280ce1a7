"""Writing through a view: the inverse of every view op.

``write_through(name, base, new, *args)`` is the `base` to which the view op `name` gives `new`, all its other elements
unchanged. Ops that only rename positions are undone by the opposite op; parts are put back as they were cut out; what
remains goes through a map of positions. All of it is differentiable. See
https://docs.pytorch.org/docs/stable/tensor_view.html.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad._errors import wrap_dim
from funcgrad.ops import broadcasting, complex, indexing, joining, shape, slicing, strided
from funcgrad.ops._number import Array, cast
from funcgrad.ops._sizes import sizes_from

_MODULES = (shape, broadcasting, joining, slicing, strided, complex)
FUNCTIONS = {name: f for module in _MODULES for name, f in vars(module).items() if getattr(f, "is_view", False)}
"""Every view op by name; `getitem` with a basic layout is one."""
FUNCTIONS["getitem"] = indexing.getitem


def write_through(name: str, base: Array, new: Array, *args, output: int | None = None, **kwargs) -> Array:
    """`base` after `new` was written to the view ``name(base, *args, **kwargs)``.

    Args:
        new: of the view's shape and dtype (dtype views excepted: of theirs).
        output: which of the results, for ops that give several views.

    Raises:
        RuntimeError: the view shows an element more than once.

    Example:
        >>> write_through("select", jnp.zeros((2, 3)), jnp.ones(3), 0, 1).tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    inverse = _INVERSES.get(name) or _by_position(name)
    if output is not None:
        return inverse(base, new, output, *args, **kwargs)
    return inverse(base, new, *args, **kwargs)


# -- the same elements ------------------------------------------------------------------------------------------------


def _reshaped(base: Array, new: Array, *args, **kwargs) -> Array:
    return new.reshape(base.shape)


def _view(base: Array, new: Array, *args, **kwargs) -> Array:
    if new.dtype != base.dtype:
        new = shape.view_dtype(new, _dtypes.to_dtype(base.dtype))
    return new.reshape(base.shape)


def _same_op(name: str):
    """For ops that are their own inverse."""
    return lambda base, new, *args, **kwargs: FUNCTIONS[name](new, *args, **kwargs)


def _permute(base: Array, new: Array, *dims, **keyword) -> Array:
    dims = [wrap_dim(d, base.ndim) for d in sizes_from(dims or (keyword["dims"],))]
    return lax.transpose(new, np.argsort(dims).tolist()) if dims else new


def _movedim(base: Array, new: Array, source, destination) -> Array:
    return shape.movedim(new, destination, source)


def _expand(base: Array, new: Array, *args, **kwargs) -> Array:
    """Of an element's several appearances the first that was changed counts; who may write at all, the caller checks."""
    shape = (1,) * (new.ndim - base.ndim) + base.shape
    repeated = [d for d in range(new.ndim) if shape[d] != new.shape[d]]
    if not repeated or not new.size:
        return new.reshape(base.shape)
    rest = [d for d in range(new.ndim) if d not in repeated]
    flat = (*[new.shape[d] for d in rest], -1)
    new, old = (
        lax.transpose(x, rest + repeated).reshape(flat) for x in (new, jnp.broadcast_to(base.reshape(shape), new.shape))
    )
    first = jnp.argmax(new != old, -1, keepdims=True)
    return jnp.take_along_axis(new, first, -1).reshape(base.shape)


# -- parts ------------------------------------------------------------------------------------------------------------


def _getitem(base: Array, new: Array, layout, *operands) -> Array:
    return indexing.setitem(base, new, layout, *operands)


def _indexed(name: str):
    parse = FUNCTIONS[name].as_index

    def inverse(base: Array, new: Array, *args, **kwargs) -> Array:
        layout, operands = parse(base.shape, *args, **kwargs)
        return indexing.setitem(base, new, layout, *operands)

    return inverse


def _diagonal(base: Array, new: Array, offset=0, dim1=0, dim2=1) -> Array:
    return slicing.write_diagonal(base, new, offset, dim1, dim2) if new.size else base


def _replace(base: Array, new: Array, dim: int, start: int) -> Array:
    """`base` with `new` in place of the positions from `start` on along `dim`."""
    stop = start + new.shape[dim]
    before, _, after = lax.split(base, (start, stop - start, base.shape[dim] - stop), dim)
    return lax.concatenate([x for x in (before, new, after) if x.shape[dim]] or [base], dim)


def _section(bounds):
    """For ops that cut a dimension into sections; ``bounds(shape, *args)`` gives the dimension and the cuts."""

    def inverse(base: Array, new: Array, output: int, *args, **kwargs) -> Array:
        dim, cuts = bounds(base.shape, *args, **kwargs)
        return _replace(base, new, dim, cuts[output][0])

    return inverse


def _unbind(base: Array, new: Array, output: int, dim=0) -> Array:
    dim = wrap_dim(dim, base.ndim)
    return _replace(base, lax.expand_dims(new, (dim,)), dim, output)


# -- complex numbers --------------------------------------------------------------------------------------------------


def _real(base: Array, new: Array) -> Array:
    return lax.complex(new, jnp.imag(base)) if jnp.iscomplexobj(base) else new


def _imag(base: Array, new: Array) -> Array:
    return lax.complex(jnp.real(base), new)


def _view_as_real(base: Array, new: Array) -> Array:
    return lax.complex(new[..., 0], new[..., 1])


def _view_as_complex(base: Array, new: Array) -> Array:
    return jnp.stack([jnp.real(new), jnp.imag(new)], -1)


def _conj(base: Array, new: Array) -> Array:
    return jnp.conj(new) if jnp.iscomplexobj(new) else new


# -- everything else --------------------------------------------------------------------------------------------------


def _store(base: Array, positions: Array, new: Array, overlapping: bool) -> Array:
    """`base` with `new` at these positions of its flat self.

    Where a view shows an element more than once, a write changed only some of its appearances: those count.
    """
    if not new.size:
        return base
    flat, positions, new = base.reshape(-1), positions.reshape(-1), cast(new, base.dtype).reshape(-1)
    if not overlapping:
        return flat.at[positions].set(new, mode="promise_in_bounds", unique_indices=True).reshape(base.shape)
    changed = new != flat.at[positions].get(mode="promise_in_bounds")
    positions = jnp.where(changed, positions, flat.size)
    return flat.at[positions].set(new, mode="drop", unique_indices=False).reshape(base.shape)


def _as_strided(base: Array, new: Array, size, stride, storage_offset=None) -> Array:
    size, stride, offset = strided.check_strided(base, size, stride, storage_offset)
    reach, overlapping = 0, False
    for s, n in sorted((s, n) for n, s in zip(size, stride) if n > 1):
        overlapping |= s <= reach
        reach += (n - 1) * s
    return _store(base, strided.strided_index(size, stride, offset), new, overlapping)


def _unfold(base: Array, new: Array, dimension, size, step) -> Array:
    positions = jnp.arange(base.size, dtype=jnp.int32 if base.size < 2**31 else jnp.int64).reshape(base.shape)
    return _store(base, strided.unfold(positions, dimension, size, step), new, step < size)


def _by_position(name: str):
    """The view of the positions 0, 1, 2, … says where each element of `new` belongs."""

    def inverse(base: Array, new: Array, *args, **kwargs) -> Array:
        positions = jnp.arange(base.size, dtype=jnp.int32 if base.size < 2**31 else jnp.int64).reshape(base.shape)
        return _store(base, FUNCTIONS[name](positions, *args, **kwargs), new, overlapping=True)

    return inverse


_INVERSES = {
    **dict.fromkeys("reshape view_as reshape_as ravel flatten unflatten squeeze unsqueeze".split(), _reshaped),
    **dict.fromkeys("alias detach positive contiguous".split(), _reshaped),
    **{name: _same_op(name) for name in "transpose swapdims swapaxes t T mT mH H adjoint".split()},
    **dict.fromkeys("expand expand_as broadcast_to".split(), _expand),
    **dict.fromkeys(("movedim", "moveaxis"), _movedim),
    **{name: _indexed(name) for name in ("select", "narrow", "slice")},
    **dict.fromkeys(("split", "split_with_sizes"), _section(joining.split_bounds)),
    **{f"{letter}split": _section(joining.split_along_bounds(letter)) for letter in "hvd"},
    "view": _view, "permute": _permute, "getitem": _getitem, "diagonal": _diagonal,
    "chunk": _section(joining.chunk_bounds), "tensor_split": _section(joining.tensor_split_bounds), "unbind": _unbind,
    "as_strided": _as_strided, "unfold": _unfold, "real": _real, "imag": _imag, "view_as_real": _view_as_real, "conj": _conj,
    "view_as_complex": _view_as_complex, "_neg_view": lambda base, new: -new,
}  # fmt: skip
