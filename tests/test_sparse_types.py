"""The legacy sparse constructors (``torch.sparse.FloatTensor``), as older graph networks call them."""

import warnings

import pytest
from parity import both

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def parts(torch):
    return torch.tensor([[0, 1, 1], [2, 0, 2]]), torch.tensor([3.0, 4.0, 5.0])


def test_graph_convolution_trains():
    def code(torch):
        torch.manual_seed(0)
        adjacency = torch.sparse.FloatTensor(*parts(torch), torch.Size([2, 3]))
        weight = torch.nn.Parameter(torch.randn(4, 2))
        hidden = torch.spmm(adjacency, torch.randn(3, 4) @ weight)
        hidden.square().sum().backward()
        return [hidden, weight.grad, adjacency.to_dense(), adjacency.is_coalesced()]

    both(code)


@pytest.mark.parametrize("name", ["FloatTensor", "DoubleTensor", "LongTensor", "HalfTensor"])
def test_forms(name):
    def code(torch):
        indices, values = parts(torch)
        kind = getattr(torch.sparse, name)
        made = [
            kind(),
            kind(2, 3),
            kind(torch.Size([2, 3])),
            kind(indices, values),
            kind(indices, values.double(), (4, 5)),
        ]
        return [[repr(t), t.type(), str(t.dtype), isinstance(t, kind), isinstance(t, torch.FloatTensor)] for t in made]

    both(code)


def test_dense_is_no_instance():
    both(lambda torch: [isinstance(torch.ones(2), k) for k in (torch.sparse.FloatTensor, torch.FloatTensor)])


def test_indices_must_be_long():
    both(lambda torch: torch.sparse.FloatTensor(parts(torch)[0].int(), parts(torch)[1]))


def test_warns_once_a_form():
    import funcgrad
    from funcgrad._facade import _legacy_types

    _legacy_types._warned.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            funcgrad.sparse.FloatTensor(*parts(funcgrad))
    assert [str(w.message).split("(")[1].split(",")[0] for w in caught] == ["indices"]
