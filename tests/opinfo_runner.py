"""PyTorch's OpInfo samples through funcgrad: values, shapes, dtypes, gradients, second derivatives, errors and forms.

usage: python tests/opinfo_runner.py [--ops REGEX] [--dtype float32] [--max 40] [--checks values,second,forms,...] [-v]
Each check raises AssertionError with the reason; `test_opinfo.py` runs them as tests.
"""

from __future__ import annotations

import argparse
import re
import signal
import types
import warnings
import zlib
from functools import partial

import jax
import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import funcgrad
from funcgrad.engine.explain import compiles
from funcgrad.engine.record import Override  # noqa: F401  (part of what a failing op may raise)

RANDOM = re.compile(
    r"^(bernoulli|multinomial|normal|rand.*|.*dropout.*|uniform|cauchy|exponential|geometric|log_normal|empty.*"
    r"|new_empty.*|nn\.functional\.(rrelu|gumbel.*)|.*pca_lowrank|.*svd_lowrank)$"
)
"""Values are random, or memory as it was found."""
STORAGE = re.compile(r"^(resize_.*|set_|as_strided.*|item|_.*|torch\.ops.*|jiterator.*|.*sparse.*)$")
"""Not a function of values; private; PyTorch's kernels by their own names; sparse layouts."""
TOLERANCE = {"float64": (1e-6, 1e-7), "float32": (2e-4, 2e-4), "float16": (2e-2, 2e-2), "bfloat16": (6e-2, 6e-2),
             "complex64": (2e-4, 2e-4), "complex128": (1e-6, 1e-7)}  # fmt: skip
SHAPED_BY_VALUES = {
    "nonzero", "argwhere", "unique", "unique_consecutive", "bincount", "masked_select", "repeat_interleave",
    "nn.functional.one_hot", "masked.median", "tensor_split", "histogram", "histogramdd",
}  # fmt: skip
"""The shape of their result, or the result itself, takes values: they cannot be part of a `jax.jit`."""
OPS = {op.full_name: op for op in op_db if not RANDOM.match(op.name) and not STORAGE.match(op.name)}


# -- from PyTorch to funcgrad -----------------------------------------------------------------------------------------


def function_of(op):
    """funcgrad's function for an OpInfo entry."""
    if isinstance(op.op, types.FunctionType) and op.op.__module__.startswith("torch.testing"):
        f = op.op  # a lambda around torch.x: the same code, with another torch
        around = {**f.__globals__, "torch": funcgrad, "wrapper_set_seed": _seeded}
        made = types.FunctionType(f.__code__, around, "f", f.__defaults__, f.__closure__)
        made.__kwdefaults__ = f.__kwdefaults__
        return made
    for path in (op.name, op.aten_name, f"Tensor.{op.name}"):
        found = funcgrad
        for part in path.split("."):
            found = getattr(found, part, None)
        if callable(found):
            return found
    raise NotImplementedError(f"torch.{op.name}")


def _seeded(op, *args, **kwargs):
    """What `wrapper_set_seed` of PyTorch's tests does, with funcgrad's generator."""
    funcgrad.manual_seed(42)
    return op(*args, **kwargs)


def ours(x, memo: dict):
    """`x` with funcgrad's tensors, dtypes and devices in place of PyTorch's; `memo` keeps what was converted."""
    if isinstance(x, torch.Tensor):
        if id(x) not in memo:
            memo[id(x)] = (tensor_from(x), x)
        return memo[id(x)][0]
    if isinstance(x, torch.dtype | torch.memory_format | torch.layout):
        return getattr(funcgrad, str(x).split(".")[1])
    if isinstance(x, torch.device):
        return funcgrad.device(str(x))
    if isinstance(x, torch.Size):
        return funcgrad.Size(x)
    if isinstance(x, list | tuple):
        made = [ours(v, memo) for v in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return {k: ours(v, memo) for k, v in x.items()} if isinstance(x, dict) else x


def tensor_from(x: torch.Tensor):
    plain = x.detach().resolve_conj().resolve_neg().contiguous()
    if x.dtype == torch.bfloat16:
        made = funcgrad.from_numpy(plain.float().numpy()).to(funcgrad.bfloat16)
    else:
        made = funcgrad.from_numpy(plain.numpy(force=True).copy())
    return made.requires_grad_() if x.requires_grad else made


def leaves(x) -> list:
    """The tensors, numbers and None of a nested result, in order."""
    if isinstance(x, list | tuple):
        return [y for v in x for y in leaves(v)]
    if isinstance(x, dict):
        return [y for v in x.values() for y in leaves(v)]
    return [x]


def host(t) -> np.ndarray:
    if isinstance(t, torch.Tensor):
        t = t.detach().resolve_conj().resolve_neg()
        return (t.float() if t.dtype == torch.bfloat16 else t).numpy(force=True)
    t = t.detach()
    return (t.float() if t.dtype is funcgrad.bfloat16 else t).numpy()


def dtype_name(t) -> str:
    return str(t.dtype).split(".")[-1]


def same(got, want, what: str, computed_in: str = "") -> None:
    """Value, shape and dtype agree, to the precision of `computed_in` (or the dtype)."""
    if not isinstance(want, torch.Tensor | funcgrad.Tensor):
        assert not isinstance(got, funcgrad.Tensor), f"{what}: a tensor, not {want!r}"
        ok = got is want or got == want or (isinstance(want, float) and np.allclose(got, want, 1e-4, 1e-5, True))
        assert ok or str(got) == str(want), f"{what}: {got!r} != {want!r}"
        return
    assert tuple(got.shape) == tuple(want.shape), f"{what}: shape {tuple(got.shape)} != {tuple(want.shape)}"
    assert dtype_name(got) == dtype_name(want), f"{what}: dtype {dtype_name(got)} != {dtype_name(want)}"
    x, y = host(got), host(want)
    rtol, atol = max(TOLERANCE.get(name, (0, 0)) for name in (dtype_name(want), computed_in))
    finite = np.abs(y[np.isfinite(y)]) if y.size and x.dtype.kind in "fc" else np.zeros(0)
    scale = max(1.0, float(finite.max(initial=0)))
    np.testing.assert_allclose(x, y, rtol=rtol, atol=atol * scale, equal_nan=True, err_msg=what)


class Case:
    """One sample of one op, with its arguments for both libraries."""

    def __init__(self, op, sample):
        self.op = op
        self.function = function_of(op)
        self.args, self.kwargs = [sample.input, *sample.args], dict(sample.kwargs)
        self.memo: dict = {}
        self.our_args, self.our_kwargs = ours(self.args, self.memo), ours(self.kwargs, self.memo)

    def results(self) -> tuple[list, list]:
        """What both libraries give, drawing from generators of the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            want = leaves(self.op(*self.args, **self.kwargs))
        funcgrad.manual_seed(1)
        got = leaves(self.function(*self.our_args, **self.our_kwargs))
        assert len(got) == len(want), f"{len(got)} results, PyTorch gives {len(want)}"
        return got, want

    @property
    def inputs(self) -> list[tuple]:
        """(ours, PyTorch's) of every tensor that requires grad."""
        return [(t, x) for t, x in self.memo.values() if x.requires_grad and x.is_leaf]


# -- the checks -------------------------------------------------------------------------------------------------------


def check_values(case: Case) -> None:
    """Results and first derivatives agree, and so does whether results require grad."""
    got, want = case.results()
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        same(g, w, f"result {i}")
        if isinstance(w, torch.Tensor):
            assert g.requires_grad == w.requires_grad, f"result {i}: requires_grad is {g.requires_grad}"
    if case.op.supports_autograd:
        gradients(case, got, want, second=False)


def check_second(case: Case) -> None:
    """Second derivatives agree."""
    gradients(case, *case.results(), second=True)


def _differentiable(got: list, want: list) -> list[tuple]:
    return [(g, w) for g, w in zip(got, want) if isinstance(w, torch.Tensor) and w.requires_grad]


def _cotangents(want: list, seed: int) -> list[np.ndarray]:
    rng = np.random.RandomState(seed)
    made = []
    for w in want:
        made.append(rng.randn(*w.shape))
        if w.is_complex():
            made[-1] = made[-1] + 1j * rng.randn(*w.shape)
    return made


def _grad(library, outs, ins, cotangents, **options):
    given = [library.from_numpy(np.asarray(c)).to(o.dtype) for c, o in zip(cotangents, outs)]
    return library.autograd.grad(outs, ins, given, allow_unused=True, **options)


def gradients(case: Case, got: list, want: list, second: bool) -> None:
    """Compare the gradients of random combinations of the results; with `second`, of the first gradients again."""
    pairs, ins = _differentiable(got, want), case.inputs
    if not pairs or not ins:
        return
    for order in (1, 2) if second else (1,):
        cotangents = _cotangents([w for _, w in pairs], 6 + order)
        more = {"create_graph": True} if second and order == 1 else {}
        wanted = _grad(torch, [w for _, w in pairs], [x for _, x in ins], cotangents, **more)
        given = _grad(funcgrad, [g for g, _ in pairs], [t for t, _ in ins], cotangents, **more)
        for i, (g, w) in enumerate(zip(given, wanted, strict=True)):
            what = f"gradient {i} of order {order}"
            if g is None or w is None:  # zeros and None are the same thing said differently
                rest = w if g is None else g
                assert rest is None or not np.any(host(rest)), f"{what}: None on one side only"
            else:
                same(g, w, what)
        pairs = [
            (g, w) for g, w in zip(given, wanted)
            if g is not None and w is not None and w.requires_grad and g.requires_grad
        ]  # fmt: skip
        if not pairs:
            return


def check_forms(case: Case) -> None:
    """The method, in-place and ``out=`` forms agree with the function."""
    op = case.op
    want = leaves(case.function(*case.our_args, **case.our_kwargs))
    name = op.name.split(".")[-1]
    if op.method_variant is not None and isinstance(case.our_args[0], funcgrad.Tensor):
        got = leaves(getattr(funcgrad.Tensor, name)(*case.our_args, **case.our_kwargs))
        for g, w in zip(got, want, strict=True):
            same(g, w, "method")
    in_place = getattr(op.inplace_variant, "__name__", "<lambda>")
    if in_place != "<lambda>" and isinstance(case.args[0], torch.Tensor):
        _check_inplace(case)
    if op.supports_out and all(isinstance(w, funcgrad.Tensor) for w in want):
        _check_out(case, want)


def _outcome(call):
    try:
        return call(), None
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as e:
        return None, e


def _check_inplace(case: Case) -> None:
    with torch.no_grad(), funcgrad.no_grad():
        base, our_base = case.args[0].clone(), case.our_args[0].clone()
        want, error = _outcome(lambda: case.op.inplace_variant(base, *case.args[1:], **case.kwargs))
        name = case.op.inplace_variant.__name__
        form = getattr(funcgrad.Tensor, name)
        got, our_error = _outcome(lambda: form(our_base, *case.our_args[1:], **case.our_kwargs))
    assert (error is None) == (our_error is None), f"{name}: {our_error!r}, PyTorch {error!r}"
    if error is None:
        assert got is our_base, f"{name} returns another tensor"
        same(got, want, name)
    else:
        assert type(error).__mro__[-3:] == type(our_error).__mro__[-3:], f"{name}: {our_error!r}, PyTorch {error!r}"


def _check_out(case: Case, want: list) -> None:
    outs = tuple(torch.empty(tuple(w.shape), dtype=getattr(torch, dtype_name(w))) for w in want)
    with torch.no_grad():
        _, error = _outcome(lambda: case.op(*case.args, **case.kwargs, out=outs if len(outs) > 1 else outs[0]))
    if error is not None:  # this overload has none
        return
    outs = tuple(funcgrad.empty(tuple(w.shape), dtype=w.dtype) for w in want)
    with funcgrad.no_grad():
        got = case.function(*case.our_args, **case.our_kwargs, out=outs if len(outs) > 1 else outs[0])
    for g, o, w in zip(leaves(got), outs, want, strict=True):
        assert g is o, "out= returns another tensor"
        same(o, w, "out=")
    for dtype in ("float64", "int64", "bool") if "." not in case.op.name else ():
        _check_out_dtype(case, want, dtype)


def _check_out_dtype(case: Case, want: list, dtype: str) -> None:
    """An `out` of another dtype is written to or refused as in PyTorch."""
    results = []
    for library, run, args, kwargs in (
        (torch, case.op, case.args, case.kwargs), (funcgrad, case.function, case.our_args, case.our_kwargs)
    ):  # fmt: skip
        outs = [library.zeros(tuple(w.shape), dtype=getattr(library, dtype_name(w))) for w in want]
        outs[0] = library.zeros(tuple(want[0].shape), dtype=getattr(library, dtype))
        with library.no_grad():
            out = tuple(outs) if len(outs) > 1 else outs[0]
            _, error = _outcome(partial(run, *args, **kwargs, out=out))
        results.append((outs, error))
    (theirs, error), (got, our_error) = results
    if error is None and our_error is None:
        for g, t, w in zip(got, theirs, want, strict=True):
            same(g, t, f"out= of dtype {dtype}", dtype_name(w))
        return
    texts = [" ".join(str(e).split()) for e in (error, our_error)]
    assert type(error) is type(our_error) and (texts[0] in texts[1] or texts[1] in texts[0]), (
        f"out= of dtype {dtype}: {our_error!r}, PyTorch {error!r}"
    )


def _pure(case: Case):
    """The op as a function of its tensors, and those tensors."""
    tensors = [t.detach() for t, _ in case.memo.values()]
    position = {id(t): i for i, (t, _) in enumerate(case.memo.values())}

    def build(x, values):
        if isinstance(x, funcgrad.Tensor):
            return values[position[id(x)]]
        if isinstance(x, list | tuple):
            made = [build(v, values) for v in x]
            return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
        return {k: build(v, values) for k, v in x.items()} if isinstance(x, dict) else x

    def pure(*values):
        return leaves(case.function(*build(case.our_args, values), **build(case.our_kwargs, values)))

    return pure, tensors


def check_jax(case: Case) -> None:
    """`jax.jit` over tensors gives the recorded result, and so does `jax.vmap` over two copies of the operands."""
    if case.op.name in SHAPED_BY_VALUES:
        return
    pure, tensors = _pure(case)
    want = pure(*tensors)
    if not tensors or not all(isinstance(w, funcgrad.Tensor) for w in want):
        return
    with jax.enable_x64(True):
        for g, w in zip(jax.jit(pure)(*tensors), want, strict=True):
            same(g, w, "jax.jit")
        batch = [funcgrad.stack([t, t]) for t in tensors]
        for g, w in zip(jax.vmap(pure)(*batch), want, strict=True):
            same(g[1], w, "jax.vmap")


def check_repeats(case: Case) -> None:
    """The same call again compiles nothing."""

    def call():
        return [host(r) for r in leaves(case.function(*case.our_args, **case.our_kwargs)) if hasattr(r, "dtype")]

    for _ in range(4):  # what a line with many structures runs is interpreted at first
        call()
    before = compiles()
    call()
    assert compiles() == before, "a repeated call compiles again"


CHECKS = {
    "values": check_values, "second": check_second, "forms": check_forms, "jax": check_jax, "repeats": check_repeats,
}  # fmt: skip


# -- running ----------------------------------------------------------------------------------------------------------


def dtype_for(op, name: str):
    """PyTorch's dtype of that name, or None where the op has none."""
    dtype = getattr(torch, name)
    return dtype if dtype in op.dtypes else None


def failures(op, dtype, check: str, limit: int, first: bool = False) -> list[str]:
    """Why each failing sample of the op fails (all of them under one seed); with `first`, only why the first does."""
    needs_grad = check in ("values", "second") and op.supports_autograd
    differentiable = (dtype.is_floating_point or dtype.is_complex) and needs_grad
    torch.manual_seed(0)
    np.random.seed(0)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=differentiable)):
            if i >= limit:
                break
            try:
                CHECKS[check](Case(op, sample))
            except TimeoutError:
                raise
            except Exception as e:
                found.append(f"{type(e).__name__}: {' '.join(str(e).split())[:300]}  [{sample.summary()[:160]}]")
                if first:
                    break
    return found


def error_failures(op, first: bool = False) -> list[str]:
    """The error inputs for which funcgrad does not raise PyTorch's class with PyTorch's message.

    Only those that a copy can stand for: of operands that share no memory and have at most NumPy's 64 dimensions.
    """
    found = []
    if op.error_inputs_func is None:
        return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for error in op.error_inputs("cpu"):
            sample = error.sample_input
            if isinstance(sample.input, torch.Tensor) and sample.input.ndim > 64:
                continue
            case = Case(op, sample)
            if _outcome(partial(op, *_copied(case.args), **_copied(case.kwargs)))[1] is None:
                continue
            _, raised = _outcome(partial(case.function, *case.our_args, **case.our_kwargs))
            if not isinstance(raised, error.error_type) or not re.search(error.error_regex, str(raised)):
                found.append(f"{raised!r} instead of {error.error_type.__name__}: {error.error_regex}"[:300])
                if first:
                    break
    return found


def _copied(x):
    if isinstance(x, torch.Tensor):
        return x.clone(memory_format=torch.contiguous_format)
    if isinstance(x, list | tuple):
        return type(x)(*map(_copied, x)) if hasattr(x, "_fields") else type(x)(map(_copied, x))
    return {k: _copied(v) for k, v in x.items()} if isinstance(x, dict) else x


def in_sample(name: str, one_of: int, salt: str = "") -> bool:
    """Whether an op is in the deterministic sample of one in `one_of`."""
    return zlib.crc32((name + salt).encode()) % one_of == 0


def _late(*_):
    raise TimeoutError("took more than 60 s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ops", default=".")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--max", type=int, default=40)
    parser.add_argument("--checks", default="values")
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _late)
    for check in options.checks.split(","):
        passed = total = 0
        for name, op in OPS.items():
            dtype = dtype_for(op, options.dtype)
            if dtype is None or not re.search(options.ops, name) or (check == "second" and not op.supports_gradgrad):
                continue
            signal.alarm(60)
            try:
                found = failures(op, dtype, check, options.max)
            except (Exception, TimeoutError) as e:
                found = [f"{type(e).__name__}: {str(e)[:200]}"]
            finally:
                signal.alarm(0)
            total, passed = total + 1, passed + (not found)
            for reason in found if options.v else found[:1]:
                print(f"{check} {name:34s} {len(found)} fail: {reason}", flush=True)
        print(f"{check} {options.dtype}: {passed}/{total}", flush=True)


if __name__ == "__main__":
    main()
