"""Names that PyTorch keeps with a warning."""

from __future__ import annotations

import functools
import warnings


def deprecated(message: str):
    """Decorate a function so that calling it warns (FutureWarning)."""

    def decorate(function):
        @functools.wraps(function)
        def warned(*args, **kwargs):
            warnings.warn(message, FutureWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warned

    return decorate
