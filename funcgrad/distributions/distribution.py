"""The base class of distributions. See https://docs.pytorch.org/docs/stable/distributions.html."""

from __future__ import annotations

import functools
import warnings

from funcgrad.distributions import _torch as torch
from funcgrad.distributions import _validation, constraints
from funcgrad.distributions._torch import Size, Tensor
from funcgrad.distributions.utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A batch of probability distributions.

    Args:
        batch_shape: the shape of the batch; its members are independent, not identically distributed.
        event_shape: the shape of one draw from one member.
        validate_args: whether to check parameters and the arguments of `log_prob`, `cdf` and `icdf`.

    Attributes:
        arg_constraints: the constraint of each parameter, by name.
        support: the constraint that draws satisfy.
        has_rsample: whether draws carry gradients back to the parameters (`rsample`).
        has_enumerate_support: whether `enumerate_support` is there.

    Example:
        >>> import funcgrad as torch
        >>> d = torch.distributions.Normal(torch.zeros(3), 1.0)
        >>> d.batch_shape, d.event_shape, d.sample((2,)).shape
        (torch.Size([3]), torch.Size([]), torch.Size([2, 3]))
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their arguments where they are not told."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape=Size(), event_shape=Size(), validate_args: bool | None = None):
        self._batch_shape = batch_shape if isinstance(batch_shape, Size) else Size(batch_shape)
        self._event_shape = event_shape if isinstance(event_shape, Size) else Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()
        super().__init__()

    def _validate_parameters(self) -> None:
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            arg_constraints = {}
            warnings.warn(
                f"{self.__class__} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or initialize "
                "the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
        for name, constraint in arg_constraints.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(_declared(type(self), name), lazy_property):
                continue  # derived from the parameter that was given
            value = getattr(self, name)

            def error(name=name, value=value, constraint=constraint):
                return ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

            _validation.require(
                constraint.check(value),
                error,
                f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                f"{type(self).__name__} to satisfy its constraint, but found invalid values",
            )

    def expand(self, batch_shape, _instance=None):
        """The distribution with its batch expanded to `batch_shape`; parameters are expanded, not copied."""
        raise NotImplementedError

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch of parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict:
        """The constraint of each parameter."""
        raise NotImplementedError

    @property
    def support(self):
        """The constraint that draws satisfy."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape=Size()) -> Tensor:
        """Draws without gradients. Shape: ``sample_shape + batch_shape + event_shape``."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=Size()) -> Tensor:
        """Draws that are differentiable functions of the parameters. Shape: as `sample`."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """`n` draws; use ``sample((n,))``."""
        warnings.warn("sample_n will be deprecated. Use .sample((n,)) instead", UserWarning, stacklevel=2)
        return self.sample(Size((n,)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density (or mass) at `value`."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a draw of at most `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution along a new first dimension.

        Args:
            expand: repeat them over the batch; else that has dimensions of size 1.
        """
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy, in nats. Shape: `batch_shape`."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """``exp(entropy)``."""
        return torch.exp(self.entropy())

    def _extended_shape(self, sample_shape=Size()) -> Size:
        if not isinstance(sample_shape, Size):
            sample_shape = Size(sample_shape)
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Tensor) -> None:
        """Raise ValueError for a value that `log_prob` and its like cannot take."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        event_dim = value.dim() - len(self._event_shape)
        if value.size()[event_dim:] != self._event_shape:
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.size()} vs {self._event_shape}."
            )
        for i, j in zip(reversed(value.size()), reversed(self._batch_shape + self._event_shape)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {value.size()} vs "
                    f"{self._batch_shape + self._event_shape}."
                )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{self.__class__} does not define `support` to enable sample validation. Please initialize the "
                "distribution with `validate_args=False` to turn off validation.",
                stacklevel=2,
            )
            return
        if support is None:
            raise AssertionError("support is unexpectedly None")
        expected = (
            f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the support "
        )
        _validation.require(
            support.check(value),
            lambda: ValueError(
                f"{expected}({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            ),
            f"{expected}of the distribution {type(self).__name__}, but found invalid values",
        )

    def _get_checked_instance(self, cls, _instance=None):
        if _instance is None and type(self).__init__ != cls.__init__:
            raise NotImplementedError(
                f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a custom __init__ method must also "
                "define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints:
            value = self.__dict__.get(name)
            if value is not None:
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return f"{self.__class__.__name__}({', '.join(shown)})"


def _declared(cls: type, name: str):
    """What the class defines under `name`, without evaluating it."""
    return next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None)


def validated(method):
    """``log_prob(value)`` and its like: the value is checked first."""

    @functools.wraps(method)
    def checked(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return method(self, value)

    return checked


class expands:
    """``expand = expands("loc", "scale")``: the method that expands these parameters to the new batch shape.

    Keyword arguments are parameters with their number of event dimensions. Parameters that are not there yet (the
    derived one of probs and logits) stay so. ``finish(new, old, batch_shape)`` sets what else an instance has;
    `inherited`: the base class expands the rest.
    """

    def __init__(self, *names: str, finish=None, inherited: bool = False, **event_dims: int):
        self.event_dims = dict.fromkeys(names, 0) | event_dims
        self.finish = finish
        self.inherited = inherited

    def __set_name__(self, owner: type, name: str) -> None:
        event_dims, finish, inherited = self.event_dims, self.finish, self.inherited

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(owner, _instance)
            batch_shape = Size(batch_shape)
            for name, n in event_dims.items():
                if name in self.__dict__:
                    value = self.__dict__[name]
                    new.__dict__[name] = value.expand(tuple(batch_shape) + tuple(value.shape[value.dim() - n :]))
            if inherited:
                return super(owner, self).expand(batch_shape, _instance=new)
            if finish is not None:
                finish(new, self, batch_shape)
            super(owner, new).__init__(batch_shape, self._event_shape, validate_args=False)
            new._validate_args = self._validate_args
            return new

        expand.__doc__ = Distribution.expand.__doc__
        expand.__qualname__ = f"{owner.__name__}.expand"
        setattr(owner, name, expand)
