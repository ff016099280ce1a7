"""Memory shared with NumPy, buffers and DLPack: the same programs under both libraries."""

import numpy as np
import pytest
import torch
from parity import both

import funcgrad


def test_from_numpy_and_numpy_share_memory():
    def code(t):
        out = []
        a = np.ones(5)
        b = t.from_numpy(a)
        np.add(a, 1, out=a)
        out.append(b.clone())
        b.add_(1)
        out.append(a.copy())
        c = t.ones(4)
        n = c.numpy()
        c.add_(1)
        out.append(n.copy())
        n[1:] = 7
        out.append(c + 0)
        v = c[1:3]
        n[2] = 9
        out.append(v * 1)
        v.mul_(2)
        out += [n.copy(), c.numpy().tolist()]
        return out

    both(code)


def test_strided_windows_of_memory():
    def code(t):
        x = t.arange(6.0).view(2, 3)
        x.t().numpy()[0, 1] = 100
        m = x.t().numpy()
        out = [x.clone(), m.strides, m.shape]
        x[0] = 5
        out.append(m.copy())
        big = np.arange(24.0).reshape(4, 6)[:, ::2]
        s = t.from_numpy(big)
        big[0, 0] = 50
        out += [s.stride(), s.sum()]
        s[1] = 0
        return [*out, big.copy(), s.t().numpy().copy()]

    both(code)


def test_one_buffer_for_every_batch():
    def code(t):
        t.manual_seed(0)
        buffer = np.zeros((2, 3), np.float32)
        x, layer, out = t.from_numpy(buffer), t.nn.Linear(3, 2), []
        for i in range(3):
            buffer[...] = i
            y = layer(x)
            buffer[...] = -1  # after its use
            out.append(y.detach())
        return out

    both(code)


def test_leaves_and_their_gradients():
    def code(t):
        w = t.ones(3, requires_grad=True)
        n = w.detach().numpy()
        y = (w * 2).sum()
        n[0] = 4
        y.backward()
        (w * w).sum().backward()
        out = [w.grad.clone()]
        t.optim.SGD([w], lr=0.5).step()
        out.append(n.copy())
        n[:] = 0
        return [*out, w.detach().clone(), w.requires_grad]

    both(code)


def test_parts_of_a_data_set():
    def code(t):
        data = np.arange(12.0).reshape(6, 2)
        x = t.from_numpy(data)
        part, rows = x[1:3], x[t.tensor([0, -1])]
        data[...] *= 10
        out = [part.clone(), rows, x[2], x[4, 1], x[[1, 2]], x[:, 0][2:].sum()]
        part += 1
        return [*out, data.copy()]

    both(code)


def test_tensors_and_parameters_share_memory():
    def code(t):
        w = t.zeros(3)
        p = t.nn.Parameter(w)
        for _ in range(3):
            p.grad = None
            (p * t.tensor([1.0, 2.0, 3.0])).sum().backward()
            p.data.sub_(p.grad)
        out = [w.clone(), p.detach().clone(), p.requires_grad, p.is_leaf, p._base is None]
        w.fill_(5)
        (p * p).sum().backward()
        out += [p.detach().clone(), p.grad.clone()]
        x, y = t.ones(2), t.zeros(2)
        x.data = y
        y.add_(1)
        out.append(x.clone())
        x.mul_(3)
        z = t.arange(6.0)
        v = z[2:]
        z.data = t.zeros(2)
        v.add_(1)
        return [*out, y.clone(), x.data_ptr() == y.data_ptr(), v.clone(), z.clone()]

    both(code)


def test_an_array_that_died_leaves_an_ordinary_tensor():
    x = funcgrad.from_numpy(np.arange(3.0))
    x.add_(1)
    assert x.tolist() == [1, 2, 3] and x._memory is None
    y = funcgrad.ones(2)
    n = y.numpy()
    assert (y + 0).tolist() == [1, 1] and y._memory is not None
    del n
    assert (y + 0).tolist() == [1, 1] and y._memory is None


def test_a_compiled_function_ends_the_sharing():
    w = funcgrad.ones(2)
    n = w.numpy()
    step = funcgrad.compile(lambda x: w.add_(x))
    with pytest.warns(UserWarning, match="NumPy array shares"):
        step(funcgrad.ones(2))
    step(funcgrad.ones(2))
    assert w.tolist() == [3, 3] and n.tolist() == [1, 1]


def test_other_ways_in_and_out():
    def code(t):
        a = np.arange(4.0)
        x, y, z = t.as_tensor(a), t.asarray(a), t.asarray(a, copy=True)
        a[0] = 9
        out = [x.clone(), y.clone(), z.clone()]
        b = bytearray(8)
        s = t.frombuffer(b, dtype=t.int16)
        b[0] = 3
        s[1] = 258
        p = t.from_dlpack(a)
        a[2] = 7
        p[3] = 1
        q = t.ones(3)
        r = np.from_dlpack(q)
        q.add_(1)
        return [*out, s.clone(), bytes(b), p.clone(), a.copy(), np.array(r), np.asarray(t.ones(2), dtype=np.int32)]

    both(code)


def test_dlpack_with_torch():
    theirs = torch.arange(3.0)
    ours = funcgrad.from_dlpack(theirs)
    theirs.add_(1)
    assert ours.tolist() == [1, 2, 3]
    ours.mul_(2)
    assert theirs.tolist() == [2, 4, 6]
    back = torch.from_dlpack(ours * 1)
    assert back.tolist() == [2, 4, 6]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's __array_wrap__
def test_numpy_functions():
    def code(t):
        one = t.ones(2)
        return [np.sin(one), np.add(one, 1), one * np.ones(2), np.float32(2) * one, np.sqrt(t.tensor(4.0)), np.isnan(one),
                np.maximum(one, np.zeros(2)), np.concatenate([one, one]), np.stack([one, one]), np.array(one),
                t.tensor(np.float64(2.0)), t.tensor([np.float32(1)])]  # fmt: skip

    both(code)


ERRORS = {
    "numpy of a leaf": lambda t: t.ones(2, requires_grad=True).numpy(),
    "asarray of a leaf": lambda t: np.asarray(t.ones(2, requires_grad=True)),
    "bfloat16": lambda t: t.ones(2, dtype=t.bfloat16).numpy(),
    "no array": lambda t: t.from_numpy([1]),
    "negative strides": lambda t: t.from_numpy(np.ones(3)[::-1]),
    "strings": lambda t: t.from_numpy(np.array(["a"])),
    "byte order": lambda t: t.from_numpy(np.ones(2, ">f4")),
    "cuda interface": lambda t: t.ones(2).__cuda_array_interface__,
    "buffer": lambda t: memoryview(t.ones(2)),
    "asarray": lambda t: t.asarray([1], copy=False),
    "asarray dtype": lambda t: t.asarray(t.ones(2), dtype=t.int64, copy=False),
    "frombuffer": lambda t: t.frombuffer(bytearray(5), dtype=t.float32),
    "frombuffer offset": lambda t: t.frombuffer(bytearray(5), dtype=t.float32, offset=9),
    "frombuffer count": lambda t: t.frombuffer(bytearray(5), dtype=t.float32, count=3),
    "no buffer": lambda t: t.frombuffer([1], dtype=t.float32),
    "dlpack of a leaf": lambda t: t.ones(2, requires_grad=True).__dlpack__(),
    "pinning": lambda t: t.ones(2).pin_memory(),
}


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_errors(code):
    both(code)
