"""``torch.mps``, ``torch.xpu``, ``torch.mtia``, ``torch.accelerator`` and most of ``torch.cuda``, as PyTorch has them where
there is no such device: questions are answered, everything else is refused in PyTorch's words.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable


def answering(name: str, answer) -> Callable:
    """A function that returns `answer` (a fresh one of it), whatever its arguments."""

    def function(*args, **kwargs):
        return type(answer)(answer) if isinstance(answer, list | dict) else answer

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{answer!r}: there is no such device."
    return function


def refusing(name: str, error: type[Exception], message: str) -> Callable:
    """A function that raises ``error(message)``."""

    def function(*args, **kwargs):
        raise error(message)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Refused: {message}"
    return function


def refusing_class(name: str, error: type[Exception], message: str) -> type:
    """A class that raises ``error(message)`` when an object of it is made; nothing is an instance of it."""
    return type(name, (), {"__new__": refusing("__new__", error, message), "__doc__": f"Refused: {message}"})


ZEROS = "max_memory_allocated max_memory_reserved memory_allocated memory_reserved device_count"
FALSE = "is_available is_initialized is_bf16_supported is_tf32_supported"
NOTHING = "empty_cache seed seed_all manual_seed manual_seed_all set_device set_rng_state_all reset_peak_memory_stats"


def module(error: type[Exception], message: str, refused: str, classes: str = "", **answers) -> dict:
    """The functions and classes of a device's module: `answers` by name, the rest refused with `message`."""
    made = {name: answering(name, answer) for name, answer in answers.items()}
    made |= {name: refusing(name, error, message) for name in refused.split()}
    return made | {name: refusing_class(name, error, message) for name in classes.split()}


def plain_answers() -> dict:
    """What all of the modules answer alike."""
    table = {ZEROS: 0, FALSE: False, NOTHING: None, "get_rng_state_all get_arch_list": [], "get_gencode_flags": ""}
    table["memory_stats"] = OrderedDict()
    found = {name: answer for names, answer in table.items() for name in names.split()}
    return found | {"memory_stats_as_nested_dict": {}}


@contextlib.contextmanager
def no_device(device=None):
    """``with torch.xpu.device(0):`` without any: nothing changes."""
    yield
