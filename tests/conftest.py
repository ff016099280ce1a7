"""The option `--full`: run PyTorch's tables whole, not a sample of them."""

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--full", action="store_true", help="run every sample of PyTorch's OpInfo, ModuleInfo and OptimizerInfo"
    )


@pytest.fixture(scope="session")
def full(request) -> bool:
    """Whether to run the tables whole."""
    return request.config.getoption("--full")
