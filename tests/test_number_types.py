"""Dtypes that Python's types name, the default dtype, ranges of numbers, and what ranges and casts do at their edges."""

import warnings

import pytest

from tests.parity import both

FLOATS = {
    "randn": lambda torch: torch.randn(1, dtype=float),
    "ones": lambda torch: torch.ones(2, dtype=float),
    "to": lambda torch: torch.ones(2).to(float),
    "to int": lambda torch: torch.ones(2).to(int),
    "to bool": lambda torch: torch.ones(2).to(dtype=bool),
    "full": lambda torch: torch.full((2,), 1, dtype=float),
    "zeros_like": lambda torch: torch.zeros_like(torch.ones(2), dtype=float),
    "sum": lambda torch: torch.ones(2).sum(dtype=float),
    "tensor": lambda torch: torch.tensor([1, 2], dtype=complex),
    "arange": lambda torch: torch.arange(3, dtype=float),
    "randint": lambda torch: torch.randint(3, (2,), dtype=float),
}


@pytest.mark.parametrize("name", FLOATS)
def test_dtypes_by_pythons_types(name):
    both(lambda torch: str(FLOATS[name](torch).dtype))


@pytest.mark.parametrize("dtype", ["float32", 3, bytes])
def test_what_is_no_dtype(dtype):
    both(lambda torch: torch.ones(2, dtype=dtype))
    both(lambda torch: torch.tensor([1], dtype=dtype))
    both(lambda torch: torch.zeros_like(torch.ones(2), dtype=dtype))


def test_what_is_pending_keeps_the_default_dtype_of_its_time():
    def program(torch):
        whole = torch.arange(-5, 5)
        single = whole / 3
        torch.set_default_dtype(torch.float64)
        try:
            results = [whole / 3, torch.sin(whole), torch.tensor(1.5), torch.sigmoid(whole), torch.arange(0, 1, 0.3)]
        finally:
            torch.set_default_dtype(torch.float32)
        return single, results, whole / 3

    both(program, rtol=1e-12)


RANGES = [
    (5.5,),
    (0, 5, 2.5),
    (0.5, 5.5),
    (-1.5, 3, 1),
    (0, 1, 0.1),
    (5.5, 0, -1),
    (2**31, 2**31 + 3),
    (3, 3),
    (0, 5, 0),
]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("ends", RANGES, ids=str)
def test_ranges_of_a_dtype(ends, dtype):
    both(lambda torch: torch.arange(*ends, dtype=getattr(torch, dtype)))


@pytest.mark.parametrize("steps", [2, 7, 25, 50, 127])
def test_equally_spaced_integers(steps):
    ends = [(1, 127), (0, 10), (-5, 5), (10, 0), (-100, 3), (0.5, 7.9), (0, 5)]
    both(lambda torch: [torch.linspace(a, b, steps, dtype=d) for a, b in ends for d in (torch.int64, torch.int8)])


NUMPYS_WORDS = {
    "add": lambda torch, x: torch.add(x1=x, x2=x),
    "sum": lambda torch, x: torch.sum(a=x, axis=1, keepdims=True),
    "cat": lambda torch, x: torch.cat((x, x), axis=1),
    "squeeze": lambda torch, x: torch.squeeze(x[None], axis=0),
    "max": lambda torch, x: torch.max(x, axis=1)[0],
    "softmax": lambda torch, x: x.softmax(axis=1),
}


@pytest.mark.parametrize("name", NUMPYS_WORDS)
def test_numpys_names_of_arguments(name):
    both(lambda torch: NUMPYS_WORDS[name](torch, torch.arange(4.0).view(2, 2)))


SMALL = {
    "complex log1p": lambda torch: torch.log1p(
        torch.tensor([1e-20 + 1e-20j, 1e30 + 1e-30j, 1e-10 - 1e-10j, -0.3 + 2j])
    ),
    "empty trapezoid": lambda torch: torch.cumulative_trapezoid(torch.ones(0, 3), dim=0).shape,
    "empty trapezoid over places": lambda torch: torch.trapezoid(torch.ones(0, 1), torch.ones(0, 1), dim=0),
    "absolute in place": lambda torch: torch.tensor([1j]).abs_(),
    "no quantiles": lambda torch: torch.quantile(torch.ones(2), torch.tensor([]), dim=0),
    "no blocks": lambda torch: torch.block_diag(),
    "running maximum": lambda torch: torch.cummax(torch.tensor(1.0), 100),
    "select of nothing": lambda torch: torch.index_select(torch.ones(0, 3), 0, torch.tensor([0, 1])),
    "complex ends": lambda torch: torch.linspace(1j, 1, 3, dtype=torch.float32),
    "no step": lambda torch: torch.arange(0, 5, float("nan")),
    "shape": lambda torch: torch.unravel_index(torch.tensor(1), 5.0),
    "reversed": lambda torch: (reversed(torch.arange(6).view(2, 3)), reversed(torch.tensor(1))),
    "deletion": lambda torch: torch.arange(3).__delitem__(0),
    "too large": lambda torch: torch.empty(()).resize_([2, 4, 2**29, 2**29]),
    "resized as": lambda torch: (
        torch.ones(120)
        .resize_as_(torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last), memory_format=torch.preserve_format)
        .stride()
    ),
    "flat": lambda torch: (torch.ones(10)[::2].ravel().is_contiguous(), torch.ones(4).ravel()._is_view()),
    "infinite median": lambda torch: torch.empty(1).cauchy_(float("inf"), 0.5),
    "draws into integers": lambda torch: torch.bernoulli(torch.ones(3), out=torch.empty(3, dtype=torch.int64)),
    "order": lambda torch: torch.empty(2, 2, 1, 2).dim_order(ambiguity_check=True),
    "conditions": lambda torch: (torch._check(True), torch._check_value(False)),
    "explained": lambda torch: torch._check(False, lambda: "too small"),
    "one number": lambda torch: torch.asarray(__import__("numpy").float32(3), copy=False),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_cases(name):
    both(lambda torch: SMALL[name](torch))


def test_addresses_of_shared_memory():
    def program(torch):
        import numpy as np

        a = np.arange(3.0)
        x, y, z = torch.from_numpy(a), torch.asarray(a), torch.as_tensor(a)
        there = [t.data_ptr() == a.ctypes.data for t in (x, y, z)]
        return there, x[1:].data_ptr() - a.ctypes.data

    both(program)


WARN = {
    "complex as real": lambda torch: torch.ones(2, dtype=torch.complex64).to(torch.float32),
    "complex copied": lambda torch: torch.ones(2).copy_(torch.ones(2, dtype=torch.complex64)),
    "grad of a result": lambda torch: (torch.ones(2, requires_grad=True) * 2).grad,
    "grad of a leaf": lambda torch: torch.ones(2, requires_grad=True).grad,
    "expanded, filled": lambda torch: torch.ones(1).expand(4).index_fill_(0, torch.tensor([2, 0]), 3.0),
    "expanded, put": lambda torch: torch.ones(1).expand(4).index_put_((torch.tensor([2, 0]),), torch.ones(2) * 2),
    "expanded, masked": lambda torch: torch.ones(1).expand(2).masked_fill_(torch.tensor([True, False]), 0.0),
}


@pytest.mark.parametrize("name", WARN)
def test_warnings(name):
    def program(torch):
        torch.set_warn_always(True)
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                result = WARN[name](torch)
        finally:
            torch.set_warn_always(False)
        return result, [(w.category.__name__, str(w.message).partition(" (Triggered")[0]) for w in seen]

    both(program)


PLACES = {
    "index_add": lambda torch, i: i.index_add_(0, i, i.clone()),
    "index_copy": lambda torch, i: i.index_copy_(0, i.clone(), i),
    "index_fill": lambda torch, i: i.index_fill_(0, i, 0),
    "put": lambda torch, i: i.put_(i, i.clone()),
    "index_put": lambda torch, i: i.index_put_((i,), i.clone()),
    "index_put of itself": lambda torch, i: i.index_put_((i.clone(),), i),
    "masked_fill": lambda torch, i: (m := i > 0)[1:].masked_fill_(m[:-1], False),
    "scatter": lambda torch, i: i.scatter_(0, i.clone(), i),
    "assignment": lambda torch, i: i.__setitem__(i.clone(), i),
    "assignment of a copy": lambda torch, i: i.__setitem__(i.clone(), i[i.clone()]),
}


@pytest.mark.parametrize("name", PLACES)
def test_ops_that_write_where_an_index_says(name):
    def program(torch):
        i = torch.tensor([2, 1, 0])
        PLACES[name](torch, i)
        return i

    both(program)


INF, NAN = float("inf"), float("nan")
INFINITIES = [
    [1 + 1j, complex(INF, 0), complex(0, INF), 2, complex(-INF, 0), complex(NAN, 0), 1],
    [complex(INF, 1), complex(INF, 2), 3],
    [complex(INF, 0), complex(-INF, 0), complex(INF, 1)],
    [complex(-INF, 1), complex(-INF, 2), 1],
    [complex(INF, INF), 1],
    [1, complex(INF, -INF), complex(INF, 1)],
    [complex(INF, NAN), 1],
]


@pytest.mark.parametrize("values", INFINITIES, ids=str)
def test_running_sums_of_exponentials_of_complex_infinities(values):
    both(lambda torch: torch.logcumsumexp(torch.tensor(values), 0))
