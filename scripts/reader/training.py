"""Trains the reader. Every state that matters is in the checkpoint, so a run that was killed goes on where it was."""

import concurrent.futures
import os
import pathlib
import random
import time

import torch
import torch.nn.functional as F

from .augmentation import hide, shortened
from .sources import SHARES, SWITCHED
from .switching import switched
from .text import span_tokens
from .unanswerable import lookalike

QUESTIONS, NEGATIVES = 8, 3  # of a step that ranks and reads
# From this step on every second one only reads, and sees four times as many answers for the same time.
READING_BEGINS, READ_QUESTIONS = 3400, 32
SWITCH = 0.4  # of the English answers, in steps that only read
LOOKALIKES = 0.2  # of the answerable questions, in steps that only read
BODY_RATE, HEAD_RATE, WARM_UP, DECAY = 8e-5, 5e-4, 200, 0.01
AVERAGE = 0.999  # of the weights, over steps


def draw_epoch(sources, seed, only_reading=False):
    """The examples of one pass, in random order, each source by its share."""
    chance = random.Random(seed)
    drawn = []
    for name, examples in sources.items():
        share = SHARES[name]
        for example in examples:
            if example.held_out or (only_reading and not example.reads):
                continue
            copies = int(share) + (chance.random() < share - int(share))
            drawn += [example] * copies
    chance.shuffle(drawn)
    return drawn


def choose_negatives(example, chance, count):
    if count == 0:
        return []
    hard, rest = example.negatives[:6], example.negatives[6:]
    chosen = chance.sample(hard, min(2, len(hard)))
    chosen += chance.sample(rest, min(count - len(chosen), len(rest)))
    return chosen + [chance.choice(example.negatives) for _ in range(count - len(chosen))]


def rows_of(example, pairs, chance, negatives):
    """The tokenised rows of an example, its passage first, the answer's tokens in the first row (None if unknown, (0, 0) if
    there is none), and the place of the passage in that row."""
    first = 0
    if example.begin >= 0:
        # A long passage is cut around the answer, which otherwise would always be near its beginning.
        offsets = pairs.passage(example.passage, keep=negatives > 0)[1]
        place = next((i for i, (_, stop) in enumerate(offsets) if stop > example.begin), 0)
        if place > 120 and len(offsets) > 180:
            first = max(0, place - chance.randint(20, 100))
    ids, types, at, offsets = pairs.encode(example.question, example.passage, first, keep=negatives > 0)
    span = (0, 0)
    if example.begin >= 0:
        span = span_tokens(offsets, example.begin, example.end)
        span = (at + span[0], at + span[1]) if span else None
    rows = [(hide(ids, at, span, chance), types)]
    for passage in choose_negatives(example, chance, negatives):
        row, row_types, row_at, _ = pairs.encode(example.question, passage)
        rows.append((hide(row, row_at, None, chance), row_types))
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


def ranking_loss(first, last, importance):
    """Listwise and pointwise, at both exits; the first of a list is the right one. The first exit learns from the last one's
    order, too."""
    target = torch.zeros(len(last), dtype=torch.long)
    point = torch.zeros_like(last)
    point[:, 0] = 1

    def of(logits):
        listwise = F.cross_entropy(logits, target, reduction="none")
        pointwise = F.binary_cross_entropy_with_logits(logits, point, reduction="none").mean(1)
        return ((listwise + pointwise) * importance).sum() / importance.sum()

    distilled = F.kl_div(F.log_softmax(first, 1), F.softmax(last.detach(), 1), reduction="batchmean")
    return of(last) + 0.7 * of(first) + 0.5 * distilled


def loss_of(model, batch, pairs, chance, negatives):
    rows, targets, weights, has_answer, judged, importance = [], [], [], [], [], []
    for example in batch:
        own, span, at = rows_of(example, pairs, chance, negatives)
        rows += own
        reads, answered = example.reads and span is not None, span not in (None, (0, 0))
        targets.append((*(span or (0, 0)), at))
        targets += [(0, 0, types.index(1)) for _, types in own[1:]]
        weights += [example.weight if reads else 0.0] + [0.15 if example.reads else 0.0] * negatives
        has_answer += [float(answered)] + [0.0] * negatives
        judged += [float(reads)] + [0.3] * negatives
        # A question without an answer still has the passage that it is about; it counts half.
        importance.append(example.weight * (1.0 if answered or not example.reads else 0.5))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first, last, span, answerable = model(rows)
    judged = torch.tensor(judged)
    answer = F.binary_cross_entropy_with_logits(answerable, torch.tensor(has_answer), reduction="none")
    loss = 1.5 * span_loss(span, rows, targets, weights) + 0.7 * (answer * judged).sum() / judged.sum().clamp(min=1e-6)
    if negatives == 0:
        return loss
    shape = (len(batch), negatives + 1)
    return loss + ranking_loss(first.view(shape), last.view(shape), torch.tensor(importance))


class Run:
    """The state of a training: model, averaged weights, optimiser, step, and the random numbers by step."""

    def __init__(self, model, folder, steps, first_step=0):
        """first_step: that of the model, where it begins with trained weights and there is no checkpoint."""
        self.model, self.steps, self.step, self.first_step = model, steps, first_step, first_step
        self.path = pathlib.Path(folder) / "checkpoint.pt"
        heads = ("rank_", "span", "answerable")
        trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [{"params": [p for n, p in trained if not n.startswith(heads)], "rate": BODY_RATE},
             {"params": [p for n, p in trained if n.startswith(heads)], "rate": HEAD_RATE}], lr=0.0, weight_decay=DECAY)
        self.average = {n: p.detach().clone() for n, p in trained}
        if self.path.exists():
            self._load()
        for group in self.optimiser.param_groups:
            group["fused"] = True

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
        rate = min(1.0, (self.step - self.first_step + 1) / WARM_UP) * max(0.01, 1 - self.step / self.steps)
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


class Schedule:
    """Which examples a step sees: it follows from the step's number alone."""

    def __init__(self, sources, words):
        self.sources, self.words, self.epochs = sources, words, {}
        self.size = {reading: len(draw_epoch(sources, 0, reading)) for reading in (False, True)}

    def batch(self, step):
        """Returns the examples and the number of negatives for each."""
        late = max(0, step - READING_BEGINS)
        if late % 2 == 1:
            return self._part(True, late // 2, READ_QUESTIONS), 0
        return self._part(False, min(step, READING_BEGINS) + late // 2, QUESTIONS), NEGATIVES

    def _part(self, reading, number, count):
        steps = self.size[reading] // count
        if self.epochs.get(reading, (None,))[0] != number // steps:
            drawn = draw_epoch(self.sources, number // steps, reading)
            self.epochs[reading] = (number // steps, self._vary(drawn, number // steps) if reading else drawn)
        at = number % steps * count
        return self.epochs[reading][1][at : at + count]

    def _vary(self, examples, seed):
        chance = random.Random(f"vary {seed}")
        by_language = {language: [e for e in examples if e.language == language] for language in ("en", "pt")}
        varied = []
        for example in examples:
            example = shortened(example, chance)
            if example.begin >= 0 and chance.random() < LOOKALIKES:
                example = lookalike(example, chance, by_language[example.language]) or example
            if example.group in SWITCHED and example.begin >= 0 and example.language == "en" and chance.random() < SWITCH:
                example = switched(example, self.words, chance)
            varied.append(example)
        return varied


class Gradients:
    """Computes a step's gradients in threads, each with a part of the examples. It is faster than threads within an
    operation: most operations here are small."""

    def __init__(self, model, pairs, threads):
        self.model, self.pairs, self.threads = model, pairs, threads
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.pool = concurrent.futures.ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def compute(self, batch, negatives, seed):
        """Sets each parameter's grad; returns the loss."""
        parts = [(batch[i :: self.threads], negatives, f"{seed} {i}") for i in range(self.threads)]
        done = list(self.pool.map(lambda part: self._of_part(*part), parts))
        for i, parameter in enumerate(self.parameters):
            known = [gradients[i] for _, gradients in done if gradients[i] is not None]
            parameter.grad = sum(known) / self.threads if known else None
        return sum(loss for loss, _ in done) / self.threads

    def _of_part(self, batch, negatives, seed):
        loss = loss_of(self.model, batch, self.pairs, random.Random(seed), negatives)
        return loss.item(), torch.autograd.grad(loss, self.parameters, allow_unused=True)


def train(run, sources, words, pairs, threads=2, minutes_between_saves=10, say=print):
    """Runs to run.steps. words: of switching.dictionary()."""
    schedule, gradients = Schedule(sources, words), Gradients(run.model, pairs, threads)
    began = saved = time.monotonic()
    losses, done = {NEGATIVES: [], 0: []}, 0
    run.model.train()
    while run.step < run.steps:
        examples, negatives = schedule.batch(run.step)
        losses[negatives].append(gradients.compute(examples, negatives, run.step))
        run.update()
        done += 1
        now = time.monotonic()
        if now - saved > minutes_between_saves * 60 or run.step == run.steps or done in (4, 30):
            mean = {n: sum(values) / max(1, len(values)) for n, values in losses.items()}
            say(f"step {run.step} of {run.steps}: loss {mean[NEGATIVES]:.3f}, of reading alone {mean[0]:.3f}, "
                f"{(now - began) / done:.2f} s a step")
            losses, saved = {NEGATIVES: [], 0: []}, now
            run.save()
