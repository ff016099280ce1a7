"""`views.write_through` and `strides.derive` against PyTorch, for chains of views."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from funcgrad import _dtypes
from funcgrad.ops import strides, views
from funcgrad.ops.indexing import parse_index
from funcgrad.ops.strides import Geometry, derive

CALLS = [  # (op, shape, arguments)
    ("view", (2, 6), (3, 4)),
    ("view", (2, 6), (-1,)),
    ("reshape", (2, 6), ((4, -1),)),
    ("ravel", (2, 3), ()),
    ("flatten", (2, 3, 4), (1,)),
    ("flatten", (), ()),
    ("unflatten", (2, 6), (1, (2, -1))),
    ("permute", (2, 3, 4), (2, 0, 1)),
    ("permute", (2, 3, 4), ((-1, 1, 0),)),
    ("transpose", (2, 3, 4), (0, -1)),
    ("swapaxes", (2, 3, 4), (1, 2)),
    ("movedim", (2, 3, 4), (0, 2)),
    ("movedim", (2, 3, 4, 5), ((0, 1), (-1, 0))),
    ("t", (2, 3), ()),
    ("adjoint", (2, 3, 4), ()),
    ("squeeze", (2, 1, 3, 1), ()),
    ("squeeze", (2, 1, 3, 1), (1,)),
    ("squeeze", (2, 1, 3, 1), ((1, 3, 0),)),
    ("unsqueeze", (2, 3), (1,)),
    ("unsqueeze", (2, 3), (-1,)),
    ("expand", (2, 3), (1, 1, 2, 3)),
    ("broadcast_to", (2, 3), ((1, 2, 3),)),
    ("select", (2, 3, 4), (1, -1)),
    ("narrow", (5, 3), (0, 1, 3)),
    ("narrow", (5, 3), (0, -2, 2)),
    ("diagonal", (3, 4), ()),
    ("diagonal", (4, 3, 2), (-1, 1, 0)),
    ("diagonal", (4, 3, 2), (1, 0, 2)),
    ("unfold", (7, 2), (0, 3, 3)),
    ("unfold", (), (0, 1, 1)),
    ("as_strided", (3, 4), ((2, 3), (4, 1), 2)),
    ("split", (5, 4), (2,)),
    ("split", (5, 4), ((1, 3), 1)),
    ("chunk", (5, 4), (3,)),
    ("tensor_split", (5, 4), ((1, 3),)),
    ("tensor_split", (5, 4), (3, 1)),
    ("hsplit", (4, 6), (3,)),
    ("vsplit", (4, 6), ((1,),)),
    ("dsplit", (2, 2, 4), (2,)),
    ("unbind", (3, 4), (1,)),
    ("detach", (3,), ()),
]
INDICES = [0, slice(1, 3), (slice(None), 1), (Ellipsis, slice(0, 5, 2)), None, (slice(None, None, 2), None, -1)]


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def geometry(t):
    return Geometry(tuple(t.shape), t.stride(), t.storage_offset())


def written(base, view, new):
    """What PyTorch has in `base` after `view`, one of its views, was set to `new`."""
    view.copy_(torch.from_numpy(np.array(new)))
    return base.numpy()


def check_write(name, base, view, args, output=None):
    new = -1 - np.arange(view.numel(), dtype=np.float32).reshape(tuple(view.shape))
    keyword = {} if output is None else {"output": output}
    start = jnp.asarray(base.numpy())
    got = jax.jit(lambda b, n: views.write_through(name, b, n, *args, **keyword))(start, new)
    np.testing.assert_array_equal(got, written(base, view, new))


@pytest.mark.parametrize("name, shape, args", CALLS, ids=lambda x: str(x))
def test_writing_and_geometry(name, shape, args):
    base = torch.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    out = getattr(base, name)(*args)
    several = isinstance(out, tuple | list)
    made = derive(name, geometry(base), *args)
    assert (made if several else (made,)) == tuple(map(geometry, out if several else (out,)))
    for i in range(len(out) if several else 1):
        fresh = base.clone()
        view = getattr(fresh, name)(*args)
        check_write(name, fresh, view[i] if several else view, args, i if several else None)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    base = torch.arange(60.0).reshape(3, 4, 5)
    layout, operands = parse_index((3, 4, 5), index)
    assert derive("getitem", geometry(base), layout, *operands) == geometry(base[index])
    check_write("getitem", base, base[index], (layout, *operands))


def test_complex_views():
    base = torch.arange(6.0).reshape(3, 2)
    z = torch.complex(torch.arange(3.0), -torch.arange(3.0))
    for name in ("real", "imag"):
        part = getattr(z, name)
        assert derive(name, geometry(z)) == geometry(part)
        got = views.write_through(name, jnp.asarray(z.numpy()), jnp.full(3, 9.0, jnp.float32))
        part.fill_(9.0)
        np.testing.assert_array_equal(got, z.numpy())
    pairs = torch.view_as_real(z)
    assert derive("view_as_real", geometry(z)) == geometry(pairs)
    assert derive("view_as_complex", geometry(base)) == geometry(torch.view_as_complex(base))
    got = views.write_through("view_as_real", jnp.asarray(z.numpy()), jnp.asarray(base.numpy()))
    np.testing.assert_array_equal(got, torch.view_as_complex(base).numpy())
    back = views.write_through("view_as_complex", jnp.asarray(base.numpy()), jnp.asarray(z.numpy()))
    np.testing.assert_array_equal(back, pairs.numpy())


def test_dtype_views():
    base = torch.arange(4, dtype=torch.int32)
    view = base.view(torch.float64)
    assert derive("view", geometry(base), _dtypes.float64, source=_dtypes.int32) == geometry(view)
    assert derive("view", geometry(base), _dtypes.int16, source=_dtypes.int32) == geometry(base.view(torch.int16))
    view.copy_(torch.tensor([1.5, -2.0]))
    got = views.write_through("view", jnp.arange(4, dtype=jnp.int32), jnp.asarray([1.5, -2.0]), _dtypes.float64)
    np.testing.assert_array_equal(got, base.numpy())


def test_filling_repeated_elements():
    base, new = jnp.zeros((3, 1)), jnp.zeros((2, 3, 4)).at[1, 2].set(5.0)
    assert views.write_through("expand", base, new, 2, 3, 4).tolist() == [[0.0], [0.0], [5.0]]


@pytest.mark.parametrize("args", [(0, 2, 1), (0, 3, 2)])
def test_writing_through_overlapping_windows(args):
    base = torch.arange(14.0).reshape(7, 2)
    new = base.unfold(*args).clone()
    new[0] += 5  # one window of several that share elements
    got = views.write_through("unfold", jnp.asarray(base.numpy()), jnp.asarray(new.numpy()), *args)
    base.unfold(*args)[0].add_(5)
    np.testing.assert_array_equal(got, base.numpy())


def test_gradients():
    base, new = jnp.arange(12.0).reshape(3, 4), jnp.ones(3)

    def loss(b, n):
        return jnp.sum(views.write_through("select", b, n, 1, 2) ** 3)

    got = jax.grad(loss, (0, 1))(base, new)
    np.testing.assert_allclose(got[0], (3 * base**2).at[:, 2].set(0))
    np.testing.assert_allclose(got[1], 3 * new**2)


def random_view(t, g, rng):
    """A random view op on `t`, and its geometry by `derive`."""
    n, d = t.ndim, int(rng.randint(max(t.ndim, 1)))
    size = t.shape[d] if n else 1
    kind = rng.choice(
        "transpose unsqueeze select slice expand squeeze unfold flatten view diagonal unbind reshape".split()
    )
    if kind == "transpose" and n:
        args = (d, int(rng.randint(n)))
    elif kind == "unsqueeze":
        args = (int(rng.randint(n + 1)),)
    elif kind == "select" and n and size:
        args = (d, int(rng.randint(size)))
    elif kind == "slice" and n:
        index = (slice(None),) * d + (slice(int(rng.randint(size)), None, int(rng.randint(1, 3))),)
        layout, operands = parse_index(tuple(t.shape), index)
        return t[index], derive("getitem", g, layout, *operands)
    elif kind == "expand":
        args = (tuple(3 if n == 1 else n for n in t.shape),)
    elif kind == "squeeze":
        args = ()
    elif kind == "unfold" and n and size > 1:
        args = (d, 2, 1)
    elif kind == "flatten" and n:
        args = tuple(sorted(rng.randint(n, size=2).tolist()))
    elif kind in ("view", "reshape"):
        args = ((-1, t.shape[-1]) if n and t.shape[-1] else (-1,),) if t.numel() else (tuple(t.shape),)
    elif kind == "diagonal" and n > 1:
        args = (int(rng.randint(-1, 2)), 0, n - 1)
    elif kind == "unbind" and n and size:
        return t.unbind(d)[-1], derive("unbind", g, d)[-1]
    else:
        return t, g
    try:
        want = getattr(t, kind)(*args)
    except RuntimeError as e:
        with pytest.raises(RuntimeError) as mine:
            derive(kind, g, *args)
        assert str(mine.value) == str(e)
        return t, g
    got = derive(kind, g, *args)
    if got is None:
        assert want.data_ptr() != t.data_ptr() or not t.numel()
        return t, g
    return want, got


def test_chains_of_views():
    for seed in range(300):
        rng = np.random.RandomState(seed)
        t = torch.zeros(rng.randint(1, 5, size=rng.randint(0, 4)).tolist())
        g = geometry(t)
        for _ in range(6):
            t, g = random_view(t, g, rng)
            assert g == geometry(t) or not t.numel(), seed
            if not t.numel():
                break
            assert strides.is_contiguous(g) == t.is_contiguous()
            assert strides.preserved_strides(g) == torch.empty_like(t).stride(), (seed, g)


def test_memory_formats():
    image = torch.zeros(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    assert strides.contiguous_strides((2, 3, 4, 5), "torch.channels_last") == image.stride()
    assert strides.is_contiguous(geometry(image), "torch.channels_last") and not strides.is_contiguous(geometry(image))
    assert not strides.is_contiguous(Geometry((3,), (1,)), "channels_last")
