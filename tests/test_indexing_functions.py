"""`parse_index`, `getitem` and `setitem` against PyTorch's indexing, on random indices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from funcgrad.ops import indexing
from funcgrad.ops._number import Number
from funcgrad.ops.indexing import getitem, mask_operands, nonzero_indices, parse_index, setitem, splice_masks

SHAPES = [(5,), (2, 3), (1, 4, 3), (3, 1, 2, 4), (0, 3), ()]
ARRAY_KINDS = ("index", "mask", "list", "bool", "numpy")


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def slices(n):
    bound = st.none() | st.integers(-n - 2, n + 2)
    return st.builds(slice, bound, bound, st.none() | st.integers(1, 3))


@st.composite
def arrays(draw, shape, broadcast):
    """An item that indexes with an array, and the number of dimensions it takes."""
    kind = draw(st.sampled_from(ARRAY_KINDS))
    n = shape[0] if shape else 0
    if kind == "bool":
        return draw(st.booleans()), 0
    if kind == "mask":
        ndim = draw(st.integers(0, min(2, len(shape))))
        chosen = np.random.RandomState(draw(st.integers(0, 99))).random_sample(shape[:ndim]) > 0.4
        return torch.as_tensor(chosen), ndim
    size = broadcast if n else (0,)
    values = np.asarray(draw(st.lists(st.integers(-n, max(n - 1, 0)), min_size=9, max_size=9)), np.int64)
    array = np.resize(values, size)
    if kind == "list":
        return array.reshape(-1)[: size[-1] if size else 1].tolist(), 1
    return (array if kind == "numpy" and array.ndim else torch.from_numpy(array)), 1


@st.composite
def indices(draw):
    """A shape and an index for it, in the forms that PyTorch takes."""
    shape = draw(st.sampled_from(SHAPES))
    rest, items, ellipsis = shape, [], False
    broadcast = draw(st.sampled_from([(2,), (1,), (2, 2), ()]))
    for _ in range(draw(st.integers(0, len(shape) + 2))):
        kind = draw(st.sampled_from(["int", "slice", "slice", "none", "ellipsis", "array", "array"]))
        n = rest[0] if rest else 0
        if kind == "none":
            items.append(None)
        elif kind == "ellipsis" and not ellipsis:
            ellipsis = True
            items.append(Ellipsis)
            rest = rest[draw(st.integers(0, len(rest))) :]
        elif kind == "array":
            item, taken = draw(arrays(rest, broadcast))
            if taken <= len(rest):
                items.append(item)
                rest = rest[taken:]
        elif kind == "slice" and rest:
            items.append(draw(slices(n)))
            rest = rest[1:]
        elif kind == "int" and n:
            items.append(draw(st.integers(-n, n - 1)))
            rest = rest[1:]
    return shape, items[0] if len(items) == 1 and draw(st.booleans()) else tuple(items)


def raised(function):
    """What `function` returns, and the error it raised."""
    try:
        return function(), None
    except (IndexError, RuntimeError, TypeError, ValueError) as e:
        return None, e


def to_operand(x):
    return jnp.asarray(x.numpy()) if isinstance(x, torch.Tensor) else jnp.asarray(x) if isinstance(x, np.ndarray) else x


def to_index(index):
    """PyTorch's tensors in an index as arrays."""
    if isinstance(index, tuple):
        return tuple(map(to_index, index))
    return jnp.asarray(index.numpy()) if isinstance(index, torch.Tensor) else index


def parsed(shape, index):
    layout, operands = parse_index(shape, to_index(index))
    hash(layout)
    return layout, tuple(map(to_operand, operands))


def spliced(layout, operands):
    found = [nonzero_indices(np.asarray(operands[k])) for k in mask_operands(layout)]
    return splice_masks(layout, operands, found)


def base(shape):
    return np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)


def compare_errors(mine, theirs):
    assert type(mine) is type(theirs), (mine, theirs)
    text = str(theirs).partition("\n")[0]
    assert str(mine) == text or "could not be broadcast" in text or "mask" in text, (str(mine), text)


@settings(max_examples=70, deadline=None, derandomize=True)
@given(indices())
def test_getitem_is_pytorchs(case):
    shape, index = case
    x = base(shape)
    want, their_error = raised(lambda: torch.from_numpy(x.copy())[index])
    got, my_error = raised(lambda: getitem(jnp.asarray(x), *_flat(spliced(*parsed(shape, index)))))
    if their_error is not None:
        if my_error is not None or "out of bounds" not in str(their_error):  # positions in arrays are not seen here
            compare_errors(my_error, their_error)
        return
    assert my_error is None, my_error
    assert got.shape == tuple(want.shape)
    np.testing.assert_array_equal(got, want.numpy())


def _flat(pair):
    layout, operands = pair
    return (layout, *operands)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(indices(), st.sampled_from(["number", "zero-dim", "full", "last", "ones", "wrong"]))
def test_setitem_is_pytorchs(case, kind):
    shape, index = case
    x = torch.from_numpy(base(shape))
    target, error = raised(lambda: x[index])
    if error is not None:
        return
    size = {"full": target.shape, "last": target.shape[-1:], "ones": (1, 1, *target.shape), "wrong": (7,)}.get(kind, ())
    rng = np.random.RandomState(1)
    value = torch.as_tensor(-rng.random_sample(size) - 1).float() if kind != "number" else -3
    _, their_error = raised(lambda: x.__setitem__(index, value))
    layout, operands = parsed(shape, index)
    got, my_error = raised(lambda: setitem(jnp.asarray(base(shape)), to_operand(value), layout, *operands))
    if their_error is not None:
        assert type(my_error) is type(their_error), (my_error, their_error)
        return
    assert my_error is None, my_error
    if not _repeats(index):
        np.testing.assert_array_equal(got, x.numpy())


def _repeats(index):
    """Whether index arrays may name a position twice, so that the value that stays is not defined."""
    items = index if isinstance(index, tuple) else (index,)
    return any(
        isinstance(i, list | np.ndarray) or (isinstance(i, torch.Tensor) and i.dtype != torch.bool) for i in items
    )


@settings(max_examples=12, deadline=None, derandomize=True)
@given(indices())
def test_positions_are_run_time_values(case):
    """Under `jax.jit`, integers arrive as `Number`s and a second set of them compiles nothing."""
    shape, index = case
    parse, error = raised(lambda: spliced(*parsed(shape, index)))
    if error is not None:
        return
    layout, operands = parse
    ints = [k for k, v in enumerate(operands) if isinstance(v, int)]

    @jax.jit
    def run(x, *values):
        values = [Number(v, int) if k in ints else v for k, v in enumerate(values)]
        return getitem(x, layout, *values)

    x = jnp.asarray(base(shape))
    want, error = raised(lambda: getitem(x, layout, *operands))
    if error is None:
        np.testing.assert_array_equal(run(x, *operands), want)


def test_layouts_do_not_depend_on_positions():
    for one, other in [(2, -1), (slice(0, 3), slice(4, 7)), ((slice(None), 1, [0]), (slice(None), 2, [3]))]:
        assert parse_index((9, 9, 9), one)[0] == parse_index((9, 9, 9), other)[0]
    assert parse_index((9, 9), (slice(None), slice(0, 9)))[0] == ()


@pytest.mark.parametrize(
    "index", [1, (slice(1, 3), slice(0, 4, 2)), [0, 0, 2], (slice(None), [1, 1], [0, 0]), torch.ones(3, 4) > 0], ids=str
)
def test_gradients(index):
    x = base((3, 4, 5))
    t = torch.from_numpy(x).requires_grad_()
    weights = np.random.RandomState(0).randn(*t[index].shape).astype(np.float32)
    (t[index] * torch.from_numpy(weights)).sum().backward()
    layout, operands = spliced(*parsed(x.shape, index))
    got = jax.grad(lambda a: jnp.sum(getitem(a, layout, *operands) * weights))(jnp.asarray(x))
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-6)

    t, v = torch.from_numpy(x).requires_grad_(), torch.from_numpy(weights).requires_grad_()
    y = t * 2
    y[index] = v
    y.pow(2).sum().backward()
    got = jax.grad(lambda a, b: jnp.sum(setitem(a * 2, b, layout, *operands) ** 2), (0, 1))(
        *map(jnp.asarray, (x, weights))
    )
    np.testing.assert_allclose(got[0], t.grad.numpy(), rtol=1e-6)
    np.testing.assert_allclose(got[1], v.grad.numpy(), rtol=1e-6)  # also of a value that another one overwrote


def test_errors():
    x = base((2, 3))
    cases = [5, -3, (0, 3), (0, 0, 0), 1.0, [5], (slice(None), [0, 3]), slice(None, None, -1), slice(None, None, 0)]
    cases += [torch.ones(2, 2) > 0, (0, torch.ones(2) > 0), torch.ones(2), ([0, 1], [0, 1, 2]), "a", slice("a", None)]
    for index in cases:
        theirs = raised(lambda: torch.from_numpy(x)[index])[1]  # noqa: B023
        mine = raised(lambda: getitem(jnp.asarray(x), *_flat(spliced(*parsed(x.shape, index)))))[1]  # noqa: B023
        words = str(theirs).partition("\n")[0]
        assert type(mine) is type(theirs) and str(mine) in (
            words,
            words.replace("dimension 1 with", "dimension 0 with"),
        )
    theirs = raised(lambda: torch.tensor(1.0)[0])[1]
    assert str(raised(lambda: parse_index((), 0))[1]) == str(theirs)


def test_a_masked_write_of_one_value_needs_no_positions():
    x, mask = base((3, 4)), np.random.RandomState(0).rand(3, 4) > 0.5
    layout, _ = parse_index((3, 4), mask)
    assert indexing.writes_masked(2, layout, ())
    got = jax.jit(lambda x, m: setitem(x, 7.0, layout, m))(x, mask)
    want = torch.from_numpy(x.copy())
    want[torch.from_numpy(mask)] = 7.0
    np.testing.assert_array_equal(got, want.numpy())
