"""``torch.nn.functional``: the ops of the table, and around some of them what PyTorch's functions do besides computing.

See https://docs.pytorch.org/docs/stable/nn.functional.html.
"""

from __future__ import annotations

from funcgrad import _operators
from funcgrad.nn import grad as grad
from funcgrad.nn._functional import attention, dropout, embedding, inplace, losses, sampling, statistics

globals().update(_operators.NAMESPACES["n"])
for _topic in (attention, dropout, embedding, inplace, losses, sampling, statistics):
    globals().update(_topic.FUNCTIONS)
for _name, _function in list(globals().items()):
    if not _name.startswith("__") and callable(_function) and hasattr(_function, "__qualname__"):
        _function.__module__, _function.__qualname__ = __name__, _name  # where pickle finds it
