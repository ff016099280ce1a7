"""Switches of ``Module.to`` and ``load_state_dict``: kept; parameters' data are always replaced in place."""

from __future__ import annotations

_kept = {"overwrite": False, "swap": False}


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """Accepted and kept."""
    _kept["overwrite"] = bool(value)


def get_overwrite_module_params_on_conversion() -> bool:
    """What was set last."""
    return _kept["overwrite"]


def set_swap_module_params_on_conversion(value: bool) -> None:
    """Accepted and kept."""
    _kept["swap"] = bool(value)


def get_swap_module_params_on_conversion() -> bool:
    """What was set last."""
    return _kept["swap"]
