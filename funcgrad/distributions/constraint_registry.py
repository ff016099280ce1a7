"""From constraints to transforms: `biject_to` and `transform_to`.

``biject_to(c)`` is a bijection from the reals to the set `c`, as Hamiltonian Monte Carlo needs; ``transform_to(c)`` is
cheaper and may map several points to one, as suits coordinate-wise optimizers such as Adam.

See https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraint_registry.
"""

from __future__ import annotations

from numbers import Number

from funcgrad.distributions import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """Which transform leads to the sets of each class of constraints.

    Example:
        >>> import funcgrad as torch
        >>> torch.distributions.biject_to(torch.distributions.constraints.unit_interval)
        SigmoidTransform()
    """

    def __init__(self):
        self._registry = {}
        super().__init__()

    def register(self, constraint, factory=None):
        """Note the factory for a class of constraints (or an instance's class); a decorator if it is not given.

        Args:
            constraint: the class.
            factory: called with a constraint, gives a transform.

        Raises:
            TypeError: `constraint` is no constraint.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        if isinstance(constraint, constraints.Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, constraints.Constraint):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint):
        """The transform that leads to `constraint`.

        Raises:
            NotImplementedError: none is registered for its class.
        """
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints") from None
        return factory(constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _interval(constraint):
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, Number) and low == 0 and isinstance(high, Number) and high == 1:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def _above(constraint):
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
    )


def _below(constraint):
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


def _register_parts(registry: ConstraintRegistry) -> None:
    """Constraints made of others, whose transforms come from the same registry."""

    def independent(constraint):
        base = registry(constraint.base_constraint)
        return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)

    def cat(constraint):
        return transforms.CatTransform([registry(c) for c in constraint.cseq], constraint.dim, constraint.lengths)

    def stack(constraint):
        return transforms.StackTransform([registry(c) for c in constraint.cseq], constraint.dim)

    registry.register(constraints.independent, independent)
    registry.register(constraints.cat, cat)
    registry.register(constraints.stack, stack)


_BOTH = (
    (constraints.real, lambda _: transforms.identity_transform),
    (constraints.positive, _above),
    (constraints.nonnegative, _above),
    (constraints.less_than, _below),
    (constraints.interval, _interval),
    (constraints.half_open_interval, _interval),
    (constraints.corr_cholesky, lambda _: transforms.CorrCholeskyTransform()),
)
for _registry in (biject_to, transform_to):
    for _constraint, _factory in _BOTH:
        _registry.register(_constraint, _factory)
    _register_parts(_registry)
biject_to.register(constraints.simplex, lambda _: transforms.StickBreakingTransform())
for _constraint, _transform in (
    (constraints.simplex, transforms.SoftmaxTransform),
    (constraints.lower_cholesky, transforms.LowerCholeskyTransform),
    (constraints.positive_definite, transforms.PositiveDefiniteTransform),
    (constraints.positive_semidefinite, transforms.PositiveDefiniteTransform),
):
    transform_to.register(_constraint, lambda _, transform=_transform: transform())
