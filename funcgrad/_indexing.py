"""``x[index]`` and ``x[index] = value``."""

from __future__ import annotations

import numpy as np

from funcgrad import _views
from funcgrad._creation import as_tensor, from_array
from funcgrad._operators import check_writable, op, write
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.record import record
from funcgrad.engine.structure import Op
from funcgrad.ops import indexing
from funcgrad.ops.index_bounds import INDEX_BOUNDS

_VIEW = op("getitem")
_GATHER = Op("index", indexing.getitem, grad_name="IndexBackward0", bounds=INDEX_BOUNDS["getitem"])
_SET = Op("setitem", indexing.setitem, grad_name="CopySlices", bounds=INDEX_BOUNDS["setitem"])


def getitem(self: Tensor, index) -> Tensor:
    """``self[index]``: a view for integers, slices, None and Ellipsis; a copy where arrays or masks take part."""
    layout, operands = indexing.parse_index((self._value or self._refresh()).aval.shape, index)
    for operand in operands:
        if operand.__class__ is not int:
            layout, operands = _lifted(layout, operands)
            if any(item == "a" or item == "u" for item in layout):
                return wrap(record(_GATHER, (self, layout, *operands)))
            break
    view = wrap(record(_VIEW, (self, layout, *operands)))
    _views.attach(view, self, _VIEW, (layout, *operands), None)
    return view


def _lifted(layout: tuple, operands: tuple) -> tuple[tuple, tuple]:
    """Masks as their nonzero indices, arrays as tensors."""
    at = indexing.mask_operands(layout)
    if at:
        found = [indexing.nonzero_indices(_host(operands[k])) for k in at]
        layout, operands = indexing.splice_masks(layout, operands, found)
    return layout, tuple(from_array(np.array(o)) if isinstance(o, np.ndarray) else o for o in operands)


def _host(mask) -> np.ndarray:
    return mask._host() if isinstance(mask, Tensor) else np.asarray(mask)


def setitem(self: Tensor, index, value) -> None:
    """``self[index] = value``; `value` is broadcast and converted to this tensor's dtype."""
    check_writable(self, through_view=True)
    layout, operands = indexing.parse_index((self._value or self._refresh()).aval.shape, index)
    if not isinstance(value, Tensor | bool | int | float | complex):
        value = as_tensor(value)
    if isinstance(value, Tensor) and value.device is not self.device and not value.dim():
        value = value.to(self.device)
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    if indexing.mask_operands(layout) and not indexing.writes_masked(self.dim(), layout, shape):
        layout, operands = _lifted(layout, operands)
    else:
        operands = tuple(from_array(np.array(o)) if isinstance(o, np.ndarray) else o for o in operands)
    write(self, record(_SET, (self, value, layout, *operands)), filling=shape == ())


def install() -> None:
    Tensor.__getitem__ = getitem
    Tensor.__setitem__ = setitem
