"""Whether mixed precision can be used."""


def amp_definitely_not_available() -> bool:
    """Whether there is no GPU."""
    from funcgrad.cuda import is_available

    return not is_available()
