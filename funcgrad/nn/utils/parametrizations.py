"""Ready parametrizations: orthogonal, weight-normalised and spectrally normalised weights.

See https://docs.pytorch.org/docs/stable/nn.html#utilities.
"""

from __future__ import annotations

from funcgrad import _operators
from funcgrad._facade._creation import creation_form
from funcgrad._info import finfo
from funcgrad._random import randn
from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.nn import functional as F
from funcgrad.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from funcgrad.nn.modules.module import Module
from funcgrad.nn.utils import parametrize
from funcgrad.nn.utils._weight_norm import norm_except_dim, weight_from

_call = _operators.call
_MAPS = ("matrix_exp", "cayley", "householder")


def _eye(n: int, like: Tensor) -> Tensor:
    return creation_form("eye")(n, dtype=like.dtype, device=like.device)


def _diagonal(x: Tensor) -> Tensor:
    return x.diagonal(dim1=-2, dim2=-1)


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.size(-2), q.size(-1)
    return bool((q.mH @ q - _eye(k, q)).abs().le(10 * n * finfo(q.dtype).eps).all())


def _make_orthogonal(a: Tensor) -> Tensor:
    """The Q of the QR decomposition whose R has a positive diagonal."""
    x, tau = _call("geqrf", a)
    return _call("linalg.householder_product", x, tau) * _diagonal(x).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """Orthogonal matrices from arbitrary ones, by one of three maps."""

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        transposed = X.size(-2) < X.size(-1)
        if transposed:
            X = X.mT
        q = self._by_householder(X) if self.orthogonal_map == "householder" else self._by_skew_matrix(X)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if transposed else q

    def _by_householder(self, X: Tensor) -> Tensor:
        reflectors = X.tril(-1)
        tau = 2.0 / (1.0 + (reflectors * reflectors).sum(dim=-2))
        q = _call("linalg.householder_product", reflectors, tau)
        return q * _diagonal(X).int().unsqueeze(-2)  # the diagonal holds signs

    def _by_skew_matrix(self, X: Tensor) -> Tensor:
        n, k = X.size(-2), X.size(-1)
        X = X.tril()
        if n != k:
            X = _call("cat", [X, X.new_zeros((n, n - k)).expand(*X.shape[:-2], -1, -1)], -1)
        skew = X - X.mH
        if self.orthogonal_map == "matrix_exp":
            q = _call("matrix_exp", skew)
        else:
            identity = _eye(n, skew)
            q = _call("linalg.solve", identity - 0.5 * skew, identity + 0.5 * skew)
        return q[..., :k] if n != k else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        """The matrix that is mapped to `Q` (or, with a base, to the base made of it)."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        with no_grad():
            return self._based(Q) if hasattr(self, "base") else self._unbased(Q)

    def _unbased(self, Q: Tensor) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        transposed = Q.size(-2) < Q.size(-1)
        a, tau = _call("geqrf", Q.mT if transposed else Q)
        signs = _diagonal(a).sign() * (1 - 2 * (tau == 0).to(a.dtype))
        _diagonal(a).copy_(signs)
        return a.mT if transposed else a

    def _based(self, Q: Tensor) -> Tensor:
        q = Q.mT if Q.size(-2) < Q.size(-1) else Q
        n, k = q.size(-2), q.size(-1)
        if n == k:
            q = q.clone() if _is_orthogonal(q) else _make_orthogonal(q)
        else:
            noise = randn(*q.shape[:-2], n, n - k, dtype=q.dtype, device=q.device)
            q = _make_orthogonal(_call("cat", [q, noise], -1))
        self.base = q
        start = Q.new_zeros(Q.shape)
        _diagonal(start).fill_(-1.0)
        return start


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Parametrize a matrix, or batch of matrices, so that its columns (or rows, if it is wide) stay orthonormal.

    Args:
        module: its owner.
        name: the parameter's name.
        orthogonal_map: ``matrix_exp`` (the default for square matrices), ``cayley`` or ``householder``.
        use_trivialization: keep a base matrix, so that any orthogonal matrix can be assigned.

    Example:
        >>> import funcgrad as torch
        >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
        >>> torch.allclose(layer.weight @ layer.weight.mT, torch.eye(3), atol=1e-5)
        True
    """
    weight = _weight_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, made, unsafe=True)


def _weight_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_from(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Parametrize a weight by its norm and its direction: ``w = g * v / |v|``.

    Args:
        module: its owner.
        name: the parameter's name.
        dim: the dimension along which norms are separate; None takes one norm of the whole.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict, prefix, *rest) -> None:
        """Take a state saved under the old hook's names."""
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, estimated by power iteration."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = self._reshape_weight_to_matrix(weight)
                for key, size in zip(("_u", "_v"), matrix.size()):
                    start = matrix.new_empty(size).normal_(0, 1)
                    self.register_buffer(key, F.normalize(start, dim=0, eps=eps))
                self._power_method(matrix, 15)

    def _reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        if self.dim:
            weight = weight.permute(self.dim, *(d for d in range(weight.dim()) if d != self.dim))
        return weight.flatten(1)

    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        with no_grad():
            u, v = self._u, self._v
            for _ in range(n_power_iterations):
                u = F.normalize(weight_mat.mv(v), dim=0, eps=self.eps)
                v = F.normalize(weight_mat.mH.mv(u), dim=0, eps=self.eps)
            self._u.copy_(u)
            self._v.copy_(v)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        sigma = _call("vdot", self._u.clone(), matrix.mv(self._v.clone()))
        return weight / sigma

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Parametrize a weight by dividing it by its largest singular value: ``w = w0 / sigma(w0)``.

    Args:
        module: its owner.
        name: the parameter's name.
        n_power_iterations: how often the estimate of sigma is improved at each read in training.
        eps: the least norm to divide by.
        dim: the dimension of the outputs; by default 0, and 1 for transposed convolutions.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957.
    """
    weight = _weight_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0
    made = _SpectralNorm(weight, n_power_iterations, dim, eps)
    parametrize.register_parametrization(module, name, made)
    return module
