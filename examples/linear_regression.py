"""Linear regression, the tutorial's way: Variable, from_numpy, MSELoss, SGD, a hundred epochs."""

import numpy as np
import torch
import torch.nn as nn
from torch.autograd import Variable

rng = np.random.RandomState(0)
x_values = np.arange(11, dtype=np.float32).reshape(-1, 1)
y_values = (2 * x_values + 1 + 0.1 * rng.randn(11, 1)).astype(np.float32)


class LinearReg(nn.Module):
    def __init__(self, in_size, out_size):
        super(LinearReg, self).__init__()  # noqa: UP008
        self.linear = nn.Linear(in_size, out_size)

    def forward(self, x):
        return self.linear(x)


torch.manual_seed(0)
model = LinearReg(1, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

for epoch in range(100):
    inputs = Variable(torch.from_numpy(x_values))
    labels = Variable(torch.from_numpy(y_values))
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = criterion(outputs, labels)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}, loss {loss.item():.6f}")

for name, parameter in model.named_parameters():
    print(name, parameter.data)
