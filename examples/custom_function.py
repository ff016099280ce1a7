"""A module with its own backward: a straight-through rounding layer built on torch.autograd.Function."""

import torch
import torch.nn as nn


class Round(torch.autograd.Function):
    """Rounds in forward; in backward lets the gradient through where the input was in [-limit, limit]."""

    @staticmethod
    def forward(ctx, x, limit):
        ctx.save_for_backward(x)
        ctx.limit = limit
        return x.round()

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= ctx.limit).to(grad_output.dtype), None


class Quantized(nn.Module):
    def __init__(self, features, limit=3.0):
        super().__init__()
        self.linear = nn.Linear(features, features)
        self.limit = limit

    def forward(self, x):
        return Round.apply(self.linear(x) * 4, self.limit) / 4


torch.manual_seed(0)
model = Quantized(4)
x, target = torch.randn(16, 4), torch.randn(16, 4)
print(model(x)[:2])
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    optimizer.zero_grad()
    loss = ((model(x) - target) ** 2).mean()
    loss.backward()
    optimizer.step()
    if step % 5 == 0:
        print(f"step {step}, loss {loss.item():.4f}")
