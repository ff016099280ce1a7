"""Anomaly detection: which op, recorded where, made a NaN.

See https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection.
"""

from __future__ import annotations

from funcgrad.engine import anomaly


class set_detect_anomaly:
    """Switch anomaly detection on or off, at once, or for a ``with`` block.

    Args:
        mode: whether to detect.
        check_nan: whether a backward that makes a NaN is an error.
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self.before = anomaly.detecting()
        anomaly.detect(bool(mode) and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc) -> None:
        anomaly.detect(self.before)


class detect_anomaly(set_detect_anomaly):
    """Inside, a gradient that is NaN raises an error naming the op and the line that recorded it.

    Example:
        >>> import funcgrad as torch
        >>> x = torch.zeros(1, requires_grad=True)
        >>> with torch.autograd.detect_anomaly():  # doctest: +SKIP
        ...     (x.sqrt() * 0).sum().backward()
        RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True):
        self.before = anomaly.detecting()
        anomaly.detect(check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomalies are being detected."""
    return anomaly.detecting()
