"""Run PyTorch's table of modules (ModuleInfo) through funcgrad and PyTorch and compare everything that can be seen."""

from __future__ import annotations

import copy
import functools
import pickle
import re
import warnings

import numpy as np
import torch
from torch.testing._internal.common_modules import module_db

import funcgrad

TABLE = {info.module_cls.__name__: info for info in module_db}
TOLERANCES = {torch.float64: 1e-7, torch.float32: 2e-4, torch.bfloat16: 4e-2}
RANDOM = "Fractional"  # draws inside forward, whose numbers the samples do not fix


class Mirror:
    """Turns PyTorch's arguments into funcgrad's; a tensor given twice is one tensor."""

    def __init__(self):
        self.made: dict[int, tuple] = {}

    def __call__(self, x):
        if isinstance(x, torch.Tensor):
            if id(x) not in self.made:
                if x.requires_grad and not x.is_leaf:
                    x.retain_grad()
                self.made[id(x)] = (to_funcgrad(x), x)
            return self.made[id(x)][0]
        if isinstance(x, torch.dtype | torch.device):
            return str(x) if isinstance(x, torch.device) else getattr(funcgrad, str(x).split(".")[1])
        if isinstance(x, torch.nn.TransformerEncoderLayer):
            options = (x.norm1.eps, x.self_attn.batch_first, x.norm_first, x.linear1.bias is not None)
            sizes = (x.linear1.in_features, x.self_attn.num_heads, x.linear1.out_features, x.dropout.p)
            return funcgrad.nn.TransformerEncoderLayer(*sizes, self(x.activation), *options)
        if isinstance(x, list | tuple):
            return type(x)(self(v) for v in x)
        if isinstance(x, dict):
            return {k: self(v) for k, v in x.items()}
        if callable(x) and getattr(x, "__module__", "").startswith("torch."):
            return functools.reduce(getattr, [*x.__module__.split(".")[1:], x.__name__], funcgrad)
        return x


def to_funcgrad(x: torch.Tensor):
    """The same numbers in funcgrad; bfloat16 by way of float32, which holds them exactly."""
    half = x.dtype is torch.bfloat16
    made = funcgrad.from_numpy((x.detach().float() if half else x.detach()).contiguous().numpy().copy())
    return (made.to(funcgrad.bfloat16) if half else made).requires_grad_(x.requires_grad)


def to_numpy(x) -> np.ndarray:
    """The values of a tensor of either library."""
    x = x.detach()
    return np.array((x.float() if "bfloat16" in str(x.dtype) else x).numpy())


def tensors(x) -> list:
    """Every tensor in a result, in order."""
    if isinstance(x, list | tuple):
        return [t for v in x for t in tensors(v)]
    return [x] if isinstance(x, torch.Tensor | funcgrad.Tensor) else []


def close(got, want, what: str, rtol: float) -> None:
    assert str(got.dtype).split(".")[-1] == str(want.dtype).split(".")[-1], f"{what}: {got.dtype} != {want.dtype}"
    g, w = to_numpy(got), to_numpy(want)
    assert g.shape == w.shape, f"{what}: {g.shape} != {w.shape}"
    scale = max(1.0, float(np.abs(w[np.isfinite(w)]).max(initial=0)) if w.size else 1.0)
    np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * scale, err_msg=what)


def samples(info, dtype, training: bool) -> list:
    """The table's samples; the same every time."""
    torch.manual_seed(0)
    return list(info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training))


class Pair:
    """One sample's module in both libraries, made with the same seed."""

    def __init__(self, info, sample, training: bool, dtype):
        self.name, self.sample, self.training = info.module_cls.__name__, sample, training
        self.rtol = TOLERANCES[dtype]
        self.mirror = Mirror()
        made, ours = sample.constructor_input, getattr(funcgrad.nn, self.name)
        args, kwargs = self.mirror(made.args), self.mirror(made.kwargs)
        self.theirs = self._seeded(torch, info.module_cls, made.args, made.kwargs).to(dtype)
        self.ours = self._seeded(funcgrad, ours, args, kwargs).to(self.mirror(dtype))
        self.theirs.train(training), self.ours.train(training)

    @staticmethod
    def _seeded(library, cls, args, kwargs):
        library.manual_seed(1)
        return cls(*args, **kwargs)

    @property
    def draws(self) -> bool:
        """Whether forward draws random numbers."""
        drop = [m for m in self.theirs.modules() if isinstance(getattr(m, "p", None), float) and m.p > 0]
        return RANDOM in self.name or (self.training and bool(drop or getattr(self.theirs, "dropout", 0)))

    def initialised_alike(self) -> None:
        """The same seed gave the same weights."""
        if self.lazy or any(isinstance(a, torch.nn.Module) for a in self.sample.constructor_input.args):
            return
        for (name, want), got in zip(self.theirs.state_dict().items(), self.ours.state_dict().values()):
            if isinstance(want, torch.Tensor):
                close(got, want, f"initial {name}", 1e-6 if self.rtol < 1e-2 else self.rtol)

    @property
    def lazy(self) -> bool:
        return "Lazy" in self.name and any("Uninit" in type(p).__name__ for p in self.ours.parameters())

    def exchange_states(self) -> None:
        """A state_dict goes there and back unchanged, bit for bit."""
        if self.lazy:
            self.forward()
        theirs, ours = self.theirs.state_dict(), self.ours.state_dict()
        assert list(ours) == list(theirs)
        assert [dict(v) for v in ours._metadata.values()] == [dict(v) for v in theirs._metadata.values()]
        plain = {k: isinstance(v, torch.Tensor) for k, v in theirs.items()}
        self.ours.load_state_dict({k: to_funcgrad(v) if plain[k] else v for k, v in theirs.items()})
        back = {
            k: torch.from_numpy(to_numpy(v)).to(theirs[k].dtype).reshape(theirs[k].shape) if plain[k] else v
            for k, v in self.ours.state_dict().items()
        }
        for k in back:
            assert not plain[k] or torch.equal(back[k], theirs[k]), f"{k} changed"
        self.theirs.load_state_dict(back)

    def forward(self) -> tuple[list, list]:
        given = self.sample.forward_input
        want = tensors(self.theirs(*given.args, **given.kwargs))
        return tensors(self.ours(*self.mirror(given.args), **self.mirror(given.kwargs))), want

    def compare(self) -> None:
        """Forward, buffers after it, gradients of parameters and inputs."""
        got, want = self.forward()
        assert len(got) == len(want), f"{len(got)} results, not {len(want)}"
        for i, (g, w) in enumerate(zip(got, want)):
            close(g, w, f"result {i}", self.rtol)
            assert g.requires_grad == w.requires_grad, f"result {i}: requires_grad"
        for (name, w), g in zip(self.theirs.named_buffers(), self.ours.buffers()):
            close(g, w, f"buffer {name}", self.rtol)
        loss, their_loss = self._losses(got, want)
        if loss is None:
            return
        their_loss.backward()
        loss.backward()
        for name, g, w in self._leaves():
            assert (g.grad is None) == (w.grad is None), f"gradient of {name}: {g.grad} and {w.grad}"
            if w.grad is not None:
                close(g.grad, w.grad, f"gradient of {name}", 5 * self.rtol)

    def _losses(self, got, want):
        pairs = [(g, w) for g, w in zip(got, want) if w.requires_grad]
        draw = np.random.RandomState(3)
        weights = [np.asarray(draw.randn(*w.shape), "float32") for _, w in pairs]
        if not pairs:
            return None, None
        loss = sum((g * funcgrad.from_numpy(c).to(g.dtype)).sum() for (g, _), c in zip(pairs, weights))
        return loss, sum((w * torch.from_numpy(c).to(w.dtype)).sum() for (_, w), c in zip(pairs, weights))

    def _leaves(self):
        for (name, w), g in zip(self.theirs.named_parameters(), self.ours.parameters()):
            yield name, g, w
        for g, w in self.mirror.made.values():
            if w.requires_grad:
                yield "an input", g, w

    def compare_twice(self) -> None:
        """The gradients of the squared norm of the gradients."""
        loss, their_loss = self._losses(*self.forward())
        leaves = [(g, w) for _, g, w in self._leaves()]
        second = []
        for library, value, of in ((funcgrad, loss, 0), (torch, their_loss, 1)):
            inputs = [pair[of] for pair in leaves]
            first = library.autograd.grad(value, inputs, create_graph=True, allow_unused=True)
            norm = sum((g * g).sum() for g in first if g is not None and g.requires_grad)
            if isinstance(norm, int):
                return
            second.append(library.autograd.grad(norm, inputs, allow_unused=True))
        for g, w in zip(*second):
            if w is not None or g is not None:
                g = funcgrad.zeros(w.shape, dtype=funcgrad.float64) if g is None else g
                close(
                    g,
                    torch.zeros(tuple(g.shape), dtype=torch.float64) if w is None else w,
                    "second gradient",
                    20 * self.rtol,
                )

    def copies(self) -> None:
        """Copies and pickles print and compute as the module does."""
        assert repr(self.ours) == repr(self.theirs)
        again = copy.deepcopy(self.ours), pickle.loads(pickle.dumps(self.ours))
        for made in again:
            assert repr(made) == repr(self.ours) and made.training == self.training
            assert list(made.state_dict()) == list(self.ours.state_dict())
            for g, w in zip(made.state_dict().values(), self.ours.state_dict().values()):
                if isinstance(w, funcgrad.Tensor):
                    np.testing.assert_array_equal(to_numpy(g), to_numpy(w))


def check(name: str, index: int, training: bool, dtype=torch.float32) -> None:
    """Everything about one sample (if PyTorch itself can run it)."""
    info = TABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sample = samples(info, dtype, training)[index]
        pair = Pair(info, sample, training, dtype)
        pair.initialised_alike()
        if sample.forward_input is None:
            pair.copies()
            return
        pair.exchange_states()
        pair.copies()
        if not pair.draws:
            pair.compare()


def check_twice(name: str) -> None:
    """Double backward of a module's first sample that has a gradient, in evaluation mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        info = TABLE[name]
        sample = next(s for s in samples(info, torch.float64, False) if s.forward_input is not None)
        pair = Pair(info, sample, False, torch.float64)
        pair.exchange_states()
        pair.compare_twice()


def check_errors(name: str) -> int:
    """PyTorch's own bad inputs raise its error, class and text; returns how many there are."""
    info = TABLE[name]
    if info.module_error_inputs_func is None:
        return 0
    bad = info.module_error_inputs_func(info, device="cpu", dtype=torch.float32, requires_grad=False, training=False)
    count = 0
    for given in bad:
        sample = given.module_error_input
        outcomes = []
        for library, mirror in ((funcgrad, Mirror()), (torch, lambda x: x)):
            made, call = sample.constructor_input, sample.forward_input
            try:
                m = getattr(library.nn, name)(*mirror(made.args), **mirror(made.kwargs))
                outcomes.append(m(*mirror(call.args), **mirror(call.kwargs)))
            except Exception as e:
                outcomes.append((type(e).__name__, re.sub(r"funcgrad\.", "torch.", str(e))))
        assert outcomes[0] == outcomes[1], f"{outcomes[0]} != {outcomes[1]}"
        count += 1
    return count
