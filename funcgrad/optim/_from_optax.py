"""optax's optimizers and schedules as PyTorch's, and PyTorch's optimizers as optax's.

See https://optax.readthedocs.io.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from funcgrad._facade._interop import to_jax
from funcgrad._tensor import Tensor
from funcgrad.ops._number import Number, as_array, is_number
from funcgrad.optim._recorded_step import RecordedOptimizer
from funcgrad.optim._rule import Rule
from funcgrad.optim._schedules.base import LRScheduler

_COUNTS = ("count", "t")
_PROBES = [jax.ShapeDtypeStruct((2,) * ndim, np.float32) for ndim in range(1, 6)]


@jax.tree_util.register_pytree_node_class
class _Parameters(list):
    """All parameters of a group: where a state holds one, it holds something for each of them."""

    def tree_flatten(self):
        return tuple(self), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(children)


def from_optax(factory: Callable | Any, **options) -> type[RecordedOptimizer]:
    """An optimizer class that steps as an optax transformation does.

    Its options are those of `factory`, with ``lr`` for ``learning_rate``; a changed float compiles nothing. What optax
    keeps for each parameter stands in ``state[p]`` under optax's names, its step counts under ``"step"``; what it keeps
    for all parameters together stands with the first.

    Args:
        factory: a function that returns a ``GradientTransformation``, such as ``optax.lion``; or one itself.
        options: defaults of the class's options.

    Raises:
        NotImplementedError: the transformation needs more than gradients (the loss's value), or keeps random keys.

    Example:
        >>> import funcgrad as torch
        >>> import optax
        >>> Lion = torch.optim.from_optax(optax.lion, lr=0.1)
        >>> w = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = Lion([w], weight_decay=0.0)
        >>> (w * 2).sum().backward()
        >>> optimizer.step()
        >>> w, list(optimizer.state[w])
        (tensor([0.9000], requires_grad=True), ['step', 'mu'])
    """
    if not callable(factory):
        transformation = factory
        factory = lambda: transformation  # noqa: E731
    given = {**_defaults(factory), **options}
    probe = {k: 1e-3 if v is inspect.Parameter.empty else v for k, v in given.items()}
    numeric = tuple(k for k, v in probe.items() if isinstance(v, float | Tensor) and _can_vary(factory, probe, k))
    shared = _Adapter(_made(factory, probe)).shared_names()

    class FromOptax(OptaxOptimizer):
        numbers = numeric
        flags = tuple(k for k in given if k not in numeric)

        @staticmethod
        def transformation(h: SimpleNamespace):
            with _precision([h]):
                return _Adapter(_made(factory, {k: _weak(getattr(h, k)) for k in given}))

        def __reduce__(self):
            return _revived, (factory, options, self.__getstate__())

    FromOptax.given, FromOptax.shared = given, shared
    name = getattr(factory, "__name__", "").title().replace("_", "")
    FromOptax.__name__ = FromOptax.__qualname__ = name if name.isidentifier() else "FromOptax"
    FromOptax.__doc__ = f"optax's ``{getattr(factory, '__name__', factory)}`` as an optimizer: see `from_optax`."
    return FromOptax


class OptaxOptimizer(RecordedOptimizer):
    """The base class of what `from_optax` returns.

    Args:
        params: tensors, named tensors or parameter groups.
        options: the options of the optax function.
    """

    switches = ()
    starts_from_options = True
    starts_from_values = True
    probes = _PROBES
    given: dict[str, Any]
    shared: tuple[str, ...]

    def __init__(self, params, lr=inspect.Parameter.empty, **options):
        if lr is not inspect.Parameter.empty:
            options["lr"] = lr
        for name in options:
            if name not in self.given:
                raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {name!r}")
        defaults = {**self.given, **options}
        missing = [k for k, v in defaults.items() if v is inspect.Parameter.empty]
        if missing:
            raise TypeError(f"{type(self).__name__}() missing the option {missing[0]!r}")
        super().__init__(params, defaults)

    def _check_group(self, group, params) -> None:
        if self.shared and len(params) != len(group["params"]):
            raise NotImplementedError(
                f"{type(self).__name__} keeps {', '.join(self.shared)} for all parameters together: each of them must "
                "have a gradient in every step"
            )


def _revived(factory, options, state) -> OptaxOptimizer:
    cls = from_optax(factory, **options)
    optimizer = cls.__new__(cls)
    optimizer.__setstate__(state)
    return optimizer


def to_optax(optimizer: RecordedOptimizer):
    """An optax ``GradientTransformation`` that steps as an optimizer of funcgrad does.

    Its options are those of the optimizer's group at this moment; its state begins anew.

    Args:
        optimizer: any but LBFGS, with one parameter group.

    Example:
        >>> import funcgrad as torch
        >>> import jax.numpy as jnp
        >>> rprop = torch.optim.to_optax(torch.optim.Rprop([torch.zeros(1)], lr=0.5))
        >>> params = {"w": jnp.ones(2)}
        >>> updates, state = rprop.update({"w": jnp.array([3.0, -1.0])}, rprop.init(params), params)
        >>> updates["w"]
        Array([-0.5,  0.5], dtype=float32)
    """
    from funcgrad.optim import _optax as ox

    if not isinstance(optimizer, RecordedOptimizer):
        raise NotImplementedError(f"to_optax: a step of {type(optimizer).__name__} is not a gradient transformation")
    if len(optimizer.param_groups) != 1:
        raise ValueError("to_optax: the optimizer has several parameter groups; combine one each with optax.partition")
    group = optimizer.param_groups[0]
    inner = Rule(optimizer, group, False).transformation(group)

    def init(params):
        with jax.enable_x64(True):
            return inner.init([ox.widened(p) for p in jax.tree.leaves(params)])

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("to_optax: update() needs the parameters")
        gradients, tree = jax.tree.flatten(updates)
        with jax.enable_x64(True):  # hyper-parameters are computed with in float64
            wide = [ox.widened(p) for p in tree.flatten_up_to(params)]
            made, new = inner.update([ox.widened(g) for g in gradients], state, wide)
            made = [ox.narrowed(u, g) for u, g in zip(made, gradients)]
            new = jax.tree.map(lambda s, old: as_array(s, old.dtype), new, state, is_leaf=is_number)
        return tree.unflatten(made), new

    return ox.GradientTransformation(init, update)


class OptaxSchedule(LRScheduler):
    """Sets the learning rates to what an optax schedule gives for the number of steps so far.

    Args:
        optimizer: whose groups are written.
        schedule: an optax schedule: a function of the count that returns the learning rate; or one for each group.
        last_epoch: how far training had come before; -1 for a new run.

    Example:
        >>> import funcgrad as torch
        >>> import optax
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
        >>> scheduler = torch.optim.OptaxSchedule(optimizer, optax.linear_schedule(1.0, 0.0, 4))
        >>> scheduler.get_last_lr()
        [1.0]
    """

    def __init__(self, optimizer, schedule: Callable | list[Callable], last_epoch: int = -1):
        several = isinstance(schedule, list | tuple)
        self.schedules = list(schedule) if several else [schedule] * len(optimizer.param_groups)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """See the class."""
        self._warn_if_asked_directly()
        return [float(schedule(self.last_epoch)) for schedule in self.schedules]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and the schedules."""
        return {k: v for k, v in super().state_dict().items() if k != "schedules"}


# -- an optax transformation as an optimizer's ------------------------------------------------------------------------


def _defaults(factory: Callable) -> dict[str, Any]:
    parameters = inspect.signature(factory).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {"lr" if p.name == "learning_rate" else p.name: p.default for p in named}


def _made(factory: Callable, options: dict[str, Any]):
    takes = inspect.signature(factory).parameters
    return factory(**{"learning_rate" if k == "lr" and k not in takes else k: v for k, v in options.items()})


def _weak(value):
    """A number given at run time, for code that expects Python's: it does not decide a dtype."""
    return jax.lax.convert_element_type(value.value, float) if isinstance(value, Number) else value


def _can_vary(factory: Callable, options: dict[str, Any], name: str) -> bool:
    """Whether an option may be an input of the program: optax's function does not look at its value."""

    def step(value):
        transformation = _made(factory, options | {name: value})
        params = _Parameters([jnp.ones((2, 2))])
        return transformation.update(params, transformation.init(params), params)[0]

    try:
        jax.eval_shape(step, 1e-3)
    except (jax.errors.ConcretizationTypeError, TypeError):
        return False
    return True


def _precision(params):
    """optax's code runs as its users run it: in 64 bits only for parameters that have them."""
    return jax.enable_x64(any(jnp.dtype(p.dtype).itemsize == 8 for p in params))


class _Adapter:
    """An optax transformation with a state of the form that `_optax` describes: a dict of lists, and ``step``."""

    def __init__(self, transformation):
        self.inner = transformation

    def init(self, params) -> dict:
        if any(isinstance(p, jax.ShapeDtypeStruct) for p in params):
            return self._named(jax.eval_shape(self.inner.init, _Parameters(params)), np.zeros((), np.float32))
        with _precision(params):
            return self._named(self.inner.init(_Parameters(params)), jnp.zeros((), jnp.float32))

    def update(self, updates, state: dict, params=None):
        params = _Parameters(params)
        with _precision(params):
            full = self._filled(jax.eval_shape(self.inner.init, params), state)
            made, new = self.inner.update(_Parameters(updates), full, params)
        return list(made), self._named(new, state["step"] + 1)

    def shared_names(self) -> tuple[str, ...]:
        """What the state holds for all parameters together, other than the number of steps.

        Raises:
            NotImplementedError: the transformation cannot be an optimizer.
        """
        params = _Parameters([jax.ShapeDtypeStruct((2, 2), np.float32)] * 2)
        try:
            state = jax.eval_shape(self.inner.init, params)
            jax.eval_shape(self.inner.update, params, state, params)
        except TypeError as e:
            raise NotImplementedError(f"from_optax: this transformation needs more than gradients: {e}") from e
        if any(jnp.issubdtype(x.dtype, jax.dtypes.prng_key) for x in jax.tree.leaves(state)):
            raise NotImplementedError("from_optax: this transformation keeps random keys")
        return tuple(name for name, row in self._named(state, None).items() if name != "step" and len(row) == 1)

    def _parts(self, state) -> tuple[list[tuple[str, Any]], Any]:
        """The state's parts under their own names: `_Parameters`, or something for all parameters."""
        flat, tree = jax.tree_util.tree_flatten_with_path(state, is_leaf=lambda x: isinstance(x, _Parameters))
        named, taken = [], set()
        for path, part in flat:
            fields = [k.name for k in path if isinstance(k, jax.tree_util.GetAttrKey)]
            base = name = fields[-1] if fields else "state"
            while name in taken or name == "step":
                number = int(name.rpartition("_")[2]) + 1 if name != base else 1
                name = f"{base}_{number}"
            taken.add(name)
            named.append((name, part))
        return named, tree

    def _is_count(self, name: str, part) -> bool:
        own = name.partition("_")[0]
        return own in _COUNTS and getattr(part, "shape", None) == () and jnp.issubdtype(part.dtype, jnp.integer)

    def _named(self, state, step) -> dict:
        """The state as a dict: for each name a list of what each parameter has, None where it has nothing."""
        result: dict[str, Any] = {"step": step}
        for name, part in self._parts(state)[0]:
            if self._is_count(name, part):
                continue
            if not isinstance(part, _Parameters):
                result[name] = [part]
                continue
            rows = [_under(name, entry) for entry in part]
            for key in dict.fromkeys(k for row in rows for k in row):
                result[key] = [row.get(key) for row in rows]
        return result

    def _filled(self, skeleton, state: dict):
        parts, tree = self._parts(skeleton)
        filled = []
        for name, part in parts:
            if self._is_count(name, part):
                step = state["step"]
                filled.append((step.value if isinstance(step, Number) else jnp.asarray(step)).astype(part.dtype))
            elif not isinstance(part, _Parameters):
                filled.append(state[name][0].astype(part.dtype))
            else:
                filled.append(_Parameters(self._entry(name, i, entry, state) for i, entry in enumerate(part)))
        return tree.unflatten(filled)

    def _entry(self, name: str, i: int, entry, state: dict):
        leaves = [state[key][i].astype(leaf.dtype) for key, leaf in _under(name, entry).items()]
        return jax.tree.structure(entry).unflatten(leaves)


def _under(name: str, entry) -> dict[str, Any]:
    """What a state has for one parameter: an array, or several that get numbers."""
    leaves, tree = jax.tree.flatten(entry)
    if len(leaves) == 1 and jax.tree_util.treedef_is_leaf(tree):
        return {name: leaves[0]}
    return {f"{name}_{j}": leaf for j, leaf in enumerate(leaves)}


def initial(rule: Rule, group: dict[str, Any], params: list[Tensor]) -> list[dict[str, np.ndarray]]:
    """The states of parameters before their first step, which depend on the parameters' values."""
    from funcgrad.optim._optax import narrowed_numpy, widened

    with jax.enable_x64(True):
        state = rule.transformation(group).init([widened(to_jax(p.detach())) for p in params])
    made: list[dict] = [{} for _ in params]
    for name, row in state.items():
        for entry, p, array in zip(made, params, row if name != "step" else ()):
            if array is not None:
                entry[name] = narrowed_numpy(array, p.shape, p.dtype.numpy)
    return made
