"""Compare gradients with finite differences: ``gradcheck`` and ``gradgradcheck``.

See https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html.
"""

from __future__ import annotations

import warnings

import numpy as np

from funcgrad import _dtypes
from funcgrad._facade._creation import from_array
from funcgrad._tensor import Tensor
from funcgrad.autograd._backward import grad


class GradcheckError(RuntimeError):
    """Gradients and finite differences disagree."""


def gradcheck(
    func, inputs, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False, check_forward_ad: bool = False,
    check_backward_ad: bool = True, fast_mode: bool = False, masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether the gradients of `func` at `inputs` agree with central differences, Jacobian by Jacobian.

    Args:
        func: takes tensors and returns a tensor or several.
        inputs: its arguments; those that require grad are checked, and should be float64.
        eps: the step of the differences.
        atol, rtol: how far the Jacobians may be apart.
        raise_exception: raise `GradcheckError` instead of returning False.
        nondet_tol, check_undefined_grad, check_grad_dtypes, check_batched_grad, check_batched_forward_grad,
            check_forward_ad, check_backward_ad, fast_mode, masked: accepted as PyTorch has them; the full Jacobians
            are always compared.

    Raises:
        GradcheckError: they disagree.
        ValueError: no input requires grad.

    Example:
        >>> import funcgrad as torch
        >>> torch.autograd.gradcheck(torch.exp, torch.ones(2, dtype=torch.double, requires_grad=True))
        True
    """
    try:
        _check(func, (inputs,) if isinstance(inputs, Tensor) else tuple(inputs), eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """As `gradcheck`, for the gradients of the gradients.

    Args:
        grad_outputs: cotangents of `func`'s results; random ones by default.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        rng = np.random.RandomState(0)
        made = [from_array(np.asarray(rng.randn(*o.shape), o.dtype.numpy)).requires_grad_() for o in outputs]
    else:
        made = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    count = len(inputs)

    def gradients(*args):
        given, cotangents = args[:count], args[count:]
        wanted = [a for a in given if isinstance(a, Tensor) and a.requires_grad]
        found = grad(_differentiable(func(*given)), wanted, list(cotangents), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(gradients, (*inputs, *made), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _differentiable(outputs) -> list[Tensor]:
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return [o for o in outputs if isinstance(o, Tensor) and o.requires_grad]


def _check(func, inputs: tuple, eps: float, atol: float, rtol: float) -> None:
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for i in checked:
        if inputs[i].dtype not in (_dtypes.float64, _dtypes.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will "
                "likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
    outputs = _differentiable(func(*inputs))
    analytics = [[_analytic(output, inputs[i]) for i in checked] for output in outputs]  # before an input is moved
    for o, output in enumerate(outputs):
        for i, analytic in zip(checked, analytics[o]):
            numeric = _numeric(func, inputs, i, o, eps, output)
            if not np.allclose(analytic, numeric, rtol, atol):
                raise GradcheckError(
                    f"Jacobian mismatch for output {o} with respect to input {i},\nnumerical:{numeric}\n"
                    f"analytical:{analytic}\n"
                )


def _unit(shape, at: int, dtype, value=1.0) -> Tensor:
    array = np.zeros(int(np.prod(shape)), dtype.numpy)
    array[at] = value
    return from_array(array.reshape(tuple(shape)))


def _analytic(output: Tensor, given: Tensor) -> np.ndarray:
    """The Jacobian by backward: a row for each element of the input, a column for each of the output."""
    columns = []
    for j in range(output.numel()):
        (g,) = grad([output], [given], [_unit(output.shape, j, output.dtype)], retain_graph=True, allow_unused=True)
        columns.append(np.zeros(given.numel()) if g is None else g.detach().numpy().reshape(-1))
    return np.stack(columns, 1) if columns else np.zeros((given.numel(), 0))


def _numeric(func, inputs: tuple, i: int, o: int, eps: float, like: Tensor) -> np.ndarray:
    """The same by central differences; complex elements are moved along both axes, as backward's convention has it."""
    data = inputs[i].detach()  # moved in place, as PyTorch does it: `func` may have other ways to the same tensor
    given = data.clone()

    def at(offset: Tensor) -> np.ndarray:
        data.copy_(given + offset)
        try:
            return _differentiable(func(*inputs))[o].detach().clone().numpy().reshape(-1)
        finally:
            data.copy_(given)

    rows = []
    for k in range(given.numel()):
        row = (at(_unit(given.shape, k, given.dtype, eps)) - at(_unit(given.shape, k, given.dtype, -eps))) / (2 * eps)
        if given.is_complex():
            up, down = (at(_unit(given.shape, k, given.dtype, s * 1j * eps)) for s in (1, -1))
            along = (up - down) / (2 * eps)
            row = row + 1j * along if not like.is_complex() else np.conj(0.5 * (row - 1j * along)) * 2
        rows.append(row)
    return np.stack(rows) if rows else np.zeros((0, like.numel()))
