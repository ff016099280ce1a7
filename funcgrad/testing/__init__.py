"""Comparing tensors in tests, and making some to test with.

See https://docs.pytorch.org/docs/stable/testing.html.
"""

from funcgrad.testing._comparison import assert_allclose as assert_allclose
from funcgrad.testing._comparison import assert_close as assert_close
from funcgrad.testing._creation import make_tensor as make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
