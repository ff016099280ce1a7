"""What the engine must know of an array function beyond its signature."""

from __future__ import annotations


def data_dependent(function):
    """Mark a function whose output shape depends on its input's values (`nonzero`, `unique`).

    The engine computes its inputs first and calls it on concrete arrays, outside any compiled program; it is not
    differentiated.
    """
    function.data_dependent = True
    return function


def view(function):
    """Mark a function whose result shares memory with its first argument in PyTorch (`transpose`, `narrow`)."""
    function.is_view = True
    return function
