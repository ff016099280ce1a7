"""Run PyTorch's OpInfo samples straight through the array functions of `funcgrad.ops`, with no engine between.

usage: python tests/direct.py [--ops REGEX] [--dtype float32] [--max 40] [--jit] [--no-grad] [--second]

Values, shapes and dtypes must be PyTorch's, and so must `jax.vjp`'s gradients; `--second` also compares second
derivatives, `--jit` runs each function under `jax.jit` with its numbers as run-time inputs.
"""

import argparse
import re
import signal
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

from funcgrad import _dtypes, ops

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("--ops", default=".")
parser.add_argument("--dtype", default="float32")
parser.add_argument("--max", type=int, default=40)
parser.add_argument("--jit", action="store_true")
parser.add_argument("--no-grad", action="store_true")
parser.add_argument("--second", action="store_true")
parser.add_argument("--errors", action="store_true")
parser.add_argument("-v", action="store_true", help="every failing sample, not only the first of an op")
WEIGHT_FIRST = ("embedding", "embedding_bag")  # OpInfo samples begin with what is differentiated
TOLERANCE = {"float64": (1e-6, 1e-7), "float32": (2e-4, 2e-4), "float16": (2e-2, 2e-2), "bfloat16": (6e-2, 6e-2)}


def to_jax(x):
    if isinstance(x, torch.Tensor):
        x = x.detach().resolve_conj().resolve_neg()
        if x.dtype == torch.bfloat16:
            return jnp.asarray(x.float().numpy()).astype(jnp.bfloat16)
        return jnp.asarray(x.numpy(force=True).copy())
    if isinstance(x, torch.dtype):
        return _dtypes._by_name(str(x).split(".")[1])
    if isinstance(x, torch.Size):
        return tuple(x)
    if isinstance(x, torch.memory_format | torch.device | torch.layout):
        return str(x)
    if isinstance(x, list | tuple):
        return type(x)(*map(to_jax, x)) if hasattr(x, "_fields") else type(x)(map(to_jax, x))
    return {k: to_jax(v) for k, v in x.items()} if isinstance(x, dict) else x


def flat(x):
    if isinstance(x, list | tuple):
        return [y for v in x for y in flat(v)]
    # Keys in order, as `jax.tree.flatten` takes them.
    return [y for k in sorted(x) for y in flat(x[k])] if isinstance(x, dict) else [x]


def is_tensor(x):
    return isinstance(x, torch.Tensor)


def compare(got, want, what, dtype):
    if not is_tensor(want):
        assert got == want or (got != got and want != want), f"{what}: {got} != {want}"
        return
    assert tuple(got.shape) == tuple(want.shape), f"{what}: shape {tuple(got.shape)} != {tuple(want.shape)}"
    name = _dtypes.to_dtype(got.dtype).name
    assert name == str(want.dtype).split(".")[1], f"{what}: dtype {name} != {want.dtype}"
    x, y = np.asarray(got), np.asarray(to_jax(want))
    if x.dtype.name == "bfloat16":
        x, y = x.astype("f"), y.astype("f")
    rtol, atol = TOLERANCE.get(dtype, (0, 0)) if x.dtype.kind in "fc" else (0, 0)
    finite = np.abs(y[np.isfinite(y)]) if y.size else y
    scale = max(1.0, float(finite.max()) if finite.size else 1.0)
    np.testing.assert_allclose(x, y, rtol=rtol, atol=atol * scale, equal_nan=True, err_msg=what)


def run(op, function, sample, options):
    args, kwargs = [sample.input, *sample.args], dict(sample.kwargs)
    want = flat(op(*args, **kwargs))
    jargs, jkwargs = to_jax(args), to_jax(kwargs)
    got = flat(function(*jargs, **jkwargs))
    assert len(got) == len(want), f"{len(got)} outputs, PyTorch gives {len(want)}"
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        compare(g, w, f"output {i}", options.dtype)
    if not options.no_grad and op.supports_autograd:
        compare_gradients(op, function, (args, kwargs), (jargs, jkwargs), want, options)


def compare_gradients(op, function, torch_call, jax_call, want, options):
    leaves, tree = jax.tree.flatten(jax_call)
    torch_leaves = [t for t in flat(list(torch_call)) if t is not None]
    at = [i for i, t in enumerate(torch_leaves) if is_tensor(t) and t.requires_grad]
    kept = [i for i, w in enumerate(want) if is_tensor(w) and w.requires_grad and not w.is_complex()]
    if not at or not kept or len(torch_leaves) != len(leaves):
        return

    def pure(*xs):
        values = list(leaves)
        for i, x in zip(at, xs, strict=True):
            values[i] = x
        args, kwargs = jax.tree.unflatten(tree, values)
        out = flat(function(*args, **kwargs))
        return [out[i] for i in kept]

    rng = np.random.RandomState(7)
    cotangents = [rng.randn(*want[i].shape) for i in kept]
    tcts = [torch.from_numpy(np.asarray(c)).to(want[i].dtype) for c, i in zip(cotangents, kept, strict=True)]
    tins = [torch_leaves[i] for i in at]
    tgrads = torch.autograd.grad([want[i] for i in kept], tins, tcts, allow_unused=True)
    outs, pullback = jax.vjp(pure, *[leaves[i] for i in at])
    grads = pullback([jnp.asarray(c).astype(o.dtype) for c, o in zip(cotangents, outs, strict=True)])
    for i, (g, w) in enumerate(zip(grads, tgrads, strict=True)):
        compare(g, torch.zeros_like(tins[i]) if w is None else w, f"gradient {i}", options.dtype)


def find(name):
    """The array function for an OpInfo name: `linalg.x`, `fft.x`, `special.x`, `nn.functional.x` or `x`."""
    namespace, _, last = name.rpartition(".")
    families = ops.NAMESPACES.get(namespace, ())
    for family in families:
        function = family.__dict__.get(last)
        if callable(function):
            return _swapped(function) if last in WEIGHT_FIRST else function
    return None


def _swapped(function):
    return lambda weight, indices, *args, **kwargs: function(indices, weight, *args, **kwargs)


def main():
    options = parser.parse_args()
    passed = total = 0

    def alarm(*_):
        raise TimeoutError("60 s")

    signal.signal(signal.SIGALRM, alarm)
    jax.config.update("jax_enable_x64", True)
    for op in op_db:
        if not re.search(options.ops, op.full_name):
            continue
        function = find(op.name) or find(op.aten_name)
        torch_dtype = getattr(torch, options.dtype)
        if torch_dtype not in op.dtypes:
            torch_dtype = torch.int64 if torch.int64 in op.dtypes else torch.bool
            if torch_dtype not in op.dtypes:
                continue
        total += 1
        if function is None:
            print(f"{op.full_name:40s} missing")
            continue
        grad = torch_dtype.is_floating_point and op.supports_autograd and not options.no_grad
        torch.manual_seed(0)
        np.random.seed(0)
        failures, count = [], 0
        signal.alarm(60)
        try:
            for sample in op.sample_inputs("cpu", torch_dtype, requires_grad=grad):
                if count >= options.max:
                    break
                count += 1
                try:
                    run(op, function, sample, options)
                except TimeoutError:
                    raise
                except Exception as e:
                    failures.append(f"{sample.summary()[:150]}\n      {type(e).__name__}: {str(e).strip()[:300]}")
        except Exception as e:
            failures.append(f"{type(e).__name__}: {e}")
        finally:
            signal.alarm(0)
        passed += not failures
        for failure in failures if options.v else failures[:1]:
            print(f"{op.full_name:40s} {len(failures)}/{count}  {failure}")
    print(f"OPS {passed}/{total}")


if __name__ == "__main__":
    sys.exit(main())
