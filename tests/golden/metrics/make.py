#!/usr/bin/env python3
"""Writes metrics.json beside it: rankings with their measures, computed with numpy, independently of lib/eval.

nDCG as trec_eval's ndcg_cut (linear gain), answers by the published SQuAD 1.1 evaluation rules. Run from anywhere; needs numpy.
"""

import collections
import json
import pathlib
import re
import string

import numpy as np


def ndcg(grades_in_order, all_grades, depth):
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    dcg = lambda grades: float(np.sum(np.pad(np.maximum(grades, 0)[:depth], (0, max(0, depth - len(grades)))) * discounts))
    ideal = dcg(np.sort(np.array(all_grades, dtype=float))[::-1]) if all_grades else 0
    return dcg(np.array(grades_in_order, dtype=float)) / ideal if ideal > 0 else 0.0


def ranking_case(random):
    documents = [f"d{i}" for i in range(30)]
    judged = {d: int(random.integers(-1, 4)) for d in random.choice(documents, size=random.integers(0, 12), replace=False)}
    ranked = [str(d) for d in random.choice(documents, size=random.integers(0, 25), replace=False)]
    grades = [judged.get(d, 0) for d in ranked]
    relevant = sum(g > 0 for g in judged.values())
    hits = np.flatnonzero(np.array(grades[:10]) > 0)
    return {
        "ranked": ranked,
        "judged": {str(d): g for d, g in judged.items()},
        "ndcg_at_10": ndcg(grades, list(judged.values()), 10),
        "mrr_at_10": float(1 / (hits[0] + 1)) if len(hits) else 0.0,
        "recall_at": {k: sum(g > 0 for g in grades[:k]) / relevant if relevant else 0.0 for k in (1, 5, 10)},
    }


def normalise(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(a, b):
    a, b = normalise(a).split(), normalise(b).split()
    if not a or not b:
        return float(a == b)
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * same / (len(a) + len(b))


ANSWERS = [
    ("SoCal", ["SoCal"]),
    ("The  Denver Broncos.", ["Denver Broncos", "Broncos"]),
    ("a gold medal and the silver medal", ["gold medal", "silver medal and gold medal"]),
    ("in 1958, or 1,958", ["1958", "1,958"]),
    ("", ["x"]),
    ("the", ["a"]),
    ("nothing alike", ["something else"]),
    ("it was (about) 10-12 o'clock", ["10-12 oclock", "ten"]),
    ("new new york", ["new york york"]),
]


def main():
    random = np.random.default_rng(20260)
    answers = [
        {
            "answer": answer,
            "accepted": accepted,
            "exact_match": float(any(normalise(answer) == normalise(a) for a in accepted)),
            "f1": max(f1(answer, a) for a in accepted),
            "contained": float(any(f" {normalise(a)} " in f" {normalise(answer)} " for a in accepted if normalise(a))),
        }
        for answer, accepted in ANSWERS
    ]
    golden = {"rankings": [ranking_case(random) for _ in range(60)], "answers": answers}
    pathlib.Path(__file__).with_name("metrics.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
