"""Clipping gradients. See https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html.

Whatever the number of parameters, a norm or a clipping is one recorded op.
"""

from __future__ import annotations

import functools
import math
import types
import warnings
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import jax.numpy as jnp

from funcgrad._facade import _creation, _views
from funcgrad._operators import apply
from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.engine.record import record
from funcgrad.engine.structure import Op
from funcgrad.ops._number import Scalar, as_array

Tensors: TypeAlias = Tensor | Iterable[Tensor]


def _norms(tensors: Sequence, order: float):
    """The norm of each tensor, computed in float32 at least."""
    found = []
    for x in tensors:
        wide = jnp.float32 if x.dtype in (jnp.bfloat16, jnp.float16) else jnp.real(x).dtype
        if order == 2.0:
            square = jnp.real(x * jnp.conj(x)) if jnp.iscomplexobj(x) else jnp.square(x.astype(wide))
            norm = jnp.sqrt(jnp.sum(square))
        else:
            norm = _norm(jnp.abs(x).astype(wide), order)
        found.append(norm.astype(jnp.real(x).dtype))
    return found


def _norm(x, order: float):
    if order == math.inf:
        return jnp.max(x)
    if order == -math.inf:
        return jnp.min(x)
    if order == 0:
        return jnp.sum(x != 0).astype(x.dtype)
    return jnp.sum(x**order) ** (1.0 / order)


def _total_norm(tensors, order):
    norms = _norms(tensors, order)
    widest = functools.reduce(jnp.promote_types, [n.dtype for n in norms])
    (total,) = _norms([jnp.stack([n.astype(widest) for n in norms])], order)
    return total


def _scaled(grads, total, max_norm: Scalar):
    limit = as_array(max_norm, total.dtype)
    coefficient = jnp.minimum(limit / (total + jnp.asarray(1e-6, total.dtype)), 1)
    return [(g * coefficient.astype(jnp.promote_types(g.dtype, coefficient.dtype))).astype(g.dtype) for g in grads]


def _clamped(grads, limit: Scalar):
    if any(jnp.iscomplexobj(g) for g in grads):
        raise NotImplementedError("clamp is not supported for complex types")
    return [jnp.clip(g, -as_array(limit, g.dtype), as_array(limit, g.dtype)) for g in grads]


_TOTAL_NORM = Op("total_norm", _total_norm, differentiable=False)
_SCALE = Op("clip_grads_with_norm", _scaled, differentiable=False)
_CLAMP = Op("clip_grad_value", _clamped, differentiable=False)


@no_grad
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    r"""The norm of all tensors together, as if they were one vector.

    Args:
        tensors: one tensor or several.
        norm_type: the order, which may be infinite.
        error_if_nonfinite: look at the norm, and refuse one that is infinite or NaN.
        foreach: accepted.

    Raises:
        RuntimeError: the norm is not finite, and `error_if_nonfinite` is set.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return _creation.tensor(0.0)
    total = apply(_TOTAL_NORM, (tensors, norm_type))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


@no_grad
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    r"""Scale gradients in place by :math:`\min(1, max / (total + 10^{-6}))`.

    Args:
        parameters: one tensor or several, those without a gradient are passed over.
        max_norm: the largest norm wanted.
        total_norm: the norm they have.
        foreach: accepted.
    """
    grads = _grads_of([parameters] if isinstance(parameters, Tensor) else parameters)
    if grads:
        _write(grads, record(_SCALE, (grads, total_norm, float(max_norm))))


@no_grad
def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    r"""Scale gradients in place so that the norm of all of them together is at most `max_norm`; returns the norm.

    Args:
        parameters: one tensor or several, those without a gradient are passed over.
        max_norm: the largest norm wanted.
        norm_type: the order, which may be infinite.
        error_if_nonfinite: look at the norm, and refuse one that is infinite or NaN.
        foreach: accepted.

    Example:
        >>> import funcgrad as torch
        >>> w = torch.zeros(2, requires_grad=True)
        >>> (w * torch.tensor([3.0, 4.0])).sum().backward()
        >>> torch.nn.utils.clip_grad_norm_([w], max_norm=1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    elif isinstance(parameters, types.GeneratorType):
        parameters = list(parameters)
        if not parameters:
            warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    else:
        parameters = list(parameters)
    total = get_total_norm(_grads_of(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        category=FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limit each element of the gradients, in place, to ``[-clip_value, clip_value]``.

    Args:
        parameters: one tensor or several, those without a gradient are passed over.
        clip_value: the limit.
        foreach: accepted.
    """
    grads = _grads_of([parameters] if isinstance(parameters, Tensor) else parameters)
    if grads:
        _write(grads, record(_CLAMP, (grads, float(clip_value))))


def _grads_of(parameters: Iterable[Tensor]) -> list[Tensor]:
    return [p._grad for p in parameters if p._grad is not None]


def _write(grads: list[Tensor], recorded) -> None:
    _views.replace_all(grads, recorded[0])
