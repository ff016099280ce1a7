"""Gamma and Dirichlet draws as differentiable functions of their parameters: what ``torch.distributions`` draws with."""

from __future__ import annotations

from funcgrad import _draws, _operators
from funcgrad._generator import drawn_from, readable
from funcgrad._tensor import Tensor
from funcgrad.engine.structure import Op
from funcgrad.ops import implicit_gradients

_GAMMA = Op("standard_gamma", implicit_gradients.standard_gamma, grad_name="StandardGammaBackward0")
_DIRICHLET = Op("sample_dirichlet", implicit_gradients.sample_dirichlet, grad_name="DirichletBackward0")
_NORMAL_NUMBERS = Op("normal_numbers", implicit_gradients.normal_numbers, grad_name="DivBackward0")
_GAMMA_GRAD = Op("standard_gamma_grad", implicit_gradients.standard_gamma_grad)
_DIRICHLET_GRAD = Op("dirichlet_grad", implicit_gradients.dirichlet_grad)


def _function_of(op: Op, input: Tensor, sample: Tensor) -> Tensor:
    """The sample with its gradient, for autograd and for JAX's own transformations."""
    wanted = input.requires_grad or not readable(input._read())
    return _operators.apply(op, (input, sample)) if wanted else sample


def normal_numbers(input: Tensor) -> Tensor:
    """`input`, at least the dtype's smallest normal number; the gradient takes no notice."""
    return _operators.apply(_NORMAL_NUMBERS, (input,))


def _standard_gamma(input: Tensor, generator=None) -> Tensor:
    """Gamma numbers of the shapes in `input` and rate one."""
    return _function_of(_GAMMA, input, drawn_from(generator, _draws.standard_gamma, (input,)))


def _sample_dirichlet(input: Tensor, generator=None) -> Tensor:
    """Dirichlet vectors with the concentrations in the last dimension of `input`."""
    return _function_of(_DIRICHLET, input, drawn_from(generator, _draws.dirichlet, (input,)))


def _standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    """The derivative of the draw `output` with respect to its shape `input`."""
    return _operators.apply(_GAMMA_GRAD, (input, output))


def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """The derivative of components x of Dirichlet draws with respect to their alpha, divided by ``1 - x``."""
    return _operators.apply(_DIRICHLET_GRAD, (x, alpha, total))


FUNCTIONS = (_standard_gamma, _sample_dirichlet, _standard_gamma_grad, _dirichlet_grad)
