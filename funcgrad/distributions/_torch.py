"""The names of ``torch`` that the distributions are written with; a part of the package cannot import the package."""

from __future__ import annotations

from types import SimpleNamespace

from funcgrad import _errors, _gamma_draws, _info, _operators, _random
from funcgrad._facade import _creation, _methods
from funcgrad._size import Size as Size
from funcgrad._tensor import Tensor as Tensor
from funcgrad.autograd import grad as grad
from funcgrad.autograd.grad_mode import enable_grad as enable_grad
from funcgrad.autograd.grad_mode import no_grad as no_grad

globals().update(_operators.NAMESPACES["f"])
globals().update({name: _creation.creation_form(name) for name in ("zeros", "ones", "full", "eye", "arange", "empty")})
globals().update({name: _creation.like_form(name) for name in ("zeros_like", "ones_like", "full_like")})

tensor, finfo = _creation.tensor, _info.finfo
as_tensor, is_tensor = _creation.as_tensor, _methods.is_tensor
rand, randn, normal = _random.rand, _random.randn, _random.normal
bernoulli, poisson = _random.bernoulli, _random.poisson
binomial, multinomial = _random.binomial, _random.multinomial
normal_numbers = _gamma_draws.normal_numbers
_standard_gamma, _sample_dirichlet = _gamma_draws._standard_gamma, _gamma_draws._sample_dirichlet
linalg, special = SimpleNamespace(**_operators.NAMESPACES["l"]), SimpleNamespace(**_operators.NAMESPACES["s"])


def broadcast_shapes(*shapes) -> Size:
    """The common shape of tensors of these shapes."""
    return Size(_errors.broadcast_shapes(*shapes))
