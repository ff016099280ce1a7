"""Autocast: inside ``torch.autocast`` ops convert their operands to the precision that `_autocast_table` gives them.

It costs nothing while no thread is inside: only then is `_operators.record` the one of this file.
"""

from __future__ import annotations

import threading
import warnings

from funcgrad import _device, _dtypes, _operators, ops
from funcgrad._facade import _autocast_table as table
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.record import record as plain_record
from funcgrad.engine.state import state as thread
from funcgrad.engine.values import HANDLES

_DEFAULTS = {"xla": _dtypes.bfloat16, "tpu": _dtypes.bfloat16, "cpu": _dtypes.bfloat16, "hpu": _dtypes.bfloat16}


class _State(threading.local):
    def __init__(self):
        self.enabled: dict = {}  # the dtype in use, by device type
        self.dtypes = dict(_DEFAULTS)
        self.cache_enabled = True
        self.nesting = 0
        self.cache: dict = {}


_state = _State()
_lock = threading.Lock()
_threads: set[int] = set()


def _kind(device_type: str) -> str:
    return _device.device(device_type).type


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows this type of device."""
    _kind(device_type)
    return True


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether ops on this type of device autocast now, in this thread."""
    return _kind(device_type) in _state.enabled


def is_any_autocast_enabled() -> bool:
    """Whether ops on any type of device autocast now, in this thread."""
    return bool(_state.enabled)


def set_autocast_enabled(device_type, enabled: bool | None = None) -> None:
    """Switch autocast on or off for a type of device (with one argument: for ``"cuda"``)."""
    device_type, enabled = ("cuda", device_type) if enabled is None else (_kind(device_type), enabled)
    if enabled:
        _state.enabled[device_type] = get_autocast_dtype(device_type)
    else:
        _state.enabled.pop(device_type, None)
    with _lock:
        (_threads.add if _state.enabled else _threads.discard)(threading.get_ident())
        _operators.record = _record if _threads else plain_record


def get_autocast_dtype(device_type: str) -> _dtypes.dtype:
    """The low precision that autocast uses on this type of device."""
    return _state.dtypes.get(_kind(device_type), _dtypes.float16)


def set_autocast_dtype(device_type: str, dtype: _dtypes.dtype) -> None:
    """Set the low precision that autocast uses on this type of device."""
    kind = _kind(device_type)
    _state.dtypes[kind] = dtype
    if kind in _state.enabled:
        _state.enabled[kind] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether a parameter's conversion is kept for the rest of the region."""
    return _state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Keep conversions of parameters, or make them anew at each use."""
    _state.cache_enabled = enabled


def clear_autocast_cache() -> None:
    """Forget the parameters' conversions."""
    _state.cache.clear()


def autocast_increment_nesting() -> int:
    """Note that a region was entered; returns how many there are."""
    _state.nesting += 1
    return _state.nesting


def autocast_decrement_nesting() -> int:
    """Note that a region was left; returns how many there are."""
    _state.nesting -= 1
    return _state.nesting


def _deprecated(name: str, device_type: str):
    """``torch.is_autocast_cpu_enabled`` and the like, which name the device in the function's name."""
    verb, _, what = name.partition("_autocast_")
    what = what.partition("_")[2]
    function = {
        "is enabled": is_autocast_enabled,
        "set enabled": set_autocast_enabled,
        "get dtype": get_autocast_dtype,
        "set dtype": set_autocast_dtype,
    }[f"{verb} {what}"]
    argument = what if verb == "set" else ""
    there = f"{verb}_autocast_{what}('{device_type}'{', ' + argument if argument else ''})"

    def old(*args):
        warnings.warn(
            f"torch.{name}({argument}) is deprecated. Please use torch.{there} instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return function(device_type, *args)

    old.__name__ = name
    old.__doc__ = f"Deprecated: use ``torch.{there}``."
    return old


def public() -> dict:
    """The functions of ``torch`` in this file."""
    own = {n: f for n, f in globals().items() if "autocast_" in n and not n.startswith("_")}
    own = {n: f for n, f in own.items() if n not in ("is_autocast_available", "is_any_autocast_enabled")}
    forms = ("is_autocast_{}_enabled", "set_autocast_{}_enabled", "get_autocast_{}_dtype", "set_autocast_{}_dtype")
    old = [
        (form.format(n), device) for n, device in (("cpu", "cpu"), ("gpu", "cuda"), ("xla", "xla")) for form in forms
    ]
    old = [(name, device) for name, device in old if not name.endswith("gpu_enabled")]
    return own | {name: _deprecated(name, device) for name, device in old}


# -- what ops do inside a region --------------------------------------------------------------------------------------

_policies: dict[str, dict] = {}


def _policies_of(device_type: str) -> dict:
    """For each array function what it does, or how to find out."""
    found = _policies.get(device_type)
    if found is None:
        lists = table.LISTS.get(device_type, table.GPU)
        named = [(name, policy) for policy, names in lists.items() for name in names.split()]
        named += table.CONDITIONS.items() if lists is table.CPU else ()
        found = _policies[device_type] = {}
        for name, policy in named:
            for path in (name, f"nn.functional.{name}"):
                function = ops.find(path)
                if function is not None:
                    found[function] = found[getattr(function, "with_info", function)] = policy
    return found


def _record(op, args, kwargs=None):
    """As `engine.record`, in the precision that autocast wants."""
    for device_type, dtype in _state.enabled.items():
        policy = _policies_of(device_type).get(op.function)
        if callable(policy):
            policy = policy(*args, **(kwargs or {}))
        if policy is not None:
            operands = [t for t in _tensors((args, kwargs)) if _eligible(t, device_type)]
            if policy == table.ROUNDED:
                return _rounded(plain_record(op, args, kwargs), dtype if operands else None)
            target = _target(policy, operands, dtype)
            if target is not None:
                args, kwargs = _converted(args, device_type, target), _converted(kwargs, device_type, target)
    return plain_record(op, args, kwargs)


def _tensors(x):
    if x.__class__ in HANDLES:
        return [x]
    if isinstance(x, dict):
        x = x.values()
    return [t for v in x for t in _tensors(v)] if x.__class__ in (tuple, list, type({}.values())) else []


def _eligible(tensor: Tensor, device_type: str) -> bool:
    """Autocast leaves float64 alone, and what is on other devices."""
    dtype = tensor.dtype
    return dtype.is_floating_point and dtype is not _dtypes.float64 and tensor.device.type == device_type


def _target(policy: str, operands: list[Tensor], dtype):
    """The dtype to convert to, None for none.

    Raises:
        RuntimeError: operands of different low precisions are to be joined.
    """
    if policy == table.LOWER:
        return dtype
    if policy == table.FLOAT32:
        return _dtypes.float32
    found = {t.dtype for t in operands}
    if policy == table.ALIKE:
        return dtype if operands and operands[0].dtype is not _dtypes.float32 else None
    if not found <= {_dtypes.float32, dtype}:
        raise RuntimeError("Unexpected floating ScalarType in at::autocast::prioritize")
    return (_dtypes.float32 if _dtypes.float32 in found else dtype) if len(found) > 1 else None


def _converted(x, device_type: str, dtype):
    if x.__class__ in HANDLES:
        return _cast(x, dtype) if x.dtype is not dtype and _eligible(x, device_type) else x
    if x.__class__ is tuple or x.__class__ is list:
        return x.__class__(_converted(v, device_type, dtype) for v in x)
    return {k: _converted(v, device_type, dtype) for k, v in x.items()} if x.__class__ is dict else x


def _cast(tensor: Tensor, dtype) -> Tensor:
    """The tensor in another dtype. A parameter's conversion is kept, so that its gradients are summed in that dtype.

    PyTorch finds a kept one even after the parameter has changed inside the region; here it is made anew.
    """
    kept = _state.cache_enabled and tensor.is_leaf and tensor.requires_grad and tensor.dtype is _dtypes.float32
    if not kept:
        return wrap(plain_record(_operators.op("cast"), (tensor, dtype)))
    key = (id(tensor), dtype, thread.grad)
    found = _state.cache.get(key)
    if found is None or found[1] is not tensor._value:
        made = wrap(plain_record(_operators.op("cast"), (tensor, dtype)))
        found = _state.cache[key] = (tensor, tensor._value, made)
    return found[2]


def _rounded(value, dtype):
    return value if dtype is None else plain_record(_operators.op("cast"), (value, dtype))
