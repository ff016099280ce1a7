"""Users' Functions under transforms: vmap, forward mode, and JAX's own transformations.

See https://docs.pytorch.org/docs/stable/notes/extending.func.html.
"""

from __future__ import annotations

from typing import NamedTuple

import jax

from funcgrad import _dtypes, _operators
from funcgrad._facade._interop import from_jax
from funcgrad._tensor import Tensor, wrap
from funcgrad.autograd import _levels
from funcgrad.autograd._vmap import vmap
from funcgrad.engine.nested import Batch
from funcgrad.engine.state import Program, state

_MORE = " For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
NO_SETUP = (
    "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
    "setup_context staticmethod." + _MORE
)
NO_JVP = "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told: the number of examples, and what `vmap` does about randomness."""

    batch_size: int
    randomness: str


def transformed() -> bool:
    """Whether a transform of ``torch.func`` is being applied."""
    return isinstance(state.program.nested, Batch) or _levels.functional()


# -- vmap -------------------------------------------------------------------------------------------------------------


def batch_over(args) -> Batch | None:
    """The batch being recorded, if some argument differs from example to example."""
    batch = state.program.nested
    if isinstance(batch, Batch) and any(isinstance(a, Tensor) and batch.varies(a._read()) for a in args):
        return batch
    return None


def differentiated_inside(batch: Batch, args) -> bool:
    """Whether a level that was opened inside the batch differentiates an argument: its gradient is taken there."""
    return any(level.reached_by(a) for level in _levels.inside(batch.program) for a in args if isinstance(a, Tensor))


def apply_batched(cls, has_vmap: bool, batch: Batch, args):
    """Apply the Function to all examples at once: by its own `vmap`, or by one made of its forward and backward."""
    name = cls.__name__
    if cls.generate_vmap_rule and has_vmap:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an overridden vmap staticmethod. "
            "Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid ambiguity." + _MORE
        )
    if not (cls.generate_vmap_rule or has_vmap):
        raise RuntimeError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override and implement the vmap "
            "staticmethod or set generate_vmap_rule=True." + _MORE
        )
    lowered = [batch.lowered(a._read()) if isinstance(a, Tensor) else (None, None) for a in args]
    in_dims = tuple(dim for _, dim in lowered)
    with batch.outside():
        outer = [wrap(v) if isinstance(a, Tensor) else a for a, (v, _) in zip(args, lowered)]
        if has_vmap:
            made = cls.vmap(VmapInfo(batch.size, batch.randomness), in_dims, *outer)
            if not (isinstance(made, tuple) and len(made) == 2):
                raise RuntimeError(
                    f"Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure "
                    f"compatible with the output. Got {made}."
                )
            out, dims = made
        else:
            out, dims = _generated(cls, in_dims, batch)(*outer), 0
        single = isinstance(out, Tensor)
        outs = [out] if single else list(out)
        dims = [dims] * len(outs) if isinstance(dims, int) or dims is None else list(dims)
        values = [o._read() for o in outs]
        dims = [d if d is None else d % o.dim() for o, d in zip(outs, dims)]
    made = [wrap(v if d is None else batch.example(v, d)) for v, d in zip(values, dims)]
    return made[0] if single else tuple(made)


def _generated(cls, in_dims: tuple, batch: Batch):
    """A Function of the whole batch: forward and backward of `cls` under vmap."""
    from funcgrad.autograd.function import Function, FunctionCtx

    options = {"randomness": batch.randomness}

    def example(ctx, args):
        if "_for_all_examples" in vars(cls):
            return cls.forward(ctx, *args)
        out = cls.forward(*args)
        cls.setup_context(ctx, args, out)
        return out

    class Batched(Function):
        _for_all_examples = True
        generate_vmap_rule = True

        @staticmethod
        def forward(ctx, *args):
            inner = ctx.inner = object.__new__(FunctionCtx)
            inner.needs_input_grad = ctx.needs_input_grad

            def run(*args):
                out = example(inner, args)
                outs = [out] if isinstance(out, Tensor) else list(out)
                skip = {id(t) for t in inner._non_differentiable}
                ctx.single, ctx.constant = isinstance(out, Tensor), [i for i, t in enumerate(outs) if id(t) in skip]
                ctx.saved = [t is not None for t in inner._to_save]
                return outs, [t for t in inner._to_save if t is not None]

            outs, saved = vmap(run, in_dims, **options)(*args)
            ctx.save_for_backward(*saved)
            ctx.set_materialize_grads(inner._materialize)
            ctx.mark_non_differentiable(*[outs[i] for i in ctx.constant])
            return outs[0] if ctx.single else tuple(outs)

        @staticmethod
        def backward(ctx, *grads):
            present = [g is not None for g in grads]
            chosen: list = []

            def run(saved, given):
                inner, saved, given = ctx.inner, iter(saved), iter(given)
                inner._to_save = tuple(next(saved) if has else None for has in ctx.saved)
                found = cls.backward(inner, *[next(given) if has else None for has in present])
                found = list(found) if isinstance(found, tuple | list) else [found]
                chosen[:] = [i for i, g in enumerate(found) if g is not None]
                ctx.count = len(found)
                return [found[i] for i in chosen]

            made = vmap(run, **options)(list(ctx.saved_tensors), [g for g in grads if g is not None])
            result = [None] * ctx.count
            for i, g in zip(chosen, made):
                # An argument that all examples share gets the sum of their gradients.
                result[i] = g.sum(0) if in_dims[i] is None else g.movedim(0, in_dims[i])
            return tuple(result)

    Batched.__name__ = Batched.__qualname__ = cls.__name__ + "Batched"
    return Batched.apply


# -- forward mode -----------------------------------------------------------------------------------------------------


def push_forward(cls, has_jvp: bool, has_backward: bool, ctx, args, results):
    """Let the Function's own `jvp` carry the tangents of its arguments to its results."""
    for level in _levels.forward_levels():
        reached = [isinstance(a, Tensor) and level.reached_by(a) for a in args]
        if not any(reached):
            continue
        if not has_jvp:
            raise NotImplementedError(NO_JVP)
        tangents = [
            level.tangent(a) if reach else _levels.zeros(a) if ctx._materialize and _inexact(a) else None
            for a, reach in zip(args, reached)
        ]
        made = cls.jvp(ctx, *tangents)
        single = isinstance(results, Tensor)
        outs, made = ([results], [made] if isinstance(made, Tensor) else list(made)) if single else (results, made)
        duals = []
        for out, tangent in zip(outs, made):
            if tangent is not None and _inexact(out):
                if has_backward and level.reached_by(out):  # what reaches `out` through its backward counts already
                    tangent = tangent - level.tangent(out)
                out = level.dual(out if has_backward else out.detach(), tangent)
            duals.append(out)
        results = duals[0] if single else type(results)(duals) if isinstance(results, list) else tuple(duals)
    return results


def _inexact(x) -> bool:
    return isinstance(x, Tensor) and x.dtype.category >= _dtypes.FLOATING


# -- JAX's transformations --------------------------------------------------------------------------------------------


def traced(args) -> bool:
    """Whether some argument is a tracer of a JAX transformation."""
    if state.program.nested is not None:
        return False
    values = [a._read() for a in args if isinstance(a, Tensor)]
    if state.program.traced and any(v.array is None for v in values):
        values = [a for a in args if isinstance(a, Tensor) and a._array() is not None]
        values = [a._read() for a in values]
    return any(isinstance(v.array, jax.core.Tracer) for v in values)


def apply_traced(cls, forward, args):
    """The Function as a ``jax.custom_vjp``: JAX calls its backward.

    Args:
        forward: ``(ctx, args) -> results``, the user's forward with `ctx` set up.
    """
    places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    shape: dict = {}

    def on_tensors(arrays):
        given = list(args)
        for i, array in zip(places, arrays):
            given[i] = from_jax(array)
        return given

    def run(arrays):
        with _OwnProgram():
            given = on_tensors(arrays)
            ctx = shape["ctx"] = object.__new__(cls._context())
            ctx.needs_input_grad = tuple(_inexact(a) for a in given)
            results = forward(ctx, given)
            shape["single"] = isinstance(results, Tensor)
            outs = [results] if shape["single"] else list(results)
            shape["fixed"] = [None if isinstance(o, Tensor) else o for o in outs]
            shape["tensor"] = [isinstance(o, Tensor) for o in outs]
            saved = [None if t is None else t._array() for t in ctx._to_save]
            return [o._array() for o in outs if isinstance(o, Tensor)], saved

    @jax.custom_vjp
    def function(*arrays):
        return run(arrays)[0]

    def pull(saved, cotangents):
        with _OwnProgram():
            ctx = shape["ctx"]
            ctx._to_save = tuple(None if a is None else from_jax(a) for a in saved)
            given = iter(cotangents)
            grads = [from_jax(next(given)) if is_tensor else None for is_tensor in shape["tensor"]]
            made = cls.backward(ctx, *grads)
            made = made if isinstance(made, tuple | list) else (made,)
            return tuple(_cotangent(args[i], made[i]) for i in places)

    function.defvjp(lambda *arrays: run(arrays), pull)
    arrays = iter(function(*[args[i]._array() for i in places]))
    outs = [from_jax(next(arrays)) if is_tensor else x for is_tensor, x in zip(shape["tensor"], shape["fixed"])]
    return outs[0] if shape["single"] else tuple(outs)


def _cotangent(like: Tensor, grad):
    if not _inexact(like):
        return None
    grad = _operators.call("zeros_like", like.detach()) if grad is None else grad.to(like.dtype)
    return grad._array()


class _OwnProgram:
    """A pending program for one trace alone: its tracers must not get into another one's."""

    def __enter__(self) -> None:
        self.before = state.program
        state.program = Program()
        state.program.traced = True

    def __exit__(self, *exc) -> None:
        state.program = self.before
