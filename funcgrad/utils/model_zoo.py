"""Downloading checkpoints, which funcgrad does not do: fetch the file yourself and use ``torch.load``."""

from __future__ import annotations

from funcgrad._errors import unsupported

__all__ = ["load_url"]


def load_url(url: str, *args, **kwargs):
    """Not supported.

    Raises:
        NotImplementedError: always.
    """
    raise unsupported("torch.utils.model_zoo.load_url", f"download {url} and pass the file to torch.load")
