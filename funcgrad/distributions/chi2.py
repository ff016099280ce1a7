"""The chi-squared distribution. See https://docs.pytorch.org/docs/stable/distributions.html#chi2."""

from __future__ import annotations

from funcgrad.distributions import constraints
from funcgrad.distributions.gamma import Gamma

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The sum of `df` squared standard normals: ``Gamma(df / 2, 1 / 2)``.

    Args:
        df: degrees of freedom.
        validate_args: whether to check arguments.
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df, validate_args=None):
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        return super().expand(batch_shape, self._get_checked_instance(Chi2, _instance))

    @property
    def df(self):
        """Degrees of freedom."""
        return self.concentration * 2
