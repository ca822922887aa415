"""The reader: the embedder's BERT over (question, passage), with a first exit that ranks and a last that ranks and reads."""

import torch
import torch.nn.functional as F
from torch import nn

LAYER_DROP = 0.05  # a layer is left out of a training step (Fan et al. 2020); dropout of activations would take twice the time


class Encoder(nn.Module):
    """BERT (Devlin et al. 2018). Rows are packed without padding."""

    def __init__(self, file):
        super().__init__()
        self.heads, self.epsilon = file.heads, file.epsilon
        h, ff = file.hidden, file.intermediate
        self.word = nn.Embedding(file.vocabulary, h)
        self.word.weight.requires_grad = False  # stays as the embedder's pack has it, in 4 bits
        self.position = nn.Embedding(file.positions, h)
        self.segment = nn.Embedding(2, h)
        self.norm = nn.LayerNorm(h, eps=self.epsilon)
        self.layers = nn.ModuleList(
            nn.ModuleDict({"qkv": nn.Linear(h, 3 * h), "out": nn.Linear(h, h), "norm1": nn.LayerNorm(h, eps=self.epsilon),
                           "up": nn.Linear(h, ff), "down": nn.Linear(ff, h), "norm2": nn.LayerNorm(h, eps=self.epsilon)})
            for _ in range(file.layers))
        self._load(file)

    def _load(self, file):
        t = {name: torch.from_numpy(values) for name, values in file.tensors.items()}
        with torch.no_grad():
            self.word.weight.copy_(t["emb.word"].view_as(self.word.weight))
            self.position.weight.copy_(t["emb.pos"].view_as(self.position.weight))
            self.segment.weight.copy_(t["emb.type"].view(-1, file.hidden)[0].expand_as(self.segment.weight))
            self._set(self.norm, t["emb.ln.w"], t["emb.ln.b"])
            for i, layer in enumerate(self.layers):
                at = f"l{i}."
                self._set(layer["qkv"], torch.cat([t[at + k + ".w"].reshape(-1) for k in "qkv"]),
                          torch.cat([t[at + k + ".b"] for k in "qkv"]))
                for name, key in (("out", "ao"), ("up", "fi"), ("down", "fo"), ("norm1", "aln"), ("norm2", "oln")):
                    self._set(layer[name], t[at + key + ".w"], t[at + key + ".b"])

    @staticmethod
    def _set(module, weight, bias):
        module.weight.copy_(weight.view_as(module.weight))
        module.bias.copy_(bias.view_as(module.bias))

    def forward(self, rows, exits):
        """rows: a list of (ids, types). Returns for each exit the hidden states [tokens, hidden] of all rows, packed."""
        lengths = [len(ids) for ids, _ in rows]
        ids = torch.tensor([i for row, _ in rows for i in row])
        types = torch.tensor([i for _, row in rows for i in row])
        places = torch.cat([torch.arange(n) for n in lengths])
        x = self.norm(self.word(ids) + self.position(places) + self.segment(types))
        states = {}
        for i, layer in enumerate(self.layers):
            if not (self.training and torch.rand(()) < LAYER_DROP):
                x = layer["norm1"](x + layer["out"](self._attend(layer["qkv"](x), lengths)))
                x = layer["norm2"](x + layer["down"](F.gelu(layer["up"](x))))
            if i + 1 in exits:
                states[i + 1] = x
        return states

    def _attend(self, qkv, lengths):
        # Row by row: the scores of one row stay in the processor's cache, and nothing is padded. Twice as fast as
        # scaled_dot_product_attention over padded rows, forward and backward together.
        size = qkv.shape[1] // 3 // self.heads
        contexts = []
        with torch.autocast("cpu", enabled=False):
            for row in torch.split(qkv, lengths):
                q, k, v = row.view(len(row), 3, self.heads, size).permute(1, 2, 0, 3).unbind()
                weights = torch.softmax(torch.bmm(q * size**-0.5, k.transpose(1, 2)), dim=-1)
                contexts.append(torch.bmm(weights, v).transpose(0, 1).reshape(len(row), -1))
        return torch.cat(contexts)


class Reader(nn.Module):
    """Heads: relevance from <s> at each exit; at the last one also the answer's start and end, and whether there is one."""

    FIRST, LAST = 6, 12

    def __init__(self, file):
        super().__init__()
        self.encoder = Encoder(file)
        self.rank_first = nn.Linear(file.hidden, 1)
        self.rank_last = nn.Linear(file.hidden, 1)
        self.span = nn.Linear(file.hidden, 2)
        self.answerable = nn.Linear(file.hidden, 1)

    def forward(self, rows):
        """Returns relevance at both exits [rows], span logits [tokens, 2] (packed) and answerable [rows]."""
        states = self.encoder(rows, (self.FIRST, self.LAST))
        first = torch.cumsum(torch.tensor([0] + [len(ids) for ids, _ in rows[:-1]]), 0)
        last = states[self.LAST].float()
        return (self.rank_first(states[self.FIRST][first].float()).squeeze(-1), self.rank_last(last[first]).squeeze(-1),
                self.span(last), self.answerable(last[first]).squeeze(-1))


def embed(encoder, rows):
    """Mean-pooled unit vectors [rows, hidden], as the embedder makes them."""
    x = encoder(rows, (len(encoder.layers),))[len(encoder.layers)].float()
    parts = torch.split(x, [len(ids) for ids, _ in rows])
    return F.normalize(torch.stack([part.mean(0) for part in parts]), dim=-1)
