"""Every module of PyTorch's ModuleInfo table, through `module_runner`: a deterministic part by default, all with --full."""

import warnings

import pytest
import torch
from module_runner import TABLE, check, check_errors, check_twice, samples

NOT_HERE = {"LinearCrossEntropyLoss"}  # no sample runs on a CPU
NAMES = [name for name in TABLE if name not in NOT_HERE]
SMOOTH = """
    Linear Bilinear Conv1d Conv2d ConvTranspose1d BatchNorm1d LayerNorm GroupNorm InstanceNorm1d RMSNorm Tanh Sigmoid Softplus
    SiLU GELU Mish ELU CELU Softmax LogSoftmax Softsign MSELoss BCEWithLogitsLoss CrossEntropyLoss KLDivLoss GaussianNLLLoss
    RNN LSTM GRU LSTMCell MultiheadAttention TransformerEncoderLayer AvgPool2d LPPool1d LocalResponseNorm Embedding
    CosineEmbeddingLoss PoissonNLLLoss
""".split()


@pytest.mark.parametrize("name", NAMES)
def test_in_training(name, full):
    run(name, True, full)


@pytest.mark.parametrize("name", NAMES)
def test_in_evaluation(name, full):
    run(name, False, full)


def run(name: str, training: bool, full: bool) -> None:
    """By default a module's first sample in training mode and its last in evaluation mode."""
    count = len(samples(TABLE[name], torch.float32, training))
    for i in range(count) if full else [0 if training else count - 1]:
        check(name, i, training)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=["float64", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_in_other_precisions(name, dtype, full):
    if not full:
        pytest.skip("with --full")
    run_in(name, dtype)


def run_in(name: str, dtype) -> None:
    for i, sample in enumerate(samples(TABLE[name], dtype, False)):
        if runs(name, sample, dtype):
            check(name, i, False, dtype)


def runs(name: str, sample, dtype) -> bool:
    """Whether PyTorch can run a sample in this precision, forward and backward."""
    if sample.forward_input is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            m = TABLE[name].module_cls(*sample.constructor_input.args, **sample.constructor_input.kwargs).to(dtype)
            y = m(*sample.forward_input.args, **sample.forward_input.kwargs)
            y = y[0] if isinstance(y, tuple) else y
            if y.requires_grad:
                y.sum().backward()
        except (RuntimeError, NotImplementedError):
            return False
        return True


@pytest.mark.parametrize("name", SMOOTH)
def test_double_backward(name, full):
    if not full and SMOOTH.index(name) % 4:
        pytest.skip("with --full")
    check_twice(name)


def test_error_inputs():
    assert sum(check_errors(name) for name in NAMES) > 20
