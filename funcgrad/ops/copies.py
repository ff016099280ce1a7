"""View ops whose result is new memory: ``squeeze_copy`` is ``squeeze``, and writing to it leaves the input alone.

See https://docs.pytorch.org/docs/stable/tensor_view.html.
"""

from __future__ import annotations

import types

from funcgrad.ops import broadcasting, complex, joining, shape, slicing, strided

_COPIES = {
    shape: "alias detach diagonal permute t transpose view",
    broadcasting: "expand squeeze unsqueeze",
    joining: "split split_with_sizes unbind",
    slicing: "select slice",
    complex: "view_as_complex view_as_real",
    strided: "as_strided unfold",
}
_UNSAFE = {
    "unsafe_split": joining.split,
    "unsafe_split_with_sizes": joining.split_with_sizes,
    "unsafe_chunk": joining.chunk,
}


def renamed(function, name: str):
    """A copy of `function` under another name that is no view op."""
    made = types.FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )
    vars(made).update({mark: value for mark, value in vars(function).items() if mark != "is_view"})
    made.__kwdefaults__, made.__annotations__ = function.__kwdefaults__, function.__annotations__
    made.__module__ = __name__
    made.__doc__ = f"As `{function.__name__}`, in new memory."
    return made


for _module, _names in _COPIES.items():
    for _name in _names.split():
        globals()[f"{_name}_copy"] = renamed(getattr(_module, _name), f"{_name}_copy")
for _name, _function in _UNSAFE.items():
    globals()[_name] = renamed(_function, _name)
