"""``torch.backends.mps``: JAX's Metal devices."""

from funcgrad import _device


def is_available() -> bool:
    """Whether JAX has a Metal device."""
    return bool(_device.jax_devices("mps"))


def is_built() -> bool:
    """Whether JAX has a Metal device."""
    return is_available()
