"""The ways to compute a convolution against PyTorch: values and gradients, where OpInfo has few samples."""

import numpy as np
import pytest
from parity import both

# dims: (input, weight, arguments of the function)
CONVOLUTIONS = {
    "groups of many channels": (2, (2, 32, 6, 6), (16, 16, 3, 3), {"groups": 2, "padding": 1}),
    "groups of few channels": (2, (2, 8, 6, 6), (12, 2, 3, 3), {"groups": 4, "stride": 2}),
    "groups in three dimensions": (3, (1, 16, 4, 5, 5), (4, 8, 2, 2, 2), {"groups": 2}),
    "depthwise": (2, (2, 4, 6, 6), (8, 1, 3, 3), {"groups": 4, "dilation": 2, "padding": 2}),
    "result larger than the input": (2, (2, 16, 5, 5), (20, 16, 2, 2), {"padding": 1}),
    "one by one, in groups": (2, (2, 8, 5, 5), (12, 4, 1, 1), {"groups": 2, "stride": 2}),
}
TRANSPOSED = {
    "stride of the kernel": (2, (2, 8, 5, 4), (8, 6, 2, 2), {"stride": 2}),
    "cropped": (2, (2, 8, 5, 4), (8, 6, 4, 4), {"stride": 2, "padding": 1}),
    "output padding": (2, (2, 8, 5, 4), (8, 6, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "gaps": (2, (2, 8, 3, 4), (8, 6, 2, 3), {"stride": (4, 3)}),
    "gaps and output padding": (1, (2, 8, 5), (8, 6, 2), {"stride": 4, "output_padding": 3}),
    "groups": (2, (2, 8, 4, 4), (8, 3, 3, 2), {"stride": (2, 1), "groups": 4, "padding": (1, 0)}),
    "three dimensions": (3, (1, 4, 3, 3, 2), (4, 2, 3, 2, 4), {"stride": 2, "padding": 1, "groups": 2}),
    "dilated": (2, (2, 4, 4, 4), (4, 3, 3, 3), {"stride": 2, "dilation": 2, "output_padding": 1}),
}
CALLS = [("conv", *case) for case in CONVOLUTIONS.values()] + [("conv_transpose", *c) for c in TRANSPOSED.values()]


@pytest.mark.parametrize("call", CALLS, ids=[*CONVOLUTIONS, *TRANSPOSED])
def test_values_and_gradients(call):
    name, dims, x_shape, w_shape, options = call

    def code(torch):
        rng = np.random.RandomState(0)
        x, w = (torch.from_numpy(rng.randn(*shape)).requires_grad_() for shape in (x_shape, w_shape))
        y = getattr(torch.nn.functional, f"{name}{dims}d")(x, w, **options)
        grads = torch.autograd.grad((y * y.detach().sin()).sum(), [x, w], create_graph=True)
        second = torch.autograd.grad(sum((g * g.detach().cos()).sum() for g in grads), [x, w])
        return y, [g.detach() for g in grads], second

    both(code, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("call", TRANSPOSED.values(), ids=TRANSPOSED)
def test_integers(call):
    dims, x_shape, w_shape, options = call

    def code(torch):
        rng = np.random.RandomState(0)
        x, w = (torch.from_numpy(rng.randint(-9, 9, shape)) for shape in (x_shape, w_shape))
        return getattr(torch.nn.functional, f"conv_transpose{dims}d")(x, w, **options)

    both(code)


@pytest.mark.parametrize("call", [CONVOLUTIONS["groups of few channels"], CONVOLUTIONS["groups in three dimensions"]])
def test_gradients_as_functions(call):
    dims, x_shape, w_shape, options = call

    def code(torch):
        rng = np.random.RandomState(0)
        x, w = (torch.from_numpy(rng.randn(*shape)).requires_grad_() for shape in (x_shape, w_shape))
        shape = getattr(torch.nn.functional, f"conv{dims}d")(x, w, **options).shape
        g = torch.from_numpy(rng.randn(*shape)).requires_grad_()
        by_input = getattr(torch.nn.grad, f"conv{dims}d_input")(x.shape, w, g, **options)
        by_weight = getattr(torch.nn.grad, f"conv{dims}d_weight")(x, w.shape, g, **options)
        (by_input.sin().sum() + by_weight.sin().sum()).backward()
        return by_input, by_weight, x.grad, w.grad, g.grad

    both(code, rtol=1e-9, atol=1e-9)
