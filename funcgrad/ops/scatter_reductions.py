"""Several values for one place: sum, product, mean, largest, smallest, with PyTorch's gradients.

See https://docs.pytorch.org/docs/stable/generated/torch.scatter_reduce.html.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad._errors import check_dtype
from funcgrad.ops._number import Array
from funcgrad.ops._positions import PROMISE, dtype_of


def add_at(x: Array, at: tuple, values: Array) -> Array:
    """`x` with `values` added at ``x[at]``; for bools "or"."""
    if x.dtype == bool:
        return x.astype(jnp.int32).at[at].add(values.astype(jnp.int32), **PROMISE) != 0
    return x.at[at].add(values, **PROMISE)


def reduce_at(x: Array, at: Array, values: Array, how: str, include_self: bool) -> Array:
    """The flat `x` with all `values` that go to one place of ``x[at]`` combined there by `how`.

    Args:
        include_self: whether what `x` has there counts as one more value.
    """
    if x.dtype == bool:
        if how == "mean":
            check_dtype("scatter_gather_tensor_cpu_reduce_mean", _dtypes.bool_, "")
        how = {"sum": "amax", "prod": "amin"}.get(how, how)
        return reduce_at(x.astype(jnp.int32), at, values.astype(jnp.int32), how, include_self) != 0
    if not include_self:
        x = x.at[at].set(_identity(how, x), unique_indices=True, **PROMISE)
    if how == "sum":
        return add_at(x, (at,), values)
    if how == "mean":
        return _mean_at(x, at, values, include_self)
    return {"prod": _prod_at, "amax": _max_at, "amin": _min_at}[how](x, at, values)


def _identity(how: str, x: Array) -> Array:
    if how in ("sum", "mean", "prod"):
        return jnp.full((), how == "prod", x.dtype)
    d = dtype_of(x)
    limits = jnp.iinfo(x.dtype) if d.category == _dtypes.INTEGER else None
    lowest, highest = (limits.min, limits.max) if limits else (-jnp.inf, jnp.inf)
    return jnp.full((), lowest if how == "amax" else highest, x.dtype)


def _mean_at(x: Array, at: Array, values: Array, include_self: bool) -> Array:
    count = jnp.full(x.shape, int(include_self), jnp.int32).at[at].add(jnp.ones(at.shape, jnp.int32), **PROMISE)
    count = jnp.maximum(count, 1).astype(x.dtype)
    total = add_at(x, (at,), values)
    return total // count if dtype_of(x).category == _dtypes.INTEGER else total / count


def _take(x: Array, at: Array) -> Array:
    return x.at[at].get(**PROMISE)


@jax.custom_jvp
def _prod_at(x: Array, at: Array, values: Array) -> Array:
    return x.at[at].multiply(values, **PROMISE)


@_prod_at.defjvp
def _(primals, tangents):
    # The derivative by one factor is the product of the others, also where there are zeros: that of all factors but
    # the zeros, if this is the only zero; nothing, if another is.
    x, at, values = primals
    dx, _, dvalues = tangents
    one = jnp.ones((), x.dtype)
    x1, values1 = jnp.where(x == 0, one, x), jnp.where(values == 0, one, values)
    rest = _prod_at(x1, at, values1)
    zeros = (x == 0).astype(jnp.int32).at[at].add((values == 0).astype(jnp.int32), **PROMISE)

    def partial(factor, factor1, rest, zeros):
        others = zeros - (factor == 0)
        return jnp.where(others == 0, rest / factor1, jnp.zeros((), rest.dtype))

    by_values = partial(values, values1, _take(rest, at), _take(zeros, at))
    tangent = add_at(partial(x, x1, rest, zeros) * dx, (at,), by_values * dvalues)
    return _prod_at(x, at, values), tangent


def _extremum(combine):
    @jax.custom_jvp
    def extremum_at(x: Array, at: Array, values: Array) -> Array:
        return combine(x.at[at], values)

    @extremum_at.defjvp
    def _(primals, tangents):
        # All values that are the extremum share its gradient equally, what was there included.
        x, at, values = primals
        dx, _, dvalues = tangents
        out = extremum_at(x, at, values)
        here, there = (x == out).astype(x.dtype), (values == _take(out, at)).astype(x.dtype)
        count = jnp.maximum(add_at(here, (at,), there), 1)
        return out, add_at(here * dx, (at,), there * dvalues) / count

    return extremum_at


_max_at = _extremum(lambda ref, values: ref.max(values, **PROMISE))
_min_at = _extremum(lambda ref, values: ref.min(values, **PROMISE))
