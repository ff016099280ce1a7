"""Mixed precision: what ops compute in inside ``torch.autocast``, and scaled gradients, against PyTorch."""

import copy
import importlib
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
from parity import both, outcome
from torch.testing._internal.common_methods_invocations import op_db

import funcgrad
from funcgrad import _operators
from funcgrad._facade import _autocast, _autocast_table
from funcgrad.engine import launch as engine
from funcgrad.engine.record import record

LISTED = {n.removeprefix("linalg.") for names in _autocast_table.CPU.values() for n in names.split()}
LISTED |= set(_autocast_table.CONDITIONS)
UNLISTED = (
    "add mul sum softmax pow mv dot addmv outer bilinear layer_norm batch_norm embedding max_pool2d where".split()
)
# Chunked, PyTorch's linear_cross_entropy is a Function of its own; lstsq's test takes two of the results.
NO_PARITY = {f"nn.functional.linear_cross_entropy.chunked{n}" for n in ("", "_none")} | {
    "linalg.pinv.singular",
    "linalg.lstsq.grad_oriented",
}


# -- which dtype ops compute in ---------------------------------------------------------------------------------------


def _rows(full):
    for row in op_db:
        short = row.name.removeprefix("nn.functional.").removeprefix("linalg.")
        if torch.float32 not in row.dtypes or row.full_name in NO_PARITY:
            continue
        if full or short in LISTED or short in UNLISTED:
            yield row


def _floats_to(x, dtype):
    if isinstance(x, torch.Tensor):
        return x.detach().to(dtype) if x.is_floating_point() else x.detach()
    if isinstance(x, tuple | list):
        return type(x)(_floats_to(v, dtype) for v in x)
    return {k: _floats_to(v, dtype) for k, v in x.items()} if isinstance(x, dict) else x


def _given(x):
    if isinstance(x, torch.Tensor):
        low = x.dtype in (torch.bfloat16, torch.float16)
        made = funcgrad.from_numpy(np.array((x.float() if low else x).numpy()))
        return made.to(getattr(funcgrad, str(x.dtype)[6:])) if low else made
    if isinstance(x, torch.dtype):
        return getattr(funcgrad, str(x)[6:])
    if isinstance(x, tuple | list):
        return type(x)(_given(v) for v in x)
    return {k: _given(v) for k, v in x.items()} if isinstance(x, dict) else x


def _dtypes(x):
    if isinstance(x, tuple | list):
        return [d for v in x for d in _dtypes(v)]
    return [str(x.dtype)[6:]] if isinstance(x, torch.Tensor | funcgrad.Tensor) else []


def _inside(library, function, args, kwargs, low, enabled=True):
    """The results' dtypes; None where PyTorch refuses the call."""
    try:
        with library.autocast("cpu", getattr(library, low), enabled), library.no_grad():
            return _dtypes(function(*args, **kwargs))
    except (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError):
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("low", ["bfloat16", "float16"])
def test_ops_compute_in_the_dtype_of_pytorchs_lists(low, full):
    checked, wrong = 0, []
    rows = list(_rows(full))
    for row in rows if full else rows[:: 2 if low == "bfloat16" else 5]:
        ours = funcgrad
        for part in row.name.split("."):
            ours = getattr(ours, part, None)
        samples = list(row.sample_inputs("cpu", torch.float32))[: 4 if full else 1]
        for sample in samples if ours is not None else ():
            for dtype in (torch.float32, getattr(torch, low)):
                args = _floats_to([sample.input, *sample.args], dtype)
                kwargs = _floats_to(sample.kwargs, dtype)
                want = _inside(torch, row.op, args, kwargs, low)
                if want is None:
                    continue
                got = _inside(funcgrad, ours, _given(args), _given(kwargs), low)
                plain = [_inside(torch, row.op, args, kwargs, low, False)]
                plain += [_inside(funcgrad, ours, _given(args), _given(kwargs), low, False)]
                checked += 1
                if got != want and plain[0] == plain[1]:
                    wrong.append(f"{row.full_name}, {dtype}: {got}, PyTorch {want}")
    funcgrad.engine.launch.abandon()
    assert not wrong, "\n".join(wrong)
    assert checked > 30


X = np.random.default_rng(0).standard_normal((4, 6), dtype=np.float32)


def inputs(T):
    x = T.from_numpy(X.copy())
    return x, x.bfloat16(), T.tensor([0, 1, 2, 3])


EXACT = {
    "cross_entropy": lambda T, x, y: T.nn.functional.cross_entropy(x, y, label_smoothing=0.1),
    "mse_loss": lambda T, x, y: T.nn.functional.mse_loss(x, x.flip(0)),
    "kl_div": lambda T, x, y: T.nn.functional.kl_div(x, x.flip(0), reduction="sum", log_target=True),
    "prod": lambda T, x, y: x.prod(1),
    "pinverse": lambda T, x, y: T.pinverse(x),
    "cdist": lambda T, x, y: T.cdist(x, x.flip(1)),
    "reflected padding": lambda T, x, y: T.nn.functional.pad(x, (1, 1), "reflect"),
}


@pytest.mark.parametrize("name", EXACT)
def test_ops_of_the_float32_list_compute_in_float32(name):
    def code(T):
        _, low, y = inputs(T)
        with T.autocast("cpu"):
            return EXACT[name](T, low, y)

    both(code, rtol=2e-5, atol=2e-5)


def _layers(T):
    nn, x = T.nn, T.from_numpy(X.copy())
    T.manual_seed(0)
    yield from ((lambda layer=layer, x=x: layer(x)) for layer in (nn.LSTM(6, 5), nn.RNN(6, 5), nn.GRU(6, 5)))
    yield from ((lambda cell=cell, x=x: cell(x)) for cell in (nn.LSTMCell(6, 5), nn.GRUCell(6, 5), nn.RNNCell(6, 5)))
    low = x.bfloat16()
    yield lambda: nn.GRU(6, 5)(low)
    yield lambda: nn.MultiheadAttention(6, 2)(x, x, x)
    yield lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0)(x)
    yield lambda: nn.Sequential(nn.Conv1d(4, 3, 3), nn.BatchNorm1d(3), nn.GELU(), nn.Flatten(), nn.Linear(12, 2))(
        x[None]
    )


def test_layers_inside():
    def code(T):
        with T.autocast("cpu"):
            return [layer() for layer in _layers(T)]

    both(code, rtol=0.05, atol=0.05)


MIXED = [
    lambda T, x, low, h: T.mm(x.double(), x.double().T).dtype,
    lambda T, x, low, h: T.mm(low, h.T).dtype,
    lambda T, x, low, h: T.cat([low, x]).dtype,
    lambda T, x, low, h: T.cat([low, x.double()]).dtype,
    lambda T, x, low, h: T.cat([low, h]),
    lambda T, x, low, h: T.stack([low, h]),
    lambda T, x, low, h: x.index_copy(0, T.tensor([0, 1]), low[:2]).dtype,
    lambda T, x, low, h: T.mm(x, x.T, out=T.empty(4, 4)),
    lambda T, x, low, h: T.zeros(4, 4).addmm_(x, x.T),
    lambda T, x, low, h: (x @ x.T).dtype,
    lambda T, x, low, h: T.einsum("ij,ij->i", x, x).dtype,
    lambda T, x, low, h: T.einsum("...i,i->...i", x, x[0]).dtype,
    lambda T, x, low, h: T.einsum("ij,j", x, x[0]).dtype,
    lambda T, x, low, h: T.nn.functional.max_pool3d(low.reshape(1, 2, 3, 2, 2), 2, return_indices=True)[0].dtype,
    lambda T, x, low, h: T.nn.functional.max_pool3d(low.reshape(1, 2, 3, 2, 2), 2).dtype,
    lambda T, x, low, h: low.prod(dtype=T.bfloat16).dtype,
    lambda T, x, low, h: (low + x).dtype,
    lambda T, x, low, h: T.mm(x.double(), x.T),
]


@pytest.mark.parametrize("case", MIXED)
def test_operands_of_several_dtypes(case):
    def code(T):
        x, low, _ = inputs(T)
        with T.autocast("cpu"):
            found = case(T, x, low, x.half())
        return found if isinstance(found, T.Tensor) else str(found)

    both(code)


# -- regions ----------------------------------------------------------------------------------------------------------


def _state(T):
    return [T.is_autocast_enabled("cpu"), str(T.get_autocast_dtype("cpu")), T.is_autocast_cache_enabled()]


def test_nested_regions():
    def code(T):
        x, seen = T.ones(2, 2), [_state(T)]
        with T.autocast("cpu", T.float16, cache_enabled=False):
            seen += [_state(T), str((x @ x).dtype), T.is_autocast_enabled()]
            with T.autocast("cpu", enabled=False):
                seen += [_state(T), str((x @ x).dtype)]
                with T.amp.autocast("cpu", dtype=T.bfloat16):
                    seen += [_state(T), str((x @ x).dtype)]
            seen += [_state(T), str((x @ x).dtype)]
            try:
                with T.autocast("cpu"):
                    raise KeyError
            except KeyError:
                seen.append(_state(T))
        return [*seen, _state(T), str((x @ x).dtype)]

    both(code)


def test_as_a_decorator_and_by_functions():
    def code(T):
        x = T.ones(2, 2)

        @T.autocast("cpu")
        def product(a):
            """A product."""
            return a @ a

        seen = [str(product(x).dtype), product.__name__, product.__doc__, str((x @ x).dtype)]
        T.set_autocast_enabled("cpu", True)
        T.set_autocast_dtype("cpu", T.float16)
        seen += [str((x @ x).dtype), _state(T)]
        T.set_autocast_enabled("cpu", False)
        T.set_autocast_dtype("cpu", T.bfloat16)
        T.set_autocast_cache_enabled(False)
        seen.append(_state(T))
        T.set_autocast_cache_enabled(True)
        seen += [T.autocast_increment_nesting(), T.autocast_decrement_nesting(), T.clear_autocast_cache()]
        return seen

    both(code)


CALLS = [
    "T.autocast('cuda')", "T.autocast('cuda', enabled=False)", "T.autocast('foo')", "T.autocast('not a device')", "T.autocast(T.device('cpu'))",
    "T.autocast('cpu', T.float32)", "T.cuda.amp.autocast()", "T.cpu.amp.autocast()", "T.cuda.amp.GradScaler()",
    "T.cpu.amp.GradScaler()", "T.amp.GradScaler()", "T.amp.GradScaler('cpu', growth_factor=1.0)",
    "T.amp.GradScaler('cpu', backoff_factor=1.0)", "T.autocast('cpu')(3)", "T.amp.custom_fwd(device_type=1)",
    "T.amp.custom_bwd(device_type=1)", "str(T.get_autocast_dtype('cuda'))", "str(T.get_autocast_dtype('xla'))",
    "T.amp.is_autocast_available('cpu')", "T.amp.is_autocast_available('foo')", "T.is_autocast_enabled('foo')",
    "T.get_autocast_dtype('foo')", "T.is_autocast_enabled('cuda')", "T.amp.autocast is T.autocast",
    "[T.amp.autocast('xla').__dict__['device'], T.amp.autocast('mps')._enabled]",
    "T.cuda.amp.custom_fwd(lambda ctx: 1).__name__", "T.cuda.amp.custom_bwd(lambda ctx: 1).__name__",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_arguments_and_warnings(call):
    def code(T):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = eval(call, {"T": T})
        warned = [(w.category.__name__, str(w.message)) for w in caught]
        return [made if isinstance(made, str | bool | list) else getattr(made, "_enabled", None), warned]

    got, want = outcome(code, funcgrad), outcome(code, torch)
    assert str(got).replace("funcgrad._device.device", "torch.device") == str(want)


@pytest.mark.parametrize(
    "call",
    ["get_autocast_cpu_dtype()", "get_autocast_gpu_dtype()", "is_autocast_cpu_enabled()", "is_autocast_xla_enabled()",
     "set_autocast_cpu_dtype(T.bfloat16)", "set_autocast_cpu_enabled(False)"],
)  # fmt: skip
def test_deprecated_functions(call):
    def code(T):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = eval(f"T.{call}", {"T": T})
        return [str(made)], [str(w.message).partition(" (Triggered")[0] for w in caught]

    got, want = outcome(code, funcgrad), outcome(code, torch)
    assert got[0] == want[0] and (got[1] == want[1] or not want[1])  # PyTorch warns of each once


def test_outside_of_regions_recording_is_as_it_was():
    assert _operators.record is record
    with funcgrad.autocast("cpu"):
        assert _operators.record is not record
    assert _operators.record is record and not _autocast._state.cache


def test_regions_belong_to_a_thread():
    seen, entered, leave = {}, threading.Event(), threading.Event()

    def other():
        with funcgrad.autocast("cpu"):
            entered.set()
            leave.wait()
            seen["inside"] = (funcgrad.ones(2, 2) @ funcgrad.ones(2, 2)).dtype

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait()
    seen["outside"] = (funcgrad.ones(2, 2) @ funcgrad.ones(2, 2)).dtype
    leave.set()
    thread.join()
    assert seen == {"inside": funcgrad.bfloat16, "outside": funcgrad.float32}
    assert _operators.record is record


# -- gradients --------------------------------------------------------------------------------------------------------


def _weight(T):
    w = T.from_numpy(np.random.default_rng(1).standard_normal((6, 6), dtype=np.float32) / 3)
    return w.requires_grad_()


@pytest.mark.parametrize("cache_enabled", [True, False])
def test_a_weight_used_often(cache_enabled):
    """With the cache PyTorch sums its gradients in bfloat16; XLA does not round in between."""

    def code(T):
        w, h = _weight(T), T.from_numpy(X.copy())
        with T.autocast("cpu", cache_enabled=cache_enabled):
            for _ in range(5):
                h = T.tanh(h @ w)
        h.float().sum().backward()
        return w.grad

    both(code, rtol=0.1, atol=0.05)


def test_a_parameter_is_converted_once():
    w, x = funcgrad.ones(1, 1, requires_grad=True), funcgrad.ones(1, 1)
    with funcgrad.autocast("cpu"):
        x @ w, x @ w, x @ w.detach()
        assert len(_autocast._state.cache) == 1
    with funcgrad.autocast("cpu", cache_enabled=False):
        x @ w, x @ w
        assert not _autocast._state.cache


def test_a_parameter_changed_inside_is_converted_anew():
    w = funcgrad.ones(1, 1, requires_grad=True)
    x = funcgrad.ones(1, 1)
    with funcgrad.autocast("cpu"):
        before = (x @ w).item()
        with funcgrad.no_grad():
            w.add_(1)
        assert (before, (x @ w).item()) == (1.0, 2.0)
        with funcgrad.no_grad():
            assert not (x @ w).requires_grad
        assert (x @ w).requires_grad


def train(T, steps, scaled=False, low="bfloat16"):
    T.manual_seed(0)
    model = T.nn.Sequential(T.nn.Linear(6, 16), T.nn.ReLU(), T.nn.LayerNorm(16), T.nn.Linear(16, 3))
    optimizer = T.optim.Adam(model.parameters(), lr=1e-2)
    scaler = T.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=4, enabled=scaled)
    x, y, losses = T.from_numpy(X.copy()), T.tensor([0, 1, 2, 0]), []
    for _ in range(steps):
        optimizer.zero_grad()
        with T.autocast("cpu", getattr(T, low)):
            loss = T.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss)
    return [T.stack([loss.detach() for loss in losses]), next(model.parameters()).dtype is T.float32]


@pytest.mark.parametrize("low", ["bfloat16", "float16"])
@pytest.mark.parametrize("scaled", [False, True])
def test_training(scaled, low):
    both(lambda T: train(T, 20, scaled, low), rtol=0.03, atol=0.01)


def test_functions_with_custom_fwd_and_bwd():
    def code(T):
        seen = []

        class Product(T.autograd.Function):
            @staticmethod
            @T.amp.custom_fwd(device_type="cpu")
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                seen.append((str((a @ b).dtype), T.is_autocast_enabled("cpu")))
                return a @ b

            @staticmethod
            @T.amp.custom_bwd(device_type="cpu")
            def backward(ctx, g):
                a, b = ctx.saved_tensors
                seen.append((T.is_autocast_enabled("cpu"), str((g @ b.T).dtype)))
                return (g @ b.T).float(), (a.T @ g).float()

        class Exact(T.autograd.Function):
            @staticmethod
            @T.amp.custom_fwd(device_type="cpu", cast_inputs=T.float32)
            def forward(ctx, a, b):
                seen.append((str(a.dtype), T.is_autocast_enabled("cpu")))
                return a @ b

            @staticmethod
            @T.amp.custom_bwd(device_type="cpu")
            def backward(ctx, g):
                seen.append(T.is_autocast_enabled("cpu"))
                return g, g

        w = _weight(T)
        with T.autocast("cpu"):
            out = Product.apply(w, w)
            exact = Exact.apply(w.bfloat16(), w)
        out.float().sum().backward()
        exact.sum().backward()
        plain = Exact.apply(w.bfloat16().float(), w)
        return [seen, str(out.dtype), str(exact.dtype), str(plain.dtype), w.grad.shape]

    both(code, rtol=0.1)


# -- GradScaler -------------------------------------------------------------------------------------------------------


def scaled_steps(T, name, options, bad, unscale=False, hooks=False, steps=12):
    """Parameters, scales and step counts of a run in which some steps have infinite gradients."""
    generator = np.random.RandomState(0)
    params = [T.nn.Parameter(T.from_numpy(generator.randn(*s).astype("f"))) for s in ((3, 4), (4,))]
    optimizer = getattr(T.optim, name)(params, **options)
    scaler = T.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
    log = []
    if hooks:
        optimizer.register_step_post_hook(lambda *a: log.append("stepped"))
    for i in range(steps):
        x = generator.randn(2, 3).astype("f")
        if i in bad:
            x[0, 0] = np.nan if i % 2 else np.inf
        optimizer.zero_grad()
        scaler.scale(((T.from_numpy(x) @ params[0] + params[1]) ** 2).mean()).backward()
        if unscale:
            scaler.unscale_(optimizer)
            T.nn.utils.clip_grad_norm_(params, 1.0)
        scaler.step(optimizer)
        scaler.update()
        if i % 4 == 3:
            log.append((scaler.get_scale(), scaler._get_growth_tracker()))
            log.append([float(optimizer.state[p].get("step", len(optimizer.state[p]))) for p in params])
    return [params, log, scaler.state_dict()]


@pytest.mark.parametrize("bad", [(0, 4, 5), (2, 11), ()])
@pytest.mark.parametrize(
    ("name", "options", "extra"),
    [
        ("Adam", {}, {}),
        ("Adam", {}, {"unscale": True}),
        ("AdamW", {"amsgrad": True}, {"hooks": True}),
        ("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.5}, {}),
        ("SGD", {"lr": 0.1}, {"unscale": True}),
        ("ASGD", {}, {}),
    ],
)
def test_steps_with_infinite_gradients_are_skipped(name, options, extra, bad):
    both(lambda T: scaled_steps(T, name, options, bad, **extra), rtol=2e-5)


def test_a_scaled_step_is_one_launch(monkeypatch):
    reasons = []
    monkeypatch.setattr(engine, "execute", lambda p, r, run=engine.execute: (reasons.append(r), run(p, r)))
    w = funcgrad.nn.Parameter(funcgrad.ones(3, 3))
    optimizer, scaler = funcgrad.optim.Adam([w]), funcgrad.amp.GradScaler("cpu")
    for _ in range(5):
        reasons.clear()
        optimizer.zero_grad()
        scaler.scale((w * w).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert reasons == ["optimizer.step()"]


SCRIPT = """
sc.update() | sc.unscale_(o) | sc.step(o) | sc.scale(3) | sc.load_state_dict({}) | sc.get_scale() | sc.state_dict() |
sc.scale([w, (w,)]) | list(sc.scale(x for x in [w])) | sc.update() | sc.step(o) | sc.scale(w.sum()).backward() |
sc.unscale_(o) | w.grad | sc.unscale_(o) | sc.step(o) | sc.step(o) | sc.unscale_(o) | pickle.dumps(sc) | sc.update() |
sc.update() | sc.state_dict() | sc.update(4.0) | sc.update(T.tensor([2.0, 3])) | sc.update(2) | sc.get_scale() |
sc.update(T.tensor(3.0, requires_grad=True)) | sc.update(T.tensor(2)) | sc.state_dict() | sc._scale |
sc.step(o, closure=1) | sc.set_growth_factor(3.0) | sc.set_backoff_factor(0.25) | sc.set_growth_interval(1) |
[sc.get_growth_factor(), sc.get_backoff_factor(), sc.get_growth_interval(), sc.is_enabled()] |
sc.scale(w.sum()).backward() | sc.step(o) | sc.update() | sc.get_scale() | w | copy.deepcopy(sc).state_dict() |
pickle.loads(pickle.dumps(sc)).state_dict() | h.sum().backward() | sc.step(T.optim.SGD([h])) |
sc.load_state_dict(dict(scale=7.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=5, _growth_tracker=2)) |
sc.state_dict() | sc._growth_tracker | off.state_dict() | off.get_scale() | off.scale(w) | off.unscale_(o) | off.step(o) |
off.update() | off.load_state_dict({}) | off.is_enabled() | off.get_growth_factor()
"""


def test_grad_scaler_call_by_call():
    def code(T):
        w = T.ones(2, requires_grad=True)
        names = {"T": T, "w": w, "o": T.optim.SGD([w]), "sc": T.amp.GradScaler("cpu"), "pickle": pickle, "copy": copy}
        names["h"] = T.ones(2, dtype=T.float16, requires_grad=True)
        names["off"] = T.amp.GradScaler("cpu", enabled=False)
        return [outcome(lambda _, c=c: eval(c.strip(), names), T) for c in SCRIPT.split("|")]

    both(code)


def test_a_scaler_of_lbfgs_and_of_several_optimizers():
    def code(T):
        w, v = T.ones(2, requires_grad=True), T.ones(2, requires_grad=True)
        scaler = T.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
        first, second = T.optim.SGD([w], lr=0.1), T.optim.Adam([v])
        for factor in (1.0, float("inf"), 2.0):
            w.grad = v.grad = None
            scaler.scale((w * factor).sum() + (v * v).sum()).backward()
            scaler.step(first)
            scaler.step(second)
            scaler.update()
        return [w, v, scaler.state_dict()]

    both(code)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_what_a_scaled_step_leaves_as_gradient(name, fused):
    def code(T):
        p = T.nn.Parameter(T.tensor([1.0, 2.0]))
        optimizer = getattr(T.optim, name)([p], lr=0.1, fused=fused)
        scaler, seen = T.amp.GradScaler("cpu", init_scale=8.0), []
        for factor in (1, float("inf"), 1):
            optimizer.zero_grad()
            scaler.scale((p**2).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            seen += [p.grad.tolist(), p.detach().clone(), scaler.get_scale()]
        return seen

    both(code)


def test_modules_of_the_older_names():
    for T in (torch, funcgrad):
        modules = [
            importlib.import_module(f"{T.__name__}.cuda.amp.{n}") for n in ("autocast_mode", "grad_scaler", "common")
        ]
        names = [
            ("autocast", "custom_fwd", "custom_bwd"),
            ("GradScaler", "OptState"),
            ("amp_definitely_not_available",),
        ]
        assert all(hasattr(m, n) for m, some in zip(modules, names) for n in some)
