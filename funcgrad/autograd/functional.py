"""Jacobians, Hessians and their products with vectors: ``torch.autograd.functional``.

See https://docs.pytorch.org/docs/stable/autograd.html#functional-higher-level-api.
"""

from __future__ import annotations

from collections.abc import Callable

from funcgrad import _operators
from funcgrad._tensor import Tensor
from funcgrad.autograd._backward import grad as _grad
from funcgrad.autograd._levels import zeros
from funcgrad.autograd._transforms import jacfwd
from funcgrad.engine.state import state

_STRATEGIES = ("forward-mode", "reverse-mode")


class _grad_enabled:
    """Record gradients inside, whatever the mode around it."""

    def __enter__(self):
        self.before, state.grad = state.grad, True
        return self.before

    def __exit__(self, *exc) -> None:
        state.grad = self.before


def vjp(func: Callable, inputs, v=None, create_graph: bool = False, strict: bool = False) -> tuple:
    """``func(*inputs)`` and the product of the vector `v` with its Jacobian.

    Args:
        inputs: a tensor, or a tuple of them.
        v: shaped as the results; may be left out for a single element.
        create_graph: whether the result can be differentiated again.
        strict: raise an error where a result does not depend on an input.
    """
    with _grad_enabled():
        single, given = _tensors(inputs, "inputs", "vjp")
        given = _prepared(given, create_graph)
        one, outputs = _tensors(func(*given), "outputs of the user-provided function", "vjp")
        _require_graph(outputs, "outputs", strict)
        if v is not None:
            v = _vector(v, outputs, one)
        elif len(outputs) != 1 or outputs[0].numel() != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single Tensor with a single element."
            )
    with _Keep(create_graph):
        found = _filled(_gradient(outputs, given, v, create_graph), given, strict, create_graph, "back")
    return _finished(outputs, one, create_graph), _finished(found, single, create_graph)


def jvp(func: Callable, inputs, v=None, create_graph: bool = False, strict: bool = False) -> tuple:
    """``func(*inputs)`` and the product of its Jacobian with the vector `v`, by differentiating twice.

    Args: as `vjp`; `v` is shaped as the inputs.
    """
    with _grad_enabled():
        single, given = _tensors(inputs, "inputs", "jvp")
        given = _prepared(given, create_graph)
        v = _input_vector(v, given, single)
        one, outputs = _tensors(func(*given), "outputs of the user-provided function", "jvp")
        _require_graph(outputs, "outputs", strict)
        dummies = [zeros(o).requires_grad_(True) for o in outputs]
        pulled = _gradient(outputs, given, dummies, True)
        _require_graph(pulled, "grad_inputs", strict)
        pulled = [zeros(x) if g is None else g for g, x in zip(pulled, given)]
    with _Keep(create_graph):
        pushed = _gradient(pulled, dummies, v, create_graph)
        found = _filled(pushed, outputs, strict, create_graph, "double_back")
    return _finished(outputs, one, create_graph), _finished(found, one, create_graph)


def jacobian(func: Callable, inputs, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode"):  # fmt: skip
    """The Jacobian of `func` at `inputs`: for each result and each input, of both shapes one after the other.

    Args:
        vectorize: accepted: the rows are computed together in any case.
        strategy: "reverse-mode", or (with `vectorize`) "forward-mode".
    """
    if strategy not in _STRATEGIES:
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _forward_jacobian(func, inputs, create_graph, strict, vectorize)
    if vectorize and strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. Please "
            "either set `strict=False` or `vectorize=False`."
        )
    with _grad_enabled():
        single, given = _tensors(inputs, "inputs", "jacobian")
        given = _prepared(given, create_graph)
        one, outputs = _tensors(func(*given), "outputs of the user-provided function", "jacobian")
        _require_graph(outputs, "outputs", strict)
        rows = []
        for i, o in enumerate(outputs):
            found = _rows(o, given, create_graph)
            if strict:
                _require_dependence(found, i, create_graph)
            found = [zeros(x, o.numel()) if g is None else g for g, x in zip(found, given)]
            rows.append(tuple(g.reshape(*o.shape, *x.shape) for g, x in zip(found, given)))
    rows = [_finished(row, single, create_graph) for row in rows]
    return rows[0] if one else tuple(rows)


def hessian(func: Callable, inputs, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode"):  # fmt: skip
    """The Hessian of `func`, which returns one element, at `inputs`: the Jacobian of its Jacobian."""
    single, checked = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in _STRATEGIES:
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    del checked

    def scalar(*given):
        one, output = _tensors(func(*given), "outputs of the user-provided function", "hessian")
        return _one_element(one, output, strict, "hessian")

    def gradient(*given):
        if outer_jacobian_strategy == "forward-mode":
            given = tuple(x.requires_grad_(True) if x._leaf is None and not x.requires_grad else x for x in given)
        found = jacobian(scalar, given, create_graph=True)
        if strict:
            for i, g in enumerate(found):
                if not g.requires_grad:
                    raise RuntimeError(_LINEAR.format(i))
        return found

    found = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found[0] if single else found


def vhp(func: Callable, inputs, v=None, create_graph: bool = False, strict: bool = False) -> tuple:
    """``func(*inputs)``, one element, and the product of the vector `v` with its Hessian."""
    with _grad_enabled():
        single, given = _tensors(inputs, "inputs", "vhp")
        given = _prepared(given, create_graph)
        v = _input_vector(v, given, single)
        one, outputs = _tensors(func(*given), "outputs of the user-provided function", "vhp")
        _one_element(one, outputs, strict, "vhp")
        first = _filled(_gradient(outputs, given, None, True), given, strict, True, "double_back_grad")
        _require_graph(first, "jac", strict)
    with _Keep(create_graph):
        found = _filled(_gradient(first, given, v, create_graph), given, strict, create_graph, "double_back")
    return _finished(outputs, one, create_graph), _finished(found, single, create_graph)


def hvp(func: Callable, inputs, v=None, create_graph: bool = False, strict: bool = False) -> tuple:
    """``func(*inputs)``, one element, and the product of its Hessian with the vector `v`."""
    with _grad_enabled():
        single, given = _tensors(inputs, "inputs", "hvp")
        given = _prepared(given, create_graph)
        v = _input_vector(v, given, single)
        one, outputs = _tensors(func(*given), "outputs of the user-provided function", "hvp")
        _one_element(one, outputs, strict, "hvp")
        first = _filled(_gradient(outputs, given, None, True), given, strict, True, "double_back_grad")
        _require_graph(first, "jac", strict)
        dummies = [zeros(g).requires_grad_(True) for g in first]
        double = _filled(_gradient(first, given, dummies, True), given, strict, True, "double_back")
        _require_graph(double, "hess", strict)
    with _Keep(create_graph):
        found = _filled(_gradient(double, dummies, v, create_graph), given, strict, create_graph, "double_back_hvp")
    return _finished(outputs, one, create_graph), _finished(found, single, create_graph)


# -- parts ------------------------------------------------------------------------------------------------------------


class _Keep:
    """Gradients are recorded inside if the result is to be differentiated again, or already were."""

    def __init__(self, create: bool):
        self.create = create

    def __enter__(self) -> None:
        self.before = state.grad
        state.grad = self.create or state.grad

    def __exit__(self, *exc) -> None:
        state.grad = self.before


def _tensors(given, what: str, where: str) -> tuple[bool, tuple]:
    """Whether `given` was a single tensor, and it as a tuple."""
    single = not isinstance(given, tuple)
    made = (given,) if single else given
    for i, x in enumerate(made):
        if not isinstance(x, Tensor):
            named = f"given {what}" if single else f"value at index {i}"
            raise TypeError(
                f"The {what} given to {where} must be either a Tensor or a tuple of Tensors but the {named} has type "
                f"{type(x)}."
            )
    return single, made


def _prepared(inputs, create_graph: bool) -> tuple:
    """Inputs to differentiate with respect to: on the graph of the given ones if that is to go on."""

    def prepared(x: Tensor) -> Tensor:
        if create_graph:
            return _operators.call("view_as", x, x) if x.requires_grad else x.detach().requires_grad_(True)
        return x.detach().requires_grad_(x.requires_grad or x.dtype.is_floating_point or x.dtype.is_complex)

    return tuple(prepared(x) for x in inputs)


def _finished(tensors, single: bool, create_graph: bool):
    """Results as the caller gets them: cut off from the graph unless it was asked for."""
    made = tuple(t if create_graph else t.detach() if t.requires_grad else t for t in tensors)
    return made[0] if single else made


def _vector(v, like, single: bool) -> tuple:
    _, v = _tensors(v, "v", "vjp") if not isinstance(v, list) else (False, tuple(v))
    if len(v) != len(like):
        if single:
            raise RuntimeError("The given v should contain a single Tensor.")
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.")
    for i, (x, y) in enumerate(zip(v, like)):
        if x.shape != y.shape:
            at = f"Entry {i} in " if len(like) > 1 else ""
            raise RuntimeError(f"{at}v has invalid size: should be {y.shape} but got {x.shape}.")
    return v


def _input_vector(v, given: tuple, single: bool) -> tuple:
    if v is not None:
        return _vector(v, given, single)
    if len(given) != 1 or given[0].numel() != 1:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single Tensor with a single "
            "element."
        )
    return tuple(_operators.call("ones_like", x) for x in given)


def _gradient(outputs, inputs, cotangents, create_graph: bool) -> list:
    """The gradients of those outputs that have one; None where there is none."""
    cotangents = [None] * len(outputs) if cotangents is None else cotangents
    pairs = [(o, c) for o, c in zip(outputs, cotangents) if o is not None and o.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    return list(
        _grad(
            [o for o, _ in pairs], inputs, [c for _, c in pairs], create_graph or None, create_graph, allow_unused=True
        )
    )


def _rows(output: Tensor, inputs, create_graph: bool) -> list:
    if not output.requires_grad:
        return [None] * len(inputs)
    count = output.numel()
    basis = _operators.call("eye", count, dtype=output.dtype, device=output.device).reshape(count, *output.shape)
    return list(_grad(output, inputs, basis, True, create_graph, allow_unused=True, is_grads_batched=True))


_INDEPENDENT = "The {} of the user-provided function is independent of input {}. This is not allowed in strict mode{}."
_LINEAR = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to input {} is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for example)."
)


def _filled(grads, like, strict: bool, create_graph: bool, stage: str) -> tuple:
    """Zeros in the place of gradients that do not exist; an error instead in strict mode."""
    made = []
    for i, (g, x) in enumerate(zip(grads, like)):
        if strict and g is None:
            if stage in ("back", "double_back_grad"):
                raise RuntimeError(_INDEPENDENT.format("output", i, ""))
            if stage == "double_back":
                raise RuntimeError(_INDEPENDENT.format("jacobian", i, ""))
            raise RuntimeError(_INDEPENDENT.format("hessian", i, ""))
        g = zeros(x) if g is None else g
        if strict and create_graph and not g.requires_grad and stage != "double_back_grad":
            if stage in ("double_back", "back"):
                raise RuntimeError(_INDEPENDENT.format("jacobian", i, " when create_graph=True"))
        made.append(g)
    return tuple(made)


def _require_graph(tensors, kind: str, strict: bool) -> None:
    if not strict:
        return
    for i, t in enumerate(tensors):
        if t is None or not t.requires_grad:
            if kind in ("jac", "grad_inputs"):
                raise RuntimeError(_LINEAR.format(i) if kind == "jac" else _INDEPENDENT.format("output", i, ""))
            if kind == "hess":
                raise RuntimeError(
                    f"The hessian of the user-provided function with respect to entry {i} in the grad_input is independent "
                    "of the input. This is not allowed in strict mode."
                )
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
                "differentiable manner from the input when running in strict mode."
            )


def _require_dependence(found: list, output: int, create_graph: bool) -> None:
    for i, g in enumerate(found):
        if g is None:
            raise RuntimeError(
                f"Output {output} of the user-provided function is independent of input {i}. This is not allowed in strict "
                "mode."
            )
        if create_graph and not g.requires_grad:
            raise RuntimeError(_INDEPENDENT.format("jacobian", i, " when create_graph=True"))


def _one_element(one: bool, outputs: tuple, strict: bool, where: str) -> Tensor:
    _require_graph(outputs, "outputs", strict)
    if not one:
        raise RuntimeError(f"The function given to {where} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {where} should contain a single element")
    return outputs[0].squeeze()


def _forward_jacobian(func, inputs, create_graph: bool, strict: bool, vectorize: bool):
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together '
            '(yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`."
        )
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    single, given = _tensors(inputs, "inputs", "jacobian")
    seen = []

    def checked(*args):
        one, outputs = _tensors(func(*args), "outputs of the user-provided function", "jacobian")
        seen.append(one)
        return outputs

    rows = jacfwd(checked, tuple(range(len(given))), randomness="same")(*given)
    rows = [row[0] if single else list(row) for row in rows]
    return rows[0] if seen[0] else rows
