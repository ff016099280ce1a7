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


def depends_on_values(*names: str, rewrite):
    """Mark a function whose output shape depends on the values of the arguments `names` where those are arrays.

    The engine fetches these as NumPy arrays and records the call that ``rewrite(*args, **kwargs)`` returns instead, a
    triple (function, args, kwargs) of an ordinary, differentiable array function; the other arrays are only passed
    through. `None` means that the call itself needs no values. Where only some calls need an argument's values, it is not
    among `names`, and `rewrite` fetches them itself with ``numpy.asarray``.
    """

    def mark(function):
        function.value_arguments = names
        function.rewrite = rewrite
        return function

    return mark


def raises_for_values(with_info, complain, when=None):
    """Mark a function that PyTorch lets raise for some values, such as the inverse of a singular matrix.

    ``with_info(*args, **kwargs)`` is the array function that returns the same result and an int32 array `info`, zero
    for each matrix of the batch that went well; `complain(info)` raises PyTorch's error for a NumPy array `info` that
    has other values. If `when` is given, only calls for whose arguments it is true are checked. Called by itself, the
    function gives non-finite numbers instead of the error.
    """

    def mark(function):
        function.with_info = with_info
        function.complain = complain
        function.raises_when = when or (lambda *args, **kwargs: True)
        return function

    return mark


def indexes(parse):
    """Mark a function that is ``x[index]`` (``x[index] = src`` if its second parameter is `src`) under another name.

    ``parse(shape, *args, **kwargs)``, with the arguments after the tensor (and `src`), checks them and gives the layout
    and operands for `getitem` (`setitem`), whose positions are run-time inputs.
    """

    def mark(function):
        function.as_index = parse
        return function

    return mark


def asked_to_check(*args, check_errors: bool = False, **kwargs) -> bool:
    """Whether a function named ``..._ex`` is to raise; else it only reports `info`."""
    return check_errors


def last_as_info(function):
    """`with_info` of a function whose last result is `info` already."""

    def with_info(*args, **kwargs):
        result = function(*args, **kwargs)
        return result, result[-1]

    return with_info


def checked_if_asked(complain):
    """Mark a function named ``..._ex``, whose last result is `info`, as raising where ``check_errors=True``."""

    def mark(function):
        return raises_for_values(last_as_info(function), complain, asked_to_check)(function)

    return mark
