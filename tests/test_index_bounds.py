"""Positions out of range: `index_bounds` finds them and has PyTorch's words."""

import numpy as np
import pytest
import torch

from funcgrad.ops.index_bounds import INDEX_BOUNDS, raise_out_of_bounds
from funcgrad.ops.indexing import parse_index

X = torch.zeros(2, 3)
ONE, ROW = torch.zeros(1), torch.zeros(1, 3)
CALLS = {
    "gather": lambda i: (1, torch.tensor([[i]])),
    "scatter": lambda i: (1, torch.tensor([[i]]), 1.0),
    "scatter_add": lambda i: (0, torch.tensor([[i]]), ROW),
    "scatter_reduce": lambda i: (1, torch.tensor([[i]]), ROW, "sum"),
    "index_add": lambda i: (0, torch.tensor([i]), ROW),
    "index_copy": lambda i: (0, torch.tensor([i]), ROW),
    "index_fill": lambda i: (0, torch.tensor([i]), 1.0),
    "index_select": lambda i: (1, torch.tensor([i])),
    "index_reduce": lambda i: (0, torch.tensor([i]), ROW, "amax"),
    "take": lambda i: (torch.tensor([i]),),
    "put": lambda i: (torch.tensor([i]), ONE),
    "index_put": lambda i: ((torch.tensor([0]), torch.tensor([i])), ONE),
}


def convert(x):
    if isinstance(x, torch.Tensor):
        return x.numpy()
    return tuple(map(convert, x)) if isinstance(x, tuple) else x


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("position", [0, 1, 2, 3, 6, -1, -2, -4, -7])
def test_the_error_is_pytorchs(name, position):
    args = CALLS[name](position)
    try:
        getattr(X, name)(*args)
        want = None
    except (IndexError, RuntimeError) as e:
        want = e
    if want is None:
        raise_out_of_bounds(name, X.numpy(), *convert(args))
        return
    with pytest.raises(type(want)) as got:
        raise_out_of_bounds(name, X.numpy(), *convert(args))
    assert str(got.value) == str(want).partition("\n")[0]


@pytest.mark.parametrize(
    "make", [lambda i: i, lambda i: (slice(None), i), lambda i: (i, slice(0, 0)), lambda i: (0, i)]
)
@pytest.mark.parametrize("value", [5, -5, 0, [0, 7]])
def test_indexing(make, value):
    index = make(torch.tensor(value))
    as_array = make(_Opaque(np.asarray(value)))
    layout, operands = parse_index((2, 3), as_array)
    operands = tuple(v.array if isinstance(v, _Opaque) else v for v in operands)
    try:
        X[index]
    except IndexError as e:
        with pytest.raises(IndexError, match="out of bounds for dimension"):
            raise_out_of_bounds("getitem", X.numpy(), layout, *operands)
        assert str(e)
    else:
        raise_out_of_bounds("getitem", X.numpy(), layout, *operands)


class _Opaque:
    """An array whose values `parse_index` cannot see."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype


def test_rules_name_functions():
    from funcgrad import ops

    for name in INDEX_BOUNDS:
        assert any(hasattr(family, name) for family in ops.NAMESPACES[""]), name
