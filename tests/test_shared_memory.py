"""Tensors that look at one piece of memory: other dtypes, conjugates, deep copies, overlapping writes."""

import copy
import math
import time
import warnings

import jax
import pytest

import funcgrad
from tests.parity import both

REREAD = {
    "same width": lambda torch, x: x[4:].view(torch.int32),
    "narrower": lambda torch, x: x[1:].view(torch.uint8),
    "wider": lambda torch, x: x[2:].view(torch.float64),
    "wider, odd offset": lambda torch, x: x[1:11].view(torch.float64),
    "wider, odd size": lambda torch, x: x[1:].view(torch.float64),
    "wider, odd columns": lambda torch, x: x.view(3, 4)[:, 1:3].view(torch.float64),
    "wider, columns": lambda torch, x: x.view(3, 4)[:, 2:].view(torch.float64),
    "wider, gaps": lambda torch, x: x.view(3, 4)[:, ::2].view(torch.float64),
    "narrower, transposed": lambda torch, x: x.view(3, 4).t().view(torch.int16),
    "complex": lambda torch, x: x[2:].view(torch.complex64),
    "empty": lambda torch, x: x[:0].view(torch.complex64),
}


@pytest.mark.parametrize("name", REREAD)
def test_memory_read_as_another_dtype(name):
    def program(torch):
        x = torch.arange(12, dtype=torch.float32)
        view = REREAD[name](torch, x)
        seen = view.clone(), view.storage_offset(), view.stride()
        view[:1] = 7
        return seen, x

    both(program)


def test_no_gradient_flows_through_bytes():
    def program(torch):
        x = torch.ones(4, requires_grad=True)
        y = (x * 2).view(torch.float64)
        dtypes = (torch.float32, torch.int32, torch.complex64)
        return [x.view(d).requires_grad for d in dtypes], y.requires_grad, y.is_leaf, (x.view(2, 2) * 2).requires_grad

    both(program)


def test_deep_copies_share_memory_as_their_originals_do():
    def program(torch):
        x = torch.arange(6.0)
        old = [x[:3], x[2:], x, x.view(2, 3).t()]
        new = copy.deepcopy(old)
        new[0][2], new[2][0] = 9, 5
        places = [(t.storage_offset(), t.stride(), t._is_view(), t.data_ptr() - new[0].data_ptr()) for t in new]
        p = torch.nn.Parameter(torch.zeros(3))
        first, data, again = copy.deepcopy([p, p.data, p])
        data[0] = 4
        return old, new, places, first, first is again, copy.deepcopy(torch.tensor([1 + 2j]).conj()).is_conj()

    both(program)


def test_a_module_and_views_of_its_weight_are_copied_together():
    def program(torch):
        torch.manual_seed(0)
        layer = torch.nn.Linear(2, 3)
        layer.row = layer.weight.detach()[1]
        twin = copy.deepcopy(layer)
        with torch.no_grad():
            twin.weight.zero_()
        return twin.row, layer.row, twin.weight.is_leaf, twin.weight.requires_grad, twin.row.is_leaf

    both(program)


def test_conjugates_are_views():
    def program(torch):
        x = torch.tensor([[1 + 2j, 3 - 1j]])
        y = x.conj()
        given = [y, x, y.conj(), y[0], y.t(), y.mH, x.H, y.imag, y.real, y.imag[0], y + 1, y.clone(), y.resolve_conj(),
                 y.detach(), y.data, y.to(torch.complex128), y.reshape(2), y.imag.resolve_neg(), y.as_strided((2,), (1,)),
                 torch.conj_physical(y), y.expand(2, 2), torch._neg_view(torch.ones(2))]  # fmt: skip
        flags = [(t.is_conj(), t.is_neg(), t._is_view()) for t in given]
        same = y.data_ptr() == x.data_ptr(), y._base is x, x.resolve_conj() is x, torch.is_conj(y)
        y[0, 0] = 5 + 5j
        x[0, 1].mul_(1j)
        y.imag[0, 1] = 4
        return flags, same, [t.resolve_conj().resolve_neg() for t in given]

    both(program)


def test_gradients_through_conjugate_views():
    def program(torch):
        x = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
        base = x.clone()
        y = base.conj()
        y[0] = 4 * y[1]
        (base.real**2 + base.imag * y.imag).sum().backward()
        return x.grad.resolve_conj(), type(x.conj().grad_fn).__name__

    both(program)


@pytest.mark.parametrize(
    "use",
    [
        lambda torch, y: torch.view_as_real(y),
        lambda torch, y: y.view(torch.float32),
        lambda torch, y: y.numpy(force=True).tolist(),
        lambda torch, y: (repr(y), y.tolist(), y.imag.tolist()),
    ],
)
def test_what_a_view_of_conjugates_cannot_be(use):
    both(lambda torch: use(torch, torch.tensor([1 + 2j, 3 - 1j]).conj()))


def test_arrays_of_conjugates_are_copies():
    """PyTorch refuses to make them; their numbers are no less known."""
    x = funcgrad.tensor([1 + 2j, 3 - 1j])
    array, part = x.conj().numpy(), x.conj().imag.numpy()
    x.zero_()
    assert array.tolist() == [1 - 2j, 3 + 1j] and part.tolist() == [-2, 1]


WRITES = {
    "next element": lambda torch, x: x[1:].add_(x[:-1]),
    "copy": lambda torch, x: x[:3].copy_(x[2:5]),
    "copy of halves": lambda torch, x: x[:4].copy_(x[4:8]),
    "transposed": lambda torch, x: x.view(3, 3).add_(x.view(3, 3).t()),
    "own row": lambda torch, x: x.view(3, 3).add_(x[:3]),
    "own element": lambda torch, x: x.mul_(x[1]),
    "every other": lambda torch, x: x[::2].add_(1).mul_(x[::2]),
    "itself": lambda torch, x: x.add_(x),
    "same window": lambda torch, x: x[1:].add_(x[1:]),
    "lerp": lambda torch, x: x[1:].lerp_(x[:-1], 0.5),
    "addcmul": lambda torch, x: x[1:].addcmul_(x[:-1], x[1:]),
    "clamp": lambda torch, x: x.clamp_(x[0]),
    "scatter": lambda torch, x: x.scatter_(0, torch.tensor([0]), x[1:2]),
    "index_copy": lambda torch, x: x.index_copy_(0, torch.tensor([0]), x[1:2]),
    "index_put": lambda torch, x: x.index_put_((torch.tensor([0]),), x[1:2]),
    "index_fill": lambda torch, x: x.index_fill_(0, torch.tensor([0]), x[1]),
    "assignment": lambda torch, x: x.__setitem__(slice(1, None), x[:-1]),
    "assignment of an element": lambda torch, x: x.__setitem__(slice(0, 3), x[4]),
    "out": lambda torch, x: torch.add(x[1:], 1, out=x[:-1]),
    "out of one operand": lambda torch, x: torch.exp(x[:3], out=x[2:5]),
    "out is the operand": lambda torch, x: torch.add(x, 1, out=x),
    "out of cat": lambda torch, x: torch.cat([x[:2], x[2:4]], out=x[:4]),
    "out of where": lambda torch, x: torch.where(x[1:] > 0, x[1:], x[:-1], out=x[1:]),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes_that_overlap_what_they_read(name):
    def program(torch):
        x = torch.linspace(0, 1, 9)
        WRITES[name](torch, x)
        return x

    both(program)


OLD_FORMS = {
    "add": lambda torch, t, m: (torch.add(t, 2, t), t.add(2, t), t.clone().add_(2, t)),
    "sub": lambda torch, t, m: (torch.sub(t, 2, t), t.sub(2, t)),
    "addcmul": lambda torch, t, m: (torch.addcmul(t, 2, t, t), t.clone().addcdiv_(2, t, t)),
    "addmm": lambda torch, t, m: (torch.addmm(2, m, m, m), torch.addmm(2, m, 3, m, m), m.addmm(2, 3, m, m)),
    "addmv": lambda torch, t, m: (torch.addmv(2, t, 3, m, t), t.addmv(2, m, t), torch.addr(2, m, t, t)),
    "baddbmm": lambda torch, t, m: (m[None].baddbmm(2, m[None], m[None]), torch.addbmm(2, m, 3, m[None], m[None])),
}


@pytest.mark.parametrize("name", OLD_FORMS)
def test_numbers_where_they_once_stood(name):
    def program(torch):
        torch.set_warn_always(True)
        try:
            with pytest.warns(UserWarning, match="This overload of"):
                return OLD_FORMS[name](torch, torch.tensor([1.0, 2.0]), torch.ones(2, 2))
        finally:
            torch.set_warn_always(False)

    both(program)


TOO_MANY = {
    "bool": lambda torch, t: torch.add(t, t, True),
    "bool and a tensor that is a number": lambda torch, t: torch.add(torch.tensor(True), torch.tensor(True), True),
    "number": lambda torch, t: torch.sub(t, t, 2),
    "tensor": lambda torch, t: torch.add(t, t, t),
    "addcmul": lambda torch, t: torch.addcmul(t, t, t, True),
}


@pytest.mark.parametrize("name", TOO_MANY)
@pytest.mark.filterwarnings("ignore:This overload of add")
def test_too_many_operands(name):
    both(lambda torch: TOO_MANY[name](torch, torch.ones(2)))


WARN = {
    "meshgrid": lambda torch: torch.meshgrid(torch.arange(2), torch.arange(3)),
    "float of a leaf": lambda torch: float(torch.tensor(1.0, requires_grad=True)),
    "float": lambda torch: float(torch.tensor([1.0], requires_grad=True) * 2),
    "int": lambda torch: int(torch.tensor(1.0, requires_grad=True)),
    "item": lambda torch: torch.tensor(1.0, requires_grad=True).item(),
    "float of a constant": lambda torch: float(torch.tensor(1.0)),
    "T": lambda torch: (torch.ones(2, 3).T, torch.ones(2, 3, 4).T),
}


@pytest.mark.parametrize("name", WARN)
def test_warnings(name):
    def program(torch):
        torch.set_warn_always(True)
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                result = WARN[name](torch)
        finally:
            torch.set_warn_always(False)
        return result, [(w.category.__name__, str(w.message).partition(" (Triggered")[0]) for w in seen]

    both(program)


def test_tensors_made_of_storages():
    def program(torch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = torch.arange(4.0)
            made = [x.new(x.storage()), torch.FloatTensor(x.storage()), x.new(x)]
            made[0][0] = 5
            same = [t.data_ptr() == x.data_ptr() for t in made]
            try:
                x.set_(torch.ones(2, dtype=torch.float64).storage())
            except RuntimeError as e:
                same.append(str(e))
        return made, x, same

    both(program)
    both(lambda torch: torch.ones(1).set_(torch.ones(2, dtype=torch.float64)))


@pytest.mark.parametrize("name", ["rand_like", "randn_like", "zeros_like", "full_like"])
def test_memory_formats_of_new_tensors(name):
    def program(torch):
        torch.manual_seed(0)
        x, found = torch.ones(2, 3, 4, 4).contiguous(memory_format=torch.channels_last), []
        for form in (torch.preserve_format, torch.contiguous_format, torch.channels_last):
            for like in (x, x[:, :, ::2], x.contiguous(), x.transpose(0, 1)):
                made = getattr(torch, name)(like, *([2] if name == "full_like" else []), memory_format=form)
                found.append((made, made.stride(), made._is_view()))
        return found

    both(program)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "bool", "int64"])
@pytest.mark.parametrize("shape", [(100,), (3, 100), (100, 2), (100, 0)])
def test_many_parts_of_a_tensor(shape, dtype):
    def program(torch):
        x = (torch.arange(math.prod(shape)) % 7).view(shape).to(getattr(torch, dtype))
        parts = [*x, *x.t()] if len(shape) > 1 else [*x]
        facts = [(p.shape, p.stride(), p.storage_offset(), p._is_view(), p._base is x) for p in parts[::17]]
        parts[50 % len(parts)].fill_(5)
        x[1] = 2
        return x, parts[::7], parts[1], facts, [bool(p) for p in x.view(-1)[:50]]

    both(program)


@pytest.mark.parametrize("shape", [(100,), (100, 2), (2, 100)])
def test_many_sections_of_a_tensor(shape):
    def program(torch):
        x = torch.arange(200.0)[: math.prod(shape)].view(shape)
        dim = shape.index(100)
        parts = [*x.split(1, dim), *torch.chunk(x, 50, dim), *torch.split(x, [1] * 98 + [0, 2], dim), *x.t().split(2)]
        facts = [(p.shape, p.stride(), p.storage_offset(), p._is_view()) for p in parts[::13]]
        parts[50].fill_(5)
        x[1] = 2
        return x, parts[::7], facts, len(parts)

    both(program)


def test_gradients_of_many_parts():
    def program(torch):
        x = torch.arange(40.0, requires_grad=True)
        total = sum(p * i for i, p in enumerate(x) if i % 5)
        total.backward()
        return x.grad, len(x.view(2, 20).unbind(1))

    both(program)


def test_a_thousand_parts_are_made_in_no_time():
    x, begun = funcgrad.arange(1000), time.perf_counter()
    assert sum(p.item() for p in x) == 499500
    assert time.perf_counter() - begun < 2


def test_many_parts_within_transformations():
    x = funcgrad.arange(40.0)

    def total(t):
        return sum(p * p for p in t) + sum(p.sum() for p in t.split(1)) + sum(p for p in t[1:].unbind())

    want = total(x).item()
    assert jax.jit(total)(x).item() == funcgrad.compile(total)(x).item() == want
    assert funcgrad.vmap(total)(funcgrad.stack([x, x])).tolist() == [want, want]
    assert funcgrad.func.grad(total)(x).tolist() == [2 * i + 1 + (i > 0) for i in range(40)]


def test_conjugate_views_within_transformations():
    x = funcgrad.tensor([[1 + 2j, 3 - 1j], [0.5j, 2]])

    def program(t):
        copied = t.clone()
        view = copied.conj()
        view[0] = view[0] * 2 + t.mH[1]
        view.imag.add_(1)
        return copied

    want = program(x).tolist()
    assert jax.jit(program)(x).tolist() == funcgrad.compile(program)(x).tolist() == want
    assert funcgrad.vmap(program)(x[None])[0].tolist() == want
