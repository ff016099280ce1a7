"""Long sequences of draws of all kinds in any order: values and states stay PyTorch's throughout."""

import torch
from draw_pair import FLOATS, INTEGERS, Pair
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from funcgrad import _draws

sizes = st.sampled_from([0, 1, 2, 3, 7, 15, 16, 17, 31, 100, 623, 624, 1000])
floats = st.sampled_from(FLOATS)


class Sequences(RuleBasedStateMachine):
    """Draws of all kinds in any order: after each one the values and the states are equal."""

    @initialize(seed=st.integers(-(2**63), 2**64 - 1))
    def seed(self, seed):
        self.pair = Pair(seed)
        self.saved = torch.get_rng_state()

    @rule(n=sizes, dtype=floats, draw=st.sampled_from(["uniform", "normal", "log_normal", "exponential", "cauchy"]))
    def fill(self, n, dtype, draw):
        theirs = getattr(torch.empty(n, dtype=getattr(torch, dtype)), draw + "_")()
        self.pair.same(theirs, getattr(_draws, draw)(self.pair.engine, (n,), dtype))

    @rule(n=sizes, dtype=st.sampled_from([*FLOATS, *INTEGERS, "bool"]))
    def natural(self, n, dtype):
        theirs = torch.empty(n, dtype=getattr(torch, dtype)).random_()
        self.pair.same(theirs, _draws.random(self.pair.engine, (n,), dtype))

    @rule(n=sizes, low=st.integers(-(2**40), 2**40), span=st.integers(1, 2**40))
    def randint(self, n, low, span):
        theirs = torch.randint(low, low + span, (n,))
        self.pair.same(theirs, _draws.randint(self.pair.engine, low, low + span, (n,)))

    @rule(n=sizes)
    def randperm(self, n):
        self.pair.same(torch.randperm(n), _draws.randperm(self.pair.engine, n))

    @rule(n=sizes, p=st.floats(0.01, 0.99))
    def dropout(self, n, p):
        theirs = torch.dropout(torch.ones(n), p, True) != 0
        self.pair.same(theirs, _draws.dropout_mask(self.pair.engine, (n,), p))

    @rule(n=sizes, p=st.floats(0, 1))
    def bernoulli_tensor(self, n, p):
        p = torch.full((n,), p)
        self.pair.same(torch.bernoulli(p), _draws.bernoulli_tensor(self.pair.engine, (n,), "float32", p.numpy()))

    @rule(n=sizes, rate=st.floats(0, 40), shape=st.floats(0.05, 9))
    def rejection(self, n, rate, shape):
        rates, shapes = torch.full((n,), rate), torch.full((n,), shape, dtype=torch.float64)
        self.pair.same(torch.poisson(rates), _draws.poisson(self.pair.engine, rates.numpy()))
        self.pair.same(torch._standard_gamma(shapes), _draws.standard_gamma(self.pair.engine, shapes.numpy()))

    @rule(n=sizes.filter(bool), replacement=st.booleans())
    def multinomial(self, n, replacement):
        weights = torch.arange(1.0, n + 1)
        theirs = torch.multinomial(weights, min(n, 5), replacement)
        self.pair.same(theirs, _draws.multinomial(self.pair.engine, weights.numpy(), min(n, 5), replacement))

    @rule()
    def save(self):
        self.saved = torch.from_numpy(self.pair.engine.get_state())

    @rule()
    def restore(self):
        torch.set_rng_state(self.saved)
        self.pair.engine.set_state(self.saved.numpy())

    @invariant()
    def states_are_equal(self):
        if hasattr(self, "pair"):
            self.pair.same_state()


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)
