"""The models in examples/: ten training steps of each, the same source under PyTorch and funcgrad, from the same seed."""

import builtins
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

import funcgrad

EXAMPLES = Path(__file__).parent.parent / "examples"
MODELS = "resnet unet translation gpt vit dcgan wgan_gp graph_network neural_ode".split()


def load(name: str, library) -> dict:
    """The names that ``examples/name.py`` defines when ``import torch`` imports `library`."""

    def importing(module, globals=None, locals=None, fromlist=(), level=0):
        head, _, rest = module.partition(".")
        if head != "torch":
            return builtins.__import__(module, globals, locals, fromlist, level)
        found = importlib.import_module(f"{library.__name__}.{rest}" if rest else library.__name__)
        return found if fromlist else library

    namespace = {"__name__": name, "__builtins__": {**vars(builtins), "__import__": importing}}
    path = EXAMPLES / f"{name}.py"
    exec(compile(path.read_text(), path, "exec"), namespace)
    return namespace


def compare(name: str, **arguments) -> None:
    got, want = (load(name, library)["train"](**arguments) for library in (funcgrad, torch))
    assert len(got) == len(want) >= 10
    np.testing.assert_allclose(got, want, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_ten_steps(name):
    compare(name, steps=10)


def test_autoencoder():
    """The variational autoencoder, whose example trains by epochs."""
    compare("same_seed", seed=0, epochs=1)
