"""Sizes given by the user: `view(2, 3)` or `view((2, 3))`, the inferred -1, and their error texts."""

from __future__ import annotations

import math
import operator


def brackets(sizes) -> str:
    """Sizes as C++ error messages print them: ``[2, 3]``."""
    return f"[{', '.join(map(str, sizes))}]"


def sizes_from(args: tuple, name: str = "", argument: str = "size", position: int = 1) -> tuple[int, ...]:
    """Integers given one by one or as a single sequence (whatever has ``__index__`` counts as an integer).

    Args:
        name: the function they are given to; `argument` and `position` say as what.

    Raises:
        TypeError: an item is no integer; the text is PyTorch's if there is a name.
    """
    packed = len(args) == 1 and hasattr(args[0], "__iter__") and getattr(args[0], "ndim", 1)
    items = args[0] if packed else args
    try:
        sizes = tuple(map(operator.index, items))
        if not (sizes and name) or items[0].__class__ is not bool:
            return sizes
    except TypeError:
        if not name:
            raise
    raise TypeError(_no_sizes(items, packed, name, argument, position))


def _no_sizes(items, packed: bool, name: str, argument: str, position: int) -> str:
    """PyTorch's words for sizes that are no integers."""
    i, wrong = next((i, x) for i, x in enumerate(items) if not _is_index(x) or (i == 0 and isinstance(x, bool)))
    kind = type(wrong).__name__ if type(wrong).__module__ != "numpy" else f"numpy.{type(wrong).__name__}"
    if i:
        return f"""{name}(): argument '{argument}' failed to unpack the object at pos {i + 1} with error "type must be tuple of ints,but got {kind}\""""
    if packed:
        return (
            f"{name}(): argument '{argument}' (position {position}) must be tuple of ints, but found element of type "
            f"{kind} at pos 0"
        )
    if len(items) > 1:
        return f"{name}() takes {position} positional argument{'s' * (position > 1)} but {len(items)} were given"
    return f"{name}(): argument '{argument}' (position {position}) must be tuple of ints, not {kind}"


def _is_index(x) -> bool:
    try:
        operator.index(x)
    except TypeError:
        return False
    return True


def sizes_of_view(args: tuple, size=None) -> tuple[int, ...]:
    """The sizes that `view` was given.

    Raises:
        TypeError: none, or no integers.
    """
    args = args if size is None else (size,)
    packed = len(args) == 1 and isinstance(args[0], tuple | list)
    items = args[0] if packed else args
    if not args or (items and not hasattr(items[0], "__iter__") and not _is_index(items[0])):
        raise TypeError(
            f"view() received an invalid combination of arguments - got ({', '.join(type(x).__name__ for x in args)}), "
            "but expected one of:\n * (torch.dtype dtype)\n * (tuple of ints size)\n"
        )
    return sizes_from(args, "view")


def as_tuple(x) -> tuple[int, ...]:
    """An integer or a sequence of integers as a tuple."""
    return sizes_from((x,))


def check_size(sizes) -> tuple[int, ...]:
    """`sizes` as a tuple.

    Raises:
        RuntimeError: a size is negative.
    """
    sizes = tuple(sizes)
    for n in sizes:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {brackets(sizes)}")
    return sizes


def infer_size(sizes: tuple[int, ...], numel: int) -> tuple[int, ...]:
    """`sizes` with a single -1 replaced so that the product is `numel`.

    Raises:
        RuntimeError: no such size exists, or -1 is ambiguous.
    """
    if any(n < -1 for n in sizes):
        i, n = next((i, n) for i, n in enumerate(sizes) if n < -1)
        raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {brackets(sizes)}")
    unknown = [i for i, n in enumerate(sizes) if n == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = math.prod(n for n in sizes if n != -1)
    if not unknown and known == numel:
        return sizes
    if not unknown or (known and numel % known) or (not known and numel):
        raise RuntimeError(f"shape '{brackets(sizes)}' is invalid for input of size {numel}")
    if not known:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {brackets(sizes)} because the unspecified dimension size "
            "-1 can be any value and is ambiguous"
        )
    return tuple(numel // known if n == -1 else n for n in sizes)


def expand_size(shape: tuple[int, ...], sizes: tuple[int, ...], scalar_name: str) -> tuple[int, ...]:
    """The shape that ``expand(*sizes)`` gives a tensor of `shape`; -1 keeps a size.

    Raises:
        RuntimeError: a size of more than 1 would have to change.
    """
    extra = len(sizes) - len(shape)
    if extra < 0:
        raise RuntimeError(
            f"expand(torch.{scalar_name}Tensor{{{brackets(shape)}}}, size={brackets(sizes)}): the number of sizes "
            f"provided ({len(sizes)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    result = list(sizes)
    for i, n in enumerate(sizes):
        if i < extra:
            if n == -1:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
                )
            continue
        old = shape[i - extra]
        if n == -1:
            result[i] = old
        elif n != old and old != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old}) at non-singleton "
                f"dimension {i}.  Target sizes: {brackets(sizes)}.  Tensor sizes: {brackets(shape)}"
            )
    return check_size(result)
