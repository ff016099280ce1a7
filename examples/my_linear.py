"""A layer of one's own: Parameters register themselves, plain tensors do not, and calling the module runs `forward`."""

import torch
import torch.nn as nn


class MyLinear(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(in_features, out_features))
        self.bias = nn.Parameter(torch.randn(out_features))
        self.scale = torch.ones(1)  # a plain tensor: not a parameter

    def forward(self, x):
        return x @ self.weights + self.bias


print(torch.Tensor([1, 2, 3]))
print(nn.Parameter(torch.Tensor([1, 2, 3])))

torch.manual_seed(0)
fc = MyLinear(4, 3)
print([name for name, _ in fc.named_parameters()])
print(fc)
x = torch.ones(2, 4)
print(fc(x))
print(torch.equal(fc(x), fc._call_impl(x)), torch.equal(fc(x), fc.forward(x)))
