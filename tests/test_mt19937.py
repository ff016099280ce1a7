"""The generator's engine against PyTorch's: seeds, states, the words in between."""

import numpy as np
import pytest
import torch
from draw_pair import Pair

from funcgrad import _draws
from funcgrad._draws._mt19937 import Engine


@pytest.fixture
def pair():
    return Pair()


@pytest.mark.parametrize("seed", [0, 1, 5489, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -1, -5, -(2**63), 3.7, True])
def test_seeds(seed):
    torch.manual_seed(seed)
    engine = Engine().manual_seed(seed)
    assert engine.initial_seed == torch.initial_seed()
    np.testing.assert_array_equal(engine.get_state(), torch.get_rng_state().numpy())


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_out_of_range(seed):
    with pytest.raises(ValueError, match="Overflow when unpacking long long"):
        torch.manual_seed(seed)
    with pytest.raises(ValueError, match="Overflow when unpacking long long"):
        Engine(seed)


def test_default_and_entropy_seeds():
    assert Engine().initial_seed == torch.Generator().initial_seed()
    engine = Engine()
    assert engine.seed() == engine.initial_seed != Engine().seed()


def test_states_travel_both_ways(pair):
    for step in range(60):
        n = int(pair.rng.choice([0, 1, 2, 623, 624, 625, 1248, 3000]))
        pair.same(torch.empty(n, dtype=torch.int64).random_(0, 999), _draws.random(pair.engine, (n,), "int64", 0, 999))
        pair.engine.peek(int(pair.rng.integers(0, 5000)))
        pair.same_state()
        if step % 3 == 0:
            pair.engine.set_state(torch.get_rng_state().numpy())
        if step % 3 == 1:
            torch.randn(3)
            torch.set_rng_state(torch.from_numpy(pair.engine.get_state()))
        if step % 7 == 0:
            pair.engine = pair.engine.clone()


def test_state_keeps_both_cached_normals(pair):
    state = pair.engine.get_state()
    state[5024:5032] = np.frombuffer(np.float64(0.25).tobytes(), np.uint8)
    state[5040] = state[5052] = 1
    state[5048:5052] = np.frombuffer(np.float32(0.5).tobytes(), np.uint8)
    pair.engine.set_state(state)
    torch.set_rng_state(torch.from_numpy(state.copy()))
    assert (pair.engine.normal, pair.engine.float_normal) == (0.25, 0.5)
    pair.same(torch.randn(4), _draws.randn(pair.engine, (4,), "float32"))


@pytest.mark.parametrize("state", [np.zeros(5056, np.uint8), np.zeros(17, np.uint8)])
def test_state_errors(state):
    with pytest.raises(RuntimeError) as theirs:
        torch.set_rng_state(torch.from_numpy(state))
    with pytest.raises(RuntimeError) as ours:
        Engine().set_state(state)
    assert str(ours.value) == str(theirs.value)


def test_bookmarks():
    for taken in (0, 1, 623, 624, 625, 5000):
        engine = Engine(3)
        engine.take(taken)
        mark, state = engine.bookmark(), engine.get_state()
        words = engine.take(2000).copy()
        engine.go_back(mark)
        np.testing.assert_array_equal(engine.get_state(), state)
        np.testing.assert_array_equal(engine.take(2000), words)
