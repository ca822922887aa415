"""Figures of a checkpoint on the held-out articles of the training data, by source."""

import random

import torch

from .text import f1_and_exact

MAX_ANSWER = 30  # tokens


def load_average(model, path):
    """Puts the checkpoint's averaged weights into the model; returns its step."""
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"], strict=False)
    model.load_state_dict(saved["average"], strict=False)
    return saved["step"]


def best_span(logits, at, length):
    """The span [first, last] of the passage's tokens with the highest sum of logits, and its margin over "no answer"."""
    part = logits[at : at + length]
    scores = part[:, 0, None] + part[None, :, 1]
    allowed = torch.ones_like(scores).triu().tril(MAX_ANSWER - 1).bool()
    scores = scores.masked_fill(~allowed, float("-inf"))
    place = int(scores.argmax())
    first, last = divmod(place, length)
    return first, last, float(scores[first, last] - logits[0].sum())


def area(right, wrong):
    """The area under the ROC curve: how often one of `right` scores above one of `wrong`."""
    if not right or not wrong:
        return float("nan")
    values = sorted([(v, 1) for v in right] + [(v, 0) for v in wrong])
    below = ranks = 0
    for _, is_right in values:
        ranks += below if is_right else 0
        below += 1 - is_right
    return ranks / (len(right) * len(wrong))


@torch.inference_mode()
def _judge(model, example, pairs):
    """Ranks of the passage at both exits among its negatives, and what was read in it."""
    passages = [example.passage, *example.negatives[:9]]
    encoded = [pairs.encode(example.question, passage) for passage in passages]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first, last, span, answerable = model([row[:2] for row in encoded])
    length = len(encoded[0][3])
    begin, end, margin = best_span(span, encoded[0][2], length)
    offsets = encoded[0][3]
    text = example.passage[offsets[begin][0] : offsets[end][1]]
    return first.argmax().item() == 0, last.argmax().item() == 0, text, margin, answerable[0].item()


def evaluate(model, sources, pairs, count=120, say=print):
    model.eval()
    for name, examples in sources.items():
        held = [example for example in examples if example.held_out]
        random.Random(1).shuffle(held)
        held = held[:count]
        rows = [(example, *_judge(model, example, pairs)) for example in held]
        answered = [row for row in rows if row[0].begin >= 0 and row[0].reads]
        ranked = [row for row in rows if row[0].begin >= 0 or not row[0].reads]
        scores = [f1_and_exact(row[3], row[0].answer) for row in answered]
        mean = lambda values: 100 * sum(values) / len(values) if values else float("nan")
        none = [row for row in rows if row[0].begin < 0 and row[0].reads]
        say(f"{name:12} {len(rows):4} | R@1 of 10: first {mean([r[1] for r in ranked]):5.1f} last {mean([r[2] for r in ranked]):5.1f}"
            f" | F1 {mean([s[0] for s in scores]):5.1f} EM {mean([s[1] for s in scores]):5.1f}"
            f" | answerable: margin {area([r[4] for r in answered], [r[4] for r in none]):.3f}"
            f" head {area([r[5] for r in answered], [r[5] for r in none]):.3f}")
