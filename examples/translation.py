"""Sequence to sequence with attention: dates as people write them, translated to ISO dates, letter by letter."""

import calendar
import datetime

import torch
import torch.nn as nn
import torch.nn.functional as F

LETTERS = "\0\1" + "".join(sorted(set("".join(calendar.month_name).lower()) | set("0123456789 ,-")))
START = 1  # 0 is padding


def written(date, style):
    """A date in one of three styles."""
    month, day, year = calendar.month_name[date.month].lower(), date.day, date.year
    return (f"{day} {month} {year}", f"{month} {day}, {year}", f"{day} {month[:3]} {year}")[style]


def encode(text):
    return [LETTERS.index(c) for c in text]


def sample(batch_size):
    """Random dates: the written forms, padded with zeros, and the ISO forms."""
    days, styles = torch.randint(0, 30000, (batch_size,)), torch.randint(0, 3, (batch_size,))
    dates = [datetime.date(1970, 1, 1) + datetime.timedelta(days=n) for n in days.tolist()]
    sources = [encode(written(date, style).ljust(20, "\0")) for date, style in zip(dates, styles.tolist())]
    return torch.tensor(sources), torch.tensor([encode(date.isoformat()) for date in dates])


class Attention(nn.Module):
    """Additive attention (Bahdanau, Cho and Bengio, 2015): which of the encoder's states a state asks for."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(2 * width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, state, memory, padding):
        scores = self.score(torch.tanh(self.query(state).unsqueeze(1) + self.key(memory))).squeeze(2)
        weights = F.softmax(scores.masked_fill(padding, float("-inf")), dim=1)
        return torch.bmm(weights.unsqueeze(1), memory).squeeze(1)


class Translator(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS), width, padding_idx=0)
        self.encoder = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.attention = Attention(width)
        self.decoder = nn.GRUCell(3 * width, width)
        self.out = nn.Linear(3 * width, len(LETTERS))

    def forward(self, source, target=None, length=10):
        """The scores of every letter of the translation; the letters before it are `target`'s, or else its own."""
        memory, last = self.encoder(self.letters(source))
        state, letter, scores = last.sum(0), torch.full((len(source),), START), []
        for i in range(length):
            context = self.attention(state, memory, source == 0)
            state = self.decoder(torch.cat([self.letters(letter), context], dim=1), state)
            scores.append(self.out(torch.cat([state, context], dim=1)))
            letter = scores[-1].argmax(1) if target is None else target[:, i]
        return torch.stack(scores, dim=1)


def train(steps=120, batch_size=64):
    """The loss of each step; prints a few translations."""
    torch.manual_seed(0)
    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        source, target = sample(batch_size)
        loss = F.cross_entropy(model(source, target).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step}, loss {losses[-1]:.4f}")
    source, _ = sample(4)
    with torch.no_grad():
        letters = model(source).argmax(2)
    for given, made in zip(source.tolist(), letters.tolist()):
        print("".join(LETTERS[i] for i in given if i).ljust(20), "->", "".join(LETTERS[i] for i in made))
    return losses


if __name__ == "__main__":
    train()
