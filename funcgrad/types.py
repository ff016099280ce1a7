"""Names for annotations. See https://github.com/pytorch/pytorch/blob/main/torch/types.py for PyTorch's."""

from __future__ import annotations

import os
from builtins import bool as _bool
from builtins import bytes as _bytes
from builtins import complex as _complex
from builtins import float as _float
from builtins import int as _int
from builtins import str as _str
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

from funcgrad._device import device as _device
from funcgrad._dtypes import dtype as _dtype
from funcgrad._formats import layout as _layout
from funcgrad._size import Size as _size_type
from funcgrad.storage import TypedStorage, UntypedStorage

Number: TypeAlias = int | float | bool
Device: TypeAlias = _device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Storage: TypeAlias = TypedStorage | UntypedStorage
_size: TypeAlias = _size_type | list[int] | tuple[int, ...]
_symsize, _dispatchkey, _qscheme = Sequence[int], str, Any
__all__ = ["Device", "FileLike", "Number", "Storage"]
_PLAIN = (_bool, _bytes, _complex, _float, _int, _str, _dtype, _layout)
