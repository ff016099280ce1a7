"""Strides, offsets, addresses and storages answer as PyTorch's."""

import warnings

import numpy as np
import pytest
from parity import both


def place(x):
    """Where a tensor lies, as far as both libraries can agree."""
    return [list(x.shape), x.stride(), x.storage_offset(), x.is_contiguous(), x._base is not None, x._is_view()]


RESULTS = {
    "views": lambda t, x: [x, x.t(), x[1], x[:, ::2], x[..., None], x.T[1:], x.unfold(1, 2, 1), x.diagonal(), x.view(-1)],
    "pointwise": lambda t, x: [x.t() + 1, x.t() * x.t(), x.t().exp(), x.t() + t.ones(2), x.t() > 0, x.t().double(),
                               t.where(x.t() > 0, x.t(), 0.0), x[:, ::2] * 2],
    "copies": lambda t, x: [x.t().clone(), x.t().contiguous(), x.t().clone(memory_format=t.contiguous_format), x.clone(),
                            t.zeros_like(x.t()), t.empty_like(x.t(), memory_format=t.contiguous_format)],
    "reductions": lambda t, x: [x.t().sum(0, keepdim=True), x.t().cumsum(0), x.t().softmax(0), x.t() @ x],
    "expanded": lambda t, x: [x[:1].expand(4, 3), x[:1].expand(4, 3).clone(), x[:1].expand(4, 3) + 1,
                              t.tensor(1.0).expand(2, 2)],
    "reshape": lambda t, x: [x.reshape(3, 2), x.t().reshape(6), x.t().flatten(), x.t().reshape(3, 2), x[:, :1].reshape(2)],
    "decompositions": lambda t, x: [t.linalg.inv(t.eye(3)), *t.linalg.qr(t.eye(3)), t.linalg.cholesky(t.eye(3))],
    "strided": lambda t, x: [t.empty_strided((2, 3), (1, 2)), t.empty_strided((2, 2), (5, 1)),
                             t.empty_permuted((2, 3, 4), (0, 2, 1)), x.t().as_strided((2, 2), (1, 3), 1)],
    "detached": lambda t, x: [x.detach(), x.detach()[0], x.data, x.t().detach()],
    "joined": lambda t, x: [t.cat([x.t(), x.t()]), t.stack([x.t(), x.t()]), *x.chunk(2), *x.t().unbind(0),
                            *t.tensor_split(x, 2), *t.broadcast_tensors(x[:1], x)],
}  # fmt: skip


@pytest.mark.parametrize("code", RESULTS.values(), ids=RESULTS)
def test_places(code):
    def places(t):
        base = t.arange(6.0).add(0)
        return [[*place(r)[:4], place(r)[4:]] for r in code(t, base.view(2, 3))]

    def without_views(t):
        return [p[:4] for p in places(t)]

    both(places if code is not RESULTS["joined"] else without_views)


def test_memory_formats():
    def code(t):
        t.manual_seed(0)
        x = t.rand(2, 3, 4, 4).contiguous(memory_format=t.channels_last)
        out = [x.stride(), x.is_contiguous(), x.is_contiguous(memory_format=t.channels_last), x.dim_order()]
        layer = t.nn.Conv2d(3, 5, 3).to(memory_format=t.channels_last)
        y = layer(x)
        out += [
            r.stride() for r in (y, layer.weight, x + 1, x.clone(), x.contiguous(), t.relu(y), t.nn.BatchNorm2d(3)(x))
        ]
        x *= 2
        (layer(x) ** 2).sum().backward()
        t.optim.SGD(layer.parameters(), lr=0.1).step()
        out += [r.stride() for r in (x, t.nn.functional.max_pool2d(x, 2), layer.weight, layer.weight.grad)]
        for shape in ((1, 3, 4, 4), (2, 1, 4, 4), (2, 3, 1, 1)):
            z = t.zeros(shape)
            both_ways = [z.is_contiguous(), z.is_contiguous(memory_format=t.channels_last)]
            out += [*both_ways, z.to(memory_format=t.channels_last).stride()]
        return [
            *out,
            t.empty(2, 3, 4, 5, memory_format=t.channels_last).stride(),
            x.float().stride(),
            x.double().stride(),
        ]

    both(code)


def test_addresses():
    def code(t):
        x = t.arange(12.0).add(0).view(3, 4)
        y, e = x[1:, 2:], t.zeros(0)
        p = t.nn.Parameter(x)
        return [y.data_ptr() - x.data_ptr(), x.data_ptr() == x.view(-1).data_ptr(), x.clone().data_ptr() == x.data_ptr(),
                e.data_ptr(), x[3:].data_ptr(), y.untyped_storage().data_ptr() == x.data_ptr(), p.data_ptr() == x.data_ptr(),
                x.t().data_ptr() == x.data_ptr(), x.is_set_to(x.view(3, 4)), x.is_set_to(x.t()), x.is_set_to(x.clone()),
                x.untyped_storage()._cdata == y.untyped_storage()._cdata, x.untyped_storage().nbytes()]  # fmt: skip

    both(code)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages():
    def code(t):
        x = t.arange(6.0).add(0).view(2, 3)
        s = x.storage()
        out = [repr(s), s[2], len(s), s.tolist(), x.t().untyped_storage().tolist()[:8], x[1].storage().tolist()]
        s[0] = 50.0
        out += [x.clone(), repr(t.FloatStorage([1.0, 2.0])), x.storage_type() is t.FloatStorage, s.dtype == t.float32]
        x.t().storage().fill_(3.0)
        return [*out, x.clone(), t.is_storage(s), t.UntypedStorage(2).nbytes(), s.nbytes(), s.element_size(), s.type()]

    both(code)


def test_resize_and_set():
    def code(t):
        c = t.arange(6.0).add(0)
        v = c[1:3]
        c.resize_(2, 2)
        out = [c.clone()]
        v.mul_(10)
        out.append(c.clone())
        out += [c.resize_(6).clone(), v.clone(), c.untyped_storage().nbytes()]
        d = t.arange(4.0)
        e = t.zeros(1).set_(d)
        e.add_(1)
        out += [d.clone(), e.is_set_to(d), e._base is None, t.zeros(2).set_(d.untyped_storage(), 1, (2,), (2,)).clone()]
        a = t.arange(6.0).view(2, 3)
        b = a.t_()
        out += [
            b is a,
            a.stride(),
            list(a.squeeze_().shape),
            list(t.ones(2).unsqueeze_(0).shape),
            t.ones(3).set_().shape == (0,),
        ]
        grown = t.ones(2)
        w = grown[1:]
        grown.resize_(4)[:2].fill_(7)
        return [*out, w.clone(), list(t.ones(2, 3).resize_as_(t.ones(6)).shape)]

    both(code)


def test_as_strided_looks_at_the_storage():
    def code(t):
        f = t.arange(12.0).add(0).view(3, 4)
        g = f.t()
        out = [
            g.as_strided((2, 2), (1, 4)).clone(),
            f[1].as_strided((2,), (1,)).clone(),
            f[1].as_strided((2,), (1,), 0) * 1,
        ]
        g.as_strided((2,), (5,), 1).fill_(0)
        last = t.rand(1, 2, 2, 2).contiguous(memory_format=t.channels_last)
        last.copy_(t.arange(8.0).view(1, 2, 2, 2))
        return [*out, f.clone(), last.as_strided((8,), (1,)).clone()]

    both(code)


def test_filling_what_is_expanded():
    def code(t):
        k = t.zeros(3, 1).expand(3, 4)
        k.fill_(2)
        out = [k.clone()]
        k[:, 1] = 7
        return [*out, k.clone(), k.zero_().sum()]

    both(code)


ERRORS = {
    "view": lambda t, x: x.t().view(6),
    "view of a part": lambda t, x: x[:, :2].view(-1),
    "expanded add_": lambda t, x: x[:1].expand(4, 3).add_(1),
    "expanded copy_": lambda t, x: x[:1].expand(4, 3).copy_(t.ones(4, 3)),
    "expanded setitem": lambda t, x: x[:1].expand(4, 3).__setitem__(0, 1.0) or x[:1].expand(4, 3)[:, :1].mul_(2),
    "stride dim": lambda t, x: x.stride(5),
    "channels_last rank": lambda t, x: x.contiguous(memory_format=t.channels_last),
    "preserve": lambda t, x: x.t().contiguous(memory_format=t.preserve_format),
    "dtype view": lambda t, x: x.t().view(t.float64),
    "resize of a leaf": lambda t, x: t.ones(2, requires_grad=True).resize_(1),
    "empty_strided": lambda t, x: t.empty_strided((2, 3), (1,)),
    "empty_permuted": lambda t, x: t.empty_permuted((2, 3), (0, 0)),
    "as_strided bounds": lambda t, x: x.as_strided((3,), (30,)),
}


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_errors(code):
    both(lambda t: code(t, t.arange(6.0).view(2, 3)))


def test_random_chains_of_ops_have_pytorchs_strides():
    ops = {
        "t": lambda t, x: x.transpose(0, -1), "add": lambda t, x: x + 1, "mul": lambda t, x: x * x.clone(),
        "clone": lambda t, x: x.clone(), "slice": lambda t, x: x[..., ::2], "unsqueeze": lambda t, x: x.unsqueeze(1),
        "flip": lambda t, x: x.flip(0), "permute": lambda t, x: x.permute(*range(1, x.dim()), 0),
        "like": lambda t, x: t.ones_like(x) - x, "reshape": lambda t, x: x.reshape(-1, *x.shape[1:]),
        "contiguous": lambda t, x: x.contiguous(), "expand": lambda t, x: x.unsqueeze(0).expand(2, *x.shape),
        "flatten": lambda t, x: x.flatten(0, 1), "inplace": lambda t, x: x.clone().mul_(2), "sum": lambda t, x: x.sum(-1),
        "view": lambda t, x: x.view(-1, x.shape[-1]), "cast": lambda t, x: x.double().float(),
    }  # fmt: skip
    for seed in range(25):
        chosen = np.random.RandomState(seed).choice(list(ops), 6)

        def code(t, chosen=chosen):
            x, out = t.arange(24.0).view(2, 3, 4), []
            for name in chosen:
                if x.dim() > 1:
                    x = ops[name](t, x)
                out.append((name, x.stride(), x.storage_offset(), x.is_contiguous()))
            return [*out, x]

        both(code)


def test_numbers_written_where_tensors_say_into_expanded_tensors():
    """PyTorch only warns of these; a slice of repeated elements is refused."""

    def code(t):
        def write(index):
            x = t.zeros(()).expand(2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    x[index(x)] = 3.0
                except RuntimeError as e:
                    return str(e)
            return x

        indices = (lambda x: x == 0, lambda x: x != 0, lambda x: t.tensor([0]), lambda x: [0, 1], lambda x: slice(None))
        return [write(i) for i in indices]

    both(code)
