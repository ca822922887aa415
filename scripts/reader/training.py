"""Trains the reader. Every state that matters is in the checkpoint, so a run that was killed goes on where it was."""

import os
import pathlib
import random
import time

import torch
import torch.nn.functional as F

from .sources import SHARES
from .text import span_tokens

QUESTIONS, NEGATIVES = 8, 3  # of a step
BODY_RATE, HEAD_RATE, WARM_UP, DECAY = 8e-5, 5e-4, 200, 0.01
AVERAGE = 0.999  # of the weights, over steps


def draw_epoch(sources, seed):
    """The examples of one pass, in random order, each source by its share."""
    chance = random.Random(seed)
    drawn = []
    for name, examples in sources.items():
        share = SHARES[name]
        for example in examples:
            if example.held_out:
                continue
            copies = int(share) + (chance.random() < share - int(share))
            drawn += [example] * copies
    chance.shuffle(drawn)
    return drawn


def rows_of(example, pairs, chance):
    """The tokenised rows of an example, its passage first, and the answer's tokens in the first row: None if unknown,
    (0, 0) if there is none."""
    first = 0
    if example.begin >= 0:
        # A long passage is cut around the answer, which otherwise would always be near its beginning.
        offsets = pairs.passage(example.passage)[1]
        place = next((i for i, (_, stop) in enumerate(offsets) if stop > example.begin), 0)
        if place > 120 and len(offsets) > 180:
            first = max(0, place - chance.randint(20, 100))
    ids, types, at, offsets = pairs.encode(example.question, example.passage, first)
    span = (0, 0)
    if example.begin >= 0:
        span = span_tokens(offsets, example.begin, example.end)
        span = (at + span[0], at + span[1]) if span else None
    hard, rest = example.negatives[:6], example.negatives[6:]
    chosen = chance.sample(hard, min(2, len(hard)))
    chosen += chance.sample(rest, min(NEGATIVES - len(chosen), len(rest)))
    chosen += [chance.choice(example.negatives) for _ in range(NEGATIVES - len(chosen))]
    rows = [(ids, types)]
    for passage in chosen:
        row, row_types, _, _ = pairs.encode(example.question, passage)
        rows.append((row, row_types))
    return rows, span, at


def span_loss(logits, rows, targets, weights):
    """Cross-entropy of start and end over <s> (no answer) and the passage's tokens. targets: per row (first, last, place of
    the passage's first token)."""
    total, mass = logits.new_zeros(()), 0.0
    begin = 0
    for (ids, _), (first, last, at), weight in zip(rows, targets, weights):
        part = logits[begin : begin + len(ids)]
        begin += len(ids)
        if weight == 0:
            continue
        seen = torch.cat([part[:1], part[at:-1]])
        place = torch.tensor([0 if first == 0 else first - at + 1, 0 if last == 0 else last - at + 1])
        total = total + weight * F.cross_entropy(seen.t(), place)
        mass += weight
    return total / max(mass, 1e-6)


def loss_of(model, batch, pairs, chance):
    rows, targets, weights, reads, answered, importance = [], [], [], [], [], []
    for example in batch:
        own, span, at = rows_of(example, pairs, chance)
        rows += own
        first = span or (0, 0)
        targets.append((*first, at))
        weights.append(example.weight if example.reads and span is not None else 0.0)
        for ids, types in own[1:]:
            targets.append((0, 0, types.index(1)))
            weights.append(0.15 if example.reads else 0.0)
        reads.append(example.reads and span is not None)
        answered.append(span is not None and span != (0, 0))
        importance.append(example.weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first, last, span, answerable = model(rows)
    first, last = first.view(len(batch), -1), last.view(len(batch), -1)
    importance = torch.tensor(importance)
    # A question without an answer still has the passage that it is about; it counts half.
    importance = importance * torch.tensor([1.0 if a or not r else 0.5 for a, r in zip(answered, reads)])
    target = torch.zeros(len(batch), dtype=torch.long)
    point = torch.zeros_like(last)
    point[:, 0] = 1

    def ranking(logits):
        listwise = F.cross_entropy(logits, target, reduction="none")
        pointwise = F.binary_cross_entropy_with_logits(logits, point, reduction="none").mean(1)
        return ((listwise + pointwise) * importance).sum() / importance.sum()

    # The first exit learns from the last one's order, too.
    distilled = F.kl_div(F.log_softmax(first, 1), F.softmax(last.detach(), 1), reduction="batchmean")
    has_answer = torch.zeros(len(rows))
    judged = torch.ones(len(rows)) * 0.3
    for i in range(len(batch)):
        has_answer[i * (NEGATIVES + 1)] = float(answered[i])
        judged[i * (NEGATIVES + 1)] = 1.0 if reads[i] else 0.0
    answer = F.binary_cross_entropy_with_logits(answerable, has_answer, reduction="none")
    answer = (answer * judged).sum() / judged.sum()
    return ranking(last) + 0.7 * ranking(first) + 0.5 * distilled + 1.5 * span_loss(span, rows, targets, weights) + 0.7 * answer


class Run:
    """The state of a training: model, averaged weights, optimiser, step, and the random numbers by step."""

    def __init__(self, model, folder, steps):
        self.model, self.steps, self.step = model, steps, 0
        self.path = pathlib.Path(folder) / "checkpoint.pt"
        heads = ("rank_", "span", "answerable")
        trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [{"params": [p for n, p in trained if not n.startswith(heads)], "rate": BODY_RATE},
             {"params": [p for n, p in trained if n.startswith(heads)], "rate": HEAD_RATE}], lr=0.0, weight_decay=DECAY)
        self.average = {n: p.detach().clone() for n, p in trained}
        if self.path.exists():
            self._load()

    def _load(self):
        saved = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(saved["model"], strict=False)
        self.optimiser.load_state_dict(saved["optimiser"])
        self.average, self.step = saved["average"], saved["step"]

    def save(self):
        """Replaces the checkpoint at once: a kill leaves the old one or the new one."""
        weights = {n: p for n, p in self.model.state_dict().items() if n != "encoder.word.weight"}
        partial = self.path.with_suffix(".partial")
        torch.save({"model": weights, "optimiser": self.optimiser.state_dict(), "average": self.average, "step": self.step},
                   partial)
        os.replace(partial, self.path)

    def update(self):
        rate = min(1.0, (self.step + 1) / WARM_UP) * max(0.01, 1 - self.step / self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * rate
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                if name in self.average:
                    self.average[name].lerp_(value, 1 - keep)


def train(run, sources, pairs, minutes_between_saves=10, say=print):
    """Runs to run.steps. A step's questions and negatives follow from its number alone."""
    epoch_size = len(draw_epoch(sources, 0)) // QUESTIONS
    epoch, examples = None, []
    began = saved = time.monotonic()
    losses, done = [], 0
    run.model.train()
    while run.step < run.steps:
        if epoch != run.step // epoch_size:
            epoch = run.step // epoch_size
            examples = draw_epoch(sources, epoch)
        at = run.step % epoch_size * QUESTIONS
        loss = loss_of(run.model, examples[at : at + QUESTIONS], pairs, random.Random(run.step))
        loss.backward()
        run.update()
        losses.append(loss.item())
        done += 1
        now = time.monotonic()
        if now - saved > minutes_between_saves * 60 or run.step == run.steps or done in (5, 30):
            say(f"step {run.step} of {run.steps}, pass {run.step / epoch_size:.2f}: loss {sum(losses) / len(losses):.3f}, "
                f"{done * QUESTIONS / (now - began):.2f} questions/s")
            losses, saved = [], now
            run.save()
