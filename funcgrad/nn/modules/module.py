"""Module: the base class of every layer.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html.
"""

from __future__ import annotations

import itertools
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from funcgrad import _dtypes
from funcgrad._facade._interop import register_module
from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.engine.boundary import no_grad_call
from funcgrad.engine.state import state
from funcgrad.nn.modules import _hooks
from funcgrad.nn.modules._hooks import (
    HooksMixin,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from funcgrad.nn.modules._state_dict import _EXTRA_STATE_KEY_SUFFIX as _EXTRA_STATE_KEY_SUFFIX
from funcgrad.nn.modules._state_dict import StateDictMixin
from funcgrad.nn.modules._state_dict import _IncompatibleKeys as _IncompatibleKeys
from funcgrad.nn.modules._tree import TreeMixin
from funcgrad.nn.parameter import Buffer, Parameter, is_lazy

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

_REGISTRIES = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip

# Hooks for all modules. Who assigns an empty dictionary to one of these names removes them, as in PyTorch.
_global_forward_pre_hooks: OrderedDict = OrderedDict()
_global_forward_hooks: OrderedDict = OrderedDict()
_global_forward_hooks_always_called: OrderedDict = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict = OrderedDict()
_global_backward_pre_hooks: OrderedDict = OrderedDict()
_global_backward_hooks: OrderedDict = OrderedDict()
_global_module_registration_hooks: OrderedDict = OrderedDict()
_global_parameter_registration_hooks: OrderedDict = OrderedDict()
_global_buffer_registration_hooks: OrderedDict = OrderedDict()
_global_is_full_backward_hook: bool | None = None
_hooks.shared = globals()


class Module(HooksMixin, StateDictMixin, TreeMixin):
    """A layer or a model: it owns parameters, buffers and submodules, and computes ``forward``.

    Subclasses call ``super().__init__()``, assign `Parameter`s, buffers and Modules to attributes, and define
    ``forward``. Calling the module runs ``forward`` between its hooks.

    Example:
        >>> import funcgrad as torch
        >>> class Line(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.weight = torch.nn.Parameter(torch.ones(1))
        ...     def forward(self, x):
        ...         return x * self.weight
        >>> [name for name, _ in Line().named_parameters()]
        ['weight']
    """

    training: bool
    call_super_init = False
    dump_patches = False

    def __init__(self, *args, **kwargs) -> None:
        if args or kwargs:
            if not self.call_super_init and kwargs:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
                )
            if not self.call_super_init and args:
                raise TypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
                )
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        own["_modules"] = {}
        own["_is_full_backward_hook"] = None
        for name in _REGISTRIES:
            own[name] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        register_module(cls)

    def forward(self, *input: Any) -> None:
        """The computation; every subclass defines it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # -- calling ------------------------------------------------------------------------------------------------------

    def _call_impl(self, *args, **kwargs):
        own = self.__dict__
        if (
            own["_backward_hooks"] or own["_backward_pre_hooks"] or own["_forward_hooks"] or own["_forward_pre_hooks"]
            or _global_forward_hooks or _global_forward_pre_hooks or _global_backward_hooks or _global_backward_pre_hooks
        ):  # fmt: skip
            return self._call_with_hooks(*args, **kwargs)
        if state.grad:
            return self.forward(*args, **kwargs)
        return no_grad_call(self, self.forward, args, kwargs)

    _wrapped_call_impl = _call_impl

    def __call__(self, *args, **kwargs):
        return self._call_impl(*args, **kwargs)

    # -- registration -------------------------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None reserves the name."""
        self._check_name(name, "parameter", Parameter, param)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{_typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
                )
            if param._leaf is None and param.requires_grad:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                    "To express '{0}' as a function of another Tensor, compute the value in the forward() method.".format(
                        name
                    )
                )
            param = _hooks.registered("parameter", self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state but not learned.

        Args:
            name: how to reach it.
            tensor: its values; None reserves the name.
            persistent: whether ``state_dict`` includes it.
        """
        self._check_name(name, "buffer", Tensor, tensor)
        if tensor is not None:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"cannot assign '{_typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
                )
            tensor = _hooks.registered("buffer", self, name, tensor)
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under `name`."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_name(name, "module", Module, module)
        self._modules[name] = None if module is None else _hooks.registered("module", self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """As `add_module`."""
        self.add_module(name, module)

    def _check_name(self, name, kind: str, cls, thing) -> None:
        registry = {"parameter": "_parameters", "buffer": "_buffers", "module": "_modules"}[kind]
        if registry not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_typename(name)}")
        if kind != "module" and "." in name:
            raise KeyError(f'{kind} name can\'t contain "."')
        if kind == "module" and "." in name:
            raise KeyError(f'module name can\'t contain ".", got: {name}')
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[registry]:
            raise KeyError(f"attribute '{name}' already exists")

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in ("_parameters", "_buffers", "_modules"):
            found = own.get(registry)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._require_init("_parameters", "parameters")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif own.get("_parameters") and name in own["_parameters"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._require_init("_modules", "module")
            self._forget(name, "_buffers")
            own["_modules"][name] = _hooks.registered("module", self, name, value)
        elif own.get("_modules") and name in own["_modules"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            own["_modules"][name] = None
        elif isinstance(value, Buffer) or (own.get("_buffers") and name in own["_buffers"]):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value) -> None:
        self._require_init("_buffers", "buffer")
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{_typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            self._forget(name, "_parameters", "_modules")
            self.register_buffer(name, value, value.persistent)
        else:
            self._buffers[name] = _hooks.registered("buffer", self, name, value) if value is not None else None

    def _require_init(self, registry: str, what: str) -> None:
        if registry not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")

    def _forget(self, name: str, *registries: str) -> None:
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        for registry in registries:
            self.__dict__[registry].pop(name, None)

    def __delattr__(self, name: str) -> None:
        for registry in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(registry, ()):
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __setstate__(self, state_: dict) -> None:
        self.__dict__.update(state_)
        for name in _REGISTRIES:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())

    # -- changing every tensor ----------------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call `fn` on every submodule and on this module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        """Replace the data of every parameter, gradient and buffer by `fn` of it."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is None:
                    continue
                if is_lazy(parameter):
                    parameter.convert_with(fn)
                    continue
                grad = parameter.grad
                parameter.data = fn(parameter.detach())
                if grad is not None:
                    parameter._grad = fn(grad).requires_grad_(grad.requires_grad)
            for name, buffer in self._buffers.items():
                if buffer is None:
                    continue
                if is_lazy(buffer):
                    buffer.convert_with(fn)
                else:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, dtype=None, device=None, non_blocking=False, memory_format=None) -> Module:
        """Convert floating parameters and buffers to a dtype, and move all of them to a device."""
        for a in args:
            if isinstance(a, _dtypes.dtype):
                dtype = a
            elif isinstance(a, Tensor):
                dtype, device = a.dtype, a.device
            elif a is not None and not isinstance(a, bool):
                device = a
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        if dtype is not None and dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may change, and some modules might "
                "not work as expected when using complex tensors as parameters or buffers. Please file an issue at "
                "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml if a complex module does not work "
                "as expected.",
                stacklevel=2,
            )

        def convert(t: Tensor) -> Tensor:
            form = memory_format if t.dim() in (4, 5) else None
            return t.to(
                device=device, dtype=dtype if t.is_floating_point() or t.is_complex() else None, memory_format=form
            )

        return self._apply(convert)

    def type(self, dst_type) -> Module:
        """Convert every parameter and buffer to a dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def to_empty(self, *, device, recurse: bool = True) -> Module:
        """Move to a device without keeping the values."""
        return self._apply(lambda t: t.new_empty(t.shape, device=device), recurse)

    def cpu(self) -> Module:
        """Move to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device=None) -> Module:
        """Move to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def share_memory(self) -> Module:
        """Note of all parameters and buffers that other processes may see them, which here get copies."""
        for tensor in itertools.chain(self.parameters(), self.buffers()):
            tensor.share_memory_()
        return self

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout and batch norm behave differently) here and in every submodule."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Set evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Set whether gradients are recorded with respect to the parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear every parameter's gradient."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.detach_()
                parameter.grad.zero_()

    def compile(self, *args, **kwargs) -> None:
        """Accepted as in PyTorch: recorded calls are compiled already."""

    # -- printing -----------------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of ``repr``; layers override it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        children = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        lines = extra_lines + children
        if not lines:
            return f"{self._get_name()}()"
        if len(extra_lines) == 1 and not children:
            return f"{self._get_name()}({extra_lines[0]})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def _indented(text: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *["  " + line for line in rest]])


def _typename(x) -> str:
    if isinstance(x, Tensor):
        return "torch." + ("nn.parameter.Parameter" if isinstance(x, Parameter) else x.type().removeprefix("torch."))
    if isinstance(x, types.ModuleType):
        return x.__name__
    cls = x if isinstance(x, type) else type(x)
    return cls.__name__ if cls.__module__ in ("builtins", "__builtin__") else f"{cls.__module__}.{cls.__name__}"


def _cast_method(dtype: _dtypes.dtype, doc: str):
    def method(self: Module) -> Module:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    method.__doc__ = doc
    return method


for _name, _dtype in (("float", _dtypes.float32), ("double", _dtypes.float64), ("half", _dtypes.float16),
                      ("bfloat16", _dtypes.bfloat16)):  # fmt: skip
    setattr(Module, _name, _cast_method(_dtype, f"Convert floating parameters and buffers to {_dtype.name}."))
