"""The optimizers' arithmetic: optax's transformations, adapted to PyTorch's state and hyper-parameters.

This is the only file that imports optax. Those that optax lacks or defines differently are in ``_transforms_*.py``.

The state of every transformation here is a dict under PyTorch's names: ``{"step": count, "exp_avg": [...]}``; ``step``
is how often it was applied before. A hyper-parameter is a Python number, an array, or (in a recorded step) a `Number`,
an input of the compiled program; None where it is switched off.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from funcgrad import _dtypes
from funcgrad.ops._number import Number, as_array

GradientTransformation = optax.GradientTransformation
identity = optax.identity
chain = optax.chain


def zeros(p):
    """Zeros like a parameter."""
    return full(p, 0)


def full(p, value, shape=None):
    """An array like a parameter, filled with one value; NumPy's for a mere description of one."""
    shape = p.shape if shape is None else shape
    if isinstance(p, jax.ShapeDtypeStruct):
        return np.full(shape, value, p.dtype)
    return jnp.full(shape, cast(value, p.dtype))


def scalar(p, value):
    """A zero-dimensional state, of the dtype that PyTorch gives those."""
    dtype = _dtypes.default_dtype().numpy
    return np.array(value, dtype) if isinstance(p, jax.ShapeDtypeStruct) else cast(value, dtype)


def count(params):
    """The number of steps so far, as a state begins with it."""
    described = any(isinstance(p, jax.ShapeDtypeStruct) for p in jax.tree.leaves(params))
    return np.zeros((), np.float32) if described else jnp.zeros((), jnp.float32)


def adapted(transformation, state_type, counted: str | None = None, **names: str):
    """An optax transformation whose state is a dict under PyTorch's names.

    Args:
        state_type: its state's class.
        counted: the field that counts the steps.
        names: PyTorch's name for each of its other fields, which are all zeros at first.
    """

    def init(params):
        state = {"step": count(params)} if counted else {}
        return state | {name: jax.tree.map(zeros, params) for name in names}

    def update(updates, state, params=None):
        fields = {field: state[name] for name, field in names.items()}
        if counted:
            fields[counted] = as_array(state["step"])
        updates, new = transformation.update(updates, state_type(**fields), params)
        made = {name: getattr(new, field) for name, field in names.items()}
        return updates, ({"step": state["step"] + 1} if counted else {}) | made

    return GradientTransformation(init, update)


# -- what the optimizers are made of ----------------------------------------------------------------------------------


def ascend(maximize: bool):
    r""":math:`g \leftarrow -g`: climb instead of descending. It comes first: a decay still shrinks."""
    return optax.scale(-1) if maximize else identity()


def decayed(weight_decay):
    r""":math:`g \leftarrow g + \lambda p`: before the moments an L2 penalty, after them a decoupled decay."""
    return identity() if weight_decay is None else optax.add_decayed_weights(weight_decay)


def scale_by_learning_rate(lr):
    r""":math:`u \leftarrow -\gamma u`."""
    return optax.scale_by_learning_rate(lr)


def descend():
    r""":math:`u \leftarrow -u`, for an update that has its learning rate already."""
    return optax.scale(-1)


def momentum(decay, nesterov: bool = False, name: str = "momentum_buffer"):
    r""":math:`b \leftarrow \mu b + g`, giving :math:`b` or (Nesterov) :math:`g + \mu b`."""
    if decay is None:
        return identity()
    return adapted(optax.trace(decay, nesterov), optax.TraceState, **{name: "trace"})


def scale_by_adam(betas, eps):
    r""":math:`\hat m / (\sqrt{\hat v} + \epsilon)` with bias-corrected moments."""
    inner = optax.scale_by_adam(betas[0], betas[1], eps)
    return adapted(inner, optax.ScaleByAdamState, "count", exp_avg="mu", exp_avg_sq="nu")


def scale_by_rms(alpha, eps, centered: bool):
    r""":math:`g / (\sqrt{v} + \epsilon)`, with :math:`v - \bar g^2` for :math:`v` if `centered`.

    The epsilon stands outside the root, which is not optax's default (google-deepmind/optax#532).
    """
    if centered:
        inner = optax.scale_by_stddev(alpha, eps, eps_in_sqrt=False)
        return adapted(inner, optax.ScaleByRStdDevState, square_avg="nu", grad_avg="mu")
    return adapted(optax.scale_by_rms(alpha, eps, eps_in_sqrt=False), optax.ScaleByRmsState, square_avg="nu")


def scale_by_adamax(betas, eps):
    r""":math:`\hat m / u` with :math:`u \leftarrow \max(\beta_2 u, |g| + \epsilon)`."""
    inner = optax.scale_by_adamax(betas[0], betas[1], eps)
    return adapted(inner, optax.ScaleByAdamState, "count", exp_avg="mu", exp_inf="nu")


def scale_by_adadelta(rho, eps):
    r""":math:`\sqrt{x + \epsilon} / \sqrt{v + \epsilon} \; g`, with :math:`x` the average of these squared."""
    return adapted(optax.scale_by_adadelta(rho, eps), optax.ScaleByAdaDeltaState, square_avg="e_g", acc_delta="e_x")


# -- between PyTorch's arrays and those the arithmetic is done on -----------------------------------------------------

_NARROW = (jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float16))


def as_number(x):
    """A hyper-parameter given as a tensor, for arithmetic in which it does not decide the dtype."""
    return Number(jnp.reshape(x, ()).astype(jnp.float64), float)


def widened(x):
    """The array that is computed with: complex ones as pairs of reals, narrow floats as float32.

    PyTorch too takes complex parameters apart (``view_as_real``), and its fused kernels compute so in float32.
    """
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        return jnp.stack([x.real, x.imag], -1)
    return x.astype(jnp.float32) if x.dtype in _NARROW else x


def narrowed(x, like):
    """The inverse of `widened`, for an array of the dtype of `like`."""
    if jnp.issubdtype(like.dtype, jnp.complexfloating) and not jnp.issubdtype(x.dtype, jnp.complexfloating):
        return jax.lax.complex(x[..., 0], x[..., 1])
    return x.astype(like.dtype)


def widened_struct(shape, dtype):
    """The description of what `widened` returns."""
    if np.issubdtype(dtype, np.complexfloating):
        return jax.ShapeDtypeStruct((*shape, 2), np.dtype(f"f{np.dtype(dtype).itemsize // 2}"))
    return jax.ShapeDtypeStruct(tuple(shape), np.float32 if np.dtype(dtype) in _NARROW else dtype)


def narrowed_numpy(array, shape, dtype):
    """A state's first value, computed for `widened_struct(shape, dtype)`, as PyTorch shapes it."""
    array = np.asarray(array)
    if np.issubdtype(dtype, np.complexfloating) and array.shape == (*shape, 2):
        return (array[..., 0] + 1j * array[..., 1]).astype(dtype)
    return array.astype(dtype) if np.dtype(dtype) in _NARROW and array.ndim else array


# -- for transformations that optax lacks -----------------------------------------------------------------------------


def per_parameter(update, **initial):
    """A transformation that treats each parameter on its own.

    Args:
        update: ``(g, p, t, *state) -> (update, *state)``; ``t`` counts the steps, this one included.
        initial: the names of the state's arrays, and their first value: a number, or a function of the parameter.
    """

    def init(params):
        makers = {k: v if callable(v) else lambda p, v=v: full(p, v) for k, v in initial.items()}
        return {"step": count(params), **{k: jax.tree.map(make, params) for k, make in makers.items()}}

    def update_all(updates, state, params=None):
        t = state["step"] + 1
        gradients, tree = jax.tree.flatten(updates)
        values = [tree.flatten_up_to(state[name]) for name in initial]
        parameters = [None] * len(gradients) if params is None else tree.flatten_up_to(params)
        made = [update(g, p, t, *s) for g, p, *s in zip(gradients, parameters, *values)]
        columns = [tree.unflatten([m[i] for m in made]) for i in range(1 + len(initial))]
        return columns[0], {"step": t, **dict(zip(initial, columns[1:]))}

    return GradientTransformation(init, update_all)


def cast(x, dtype):
    """A hyper-parameter as an array of this dtype."""
    return x.value.astype(dtype) if isinstance(x, Number) else jnp.asarray(x, dtype)


def where(condition, x, y):
    """`x` or `y`, hyper-parameters, by an array."""
    if isinstance(x, Number) or isinstance(y, Number):
        return Number(jnp.where(condition, as_array(x), as_array(y)), float)
    return jnp.where(condition, x, y)
