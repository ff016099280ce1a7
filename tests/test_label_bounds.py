"""Labels, indices, lengths and probabilities out of range: the errors of `label_bounds` are PyTorch's."""

import pytest
import torch
import torch.nn.functional as F

from funcgrad.ops.index_bounds import raise_out_of_bounds

ONES, T = torch.ones, torch.tensor
CALLS = {
    "nll_loss": lambda v: (ONES(2, 3), T([0, v])),
    "nll_loss ignoring": lambda v: (ONES(2, 3), T([0, v]), None, None, 5),
    "cross_entropy": lambda v: (ONES(2, 3, 4), T([[0, v, 0, 0]] * 2)),
    "linear_cross_entropy": lambda v: (ONES(2, 5), ONES(3, 5), T([0, v])),
    "multi_margin_loss": lambda v: (ONES(2, 3), T([0, v])),
    "multilabel_margin_loss": lambda v: (ONES(3), T([0, v, 1])),
    "embedding": lambda v: (T([0, v]), ONES(3, 2)),
    "embedding_bag": lambda v: (T([[0, v]]), ONES(3, 2)),
    "embedding_bag offsets": lambda v: (T([0, 1]), ONES(3, 2), T([0, abs(v)])),
    "one_hot": lambda v: (T([0, v]), 3),
    "binary_cross_entropy": lambda v: (T([0.5, float(v)]), ONES(2)),
    "binary_cross_entropy target": lambda v: (ONES(2), T([0.5, float(v)])),
    "gaussian_nll_loss": lambda v: (ONES(2), ONES(2), T([1.0, v])),
    "ctc_loss frames": lambda v: (ONES(4, 2, 3), T([[1, 2], [1, 2]]), T([4, v]), T([1, 1])),
    "ctc_loss labels": lambda v: (ONES(4, 2, 3), T([[1, 2], [1, 2]]), T([4, 4]), T([1, v])),
}


def outcome(function):
    try:
        function()
    except (IndexError, RuntimeError, ValueError) as e:
        return type(e), str(e).partition("\n")[0]
    return None


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5, -1, -2, -100])
def test_the_error_is_pytorchs(call, value):
    name, args = call.partition(" ")[0], CALLS[call](value)
    arrays = [x.numpy() if isinstance(x, torch.Tensor) else x for x in args]
    want = outcome(lambda: getattr(F, name)(*args))
    assert outcome(lambda: raise_out_of_bounds(name, *arrays)) == want
