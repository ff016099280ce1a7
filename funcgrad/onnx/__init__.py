"""``torch.onnx``: models are not exported. See https://docs.pytorch.org/docs/stable/onnx.html."""

from __future__ import annotations

from funcgrad._errors import refusing


class OnnxExporterError(RuntimeError):
    """PyTorch's error of a failed export."""


def is_in_onnx_export() -> bool:
    """False."""
    return False


export = refusing("torch.onnx.export")
