"""The named tuples that PyTorch's ops return, as ``torch.return_types``: values, indices = torch.max(x, 0)."""

from __future__ import annotations

from collections import namedtuple

_FIELDS = {
    "values indices": "max min sort topk kthvalue median nanmedian mode cummax cummin",
    "min max": "aminmax",
    "hist bin_edges": "histogram histogramdd",
    "mantissa exponent": "frexp",
    "L info": "linalg_cholesky_ex",
    "eigenvalues eigenvectors": "linalg_eig linalg_eigh",
    "inverse info": "linalg_inv_ex",
    "result info": "linalg_solve_ex",
    "LD pivots": "linalg_ldl_factor",
    "LD pivots info": "linalg_ldl_factor_ex",
    "LU pivots": "linalg_lu_factor",
    "LU pivots info": "linalg_lu_factor_ex",
    "P L U": "linalg_lu lu_unpack",
    "Q R": "linalg_qr qr",
    "U S Vh": "linalg_svd",
    "U S V": "svd",
    "a tau": "geqrf",
    "sign logabsdet": "linalg_slogdet slogdet",
    "solution residuals rank singular_values": "linalg_lstsq",
    "solution cloned_coefficient": "triangular_solve",
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
