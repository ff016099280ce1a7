"""Programs that run under both libraries: how the tests of `torch.nn` collect them, and the module most of them use."""

from __future__ import annotations

import re

from parity import both


class Programs(dict):
    """The programs of one test file by name; an instance decorates them."""

    def __call__(self, program):
        self[program.__name__] = program
        return program

    def check(self, name: str) -> None:
        """Run one under both libraries and compare what it returns."""
        both(self[name])


def error(f, *args, **kwargs):
    """Class and text of what `f` raises, or its result's repr."""
    try:
        return repr(f(*args, **kwargs))
    except Exception as e:
        return type(e).__name__, re.sub(r"0x[0-9a-f]+", "0x", str(e)).replace("funcgrad.", "torch.")


def names(pairs) -> list:
    """The first of each pair."""
    return [name for name, _ in pairs]


def block(torch):
    """A small module with parameters, buffers, a shared child and a nested one."""
    nn = torch.nn
    torch.manual_seed(0)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.register_buffer("steps", torch.zeros(2))
            self.register_buffer("cache", torch.zeros(1), persistent=False)
            self.register_parameter("missing", None)
            self.first = nn.Linear(3, 3)
            self.second = self.first
            self.inner = nn.Sequential(nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2))

        def forward(self, x):
            return self.inner(self.first(x) * self.scale)

    return Block()
