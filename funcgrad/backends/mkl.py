"""``torch.backends.mkl``: not used here."""


def is_available() -> bool:
    """Whether MKL is used: no, XLA has its own kernels."""
    return False
