"""Sets that parameters and samples lie in: ``torch.distributions.constraints``.

See https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraints.
"""

from __future__ import annotations

import numpy as np

from funcgrad import _dtypes
from funcgrad._facade._creation import from_array
from funcgrad.distributions import _torch as torch
from funcgrad.distributions._validation import decide

__all__ = [
    "Constraint",
    "MixtureSameFamilyConstraint",
    "boolean",
    "cat",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "stack",
    "symmetric",
    "unit_interval",
]  # fmt: skip


class Constraint:
    """A set; `check` says which elements of a batch lie in it.

    Attributes:
        is_discrete: whether its members are discrete.
        event_dim: how many rightmost dimensions make up one member.

    Example:
        >>> import funcgrad as torch
        >>> torch.distributions.constraints.positive.check(torch.tensor([1.0, -1.0]))
        tensor([ True, False])
    """

    is_discrete = False
    event_dim = 0
    _bounds: tuple[str, ...] = ()  # the attributes shown by repr, which `_holds` takes after the value

    def check(self, value):
        """A bool tensor of the batch's shape, true where `value` lies in the set."""
        if not hasattr(self, "_holds"):
            raise NotImplementedError
        return decide(self._holds, value, *[getattr(self, name) for name in self._bounds])

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name}={getattr(self, name)}" for name in self._bounds)
        return f"{self.__class__.__name__[1:]}({bounds})"


def _all_from(result, dim: int):
    """Whether all holds over the dimensions from `dim` on."""
    return decide(lambda x, lib: x.reshape((*tuple(x.shape[:dim]), -1)).all(-1), result)


class _Dependent(Constraint):
    """Stands for a set that depends on other values."""

    def __init__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        self._is_discrete = is_discrete
        self._event_dim = event_dim
        super().__init__()

    @property
    def is_discrete(self) -> bool:
        if self._is_discrete is NotImplemented:
            raise NotImplementedError(".is_discrete cannot be determined statically")
        return self._is_discrete

    @property
    def event_dim(self) -> int:
        if self._event_dim is NotImplemented:
            raise NotImplementedError(".event_dim cannot be determined statically")
        return self._event_dim

    def __call__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, value):
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint) -> bool:
    """Whether it is a set that depends on other values."""
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A property that is a constraint on instances, and a dependent one on the class."""

    def __init__(self, fn=None, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        super().__init__(fn)
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    def __call__(self, fn):
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


class _IndependentConstraint(Constraint):
    """Members are blocks of members of `base_constraint`, whose last batch dimensions become event dimensions."""

    def __init__(self, base_constraint, reinterpreted_batch_ndims: int):
        if not isinstance(base_constraint, Constraint):
            raise AssertionError(f"base_constraint must be a Constraint, got {type(base_constraint).__name__}")
        if not isinstance(reinterpreted_batch_ndims, int):
            raise AssertionError(
                f"reinterpreted_batch_ndims must be an int, got {type(reinterpreted_batch_ndims).__name__}"
            )
        if reinterpreted_batch_ndims < 0:
            raise AssertionError(f"reinterpreted_batch_ndims must be >= 0, got {reinterpreted_batch_ndims}")
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        super().__init__()

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value):
        """A bool tensor of the batch's shape, true where `value` lies in the set."""
        result, n = self.base_constraint.check(value), self.reinterpreted_batch_ndims
        if result.dim() < n:
            expected = self.base_constraint.event_dim + n
            raise ValueError(f"Expected value.dim() >= {expected} but got {value.dim()}")
        return _all_from(result, result.dim() - n)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__[1:]}({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The support of a mixture of components with the support `base_constraint`."""

    def __init__(self, base_constraint):
        if not isinstance(base_constraint, Constraint):
            raise AssertionError(f"base_constraint must be a Constraint, got {type(base_constraint).__name__}")
        self.base_constraint = base_constraint
        super().__init__()

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim

    def check(self, value):
        """Whether all components' supports hold `value`, which has no dimension for the components."""
        at = -1 - self.event_dim
        result = self.base_constraint.check(value.unsqueeze(at))
        dims = value.dim() - self.event_dim
        if result.dim() < dims:
            raise ValueError(f"Expected value.dim() >= {dims} but got {value.dim()}")
        return _all_from(result, dims)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.base_constraint!r})"


class _Above(Constraint):
    _bounds = ("lower_bound",)

    def __init__(self, lower_bound):
        self.lower_bound = lower_bound
        super().__init__()


class _Below(Constraint):
    _bounds = ("upper_bound",)

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound
        super().__init__()


class _Between(Constraint):
    _bounds = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound, upper_bound):
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        super().__init__()


def _elementwise(name: str, base: type, holds, discrete: bool = False) -> type:
    """A class of sets of numbers: `holds` of the number and the bounds."""
    body = {"is_discrete": discrete, "_holds": lambda self, *args: holds(*args[:-1])}
    return type(name, (base,), {**body, "__doc__": "A set of numbers.", "__module__": __name__})


def _whole(x):
    return x % 1 == 0


_Boolean = _elementwise("_Boolean", Constraint, lambda x: (x == 0) | (x == 1), discrete=True)
_IntegerInterval = _elementwise(
    "_IntegerInterval", _Between, lambda x, a, b: _whole(x) & (a <= x) & (x <= b), discrete=True
)
_IntegerLessThan = _elementwise("_IntegerLessThan", _Below, lambda x, b: _whole(x) & (x <= b), discrete=True)
_IntegerGreaterThan = _elementwise("_IntegerGreaterThan", _Above, lambda x, a: _whole(x) & (x >= a), discrete=True)
_Real = _elementwise("_Real", Constraint, lambda x: x == x)
_GreaterThan = _elementwise("_GreaterThan", _Above, lambda x, a: a < x)
_GreaterThanEq = _elementwise("_GreaterThanEq", _Above, lambda x, a: a <= x)
_LessThan = _elementwise("_LessThan", _Below, lambda x, b: x < b)
_Interval = _elementwise("_Interval", _Between, lambda x, a, b: (a <= x) & (x <= b))
_HalfOpenInterval = _elementwise("_HalfOpenInterval", _Between, lambda x, a, b: (a <= x) & (x < b))


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def _holds(self, value, lib):
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _Simplex(Constraint):
    event_dim = 1

    def _holds(self, value, lib):
        return (value >= 0).all(-1) & (abs(value.sum(-1) - 1) < 1e-6)


class _Multinomial(Constraint):
    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound

    def check(self, x):
        return decide(lambda x, n, lib: (x >= 0).all(-1) & (x.sum(-1) <= n), x, self.upper_bound)


def _flat(matrices):
    return matrices.reshape((*tuple(matrices.shape[:-2]), -1))


class _LowerTriangular(Constraint):
    event_dim = 2

    def _holds(self, value, lib):
        return _flat((lib or torch).tril(value) == value).all(-1)


def _diagonal(value, lib):
    return lib.diagonal(value, axis1=-2, axis2=-1) if lib else torch.diagonal(value, 0, -2, -1)


class _LowerCholesky(_LowerTriangular):
    def _holds(self, value, lib):
        return super()._holds(value, lib) & (_diagonal(value, lib) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    def _holds(self, value, lib):
        eps = float(torch.finfo(value.dtype if lib is None else from_array(value).dtype).eps)
        rows = lib.sqrt((value * value).sum(-1)) if lib else (value.detach() ** 2).sum(-1).sqrt()
        return (abs(rows - 1) <= eps * value.shape[-1] * 10).all(-1) & super()._holds(value, lib)


class _Square(Constraint):
    event_dim = 2

    def _holds(self, value, lib):
        square = value.shape[-2] == value.shape[-1]
        if lib:
            return np.full(value.shape[:-2], square)
        return torch.full(tuple(value.shape[:-2]), square, dtype=_dtypes.bool_, device=value.device)


class _Symmetric(_Square):
    def _holds(self, value, lib):
        if value.shape[-2] != value.shape[-1]:
            return super()._holds(value, lib)
        other = lib.swapaxes(value, -2, -1) if lib else value.mT
        near = lib.isclose(value, other, atol=1e-6) if lib else torch.isclose(value, other, atol=1e-6)
        return near.all(-2).all(-1)


def _is_positive_definite(matrix: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


class _PositiveSemidefinite(_Symmetric):
    def _holds(self, value, lib):
        symmetric = super()._holds(value, lib)
        if value.shape[-2] != value.shape[-1] or (lib and not symmetric.all()):
            return symmetric
        return symmetric & self._definite(value, lib)

    def _definite(self, value, lib):
        return ((np if lib else torch).linalg.eigvalsh(value) >= 0).all(-1)


class _PositiveDefinite(_PositiveSemidefinite):
    def _definite(self, value, lib):
        if lib:
            return np.vectorize(_is_positive_definite, otypes=[bool], signature="(n,n)->()")(value)
        return torch.linalg.cholesky_ex(value).info == 0


class _Joined(Constraint):
    """Members are joined from members of the sets `cseq`, along `dim`."""

    def __init__(self, cseq, dim: int = 0):
        if not all(isinstance(c, Constraint) for c in cseq):
            raise AssertionError("All elements of cseq must be Constraint instances")
        self.cseq = list(cseq)
        self.dim = dim
        super().__init__()

    @property
    def is_discrete(self) -> bool:
        return any(c.is_discrete for c in self.cseq)


class _Cat(_Joined):
    def __init__(self, cseq, dim: int = 0, lengths=None):
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise AssertionError(f"lengths ({len(self.lengths)}) must match cseq ({len(self.cseq)})")

    @property
    def event_dim(self) -> int:
        return max(c.event_dim for c in self.cseq)

    def check(self, value):
        if not -value.dim() <= self.dim < value.dim():
            raise AssertionError(f"dim {self.dim} out of range for value with {value.dim()} dimensions")
        pieces = torch.split(value, self.lengths, self.dim)
        return torch.cat([c.check(v) for c, v in zip(self.cseq, pieces)], self.dim)


class _Stack(_Joined):
    @property
    def event_dim(self) -> int:
        dim = max(c.event_dim for c in self.cseq)
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value):
        if not -value.dim() <= self.dim < value.dim():
            raise AssertionError(f"dim {self.dim} out of range for value with {value.dim()} dimensions")
        pieces = [value.select(self.dim, i) for i in range(value.size(self.dim))]
        return torch.stack([c.check(v) for c, v in zip(self.cseq, pieces)], self.dim)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
