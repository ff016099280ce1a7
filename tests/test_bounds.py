"""Indices out of range: PyTorch's error, at the line or at the launch, never a silent clamp."""

import pytest

import funcgrad as torch

F = torch.nn.functional
TABLE = torch.arange(15.0).reshape(5, 3)

CALLS = {
    "embedding": (lambda i: F.embedding(i, TABLE), IndexError, "index out of range in self"),
    "index": (lambda i: TABLE[i], IndexError, "index 7 is out of bounds for dimension 0 with size 5"),
    "index_select": (lambda i: TABLE.index_select(0, i), IndexError, "index out of range in self"),
    "gather": (lambda i: TABLE[:, 0].gather(0, i), RuntimeError, "index 7 is out of bounds for dimension 0"),
    "nll_loss": (lambda i: F.nll_loss(TABLE[:2], i), IndexError, "Target 7 is out of bounds."),
    "cross_entropy": (lambda i: F.cross_entropy(TABLE[:2], i), IndexError, "Target 7 is out of bounds."),
}


@pytest.mark.parametrize("name", CALLS)
def test_known_indices_are_checked_when_recorded(name):
    call, kind, text = CALLS[name]
    with pytest.raises(kind, match=text):
        call(torch.tensor([0, 7]))
    call(torch.tensor([0, 1])).sum().item()


@pytest.mark.parametrize("name", CALLS)
def test_pending_indices_are_checked_by_the_program(name):
    call, kind, text = CALLS[name]
    out = call(torch.tensor([0, 6]) + torch.tensor([0, 1]))
    with pytest.raises(kind, match=text + r".*recorded at .*test_bounds\.py:\d+"):
        out.sum().item()
    call(torch.tensor([0, 0]) + torch.tensor([0, 1])).sum().item()
