"""Every draw against PyTorch's: the values' bits, their dtype and shape, and the generator's state afterwards.

Each test prints the seed that it chose. On this PyTorch no draw comes from MKL's streams, so scalar-probability
Bernoulli is checked as the plain Mersenne-Twister path on any CPU.
"""

import multiprocessing
import secrets
import warnings

import jax
import numpy as np
import pytest
import torch
from draw_pair import COMPLEX, FLOATS, INTEGERS, SIZES, WIDE, Pair, to_array

import funcgrad
from funcgrad import _draws
from funcgrad._draws._cpu_program import CpuProgram
from funcgrad._draws._mt19937 import Engine
from funcgrad._draws._stream import CHUNK


@pytest.fixture
def pair():
    return Pair()


@pytest.fixture
def rng_seed():
    seed = secrets.randbits(32)
    print("seed", seed)
    return seed


# -- draws into a tensor -----------------------------------------------------------------------------------------------

IN_PLACE = {  # draw: PyTorch's method, dtypes, and parameters from a generator
    "uniform": ("uniform_", FLOATS + COMPLEX, lambda r: (low := r.normal(), low + r.exponential())),
    "normal": ("normal_", FLOATS + COMPLEX, lambda r: (r.normal(), r.exponential())),
    "log_normal": ("log_normal_", FLOATS, lambda r: (r.normal(), r.exponential())),
    "exponential": ("exponential_", FLOATS, lambda r: (r.exponential(),)),
    "cauchy": ("cauchy_", FLOATS, lambda r: (r.normal(), r.exponential())),
    "geometric": ("geometric_", FLOATS + INTEGERS, lambda r: (r.uniform(0.1, 0.9),)),
    "bernoulli": ("bernoulli_", ("bool", *FLOATS, *INTEGERS), lambda r: (r.random(),)),
    "random": ("random_", ("bool", *FLOATS, *INTEGERS), lambda r: ()),
}


@pytest.mark.parametrize("draw,dtype", [(d, t) for d, (_, dtypes, _) in IN_PLACE.items() for t in dtypes])
def test_in_place_draws(pair, draw, dtype):
    method, _, parameters = IN_PLACE[draw]
    for size in (*SIZES, *SIZES):
        given = parameters(pair.rng)
        theirs = getattr(torch.empty(size, dtype=getattr(torch, dtype)), method)(*given)
        pair.same(theirs, getattr(_draws, draw)(pair.engine, (size,), dtype, *given))


@pytest.mark.parametrize("name", ["rand", "randn"])
@pytest.mark.parametrize("dtype", FLOATS + COMPLEX)
def test_rand_and_randn(pair, name, dtype):
    for shape in [(), *((n,) for n in SIZES), (3, 0, 2), (3, 5), (4, 4), (2, 3, 7)]:
        theirs = getattr(torch, name)(shape, dtype=getattr(torch, dtype))
        pair.same(theirs, getattr(_draws, name)(pair.engine, shape, dtype))


@pytest.mark.parametrize("draw,dtype", [("rand", "float32"), ("randn", "float32"), ("randn", "bfloat16")])
def test_a_million(pair, draw, dtype):
    for n in (10**6, 10**6 + 7):
        theirs = getattr(torch, draw)(n, dtype=getattr(torch, dtype))
        pair.same(theirs, getattr(_draws, draw)(pair.engine, (n,), dtype))


def test_a_million_of_the_others(pair):
    n, e = 10**6, pair.engine
    pair.same(torch.randn(n, dtype=torch.float64), _draws.randn(e, (n,), "float64"))
    pair.same(torch.rand(n, dtype=torch.float64), _draws.rand(e, (n,), "float64"))
    pair.same(torch.empty(n).bernoulli_(0.3), _draws.bernoulli(e, (n,), "float32", 0.3))
    pair.same(torch.empty(n).exponential_(), _draws.exponential(e, (n,), "float32"))
    pair.same(torch.randint(0, 999, (n,)), _draws.randint(e, 0, 999, (n,)))
    pair.same(torch.randperm(n), _draws.randperm(e, n))


@pytest.mark.parametrize("dtype", FLOATS)
def test_normals_one_by_one(pair, dtype):
    """A target that is not contiguous is drawn pair by pair, at any size."""
    for n in (1, 2, 15, 17, 200):
        mean, std = pair.rng.normal(), pair.rng.exponential()
        theirs = torch.empty(n, 2, dtype=getattr(torch, dtype))[:, 0].normal_(mean, std)
        pair.same(theirs, _draws.normal(pair.engine, (n,), dtype, mean, std, contiguous=n == 1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_with_tensors(pair, dtype):
    kind = getattr(torch, dtype)
    for shape, other in (((5,), (5,)), ((40,), (40,)), ((3, 1), (4,)), ((), (20,)), ((20,), ())):
        mean, std = torch.randn(shape).to(kind), torch.rand(other).to(kind)
        pair.engine.set_state(torch.get_rng_state().numpy())
        arrays = to_array(mean), to_array(std)
        pair.same(torch.normal(mean, std), _draws.normal_tensors(pair.engine, *arrays))
        pair.same(torch.normal(mean, 0.7), _draws.normal_tensors(pair.engine, arrays[0], 0.7))
        pair.same(torch.normal(0.3, std), _draws.normal_tensors(pair.engine, 0.3, arrays[1]))
        wide = torch.normal(mean, std.double())
        pair.same(wide, _draws.normal_tensors(pair.engine, arrays[0], arrays[1].astype(np.float64)))


BULK = {  # draws that have a compiled form
    "rand": lambda t, n: t.rand(n),
    "rand float64": lambda t, n: t.rand(n, dtype=t.float64),
    "uniform_": lambda t, n: t.empty(n).uniform_(-0.3, 1.9),
    "randn": lambda t, n: t.randn(n),
    "normal_": lambda t, n: t.empty(n, dtype=t.float64).normal_(0.3, 1.7),
    "randn bfloat16": lambda t, n: t.randn(n, dtype=t.bfloat16).float(),
    "bernoulli_": lambda t, n: t.empty(n).bernoulli_(0.3),
    "randint": lambda t, n: t.randint(-5, 1000, (n,)),
    "exponential_": lambda t, n: t.empty(n).exponential_(),
    "randperm": lambda t, n: t.randperm(n),
    "poisson": lambda t, n: t.poisson(t.arange(n) % 37 * 0.75),
    "gamma": lambda t, n: t._standard_gamma(t.arange(n) % 13 * 0.25),
    "dirichlet": lambda t, n: t._sample_dirichlet(t.tensor([[0.25, 2.0, 0.5]]).expand(n // 8, 3).contiguous()),
    "a normal kept": lambda t, n: t.randn(3),
}


@pytest.fixture
def compiled_at_once(monkeypatch):
    """The programs that bulk draws compile once they are worth it, from the first draw on."""
    used, plain = set(), CpuProgram.after

    def after(program, work):
        used.add(program)
        program._worth = 0
        return plain(program, work)

    monkeypatch.setattr(CpuProgram, "after", after)
    return used


def test_compiled_forms(compiled_at_once, rng_seed):
    """In any order and of any size: runs begin anywhere in a block and end in the middle of one."""
    rng = np.random.default_rng(rng_seed)
    torch.manual_seed(rng_seed)
    funcgrad.manual_seed(rng_seed)
    for draw in rng.permutation(3 * list(BULK)):
        n = int(rng.choice([40, 1000, 8112, 64896, 64897, 130000 + rng.integers(9999)]))
        theirs, ours = BULK[draw](torch, n), BULK[draw](funcgrad, n)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=f"{draw} of {n}")
        np.testing.assert_array_equal(funcgrad.get_rng_state().numpy(), torch.get_rng_state().numpy(), err_msg=draw)
    assert all(p.compiled for p in compiled_at_once) and len(compiled_at_once) > 9, (
        "a compiled form is not exact here: NumPy's is taken, and slower"
    )


def test_bulk_draw_while_jax_traces():
    n = 2 * CHUNK
    traced = jax.jit(lambda x: x + _draws.randn(Engine(3), (n,), "float32"))(np.float32(0))
    np.testing.assert_array_equal(
        np.asarray(traced), torch.randn(n, generator=torch.Generator().manual_seed(3)).numpy()
    )


def _draw_in_child(queue):
    queue.put(_draws.randn(Engine(3), (2 * CHUNK,), "float32"))


def test_bulk_draw_in_a_forked_child():
    _draws.randn(Engine(3), (2 * CHUNK,), "float32")  # the parent's threads have started
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one should not fork after threads
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_draw_in_child, args=(queue,), daemon=True)
        child.start()
    got = queue.get(timeout=30)
    child.join()
    assert np.array_equal(got, torch.randn(len(got), generator=torch.Generator().manual_seed(3)).numpy())


# -- integers ---------------------------------------------------------------------------------------------------------

MAX = 2**63 - 1
RANGES = [
    (0, 1), (0, 2), (-5, 5), (0, 2**27), (0, 2**28 - 1), (0, 2**28), (-(2**28), 7), (0, 2**32), (0, 2**40), (3, None),
    (-(2**62), 2**62), (-(2**63), MAX), (0, MAX), (-(2**63), None), (0, None), (-300, None), (5, 5), (127, 128),
    (2**24, 2**24 + 3), (2**24 + 1, 2**24 + 2), (2**25 + 1, 2**25 + 2), (2**53 + 1, 2**53 + 9), (250, 260), (255, 257),
    (257, 300), (2000, 2053), (2049, 2060), (65000, 65504), (65000, 65505), (65000, 66000), (-(2**40), None), (-1, 2),
    (2**24, None), (2**53, None), (0, 256), (0, 257), (0, 65536),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *WIDE, *FLOATS, "complex64"])
def test_ranges(pair, dtype):
    """Values, warnings and errors of `random_` for every range."""
    kind = getattr(torch, dtype)
    for low, high in RANGES:
        for size in (0, 1, 40):
            outcomes = []
            for draw in (
                lambda: torch.empty(size, dtype=kind).random_(low, high),  # noqa: B023
                lambda: _draws.random(pair.engine, (size,), dtype, low, high),  # noqa: B023
            ):
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    try:
                        outcome = draw()
                    except (RuntimeError, NotImplementedError) as error:
                        outcome = type(error), str(error)
                texts = [str(w.message).split(" (Triggered")[0] for w in caught]
                outcomes.append((outcome, texts))
            (theirs, their_texts), (ours, our_texts) = outcomes
            if isinstance(theirs, tuple) or isinstance(ours, tuple):
                assert theirs == ours, (low, high, size)
            else:
                pair.same(theirs, ours)
            assert set(our_texts) >= set(their_texts)  # PyTorch gives each warning once


@pytest.mark.parametrize("dtype", [*INTEGERS, "float32", "float64", "bfloat16", "float16"])
def test_randint_and_randperm(pair, dtype):
    kind = getattr(torch, dtype)
    for n in (0, 1, 2, 15, 16, 17, 100):
        pair.same(torch.randint(2, 99, (n, 2), dtype=kind), _draws.randint(pair.engine, 2, 99, (n, 2), dtype))
        pair.same(torch.randperm(n, dtype=kind), _draws.randperm(pair.engine, n, dtype))


def test_large_permutations(pair):
    for n in (299, 300, 301, 1000, 60_000):
        pair.same(torch.randperm(n), _draws.randperm(pair.engine, n))


def test_permutations_of_64_bit_words(monkeypatch, pair):
    """PyTorch's second algorithm, for 214,748,364 elements or more, here with the bound lowered."""
    monkeypatch.setattr("funcgrad._draws.integers.LONG_PERM", 1000)
    for n in (1000, 30_000):
        words = torch.empty(n, dtype=torch.int64).random_(-(2**63), None).numpy().view(np.uint64)
        want = np.arange(n)
        for i, word in enumerate(words):
            j = int(word) % (i + 1)
            want[i], want[j] = want[j], want[i]
        np.testing.assert_array_equal(_draws.randperm(pair.engine, n), want)
        pair.same_state()
