"""Transformers. See https://docs.pytorch.org/docs/stable/nn.html#transformer-layers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import numpy as np

from funcgrad import _operators
from funcgrad._facade import _creation
from funcgrad._tensor import Tensor
from funcgrad.engine.state import state
from funcgrad.nn import functional as F
from funcgrad.nn import init
from funcgrad.nn.modules.activation import GELU, MultiheadAttention, ReLU
from funcgrad.nn.modules.container import ModuleList
from funcgrad.nn.modules.dropout import Dropout
from funcgrad.nn.modules.linear import Linear
from funcgrad.nn.modules.module import Module
from funcgrad.nn.modules.normalization import LayerNorm

_full = _creation.creation_form("full")


# -- layers -----------------------------------------------------------------------------------------------------------


class _Layer(Module):
    """What encoder and decoder layers share.

    Each sublayer `f` adds to its input: ``x + f(norm(x))`` with `norm_first`, else ``norm(x + f(x))``.
    """

    _attentions: tuple[str, ...]

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device=None, dtype=None,
    ) -> None:  # fmt: skip
        options = {"device": device, "dtype": dtype}
        super().__init__()
        for name in self._attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **options)
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        sublayers = range(1, len(self._attentions) + 2)
        for i in sublayers:
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options))
        for i in sublayers:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _get_activation_fn(activation) if isinstance(activation, str) else activation

    def __setstate__(self, state: dict) -> None:
        state.setdefault("activation", F.relu)
        super().__setstate__(state)

    def _sublayer(self, x: Tensor, norm: Module, block: Callable, *args) -> Tensor:
        return x + block(norm(x), *args) if self.norm_first else norm(x + block(x, *args))

    def _sa_block(self, x: Tensor, attn_mask, key_padding_mask, is_causal: bool = False) -> Tensor:
        attended, _ = self.self_attn(x, x, x, key_padding_mask, False, attn_mask, is_causal=is_causal)
        return self.dropout1(attended)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


_ARGUMENTS = """
    Args:
        d_model: the size of the vectors.
        nhead: the number of attention heads.
        dim_feedforward: the width of the feed-forward network.
        dropout: the probability of every dropout.
        activation: between the two linear layers: ``"relu"``, ``"gelu"`` or a function.
        layer_norm_eps: of the normalisations.
        batch_first: whether the batch is the first dimension, not the second.
        norm_first: normalise before each sublayer instead of after it.
        bias: whether linear layers and normalisations have biases.
"""


class TransformerEncoderLayer(_Layer):
    __doc__ = f"""Self-attention and a feed-forward network, each with a residual connection and a normalisation.
{_ARGUMENTS}
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html
    """

    _attentions = ("self_attn",)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        kinds = ((F.relu, ReLU), (F.gelu, GELU))
        found = [i for i, (f, cls) in enumerate(kinds, 1) if self.activation is f or isinstance(self.activation, cls)]
        self.activation_relu_or_gelu = found[0] if found else 0

    def forward(self, src: Tensor, src_mask=None, src_key_padding_mask=None, is_causal: bool = False) -> Tensor:
        """Encode `src`.

        Args:
            src_mask: forbids attention, as ``attn_mask`` of `MultiheadAttention`.
            src_key_padding_mask: (N, S), where `src` is only padding.
            is_causal: a hint that `src_mask` forbids later positions.
        """
        padding, mask = _canonical(src, src_key_padding_mask, "src_key_padding_mask", src_mask, "src_mask")
        x = self._sublayer(src, self.norm1, self._sa_block, mask, padding, is_causal)
        return self._sublayer(x, self.norm2, self._ff_block)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout2(self._feed_forward(x))


class TransformerDecoderLayer(_Layer):
    __doc__ = f"""Self-attention, attention to the encoder's output and a feed-forward network.
{_ARGUMENTS}
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerDecoderLayer.html
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
        memory_key_padding_mask=None, tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """Decode `tgt`, looking at `memory`; the masks are as of `MultiheadAttention`, for each of the two."""
        x = self._sublayer(tgt, self.norm1, self._sa_block, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        looked_at = (memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        x = self._sublayer(x, self.norm2, self._mha_block, *looked_at)
        return self._sublayer(x, self.norm3, self._ff_block)

    def _mha_block(self, x: Tensor, mem: Tensor, attn_mask, key_padding_mask, is_causal: bool = False) -> Tensor:
        attended, _ = self.multihead_attn(x, mem, mem, key_padding_mask, False, attn_mask, is_causal=is_causal)
        return self.dropout2(attended)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout3(self._feed_forward(x))


# -- stacks -----------------------------------------------------------------------------------------------------------


class TransformerEncoder(Module):
    """A stack of encoder layers.

    Args:
        encoder_layer: copied for each layer.
        num_layers: how many.
        norm: a normalisation of the result.
        enable_nested_tensor: as in PyTorch, give zeros for padding in inference.
        mask_check: whether that asks for the padding to stand behind the sequences.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        why_not = _why_not_nested(encoder_layer)
        if enable_nested_tensor and why_not:
            warnings.warn(
                f"enable_nested_tensor is True, but self.use_nested_tensor is False because {why_not}", stacklevel=2
            )
        self.use_nested_tensor = enable_nested_tensor and not why_not

    def forward(self, src: Tensor, mask=None, src_key_padding_mask=None, is_causal: bool | None = None) -> Tensor:
        """Encode `src`; the arguments are those of the layers. `is_causal` of None looks at the mask."""
        padding, mask = _canonical(src, src_key_padding_mask, "src_key_padding_mask", mask, "mask")
        is_causal = _detect_is_causal_mask(mask, is_causal, _length(src, self.layers[0].self_attn.batch_first))
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=is_causal, src_key_padding_mask=padding)
        if padding is not None and mask is None and self._leaves_out_padding(src):
            output = _without_padding(output, padding, getattr(self, "mask_check", True))
        return output if self.norm is None else self.norm(output)

    def _leaves_out_padding(self, src: Tensor) -> bool:
        """Whether PyTorch computes without the padding, and returns zeros for it."""
        if not getattr(self, "use_nested_tensor", False) or self.layers[0].training or src.dim() != 3:
            return False
        return not state.grad or not (src.requires_grad or any(p.requires_grad for p in self.layers[0].parameters()))


class TransformerDecoder(Module):
    """A stack of decoder layers.

    Args:
        decoder_layer: copied for each layer.
        num_layers: how many.
        norm: a normalisation of the result.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerDecoder.html
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
        memory_key_padding_mask=None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """Decode `tgt`; the arguments are those of the layers. `tgt_is_causal` of None looks at the mask."""
        length = _length(tgt, self.layers[0].self_attn.batch_first)
        tgt_is_causal = _detect_is_causal_mask(tgt_mask, tgt_is_causal, length)
        output = tgt
        for layer in self.layers:
            output = layer(
                output, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    __doc__ = f"""An encoder and a decoder that looks at what it gives.
{_ARGUMENTS}
        num_encoder_layers, num_decoder_layers: of the two stacks.
        custom_encoder, custom_decoder: modules in their place.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Transformer.html
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: str | Callable[[Tensor], Tensor] = F.relu,
        custom_encoder: Module | None = None, custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True, device=None, dtype=None,
    ) -> None:  # fmt: skip
        super().__init__()
        options = {"device": device, "dtype": dtype}
        shape = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        if custom_encoder is None:
            layer = TransformerEncoderLayer(*shape, **options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        self.encoder = custom_encoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*shape, **options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm)
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None,
        tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """Decode `tgt`, looking at the encoded `src`; the masks are those of encoder and decoder."""
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(batch) != tgt.size(batch):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device=None, dtype=None) -> Tensor:
        """A mask that forbids later positions: minus infinity above the diagonal, zeros elsewhere."""
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)


# -- masks and the like -----------------------------------------------------------------------------------------------


def _canonical(x: Tensor, padding, padding_name: str, mask, mask_name: str) -> tuple:
    other = None if mask is None else mask.dtype
    padding = F._canonical_mask(padding, padding_name, other, mask_name, x.dtype)
    return padding, F._canonical_mask(mask, mask_name, None, "", x.dtype, check_other=False)


def _generate_square_subsequent_mask(sz: int, device=None, dtype=None) -> Tensor:
    return _operators.call("triu", _full((sz, sz), float("-inf"), dtype=dtype, device=device), 1)


def _length(x: Tensor, batch_first: bool) -> int:
    return x.size(0) if x.dim() == 2 else x.size(1 if batch_first else 0)


def _detect_is_causal_mask(mask: Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Whether `mask` forbids exactly the later positions.

    That only makes attention faster, so a mask that is still to be computed is not waited for.
    """
    if is_causal is not None or mask is None:
        return is_causal is True
    if mask._read().array is None or state.program.traced or state.capture is not None:
        return False
    size = mask.size(-2) if size is None else size
    if mask.shape != (size, size):
        return False
    expected = np.triu(np.full((size, size), -np.inf, np.float32), 1)
    return np.array_equal(np.asarray(mask._host()).astype(np.float32), expected)


def _without_padding(output: Tensor, padding: Tensor, check: bool) -> Tensor:
    """Zeros where there is padding; with `check`, only if all padding stands behind the sequences."""
    padded = padding != 0
    if check:
        padded = padded & (padded[:, 1:] >= padded[:, :-1]).all()
    return output.masked_fill(padded.unsqueeze(-1), 0.0)


def _why_not_nested(layer: Module) -> str:
    """PyTorch's reason not to compute without the padding; empty if there is none."""
    name = "encoder_layer"
    if not isinstance(layer, TransformerEncoderLayer):
        return f"{name} was not TransformerEncoderLayer"
    attention = layer.self_attn
    hint = "(use batch_first for better inference performance)"
    reasons = (
        (layer.norm_first, f"{name}.norm_first was True"),
        (not attention.batch_first, f"{name}.self_attn.batch_first was not True{hint}"),
        (not attention._qkv_same_embed_dim, f"{name}.self_attn._qkv_same_embed_dim was not True"),
        (attention.in_proj_bias is None, f"{name}.self_attn was passed bias=False"),
        (not layer.activation_relu_or_gelu, f"{name}.activation_relu_or_gelu was not True"),
        (layer.norm1.eps != layer.norm2.eps, f"{name}.norm1.eps was not equal to {name}.norm2.eps"),
        (attention.num_heads % 2 == 1, f"{name}.self_attn.num_heads is odd"),
    )
    return next((why for applies, why in reasons if applies), "")


def _get_clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _get_activation_fn(activation: str) -> Callable[[Tensor], Tensor]:
    functions = {"relu": F.relu, "gelu": F.gelu}
    if activation not in functions:
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return functions[activation]
