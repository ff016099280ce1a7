"""``torch.backends.mkl``: not used here."""


def is_available() -> bool:
    """Whether MKL is used: no, XLA has its own kernels."""
    return False


VERBOSE_OFF, VERBOSE_ON = 0, 1


class verbose:
    """Accepted; nothing is printed."""

    def __init__(self, enable):
        self.enable = enable

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        return None
