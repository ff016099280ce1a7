"""``vmap``: a function of single examples, applied to a batch of them.

The function is recorded once, for one example, into a program of its own (`engine.nested.Batch`), which enters the program
around it as one op under ``jax.vmap``. See https://docs.pytorch.org/docs/stable/generated/torch.vmap.html.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from funcgrad import _operators
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.nested import Batch
from funcgrad.utils._pytree import TreeSpec, tree_flatten, tree_unflatten


def vmap(
    func: Callable, in_dims=0, out_dims=0, randomness: str = "error", *, chunk_size: int | None = None
) -> Callable:
    """The function that applies `func` to every example of its arguments.

    Args:
        func: takes and returns tensors, or containers of them.
        in_dims: along which dimension each argument holds the examples; None for one that all share. An integer for all
            arguments, or a structure that is a prefix of theirs.
        out_dims: where the examples' dimension goes in each result; None for a result all have in common.
        randomness: whether random draws are an error, the "same" for all examples, or "different" for each.
        chunk_size: how many examples at a time; all by default.

    Raises:
        ValueError: dimensions that do not fit the arguments or results.
        RuntimeError: `func` looks at a value that differs between examples, or draws under "error".

    Example:
        >>> import funcgrad as torch
        >>> torch.vmap(torch.dot)(torch.ones(2, 3), torch.ones(2, 3))
        tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def batched(*args, **kwargs):
        leaves, spec, dims, size = _inputs(func, in_dims, args)
        if chunk_size is None or chunk_size >= size:
            return _run(func, leaves, spec, dims, size, out_dims, randomness, kwargs)
        parts = []
        for first in range(0, size, chunk_size):
            count = min(chunk_size, size - first)
            part = [x if d is None else x.narrow(d, first, count) for x, d in zip(leaves, dims)]
            parts.append(_run(func, part, spec, dims, count, out_dims, randomness, kwargs))
        return _joined(parts, out_dims, func)

    return batched


def _run(func, leaves, spec, dims, size: int, out_dims, randomness: str, kwargs):
    batch = Batch(size, randomness)
    try:
        examples = [x if d is None else wrap(batch.example(x._read(), d)) for x, d in zip(leaves, dims)]
        given = [(x, d, e, e._value) for x, d, e in zip(leaves, dims, examples) if d is not None]
        output = func(*tree_unflatten(examples, spec), **kwargs)
        results, out_spec = tree_flatten(output)
        axes = _out_axes(func, out_dims, results, output, out_spec)
        values = [r._read() for r in results]
        for v, axis in zip(values, axes):
            if axis is None and batch.varies(v):
                raise ValueError(
                    f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when out_dim is None"
                )
        # An argument written in place: the batch it is an example of is written too.
        written = [(x, d, e._read()) for x, d, e, before in given if e._value is not before]
        axes = [None if a is None else _wrapped(a, r.dim() + 1) for a, r in zip(axes, results)]
        made = batch.close([*values, *[v for _, _, v in written]], [*axes, *[d for _, d, _ in written]])
    except BaseException:
        batch.abandon()
        raise
    for (x, _, _), value in zip(written, made[len(values) :]):
        _operators.check_writable(x)
        _operators.write(x, value)
    return tree_unflatten([wrap(v) for v in made[: len(values)]], out_spec)


def _wrapped(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {axis})")
    return axis % rank


def _name(func) -> str:
    return getattr(func, "__name__", None) or repr(func)


def spread(prefix, spec: TreeSpec) -> list | None:
    """For each leaf of a tree of this structure what `prefix` has for it; None if `prefix` is no prefix of it."""
    if not isinstance(prefix, tuple | list | dict):
        return [prefix] * spec.num_leaves
    leaves, found = tree_flatten(prefix)
    if spec.is_leaf():
        return None
    if found.type is not spec.type or found.num_children != spec.num_children:
        if {found.type, spec.type} != {tuple, list} or found.num_children != spec.num_children:
            return None
    elif found.type not in (tuple, list) and found.context != spec.context:
        return None
    made, parts = [], prefix.values() if isinstance(prefix, dict) else prefix
    for part, child in zip(parts, spec.children()):
        inner = spread(part, child)
        if inner is None:
            return None
        made += inner
    return made


def _inputs(func, in_dims, args) -> tuple:
    """The leaves of the arguments, their structure, the dimension of each, and the number of examples."""
    name = _name(func)
    what = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
    if not (isinstance(in_dims, int | tuple) and not isinstance(in_dims, bool)):
        raise ValueError(
            f"{what}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = spread(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{what}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    dims = [_in_dim(what, x, d) for x, d in zip(leaves, dims)]
    sizes = [x.shape[d] for x, d in zip(leaves, dims) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
            "dimension"
        )
    return leaves, spec, dims, sizes[0]


def _in_dim(what: str, x, dim) -> int | None:
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(f"{what}Got in_dim={dim} for an input but in_dim must be either an integer dimension or None.")
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{what}Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
            "arguments, please use None as the respective in_dim"
        )
    rank = x.dim()
    if not -rank <= dim < rank:
        raise ValueError(
            f"{what}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {rank} so expected in_dim "
            f"to satisfy -{rank} <= in_dim < {rank}."
        )
    return dim % rank


def _out_axes(func, out_dims, results: list, output, spec: TreeSpec) -> list:
    name = _name(func)

    def incompatible():
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of `outputs`. "
            f"out_dims has structure {tree_flatten(out_dims)[1]} but outputs has structure {spec}."
        )

    if isinstance(output, Tensor) and isinstance(out_dims, tuple | list) and len(out_dims) == 1:
        axes = [out_dims[0]]  # a single result may have its dimension given as a tuple of one
    elif isinstance(out_dims, int | tuple | list | dict) or out_dims is None:
        axes = spread(out_dims, spec)
    else:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints "
            "representing where in the outputs the vmapped dimension should appear."
        )
    if axes is None:
        incompatible()
    for r, axis in zip(results, axes):
        if not isinstance(r, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(r)}. Did you mean to set out_dims= to "
                "None for output?"
            )
        if not (axis is None or isinstance(axis, int)):
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints "
                "representing where in the outputs the vmapped dimension should appear."
            )
    return axes


def _joined(parts: list, out_dims, func):
    """The results of the chunks, one after the other along the examples' dimension."""
    flat = [tree_flatten(part) for part in parts]
    spec = flat[0][1]
    axes = _out_axes(func, out_dims, flat[0][0], parts[0], spec)
    columns = zip(*[leaves for leaves, _ in flat])
    joined = [c[0] if a is None else _operators.call("cat", list(c), a) for c, a in zip(columns, axes)]
    return tree_unflatten(joined, spec)
