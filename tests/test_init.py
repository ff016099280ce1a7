"""Initial weights: with the same seed each function of `nn.init` and each layer gives PyTorch's numbers."""

import itertools
import warnings

import numpy as np
import pytest
import torch
from module_programs import Programs, error

import funcgrad

case = Programs()


def filled(torch, fill, *shape, dtype="float32"):
    torch.manual_seed(7)
    return fill(torch.empty(*shape, dtype=getattr(torch, dtype)).zero_())


FILLS = {
    "uniform": lambda i: lambda t: i.uniform_(t, -2, 3),
    "normal": lambda i: lambda t: i.normal_(t, 1.0, 2.0),
    "constant": lambda i: lambda t: i.constant_(t, 0.3),
    "ones": lambda i: i.ones_,
    "zeros": lambda i: i.zeros_,
    "xavier_uniform": lambda i: lambda t: i.xavier_uniform_(t, gain=2.0),
    "xavier_normal": lambda i: i.xavier_normal_,
    "kaiming_uniform": lambda i: lambda t: i.kaiming_uniform_(t, a=0.1, mode="fan_out"),
    "kaiming_normal": lambda i: lambda t: i.kaiming_normal_(t, nonlinearity="relu"),
    "trunc_normal": lambda i: lambda t: i.trunc_normal_(t, std=0.5, a=-0.4, b=1.0),
    "trunc_normal_of_a_tail": lambda i: lambda t: i.trunc_normal_(t, a=1.0, b=3.0),
    "trunc_normal_of_a_narrow_part": lambda i: lambda t: i.trunc_normal_(t, mean=1.0, std=2.0, a=0.5, b=1.0),
    "orthogonal": lambda i: lambda t: i.orthogonal_(t, gain=1.5),
}


@pytest.mark.parametrize("name", FILLS)
def test_filling(name):
    def program(torch):
        fill = FILLS[name](torch.nn.init)
        shapes = [(3, 4), (20, 5), (4, 3, 2), (2, 3, 2, 2), (7,), (0, 3)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [filled(torch, lambda t: (error(fill, t)[:2] if t.dim() < 2 else "", t), *s) for s in shapes] + [
                filled(torch, fill, 5, 4, dtype="float64"),
                torch.rand(2),
            ]

    case(program)
    case.check("program")


@case
def special_fillings(torch):
    i = torch.nn.init
    out = [filled(torch, i.eye_, 3, 4), filled(torch, i.dirac_, 4, 2, 3), filled(torch, i.dirac_, 3, 3, 2, 3),
           filled(torch, lambda t: i.dirac_(t, 2), 4, 2, 3, 3, 3), filled(torch, lambda t: i.sparse_(t, 0.3), 10, 4)]  # fmt: skip
    for fill, shape in ((i.eye_, (3,)), (i.dirac_, (3, 3)), (lambda t: i.dirac_(t, 2), (3, 3, 3)), (i.xavier_uniform_, (3,)),
                        (lambda t: i.sparse_(t, 0.1), (3,)), (lambda t: i.kaiming_normal_(t, mode="x"), (3, 3)),
                        (lambda t: i.kaiming_normal_(t, nonlinearity="x"), (3, 3)), (i.orthogonal_, (3,))):  # fmt: skip
        out.append(error(fill, torch.zeros(*shape)))
    return out


@case
def gains(torch):
    g = torch.nn.init.calculate_gain
    kinds = (
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose2d",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
        "x",
    )
    return [error(g, k) for k in kinds] + [
        g("leaky_relu", 0.3),
        error(g, "leaky_relu", "a"),
        error(g, "leaky_relu", True),
    ]


@case
def generators(torch):
    i = torch.nn.init
    g = torch.Generator().manual_seed(3)
    fills = (i.uniform_, i.normal_, i.xavier_uniform_, i.xavier_normal_, i.kaiming_uniform_, i.kaiming_normal_, i.trunc_normal_,
             i.orthogonal_)  # fmt: skip
    return [f(torch.zeros(4, 5), generator=g) for f in fills], i.sparse_(torch.zeros(4, 3), 0.5, generator=g)


@case
def parameters_keep_their_gradient_flag(torch):
    p = torch.nn.Parameter(torch.zeros(3, 2))
    same = torch.nn.init.normal_(p) is p
    frozen = torch.nn.Parameter(torch.zeros(2, 2), requires_grad=False)
    torch.nn.init.eye_(frozen)
    return same, p.requires_grad, p.is_leaf, frozen.requires_grad, frozen


@case
def warnings_of_fillings(torch):
    i = torch.nn.init
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        i.kaiming_uniform_(torch.zeros(0, 3))
        i.trunc_normal_(torch.zeros(2, 2), mean=10.0)
        i.xavier_uniform(torch.zeros(2, 2))
        i.normal(torch.zeros(2, 2))
    return [(w.category.__name__, str(w.message)) for w in caught]


LAYERS = """
    Linear(5, 3)  Linear(5, 3, bias=False)  Bilinear(2, 3, 4)  Conv1d(2, 4, 3)  Conv2d(2, 4, 3, groups=2)  Conv3d(1, 2, 2)
    ConvTranspose1d(2, 4, 3)  ConvTranspose2d(4, 2, 3, groups=2)  ConvTranspose3d(1, 2, 2)  Embedding(6, 3)
    Embedding(6, 3, padding_idx=1)  EmbeddingBag(6, 3)  BatchNorm2d(3)  LayerNorm((2, 3))  GroupNorm(2, 4)  RMSNorm(3)
    InstanceNorm1d(3, affine=True)  PReLU(3)  RNN(3, 4, 2)  LSTM(3, 4, proj_size=2, bidirectional=True)  GRU(3, 4, bias=False)
    RNNCell(3, 2)  LSTMCell(3, 2)  GRUCell(3, 2)  MultiheadAttention(4, 2)  MultiheadAttention(4, 2, kdim=3, vdim=5)
    MultiheadAttention(4, 2, add_bias_kv=True)  TransformerEncoderLayer(4, 2, 8)  TransformerDecoderLayer(4, 2, 8)
    Transformer(4, 2, 1, 1, 8)  AdaptiveLogSoftmaxWithLoss(4, 10, [3, 6])  CrossMapLRN2d(2)  SyncBatchNorm(3)
    Linear(3, 2, dtype=D.float64)  Conv2d(1, 2, 2, dtype=D.bfloat16)  Linear(600, 300)
"""


@pytest.mark.parametrize(
    "text", [line.strip() for row in LAYERS.splitlines() for line in row.split("  ") if line.strip()]
)
def test_layer(text):
    def program(torch):
        torch.manual_seed(11)
        made = eval(f"nn.{text}", {"nn": torch.nn, "D": torch})
        first = [(k, v) for k, v in made.state_dict().items()]
        if hasattr(made, "reset_parameters"):
            made.reset_parameters()
        elif hasattr(made, "_reset_parameters"):
            made._reset_parameters()
        return first, [v for v in made.state_dict().values()], torch.rand(1)

    case(program)
    case.check("program")


def resnet18(nn):
    """The layers of ResNet-18 in the order in which torchvision makes them, and its own initialisation."""

    def block(n_in, n):
        layers = [
            nn.Conv2d(n_in, n, 3, bias=False),
            nn.BatchNorm2d(n),
            nn.Conv2d(n, n, 3, bias=False),
            nn.BatchNorm2d(n),
        ]
        return layers if n == n_in else [nn.Conv2d(n_in, n, 1, bias=False), nn.BatchNorm2d(n), *layers]

    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [layer for a, b in itertools.pairwise(widths) for layer in block(a, b)]
    model = nn.Sequential(nn.Conv2d(3, 64, 7, bias=False), nn.BatchNorm2d(64), *blocks, nn.Linear(512, 1000))
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return model


def gpt(nn):
    """Embeddings, encoder layers and a head, initialised as nanoGPT does."""
    layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, norm_first=True)
    model = nn.Sequential(
        nn.Embedding(500, 64), nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(64, 500)
    )
    for m in model.modules():
        if isinstance(m, nn.Linear | nn.Embedding):
            nn.init.normal_(m.weight, 0.0, 0.02)
    return model


WHOLE = {
    "ResNet-18": resnet18,
    "LSTM": lambda nn: nn.Sequential(nn.Embedding(1000, 200), nn.LSTM(200, 200, 2, dropout=0.2), nn.Linear(200, 1000)),
    "Transformer": lambda nn: nn.Transformer(128, 4, 2, 2, 512, batch_first=True),
    "GPT": gpt,
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_models(name):
    """Every weight bit by bit, and the generator's state afterwards."""
    made, states = [], []
    for library in (funcgrad, torch):
        library.manual_seed(5)
        made.append({k: v.numpy() for k, v in WHOLE[name](library.nn).state_dict().items()})
        states.append(library.get_rng_state().numpy())
    ours, theirs = made
    assert list(ours) == list(theirs)
    assert [k for k in ours if not np.array_equal(ours[k], theirs[k])] == []
    np.testing.assert_array_equal(*states)


@pytest.mark.parametrize("name", [n for n in case if n != "program"])
def test_program(name):
    case.check(name)
