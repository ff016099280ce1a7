"""The named tuples that PyTorch's ops return, as ``torch.return_types``: values, indices = torch.max(x, 0)."""

from __future__ import annotations

from collections import namedtuple

_FIELDS = {
    "values indices": "max min sort topk kthvalue median nanmedian mode cummax cummin",
    "min max": "aminmax",
    "mantissa exponent": "frexp",
}


def _make(name: str, fields: str) -> type:
    def __repr__(self):
        body = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{name}(\n{body})"

    made = type(name, (namedtuple(name, fields),), {"__slots__": (), "__repr__": __repr__})
    made.__module__ = "torch.return_types"
    return made


for _fields, _names in _FIELDS.items():
    for _name in _names.split():
        globals()[_name] = _make(_name, _fields)
