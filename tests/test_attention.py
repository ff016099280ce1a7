"""Attention against PyTorch: shapes, masks, dropout, shared heads, causality, and the errors of each."""

import numpy as np
import pytest
from parity import both


def tensors(torch, q=(2, 4, 5, 8), k=(2, 4, 6, 8), v=None, dtype=None):
    rng = np.random.RandomState(0)
    made = (torch.from_numpy(rng.randn(*shape).astype("f")) for shape in (q, k, v or k))
    return [x if dtype is None else x.to(getattr(torch, dtype)) for x in made]


def attend(torch, *args, shapes=(), dtype=None, **kwargs):
    torch.manual_seed(1)
    return torch.nn.functional.scaled_dot_product_attention(*tensors(torch, *shapes, dtype=dtype), *args, **kwargs)


MATRIX, BATCH = [(5, 8), (6, 8)], [(3, 5, 8), (3, 6, 8)]
CALLS = {
    "plain": {},
    "matrices": {"shapes": MATRIX},
    "wider values": {"shapes": [(3, 5, 8), (3, 6, 8), (3, 6, 2)]},
    "broadcast": {"shapes": [(4, 5, 8), (2, 4, 6, 8)], "dropout_p": 0.3},
    "dropout": {"dropout_p": 0.4},
    "all dropped": {"dropout_p": 1.0},
    "negative dropout": {"dropout_p": -0.5, "shapes": MATRIX},
    "causal": {"is_causal": True, "scale": 0.1},
    "shared heads": {"shapes": [(2, 4, 5, 8), (2, 2, 6, 8)], "enable_gqa": True, "dropout_p": 0.2},
    "halves": {"dtype": "bfloat16"},
    "no queries": {"shapes": [(2, 0, 8), (2, 5, 8)]},
    "no keys": {"shapes": [(2, 4, 8), (2, 0, 8)]},
    # -- errors
    "heads do not divide": {"shapes": [(2, 4, 5, 8), (2, 3, 6, 8)], "enable_gqa": True},
    "heads differ": {"shapes": [(2, 4, 5, 8), (2, 2, 6, 8)]},
    "widths differ": {"shapes": [(2, 4, 5, 8), (2, 4, 6, 7), (2, 4, 6, 8)]},
    "lengths differ": {"shapes": [(4, 5, 8), (4, 6, 8), (4, 7, 8)]},
    "widths of matrices differ": {"shapes": [(5, 8), (6, 7), (6, 8)]},
    "lengths of matrices differ": {"shapes": [(5, 8), (6, 8), (7, 8)]},
    "vectors": {"shapes": [(8,), (8,)]},
    "too much dropout": {"dropout_p": 1.5},
    "integers": {"dtype": "int32"},
    "matrices of integers": {"dtype": "int32", "shapes": MATRIX},
}
MASKS = {
    "added": ({}, lambda t: t.arange(30.0).view(5, 6)),
    "bool": ({}, lambda t: t.ones(5, 6, dtype=t.bool).tril()),
    "nothing seen": ({}, lambda t: t.zeros(5, 6, dtype=t.bool)),
    "with causality": ({"is_causal": True}, lambda t: t.arange(30.0).view(5, 6)),
    "bool with causality": ({"is_causal": True}, lambda t: t.arange(30).view(5, 6) % 3 < 2),
    "of halves": ({"dtype": "bfloat16"}, lambda t: t.arange(30.0).view(5, 6)),
    "with dropout": ({"dropout_p": 0.5}, lambda t: t.ones(2, 1, 5, 6)),
    # -- errors
    "with causality in three dimensions": ({"is_causal": True, "shapes": BATCH}, lambda t: t.ones(5, 6)),
    "with causality and dropout": ({"is_causal": True, "dropout_p": 0.1}, lambda t: t.ones(5, 6)),
    "larger than the scores": ({"shapes": MATRIX}, lambda t: t.ones(3, 5, 6)),
    "of another shape": ({}, lambda t: t.ones(4, 4)),
    "of integers": ({}, lambda t: t.ones(5, 6, dtype=t.int64)),
}


@pytest.mark.parametrize("name", CALLS)
def test_scaled_dot_product(name):
    atol = 1e-2 if "halves" in name else 1e-5
    both(lambda torch: attend(torch, **CALLS[name]), rtol=1e-4, atol=atol)


@pytest.mark.parametrize("name", MASKS)
def test_masks(name):
    options, mask = MASKS[name]
    atol = 1e-2 if "halves" in name else 1e-5
    both(lambda torch: attend(torch, mask(torch), **options), rtol=1e-4, atol=atol)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"dropout_p": 0.5}, {"enable_gqa": True}])
def test_gradients(options):
    def code(torch):
        q, k, v = (x.requires_grad_() for x in tensors(torch))
        torch.manual_seed(2)
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, **options)
        (out * torch.arange(320.0).view(2, 4, 5, 8).sin()).sum().backward()
        return q.grad, k.grad, v.grad

    both(code, rtol=1e-3, atol=1e-4)
