"""From array functions to PyTorch's ops: every form of every row of `_operator_table`.

The array function of a row's name is found in `funcgrad.ops`. To add an op: write that function, add its name to a row.
While a thread is inside ``torch.autocast``, `record` is that of `_autocast`; in-place forms and ``out=`` do not autocast.
"""

from __future__ import annotations

import functools

import jax
import numpy as np

from funcgrad import _dtypes, ops
from funcgrad import _operator_table as table
from funcgrad._facade import _geometry, _out_dtypes, _views
from funcgrad._tensor import Tensor
from funcgrad.engine import numbers
from funcgrad.engine.record import Override, record, restrided
from funcgrad.engine.record import record as record_as_is
from funcgrad.engine.state import state
from funcgrad.engine.structure import Op
from funcgrad.engine.values import HANDLES, Value
from funcgrad.ops.index_bounds import INDEX_BOUNDS

_new = object.__new__
_ops: dict[str, Op] = {}


def op(name: str) -> Op:
    """The op whose array function is `name` (``add``, ``linalg.norm``), made when first asked for."""
    found = _ops.get(name)
    if found is None:
        found = _ops[name] = _make_op(name)
    return found


_op_of = op  # where a parameter is called `op`


def _make_op(name: str) -> Op:
    function = ops.find(name)
    if function is None:
        raise NotImplementedError(f"torch.{name} is not supported by funcgrad")
    short = name.rpartition(".")[2]
    made = Op(
        short,
        function,
        differentiable=short not in table.NOT_DIFFERENTIABLE,
        grad_name=table.GRAD_NAMES.get(name.removeprefix("nn.functional.")),
        saves=short not in table.SAVES_NOTHING,
        creates=short in table.CREATES or name.startswith("signal.windows."),
        bounds=INDEX_BOUNDS.get(short),
        reflected=short in table.REFLECTED,
        grads=table.GRADS.get(name),
    )
    return made


def call(name: str, *args, **kwargs):
    """Record the op `name` and return its result as tensors."""
    return apply(op(name), args, kwargs)


def apply(op: Op, args, kwargs=None):
    """Record an op and return its result as tensors."""
    return wrapped(record(op, args, kwargs))


def wrapped(out):
    """What `record` returned, as tensors."""
    if out.__class__ is Value:
        tensor = _new(Tensor)
        tensor._value = out
        return tensor
    values, pack = out
    tensors = []
    for value in values:
        tensor = _new(Tensor)
        tensor._value = value
        tensors.append(tensor)
    return pack(tensors)


# -- the forms --------------------------------------------------------------------------------------------------------


def function_form(op: Op, path: str):
    """``torch.x(...)`` and ``Tensor.x(...)``."""

    def form(*args, **kwargs):
        if kwargs and "out" in kwargs:
            return _into(form, op, args, kwargs)
        try:
            out = record(op, args, kwargs)
        except Override:
            return overridden(form, args, kwargs)
        if out.__class__ is Value:
            tensor = _new(Tensor)
            tensor._value = out
            return tensor
        return wrapped(out)

    return _named(form, op, path)


_MAY_COPY = {"reshape", "reshape_as", "flatten", "ravel"}
_LIKE_ANOTHER = {"view_as": "view", "expand_as": "expand"}
"""Views by another tensor's size: that tensor is not part of how the view was made, and may come to be a view of it."""


def view_form(op: Op, path: str):
    """As `function_form`, for results that share memory with their first argument."""

    may_copy, at_position = op.name in _MAY_COPY, op.name in ("narrow", "select")
    rereads = op.name == "view"
    by_size, may_change_numbers = _LIKE_ANOTHER.get(op.name), op.name in _geometry.CHANGE_NUMBERS

    def form(*args, **kwargs):
        if kwargs:
            args, kwargs = numbers.in_own_names(op, args, kwargs) or (args, kwargs)
        if may_change_numbers and args and args[0].__class__ in HANDLES and args[0]._made is not None:
            _geometry.check_numbers(op.name, *args, **kwargs)
        if rereads and state.grad and ("dtype" in kwargs or (len(args) == 2 and args[1].__class__ is _dtypes.dtype)):
            state.grad = False  # bytes read as numbers of another kind have no gradient
            try:
                return form(*args, **kwargs)
            finally:
                state.grad = True
        if at_position and len(args) > 2 and isinstance(args[2], Tensor) and not state.program.traced:
            args = (*args[:2], args[2].item(), *args[3:])  # PyTorch reads it too
        try:
            out = record(op, args, kwargs)
        except Override:
            return overridden(form, args, kwargs)
        parent, rest = args[0], args[1:]
        if out.__class__ is Value:
            tensor = _new(Tensor)
            tensor._value = out
            if by_size:
                _views.attach(tensor, parent, _op_of(by_size), (out.aval.shape,), {})
            elif not (may_copy and state.program.node.entry.copies):
                _views.attach(tensor, parent, op, rest, kwargs)
            return tensor
        values, pack = out
        tensors = []
        for i, value in enumerate(values):
            tensor = _new(Tensor)
            tensor._value = value
            _views.attach(tensor, parent, op, rest, kwargs, i)
            tensors.append(tensor)
        return pack(tensors)

    return _named(form, op, path)


def _dims_coincide(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> bool:
    n = x.dim()
    return n > 0 and -n <= start_dim < n and -n <= end_dim < n and start_dim % n == end_dim % n


def _given(sizes: tuple) -> tuple:
    return tuple(sizes[0]) if sizes and type(sizes[0]) is not int else sizes


_ITSELF = {
    **dict.fromkeys(("conj", "conj_physical", "real"), lambda x: not x.is_complex()),
    "resolve_conj": lambda x: not _geometry.is_conj(x),
    "resolve_neg": lambda x: not _geometry.is_neg(x),
    **{f"atleast_{n}d": lambda x, *more, n=n: not more and x.dim() >= n for n in (1, 2, 3)},
    "positive": lambda x: x.dtype.name != "bool",
    "sum_to_size": lambda x, *sizes, size=None: tuple(x.shape) == _given(sizes if size is None else (size,)),
    "flatten": _dims_coincide,
}
"""Ops that return the very tensor they are given where there is nothing to do."""


def _or_itself(plain, unchanged):
    def form(*args, **kwargs):
        if args and args[0].__class__ in HANDLES and "out" not in kwargs and unchanged(*args, **kwargs):
            return args[0]
        return plain(*args, **kwargs)

    return functools.wraps(plain)(form)


def eager_form(op: Op, path: str):
    """For results whose shape depends on values: the operands are computed first, the op runs on their arrays."""
    from funcgrad._facade._dynamic import run_now

    def form(*args, **kwargs):
        if kwargs and "out" in kwargs:
            return _into(form, op, args, kwargs)
        args, kwargs = numbers.in_own_names(op, args, kwargs) or (args, kwargs)
        return run_now(op, args, kwargs)

    return _named(form, op, path)


def value_form(op: Op, path: str):
    """For results whose shape depends on some arguments' values, which are fetched first."""
    from funcgrad._facade._dynamic import rewritten

    plain = view_form(op, path) if getattr(op.function, "is_view", False) else None

    def form(*args, **kwargs):
        if kwargs and "out" in kwargs:
            return _into(form, op, args, kwargs)
        args, kwargs = numbers.in_own_names(op, args, kwargs) or (args, kwargs)
        out = rewritten(op, args, kwargs)
        if out is not None:
            return wrapped(out)
        return apply(op, args, kwargs) if plain is None else plain(*args, **kwargs)

    return _named(form, op, path)


def checked_form(op: Op, path: str):
    """For functions that raise for some values: see `_checked`."""
    from funcgrad._facade._checked import run_checked

    plain = function_form(op, path)

    def form(*args, **kwargs):
        if kwargs and "out" in kwargs:
            return _into(form, op, args, kwargs)
        args, kwargs = numbers.in_own_names(op, args, kwargs) or (args, kwargs)
        if not op.function.raises_when(*args, **kwargs):
            return plain(*args, **kwargs)
        try:
            return run_checked(op, args, kwargs)
        except Override:
            return overridden(form, args, kwargs)

    return _named(form, op, path)


def inplace_form(op: Op, path: str):
    """``Tensor.x_(...)``."""
    from funcgrad._facade._dynamic import rewritten

    by_value, exact = hasattr(op.function, "value_arguments"), op.name in ("float_power", "abs", "absolute")
    reads, places = _geometry.READS.get(op.name), op.name in _geometry.PLACES
    fills = op.name in ("index_fill", "index_put", "masked_fill")

    def form(self, *args, **kwargs):
        check_writable(self)
        if places or self._root is not None or self._views:
            _geometry.check_overlap(self, args[:reads], places)
        try:
            out = rewritten(op, (self, *args), kwargs) if by_value else None
            if out is None:
                out = record_as_is(op, (self, *args), kwargs)
        except Override:
            return overridden(form, (self, *args), kwargs)
        if exact:
            _out_dtypes.check_inplace(op.name, out.aval.dtype, self.dtype)
        write(self, out, fills and _geometry.is_expanded(self, op.name))
        return self

    return _named(form, op, path)


def write(tensor: Tensor, value: Value, filling: bool = False) -> None:
    """Make `tensor` hold `value`, converted to its dtype as PyTorch's in-place ops do.

    `filling` says that all elements are equal, so that a tensor that repeats elements of its base may be written.
    """
    have = tensor._value or tensor._refresh()
    if have.aval.strides is not None and not filling:
        check_overlap(have.aval.shape, have.aval.strides)
    limit = value.ref.index if value.program is state.program and value.ref is not None else len(state.program.slots)
    if value.aval is not have.aval:
        value = _fitted(value, have)
    _views.count_write(tensor, have, limit)
    if tensor._made is None and not tensor._views:
        _views._replace(tensor, value)
    else:
        _views.write(tensor, value)
    if tensor._retains_grad:
        tensor._retains_grad.follow()


def _fitted(value: Value, have: Value) -> Value:
    if value.aval.shape != have.aval.shape:
        raise RuntimeError(
            f"output with shape {list(have.aval.shape)} doesn't match the broadcast shape {list(value.aval.shape)}"
        )
    source, target = value.aval.dtype, have.aval.dtype
    if source is not target:
        if not _dtypes.can_cast(source, target):
            raise RuntimeError(
                f"result type {source.scalar_name} can't be cast to the desired output type {target.scalar_name}"
            )
        value = record(op("cast"), (value, target))
    return restrided(value, have.aval)


def check_overlap(sizes, strides) -> None:
    """PyTorch's error for writing to a tensor that repeats elements of its base, as `expand` does."""
    if 0 not in sizes and any(s == 0 and n > 1 for n, s in zip(sizes, strides)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )


def check_writable(tensor: Tensor, through_view: bool = False) -> None:
    """PyTorch's errors for in-place ops on leaves that require grad."""
    if not state.grad or not tensor.requires_grad:
        return
    if tensor._leaf is not None and not through_view:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    base = tensor._root
    if tensor._leaf is not None or (base is not None and base._leaf is not None and base.requires_grad):
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


def _into(form, op: Op, args, kwargs):
    """``out=``: compute, then write into the given tensor(s)."""
    from funcgrad._facade._out import into

    out = kwargs.pop("out")
    if op.name in _out_dtypes.COMPUTES_IN and isinstance(out, Tensor) and kwargs.get("dtype") is None:
        kwargs["dtype"] = out.dtype
    if record is record_as_is or op.data_dependent or hasattr(op.function, "value_arguments"):
        result = form(*args, **kwargs)
    else:
        result = wrapped(record_as_is(op, args, kwargs))
    return result if out is None else into(op, result, out, args, kwargs)


def overridden(form, args, kwargs):
    """Some operand is not a plain tensor: a NumPy or JAX array, or a class with ``__torch_function__``."""
    from funcgrad._facade._overrides import redirect

    return redirect(form, args, kwargs)


def _named(form, op: Op, path: str):
    short = path.rpartition(".")[2]
    form.__name__ = short
    form.__qualname__ = path
    form.__doc__ = op.function.__doc__
    form.__module__ = "funcgrad"
    form.op = op
    return form


# -- putting them where PyTorch has them ------------------------------------------------------------------------------

NAMESPACES: dict[str, dict] = {letter: {} for letter in "fnlst"}


def _form_of(made: Op):
    if made.data_dependent:
        return eager_form
    if hasattr(made.function, "value_arguments"):
        return value_form
    if hasattr(made.function, "with_info"):
        return checked_form
    return view_form if getattr(made.function, "is_view", False) else function_form


class _Attribute(property):
    """``x.T``; ``Tensor.T(x)`` works too, as an op's other methods do, and ``x.real = y`` writes."""

    def __set__(self, tensor: Tensor, value) -> None:
        if self.fget.__name__ not in ("real", "imag"):
            raise AttributeError(f"attribute '{self.fget.__name__}' of 'Tensor' objects is not writable")
        part = self.fget(tensor)
        part.copy_(value) if isinstance(value, Tensor) else part.fill_(value)

    def __call__(self, tensor: Tensor):
        return self.fget(tensor)


def install() -> None:
    """Make every form of every row."""
    for letters, prefix, words in table.ROWS:
        for name in words.split():
            qualified = prefix + name
            if ops.find(qualified) is None:
                continue
            made = op(qualified)
            plain = _form_of(made)(made, name)
            if name in _ITSELF and prefix == "":
                plain = _or_itself(plain, _ITSELF[name])
            for letter in letters:
                if letter in NAMESPACES:
                    _put(NAMESPACES[letter], name, plain)
            if "m" in letters and name not in vars(Tensor):
                setattr(Tensor, name, _Attribute(plain) if name in table.PROPERTIES else plain)
            if "i" in letters:
                setattr(Tensor, name + "_", inplace_form(made, f"Tensor.{name}_"))
            if "i" in letters and "f" in letters and name in table.FUNCTIONS_IN_PLACE:
                _put(NAMESPACES["f"], name + "_", getattr(Tensor, name + "_"))
    _install_dunders()


def _put(namespace: dict, name: str, form) -> None:
    if name in namespace:
        raise ValueError(f"{name} stands twice in the operator table")
    namespace[name] = form


def _install_dunders() -> None:
    for dunder, name in table.DUNDERS.items():
        if ops.find(name) is None:
            continue
        plain = _form_of(op(name))(op(name), name)
        plain = plain if dunder in table.UNARY_DUNDERS else _operator(plain)
        setattr(Tensor, dunder, _SPECIAL_DUNDERS.get(dunder, lambda form: form)(plain))
    for dunder, name in table.REFLECTED_DUNDERS.items():
        if ops.find(name) is None:
            continue
        plain = _form_of(op(name))(op(name), name)
        setattr(Tensor, dunder, _operator(plain, swap=True))
    for dunder, name in table.INPLACE_DUNDERS.items():
        if ops.find(name) is None:
            continue
        setattr(Tensor, dunder, _operator(inplace_form(op(name), f"Tensor.{dunder}")))


def _only_integers(plain):
    def invert(self):
        if self.is_floating_point() or self.is_complex():
            raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return plain(self)

    return functools.wraps(plain)(invert)


_SPECIAL_DUNDERS = {"__invert__": _only_integers, "__pos__": lambda plain: _or_itself(plain, _ITSELF["positive"])}
_OPERANDS = (Tensor, bool, int, float, complex, np.ndarray, np.generic, jax.Array)


def _as_numpy_promotes(name: str, x: Tensor, array: np.ndarray):
    """The operands in the dtype that NumPy, which PyTorch leaves such operators to, computes in."""
    if x.dtype.numpy.kind not in "biufc" or array.dtype.kind not in "biufc":
        return x, array
    d = np.result_type(x.dtype.numpy, array.dtype)
    if name == "div" and d.kind in "biu":
        d = np.dtype("float64")
    return x.to(_dtypes.to_dtype(d)), array.astype(d)


def _operator(plain, swap: bool = False):
    """`plain` for two operands; one of an unknown type may know the Tensor: Python asks it on NotImplemented."""

    def operator(self, other):
        try:
            if other.__class__ is np.ndarray:
                self, other = _as_numpy_promotes(plain.op.name, self, other)
            return plain(other, self) if swap else plain(self, other)
        except Exception:
            if isinstance(other, _OPERANDS) or hasattr(type(other), "__torch_function__"):
                raise
            return NotImplemented

    return functools.wraps(plain)(operator)
