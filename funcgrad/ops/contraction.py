"""Sums of products over named or numbered dimensions: `einsum`, `tensordot`.

Operands are multiplied two at a time, the cheapest pair first, each pair as one `dot_general` over at most three
flattened groups of dimensions (batch, free, contracted): XLA's CPU backend is much slower on the gradient of the same
product with its dimensions left apart (see `linalg_basic`).
See https://docs.pytorch.org/docs/stable/generated/torch.einsum.html.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp

from funcgrad import _dtypes
from funcgrad._errors import check_dtype, wrap_dims
from funcgrad.ops._matrix_checks import scalar_name
from funcgrad.ops._number import Array, dtype_of, promote
from funcgrad.ops.linalg_basic import contract

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def einsum(*args: Array) -> Array:
    """Sum of products given by a formula in Einstein's notation.

    Args:
        args: an equation such as ``"bij,bjk->bik"`` and its operands (one by one or in a list), or, in the other form,
            each operand followed by a list of dimension numbers, and last the output's list.

    Raises:
        RuntimeError: the equation is malformed or does not fit the operands.

    Example:
        >>> einsum("ii->i", jnp.eye(3))
        Array([1., 1., 1.], dtype=float32)
        >>> einsum(jnp.ones((2, 3)), [0, 1], jnp.ones((3, 4)), [1, 2], [0, 2]).shape
        (2, 4)
    """
    equation, operands = _split_arguments(args)
    inputs, output = _parse(equation, [x.ndim for x in operands])
    _check_sizes(inputs, operands)
    if len(operands) == 1 and dtype_of(operands[0]).category <= _dtypes.INTEGER and set(inputs[0]) - set(output):
        operands = [operands[0].astype(jnp.int64)]
    terms = [_take_diagonals(x, labels) for x, labels in zip(operands, inputs, strict=True)]
    while len(terms) > 1:
        i, j = _cheapest_pair(terms, output)
        rest = [t for k, t in enumerate(terms) if k not in (i, j)]
        keep = set(output).union(*(labels for _, labels in rest))
        order = output if not rest else ()
        terms = [_multiply(*terms[i], *terms[j], keep, order), *rest]
    return _arrange(*terms[0], output)


# -- the equation -----------------------------------------------------------------------------------------------------


def _split_arguments(args: tuple) -> tuple[str, list[Array]]:
    """The equation and operands of either calling form."""
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, "
            "or at least one operand and its subscripts list"
        )
    if isinstance(args[0], str):
        operands = args[1:]
        return args[0], list(operands[0]) if isinstance(operands[0], list | tuple) else list(operands)
    if isinstance(args[0], list | tuple):
        raise TypeError(f"einsum(): argument 'equation' (position 1) must be str, not {type(args[0]).__name__}")
    equation = ",".join(map(_spell, args[1::2][: len(args) // 2]))
    if len(args) % 2:
        equation += "->" + _spell(args[-1])
    return equation, list(args[: len(args) // 2 * 2 : 2])


def _spell(sublist) -> str:
    return "".join(map(_spell_one, sublist))


def _spell_one(s) -> str:
    if s is Ellipsis:
        return "..."
    if isinstance(s, float):
        raise TypeError("'float' object cannot be interpreted as an integer")
    if not 0 <= s < 52:
        raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
    return _LETTERS[s]


def _parse(equation: str, ndims: list[int]) -> tuple[list[list], list]:
    """The labels of each operand's dimensions and of the output's.

    A label is a letter, or for a dimension under an ellipsis its negative position counted from the last.
    """
    left, arrow, right = equation.partition("->")
    parts = _tokens(left, 0, "operand")
    if len(parts) != len(ndims):
        less = "fewer" if len(parts) > len(ndims) else "more"
        raise RuntimeError(f"einsum(): {less} operands were provided than specified in the equation")
    inputs, covered = [], 0
    for i, (labels, n) in enumerate(zip(parts, ndims, strict=True)):
        count = len(labels) - ("..." in labels)
        if count > n or (count < n and "..." not in labels):
            what = "more than" if "..." in labels else "does not match"
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({count}) "
                + (f"is {what}" if "..." in labels else what)
                + f" the number of dimensions ({n}) for operand {i}"
                + ("" if "..." in labels else " and no ellipsis was given")
            )
        covered = max(covered, n - count if "..." in labels else 0)
        inputs.append(_expand_ellipsis(labels, n - count))
    return inputs, _parse_output(right, bool(arrow), len(left) + 2, inputs, covered)


def _parse_output(right: str, given: bool, offset: int, inputs: list[list], covered: int) -> list:
    seen = [s for labels in inputs for s in labels if isinstance(s, str)]
    if not given:
        return _expand_ellipsis(["...", *sorted(s for s in set(seen) if seen.count(s) == 1)], covered)
    labels = _tokens(right, offset, "output")[0]
    for s in labels:
        if labels.count(s) > 1:
            raise RuntimeError(f"einsum(): output subscript {s} appears more than once in the output")
        if s != "..." and s not in seen:
            raise RuntimeError(f"einsum(): output subscript {s} does not appear in the equation for any input operand")
    return _expand_ellipsis(labels, covered)


def _expand_ellipsis(labels: list[str], n: int) -> list:
    return [t for s in labels for t in (range(-n, 0) if s == "..." else (s,))]


def _tokens(text: str, offset: int, what: str) -> list[list[str]]:
    """The letters and ellipses of each comma-separated part of one side of an equation."""
    parts: list[list[str]] = [[]]
    i = 0
    while i < len(text):
        c, where = text[i], what if what == "output" else f"{what} {len(parts) - 1}"
        if c == ".":
            if "..." in parts[-1]:
                an_ellipsis = " for which an ellipsis" if what != "output" else " but an ellipsis (...)"
                raise RuntimeError(f"einsum(): found '.' for {where}{an_ellipsis} was already found")
            if text[i : i + 3] != "...":
                dots = " (...)" if what == "output" else ""
                raise RuntimeError(f"einsum(): found '.' for {where} that is not part of any ellipsis{dots}")
            parts[-1].append("...")
            i += 2
        elif c == "," and what != "output":
            parts.append([])
        elif c in _LETTERS:
            parts[-1].append(c)
        elif c != " ":
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {offset + i} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
        i += 1
    return parts


def _check_sizes(inputs: list[list], operands: list[Array]) -> None:
    """Raise unless each label has one size, ones aside, over all operands."""
    sizes: dict = {}
    for i, (labels, x) in enumerate(zip(inputs, operands, strict=True)):
        own: dict = {}
        covered = sum(not isinstance(s, str) for s in labels)
        for s, n in zip(labels, x.shape, strict=True):
            if own.setdefault(s, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {s} is repeated for operand {i} but the sizes don't match, {n} != {own[s]}"
                )
            if n == 1:
                continue
            if (before := sizes.setdefault(s, n)) != n and isinstance(s, str):
                raise RuntimeError(
                    f"einsum(): subscript {s} has size {n} for operand {i} which does not broadcast with previously "
                    f"seen size {before}"
                )
            if before != n:
                raise RuntimeError(
                    f"einsum(): dimension {covered + s} covered by ellipsis in operand {i}has size {n} which does not "
                    f"broadcast with previously seen ellipsis with size {before} for the respective dimension"
                )


# -- the arithmetic ---------------------------------------------------------------------------------------------------


def _take_diagonals(x: Array, labels: list) -> tuple[Array, list]:
    labels = list(labels)
    for s in dict.fromkeys(labels):
        while labels.count(s) > 1:
            i = labels.index(s)
            j = labels.index(s, i + 1)
            x = jnp.diagonal(x, axis1=i, axis2=j)
            labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + [s]
    return x, labels


def _cheapest_pair(terms: list[tuple[Array, list]], output: list) -> tuple[int, int]:
    """The two terms whose product costs least, counting a multiplication for each combination of their labels."""
    if len(terms) == 2:
        return 0, 1

    def cost(pair):
        sizes: dict = {}
        for k in pair:
            for s, n in zip(terms[k][1], terms[k][0].shape, strict=True):
                sizes[s] = max(n, sizes.get(s, 1))
        return math.prod(sizes.values())

    return min(((i, j) for j in range(len(terms)) for i in range(j)), key=cost)


def _multiply(a: Array, a_labels: list, b: Array, b_labels: list, keep, order) -> tuple[Array, list]:
    """The product of two terms summed over their labels outside `keep`; its labels in `order` if that is free."""
    a, a_labels = _drop_ones(a, a_labels, b_labels, b.shape)
    b, b_labels = _drop_ones(b, b_labels, a_labels, a.shape)
    a, a_labels = _sum_out(a, a_labels, [s for s in a_labels if s not in keep and s not in b_labels])
    b, b_labels = _sum_out(b, b_labels, [s for s in b_labels if s not in keep and s not in a_labels])
    shared = [s for s in a_labels if s in b_labels]
    summed = [s for s in shared if s not in keep]
    if not summed:
        labels = list(order) or a_labels + [s for s in b_labels if s not in shared]
        labels = [s for s in labels if s in a_labels or s in b_labels]
        a, b = promote(_align(a, a_labels, labels), _align(b, b_labels, labels))
        return (a & b if a.dtype == bool else a * b), labels
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(a)} but found {scalar_name(b)}")
    check_dtype("bmm", dtype_of(a), "ifhc")
    batch = [s for s in shared if s in keep]
    a_free = [s for s in a_labels if s not in shared]
    b_free = [s for s in b_labels if s not in shared]
    if order and a_free and b_free and order.index(b_free[0]) < order.index(a_free[0]):
        (a, a_labels, a_free), (b, b_labels, b_free) = (b, b_labels, b_free), (a, a_labels, a_free)
    return _dot(a, a_labels, a_free, b, b_labels, b_free, batch, summed), batch + a_free + b_free


def _dot(a, a_labels, a_free, b, b_labels, b_free, batch, summed) -> Array:
    shape = [dict(zip(a_labels + b_labels, a.shape + b.shape, strict=True))[s] for s in batch + a_free + b_free]
    a, a_summed = _three_groups(a, a_labels, batch, a_free, summed)
    b, b_summed = _three_groups(b, b_labels, batch, b_free, summed)
    if batch:
        return contract(a, b, ((a_summed,), (b_summed,)), ((0,), (0,))).reshape(shape)
    return contract(a, b, ((a_summed,), (b_summed,))).reshape(shape)


def _three_groups(x: Array, labels: list, batch: list, free: list, summed: list) -> tuple[Array, int]:
    """`x` as ``[batch, free, summed]`` or, if it lies so already, ``[batch, summed, free]``; and where `summed` is."""
    groups = [g for g in (batch, free, summed) if g]
    where = groups.index(summed)
    if free and labels == batch + summed + free:
        groups, where = [g for g in (batch, summed, free) if g], where - 1
    sizes = dict(zip(labels, x.shape, strict=True))
    order = [s for g in groups for s in g]
    if order != labels:
        x = jnp.transpose(x, [labels.index(s) for s in order])
    return x.reshape([math.prod(sizes[s] for s in g) for g in groups]), where


def _drop_ones(x: Array, labels: list, other_labels: list, other_shape) -> tuple[Array, list]:
    """Remove dimensions of size 1 that broadcast against a larger one of the other term."""
    larger = {s for s, n in zip(other_labels, other_shape, strict=True) if n != 1}
    kept = [i for i, s in enumerate(labels) if not (x.shape[i] == 1 and s in larger)]
    return x.reshape([x.shape[i] for i in kept]), [labels[i] for i in kept]


def _sum_out(x: Array, labels: list, summed: list) -> tuple[Array, list]:
    if not summed:
        return x, labels
    if x.dtype == bool:
        check_dtype("bmm", dtype_of(x), "ifhc")
    axes = tuple(labels.index(s) for s in summed)
    return jnp.sum(x, axis=axes, dtype=x.dtype), [s for s in labels if s not in summed]


def _align(x: Array, labels: list, order: list) -> Array:
    """`x` with its dimensions in `order` and a dimension of size 1 for each label that it lacks."""
    present = [s for s in order if s in labels]
    x = jnp.transpose(x, [labels.index(s) for s in present])
    return jnp.expand_dims(x, [i for i, s in enumerate(order) if s not in labels])


def _arrange(x: Array, labels: list, output: list) -> Array:
    x, labels = _sum_out(x, labels, [s for s in labels if s not in output])
    return _align(x, labels, output) if labels != output else x


def tensordot(a: Array, b: Array, dims=2) -> Array:
    """Contraction of `a` and `b` over several dimensions.

    Args:
        dims: how many last dimensions of `a` and first ones of `b` to contract, or two lists that name them.

    Example:
        >>> tensordot(jnp.ones((3, 4, 5)), jnp.ones((4, 3, 2)), ([1, 0], [0, 1])).shape
        (5, 2)
    """
    dims_a, dims_b = _tensordot_dims(a, b, dims)
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    if a.dtype != b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    axes_a, axes_b = wrap_dims(dims_a, a.ndim), wrap_dims(dims_b, b.ndim)
    for i, j, p, q in zip(axes_a, axes_b, dims_a, dims_b, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {p} and second has size "
                f"{b.shape[j]} in dim {q}"
            )
    check_dtype("addmm_impl_cpu_", dtype_of(a), "ifhc")
    a_labels = list(range(a.ndim))
    b_labels = [axes_a[axes_b.index(j)] if j in axes_b else a.ndim + j for j in range(b.ndim)]
    output = [s for s in a_labels if s not in axes_a] + [s for s in b_labels if s >= a.ndim]
    return _arrange(*_multiply(a, a_labels, b, b_labels, set(output), output), output)


def _tensordot_dims(a: Array, b: Array, dims) -> tuple[Sequence[int], Sequence[int]]:
    if hasattr(dims, "ndim"):
        dims = dims.tolist()
    if isinstance(dims, list | tuple) and len(dims) == 2 and all(isinstance(d, list | tuple) for d in dims):
        return dims
    if isinstance(dims, list | tuple) and len(dims) == 2:
        raise TypeError("tensordot(): argument 'dims_self' (position 3) must be tuple of ints, not int")
    if type(dims) is not int:
        raise RuntimeError(
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, "
            f"but got dims={dims}"
        )
    if dims < 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(a.ndim, b.ndim):
        raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
    return range(-dims, 0), range(dims)
