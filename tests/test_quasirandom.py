"""Sobol' sequences against PyTorch's: the whole table, scrambling, and every way through a sequence."""

import numpy as np
import pytest
import torch
from draw_pair import Pair

import funcgrad
from funcgrad._draws import _mt19937, sobol
from funcgrad.quasirandom import SobolEngine


def test_all_direction_numbers():
    state = torch.zeros(sobol.LARGEST, sobol.BITS, dtype=torch.int64)
    torch._sobol_engine_initialize_state_(state, sobol.LARGEST)
    np.testing.assert_array_equal(sobol.directions(sobol.LARGEST), state.numpy())


@pytest.mark.parametrize("dimension", [1, 2, 3, 40, 1111])
@pytest.mark.parametrize("scramble,seed", [(False, None), (True, 5), (True, None)])
def test_walks(dimension, scramble, seed):
    pair = Pair()
    _mt19937.default.set_state(pair.engine.get_state())
    theirs, ours = torch.quasirandom.SobolEngine(dimension, scramble, seed), SobolEngine(dimension, scramble, seed)
    np.testing.assert_array_equal(_mt19937.default.get_state(), torch.get_rng_state().numpy())
    np.testing.assert_array_equal(ours.sobolstate.numpy(), theirs.sobolstate.numpy())
    assert repr(ours) == repr(theirs)
    for _ in range(40):
        step = pair.rng.choice(["draw", "double", "skip", "power", "reset"], p=[0.4, 0.2, 0.2, 0.15, 0.05])
        n = int(pair.rng.choice([1, 2, 5, 200]))
        if step == "reset":
            theirs.reset(), ours.reset()
        elif step == "skip":
            theirs.fast_forward(n), ours.fast_forward(n)
        elif step == "power":
            _same_power(theirs, ours)
        else:
            theirs_dtype, ours_dtype = (torch.float64, funcgrad.float64) if step == "double" else (None, None)
            want, got = theirs.draw(n, dtype=theirs_dtype), ours.draw(n, dtype=ours_dtype)
            assert str(got.dtype) == str(want.dtype)
            np.testing.assert_array_equal(got.numpy(), want.numpy())
        np.testing.assert_array_equal(ours.quasi.numpy(), theirs.quasi.numpy())
        assert ours.num_generated == theirs.num_generated


def _same_power(theirs, ours):
    try:
        want = theirs.draw_base2(3).numpy()
    except ValueError as error:
        with pytest.raises(ValueError) as got:
            ours.draw_base2(3)
        assert str(got.value) == str(error)
    else:
        np.testing.assert_array_equal(ours.draw_base2(3).numpy(), want)


@pytest.mark.parametrize(
    "bad",
    [
        lambda kind, half: kind(0),
        lambda kind, half: kind(21202),
        lambda kind, half: kind(2).draw(0),
        lambda kind, half: kind(2).draw(3, dtype=half),
    ],
)
def test_errors(bad):
    with pytest.raises((ValueError, RuntimeError, NotImplementedError)) as theirs:
        bad(torch.quasirandom.SobolEngine, torch.bfloat16)
    with pytest.raises(type(theirs.value)) as ours:
        bad(SobolEngine, funcgrad.bfloat16)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_out_takes_the_points(dtype):
    def code(library, kind):
        out = library.empty(1, dtype=getattr(library, dtype))
        drawn = kind(3, scramble=True, seed=1).draw(5, out=out)
        assert drawn is out
        return out.numpy()

    np.testing.assert_array_equal(code(funcgrad, SobolEngine), code(torch, torch.quasirandom.SobolEngine))
