"""The errors of bad draws: PyTorch's class and wording."""

import numpy as np
import pytest
import torch
from test_draws import IN_PLACE

import funcgrad
from funcgrad import _draws
from funcgrad._draws._mt19937 import Engine

F3, N3 = torch.zeros(3), np.zeros(3, "f4")
A3 = (3,), "float32"
ERRORS = [
    (lambda: F3.uniform_(2, 1), lambda e: _draws.uniform(e, *A3, 2, 1)),
    (lambda: F3.uniform_(-3e38, 3e38), lambda e: _draws.uniform(e, *A3, -3e38, 3e38)),
    (lambda: F3.uniform_(0, 1e39), lambda e: _draws.uniform(e, *A3, 0, 1e39)),
    (lambda: F3.normal_(0, -1), lambda e: _draws.normal(e, *A3, 0, -1)),
    (lambda: F3[:0].normal_(0, -1), lambda e: _draws.normal(e, (0,), "float32", 0, -1)),
    (lambda: F3.log_normal_(0, 0), lambda e: _draws.log_normal(e, *A3, 0, 0)),
    (lambda: F3.exponential_(0), lambda e: _draws.exponential(e, *A3, 0)),
    (lambda: F3.cauchy_(0, 0), lambda e: _draws.cauchy(e, *A3, 0, 0)),
    (lambda: F3.geometric_(1), lambda e: _draws.geometric(e, *A3, 1)),
    (lambda: F3.bernoulli_(1.5), lambda e: _draws.bernoulli(e, *A3, 1.5)),
    (lambda: F3.bernoulli_(torch.tensor(1.5)), lambda e: _draws.bernoulli_tensor(e, *A3, np.array(1.5, "f4"))),
    (lambda: F3.bernoulli_(torch.ones(5)), lambda e: _draws.bernoulli_tensor(e, *A3, np.ones(5, "f4"))),
    (lambda: F3.bernoulli_(torch.ones(3).long()), lambda e: _draws.bernoulli_tensor(e, *A3, np.ones(3, np.int64))),
    (lambda: torch.normal(F3, -1.0), lambda e: _draws.normal_tensors(e, N3, -1.0)),
    (lambda: torch.normal(F3, -torch.ones(3)), lambda e: _draws.normal_tensors(e, N3, -np.ones(3, "f4"))),
    (lambda: torch.normal(0.0, torch.ones(3) * 1j), lambda e: _draws.normal_tensors(e, 0.0, np.ones(3, "c8"))),
    (lambda: torch.normal(F3, torch.ones(2)), lambda e: _draws.normal_tensors(e, N3, np.ones(2, "f4"))),
    (lambda: torch.randint(5, 3, (2,)), lambda e: _draws.randint(e, 5, 3, (2,))),
    (lambda: torch.randint(0, 300, (2,), dtype=torch.uint8), lambda e: _draws.randint(e, 0, 300, (2,), "uint8")),
    (lambda: torch.randperm(-1), lambda e: _draws.randperm(e, -1)),
    (lambda: torch.randperm(257, dtype=torch.uint8), lambda e: _draws.randperm(e, 257, "uint8")),
    (lambda: torch.randperm(2050, dtype=torch.float16), lambda e: _draws.randperm(e, 2050, "float16")),
    (lambda: torch.randperm(4, dtype=torch.bool), lambda e: _draws.randperm(e, 4, "bool")),
    (lambda: torch.poisson(-torch.ones(2)), lambda e: _draws.poisson(e, -np.ones(2, "f4"))),
    (lambda: torch.poisson(torch.ones(2).int()), lambda e: _draws.poisson(e, np.ones(2, np.int32))),
    (lambda: torch._standard_gamma(torch.ones(2).half()), lambda e: _draws.standard_gamma(e, np.ones(2, "f2"))),
    (lambda: torch._sample_dirichlet(torch.ones(2).long()), lambda e: _draws.dirichlet(e, np.ones(2, np.int64))),
    (lambda: torch.binomial(torch.ones(3).int(), F3), lambda e: _draws.binomial(e, np.ones(3, "i4"), N3)),
    (lambda: torch.binomial(F3, F3.double()), lambda e: _draws.binomial(e, np.ones(3, "f4"), np.ones(3))),
    (lambda: torch.multinomial(torch.ones(2, 2, 2), 1), lambda e: _draws.multinomial(e, np.ones((2, 2, 2), "f4"), 1)),
    (lambda: torch.multinomial(torch.ones(2), 0), lambda e: _draws.multinomial(e, np.ones(2, "f4"), 0)),
    (lambda: torch.multinomial(torch.ones(2), 3), lambda e: _draws.multinomial(e, np.ones(2, "f4"), 3)),
    (lambda: torch.multinomial(-torch.ones(2), 1), lambda e: _draws.multinomial(e, -np.ones(2, "f4"), 1)),
    (lambda: torch.multinomial(-torch.ones(2), 2, True), lambda e: _draws.multinomial(e, -np.ones(2, "f4"), 2, True)),
    (lambda: torch.multinomial(torch.zeros(2), 1), lambda e: _draws.multinomial(e, np.zeros(2, "f4"), 1)),
    (lambda: torch.multinomial(torch.zeros(2), 2, True), lambda e: _draws.multinomial(e, np.zeros(2, "f4"), 2, True)),
    (lambda: torch.multinomial(1 / F3, 2, True), lambda e: _draws.multinomial(e, np.full(3, np.inf, "f4"), 2, True)),
    (lambda: torch.multinomial(torch.ones(2).long(), 2), lambda e: _draws.multinomial(e, np.ones(2, np.int64), 2)),
    (lambda: torch.dropout(F3, 1.5, True), lambda e: _draws.dropout_mask(e, (3,), 1.5)),
    (lambda: torch.feature_dropout(F3, 0.5, True), lambda e: _draws.feature_dropout_mask(e, (3,), 0.5)),
]  # fmt: skip
IN_PLACE_KINDS = ("bool", "uint8", "int64", "uint32", "complex64", "float16")


def _same_error(theirs, ours):
    with pytest.raises((RuntimeError, ValueError, NotImplementedError)) as want:
        theirs()
    with pytest.raises(type(want.value)) as got:
        ours()
    assert type(got.value) is type(want.value)
    assert str(got.value) == str(want.value)


@pytest.mark.parametrize("theirs,ours", ERRORS)
def test_errors(theirs, ours):
    _same_error(theirs, lambda: ours(Engine(0)))


@pytest.mark.parametrize("draw", IN_PLACE)
def test_dtypes_without_a_draw(draw):
    method, dtypes, parameters = IN_PLACE[draw]
    given = parameters(np.random.default_rng(0))
    for kind in IN_PLACE_KINDS:
        if kind not in dtypes:
            _same_error(
                lambda: getattr(torch.zeros(3, dtype=getattr(torch, kind)), method)(*given),  # noqa: B023
                lambda: getattr(_draws, draw)(Engine(0), (3,), kind, *given),  # noqa: B023
            )


def test_bernoulli_algorithm():
    assert funcgrad.random.bernoulli_algorithm() == "mt19937"
    assert funcgrad.random.bernoulli_algorithm("auto") == funcgrad.random.bernoulli_algorithm("mt19937") == "mt19937"
    with pytest.raises(NotImplementedError, match="not supported by funcgrad"):
        funcgrad.random.bernoulli_algorithm("mkl")
    with pytest.raises(ValueError, match="expects one of auto, mt19937, mkl, but got 'intel'"):
        funcgrad.random.bernoulli_algorithm("intel")
    funcgrad.random.bernoulli_algorithm("auto")


SIZES = """torch.rand(2.0); torch.randn((3, 2.0)); torch.rand(True); torch.zeros((2, 3.0)); torch.ones([2.0])
torch.empty(4.0, 2); torch.full((2.0,), 1); torch.zeros(None); torch.randint(3, (2.0,)); torch.randint(0, 2.5, (3,))
torch.zeros(3).view(1.0, 3); torch.zeros(3).view([1, 3.0]); torch.zeros(3).reshape((1, 3.0)); torch.zeros(3).expand(2.0, 3)
torch.zeros(3).repeat(2.0); torch.zeros(3).permute(0.0); torch.zeros(3).tile(2.0); torch.nn.Linear(2, 3.0)
torch.randint_like(torch.zeros(3)); torch.zeros(3).view()"""


@pytest.mark.parametrize("call", [c.strip() for line in SIZES.splitlines() for c in line.split(";")])
def test_sizes_that_are_no_integers(call):
    def text(torch):
        with pytest.raises(TypeError) as caught:
            eval(call, {"torch": torch})
        return str(caught.value).split("\n")[0].partition(", but expected")[0]

    ours, theirs = text(funcgrad), text(torch)
    assert ours == theirs or "invalid combination" in theirs


def test_bounds_of_randint_like_by_keyword():
    def drawn(torch):
        torch.manual_seed(0)
        x = torch.zeros(5)
        made = [torch.randint_like(x, high=9), torch.randint_like(x, 3, high=7), torch.randint_like(x, low=2, high=8)]
        return [m.tolist() for m in made]

    assert drawn(funcgrad) == drawn(torch)
