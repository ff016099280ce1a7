"""Which PyTorch this is: programs ask for the version to choose how they call it.

Source: https://docs.pytorch.org/docs/stable/torch.html
"""

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]

__version__ = "2.13.0+funcgrad.0.1.0"
"""The PyTorch version whose behaviour funcgrad has, and funcgrad's own after the plus sign."""
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
git_version = "unknown"
