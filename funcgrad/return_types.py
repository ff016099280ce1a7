"""The named tuples that ops return. See https://docs.pytorch.org/docs/stable/torch.return_types.html."""

from funcgrad._return_types import *  # noqa: F403
from funcgrad._return_types import _FIELDS

all_return_types = [globals()[name] for names in _FIELDS.values() for name in names.split()]


def pytree_register_structseq(cls) -> None:
    """Accepted: named tuples are pytrees."""
