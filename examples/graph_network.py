"""A graph network by scatter ops: who went with whom when Zachary's karate club split, from two known members.

Each member's features become a sum over neighbours (`index_add`), normalised by degrees (Kipf and Welling, 2017).
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

# Neighbours with a larger number, of each of the 34 members (Zachary, 1977).
NEIGHBOURS = """1 2 3 4 5 6 7 8 10 11 12 13 17 19 21 31|2 3 7 13 17 19 21 30|3 7 8 9 13 27 28 32|7 12 13|6 10|6 10 16|16||
30 32 33|33||||33|32 33|32 33|||32 33|33|32 33||32 33|25 27 29 32 33|25 27 31|31|29 33|33|31 33|32 33|32 33|32 33|33|"""
MR_HI = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21}  # who stayed with the instructor


class GraphConvolution(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x, source, target):
        ones = torch.ones(len(source))
        degree = torch.zeros(len(x)).scatter_add(0, target, ones)
        weight = (degree[source] * degree[target]).rsqrt()
        messages = self.linear(x)[source] * weight.unsqueeze(1)
        return torch.zeros(len(x), messages.size(1)).index_add(0, target, messages)


class GraphNetwork(nn.Module):
    def __init__(self, members, width=16, classes=2):
        super().__init__()
        self.members = nn.Embedding(members, width)
        self.first, self.second = GraphConvolution(width, width), GraphConvolution(width, classes)

    def forward(self, source, target):
        x = torch.relu(self.first(self.members.weight, source, target))
        return self.second(x, source, target)


def train(steps=50):
    """The loss of each step; prints how many members are told right."""
    torch.manual_seed(0)
    rows = NEIGHBOURS.replace("\n", "").split("|")
    edges = torch.tensor([(i, int(j)) for i, row in enumerate(rows) for j in row.split()])
    loops = torch.arange(len(rows)).repeat(2, 1)
    source, target = torch.cat([edges.T, edges.T.flip(0), loops], dim=1)
    sides = torch.tensor([i not in MR_HI for i in range(len(rows))]).long()
    known = torch.tensor([0, 33])  # the instructor and the administrator
    model = GraphNetwork(len(rows))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        scores = model(source, target)
        loss = F.cross_entropy(scores[known], sides[known])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0 or step == steps - 1:
            right = (scores.argmax(1) == sides).sum().item()
            print(f"step {step}, loss {losses[-1]:.4f}, {right} of {len(sides)} members right")
    return losses


if __name__ == "__main__":
    train()
