"""Gamma and Dirichlet draws as differentiable functions of their parameters: what ``torch.distributions`` draws with."""

from __future__ import annotations

from funcgrad import _draws, _operators
from funcgrad._generator import drawn_from
from funcgrad._tensor import Tensor
from funcgrad.engine.structure import Op
from funcgrad.ops import implicit_gradients

_GAMMA = Op("standard_gamma", implicit_gradients.standard_gamma, grad_name="StandardGammaBackward0")
_DIRICHLET = Op("sample_dirichlet", implicit_gradients.sample_dirichlet, grad_name="DirichletBackward0")
_GAMMA_GRAD = Op("standard_gamma_grad", implicit_gradients.standard_gamma_grad)
_DIRICHLET_GRAD = Op("dirichlet_grad", implicit_gradients.dirichlet_grad)


def _standard_gamma(input: Tensor, generator=None) -> Tensor:
    """Gamma numbers of the shapes in `input` and rate one."""
    sample = drawn_from(generator, _draws.standard_gamma, (input,))
    return _operators.apply(_GAMMA, (input, sample)) if input.requires_grad else sample


def _sample_dirichlet(input: Tensor, generator=None) -> Tensor:
    """Dirichlet vectors with the concentrations in the last dimension of `input`."""
    sample = drawn_from(generator, _draws.dirichlet, (input,))
    return _operators.apply(_DIRICHLET, (input, sample)) if input.requires_grad else sample


def _standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    """The derivative of the draw `output` with respect to its shape `input`."""
    return _operators.apply(_GAMMA_GRAD, (input, output))


def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """The derivative of components x of Dirichlet draws with respect to their alpha, divided by ``1 - x``."""
    return _operators.apply(_DIRICHLET_GRAD, (x, alpha, total))


FUNCTIONS = (_standard_gamma, _sample_dirichlet, _standard_gamma_grad, _dirichlet_grad)
