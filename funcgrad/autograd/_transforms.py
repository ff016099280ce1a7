"""The transforms of ``torch.func`` that differentiate: see `_levels` for how.

See https://docs.pytorch.org/docs/stable/func.api.html.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from funcgrad import _operators
from funcgrad._tensor import Tensor
from funcgrad.autograd._levels import Level
from funcgrad.engine.nested import forbidding_draws
from funcgrad.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

Argnums = int | tuple[int, ...]


def grad(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """The function that computes the gradient of `func`, which returns a scalar.

    Args:
        argnums: with respect to which positional argument (or arguments, then a tuple is returned).
        has_aux: whether `func` returns ``(scalar, aux)``; the gradient comes as ``(gradient, aux)`` then.

    Example:
        >>> import funcgrad as torch
        >>> torch.func.grad(torch.func.grad(lambda x: x**3))(torch.tensor(2.0))
        tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args, **kwargs):
        made, value = both(*args, **kwargs)
        return (made, value[1]) if has_aux else made

    return gradient


def grad_and_value(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """The function that computes the gradient of `func` and its value: ``(gradient, value)``."""

    @functools.wraps(func)
    def gradient_and_value(*args, **kwargs):
        with Level() as level:
            positions = _positions(argnums, len(args))
            args = list(args)
            for i in _indices(positions):
                args[i] = tree_map(level.start, args[i])
            chosen = _chosen(args, positions)
            output, aux = func(*args, **kwargs), None
            if has_aux:
                if not (isinstance(output, tuple) and len(output) == 2):
                    raise RuntimeError(
                        "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True"
                    )
                output, aux = output
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}"
                )
            if output.dim() != 0:
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with {output.dim()} "
                    "dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            leaves, spec = tree_flatten(chosen)
            made = tree_unflatten(level.pull([output], leaves, [None]), spec)
            value = level.ended(output)
            if has_aux:
                return made, (value, _ended(level, aux))
            return made, value

    return gradient_and_value


def vjp(func: Callable, *primals, has_aux: bool = False):
    """``func(*primals)`` and the function that pulls cotangents of the result back to the primals.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``; ``vjp_fn(cotangents)`` is a tuple, one for each primal.
    """
    with Level() as level:
        starts = tree_map(level.start, primals)
        output, aux = func(*starts), None
        if has_aux:
            output, aux = _parted(output, "vjp(f, *primals)")
        outputs, spec = _tensors_only(output, "vjp(f, *primals): expected f(*primals)")
        shown = _ended(level, output)
        aux = _ended(level, aux)
    inputs, primals_spec = tree_flatten(starts)

    def pullback(cotangents, retain_graph=True, create_graph=None):
        given, given_spec = tree_flatten(cotangents)
        if given_spec != spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {_text(given_spec)}, primal output: {_text(spec)}"
            )
        return tree_unflatten(level.pull(outputs, inputs, given), primals_spec)

    return (shown, pullback, aux) if has_aux else (shown, pullback)


def jvp(func: Callable, primals, tangents, *, strict: bool = False, has_aux: bool = False):
    """``func(*primals)`` and its derivative along `tangents`: ``(output, tangents)``, or with `aux` as the third."""
    given = _flat_tangents(primals, tangents)
    with Level(forward=True) as level:
        starts = tree_map(level.start, primals)
        level.duals = list(zip(tree_leaves(starts), given))
        output, aux = func(*starts), None
        if has_aux:
            output, aux = _parted(output, "jvp(f, primals, tangents)")
        outputs, spec = _tensors_only(output, "jvp(f, primals, tangents): expected f(*primals)")
        if strict and not all(o.requires_grad for o in outputs):
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. "
                "This is not allowed with strict=True."
            )
        duals, given = zip(*level.duals)  # those that a Function's own jvp made too
        pushed = tree_unflatten(level.push(outputs, list(duals), list(given)), spec)
        shown = _ended(level, output)
        aux = _ended(level, aux)
    return (shown, pushed, aux) if has_aux else (shown, pushed)


def linearize(func: Callable, *primals):
    """``func(*primals)`` and its derivative there, a linear function of tangents: ``(output, jvp_fn)``."""
    leaves, spec = tree_flatten(primals)
    with Level(tangents=True) as level:
        starts = tree_map(level.start, primals)
        outputs, out_spec = tree_flatten(func(*starts))
        shown = [level.ended(o) for o in outputs]
    inputs = tree_leaves(starts)

    def pushforward(*tangents):
        given, given_spec = tree_flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(f"Expected the tangents {given_spec} to have the same argspec as the primals {spec}")
        for i, (t, p) in enumerate(zip(given, leaves)):
            if t.shape != p.shape:
                raise RuntimeError(
                    f"tangent:{i} with shape {t.shape} in flattened pytree doesn't match the shape {p.shape} of the "
                    "corresponding primal."
                )
            if t.dtype is not p.dtype or t.device != p.device:
                raise RuntimeError(
                    f"tangent:{i} with dtype {t.dtype} in flattened pytree doesn't match the dtype {p.dtype} of the "
                    "corresponding primal."
                )
        return tree_unflatten(level.push(outputs, inputs, given), out_spec)

    return tree_unflatten(shown, out_spec), pushforward


def jacrev(func: Callable, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
           _preallocate_and_copy: bool = False) -> Callable:  # fmt: skip
    """The function that computes the Jacobian of `func` row by row (reverse mode), all rows at once.

    Args:
        argnums: with respect to which positional argument (or arguments).
        has_aux: whether `func` returns ``(output, aux)``.
        chunk_size: how many rows at a time; all by default.

    Shape:
        ``output.shape + argument.shape`` for each output and argument.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def jacobian(*args, **kwargs):
        with Level() as level:
            positions = _positions(argnums, len(args))
            starts, chosen = _started(level, args, positions)
            output, aux = func(*starts, **kwargs), None
            if has_aux:
                output, aux = _parted(output, "vjp(f, *primals)")
            outputs, spec = _tensors_only(output, "vjp(f, *primals): expected f(*primals)")
            inputs, in_spec = tree_flatten(chosen)
            rows = []
            for o in outputs:
                found = [level.pull([o], inputs, [part], batched=True) for part in _chunks(_basis(o), chunk_size)]
                rows.append(
                    tree_unflatten(
                        [_joined(g).reshape(*o.shape, *x.shape) for g, x in zip(zip(*found), inputs)], in_spec
                    )
                )
            made, aux = tree_unflatten(rows, spec), _ended(level, aux)
        return (made, aux) if has_aux else made

    return jacobian


def jacfwd(func: Callable, argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error") -> Callable:
    """The function that computes the Jacobian of `func` column by column (forward mode), all columns at once.

    Args:
        argnums: with respect to which positional argument (or arguments).
        has_aux: whether `func` returns ``(output, aux)``.
        randomness: "error" refuses random draws in `func`; otherwise all columns see the same ones.

    Shape:
        ``output.shape + argument.shape`` for each output and argument.
    """

    @functools.wraps(func)
    def jacobian(*args, **kwargs):
        with Level(tangents=True) as level:
            positions = _positions(argnums, len(args))
            starts, chosen = _started(level, args, positions)
            with forbidding_draws(randomness == "error"):
                output, aux = func(*starts, **kwargs), None
            if has_aux:
                output, aux = _parted(output, "jvp(f, primals, tangents)")
            outputs, spec = _tensors_only(output, "jvp(f, primals, tangents): expected f(*primals)")
            inputs, in_spec = tree_flatten(chosen)
            columns = [[] for _ in outputs]
            for x in inputs:
                pushed = level.push(outputs, [x], [_basis(x)], batched=True)
                for o, column, t in zip(outputs, columns, pushed):
                    column.append(t.movedim(0, -1).reshape(*o.shape, *x.shape))
            made = tree_unflatten([tree_unflatten(c, in_spec) for c in columns], spec)
            aux = _ended(level, aux)
        return (made, aux) if has_aux else made

    return jacobian


def hessian(func: Callable, argnums: Argnums = 0) -> Callable:
    """The function that computes the Hessian of `func`: the forward Jacobian of the reverse one."""
    return jacfwd(jacrev(func, argnums), argnums)


def functionalize(func: Callable, *, remove: str = "mutations") -> Callable:
    """`func` itself: recorded programs are functional already, in-place writes and views included.

    Raises:
        RuntimeError: `remove` is neither "mutations" nor "mutations_and_views".
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            "functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are:\n"
            "     remove='mutations': all inplace and out= operators will be removed from the program, and replaced with "
            "their out-of-place equivalents.\n     remove='mutations_and_views': In addition to the above, all aliasing "
            "operators {view} will be replaced with their non-aliasing counterparts, {view}_copy.\n"
        )

    @functools.wraps(func)
    def functional(*args, **kwargs):
        return func(*args, **kwargs)

    return functional


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The tensor inside a transform's wrapper: the tensor itself."""
    return tensor


# -- arguments and results --------------------------------------------------------------------------------------------


def _positions(argnums: Argnums, count: int) -> Argnums:
    """`argnums` checked against the number of positional arguments, negative ones counted from the end."""

    def checked(i: int) -> int:
        if not -count <= i < count:
            raise RuntimeError(f"Got argnum={i}, but only {count} positional inputs")
        return i % count

    if isinstance(argnums, int):
        return checked(argnums)
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    found = tuple(checked(i) for i in argnums)
    if len(set(found)) != len(found):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return found


def _indices(positions: Argnums) -> tuple[int, ...]:
    return (positions,) if isinstance(positions, int) else positions


def _chosen(args, positions: Argnums):
    return args[positions] if isinstance(positions, int) else tuple(args[i] for i in positions)


def _started(level: Level, args, positions: Argnums) -> tuple[list, object]:
    args = list(args)
    for i in _indices(positions):
        args[i] = tree_map(level.start, args[i])
    return args, _chosen(args, positions)


def _ended(level: Level, tree):
    if tree is None:
        return None
    for leaf in tree_leaves(tree):
        if not isinstance(leaf, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(leaf)}")
    return tree_map(level.ended, tree)


def _parted(output, what: str):
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(f"{what}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return output


def _tensors_only(output, what: str) -> tuple[list, object]:
    leaves, spec = tree_flatten(output)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(f"{what} to return only tensors, got unsupported type {type(leaf)}")
    return leaves, spec


def _flat_tangents(primals, tangents) -> list:
    what = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{what}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    leaves, spec = tree_flatten(primals)
    given, given_spec = tree_flatten(tangents)
    if spec != given_spec:
        raise RuntimeError(
            f"{what}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple "
            f"of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure {given_spec}"
        )
    for name, tensors in (("primals", leaves), ("tangents", given)):
        if not tensors:
            raise RuntimeError(f"{what}: Expected {name} to contain at least one Tensor.")
        if not all(isinstance(t, Tensor) for t in tensors):
            raise RuntimeError(f"{what}: Expected {name} to contain only Tensors")
    for p, t in zip(leaves, given):
        if p.shape != t.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
                f"supported. Tensor is of size {list(p.shape)} while the given forward gradient is of size {list(t.shape)}."
            )
    return given


def _basis(tensor: Tensor) -> Tensor:
    """Every unit vector of the tensor's shape, along a new first axis."""
    count = tensor.numel()
    made = _operators.call("eye", count, dtype=tensor.dtype, device=tensor.device)
    return made.reshape(count, *tensor.shape)


def _chunks(basis: Tensor, size: int | None) -> list[Tensor]:
    return [basis] if size is None or not basis.shape[0] else list(basis.split(size))


def _joined(parts) -> Tensor:
    return parts[0] if len(parts) == 1 else _operators.call("cat", list(parts))


def _text(spec) -> str:
    """A tree's structure as PyTorch writes it in errors."""
    if spec.is_leaf():
        return "*"
    return repr(tree_unflatten([_Star()] * spec.num_leaves, spec))


class _Star:
    def __repr__(self) -> str:
        return "*"
