#!/usr/bin/env python3
"""Writes calibration.json beside it: answers with their confidence, and what that confidence is worth, by the definitions alone.

The area under the curve is counted pair by pair. The calibration error deals the sorted answers into ten groups of equal size, after
every answer got the mean rightness of those with its confidence. Shares no code with lib/measure/eval; needs no package.
"""

import json
import pathlib
import random


def area(answers):
    right = [c for c, r in answers if r]
    wrong = [c for c, r in answers if not r]
    if not right or not wrong:
        return None
    return sum((a > b) + (a == b) / 2 for a in right for b in wrong) / (len(right) * len(wrong))


def groups(answers):
    of_confidence = {}
    for confidence, right in answers:
        of_confidence.setdefault(confidence, []).append(right)
    ordered = [(c, sum(rights) / len(rights)) for c, rights in sorted(of_confidence.items()) for _ in rights]
    count = min(10, len(ordered))
    return [[pair for at, pair in enumerate(ordered) if at * count // len(ordered) == group] for group in range(count)]


def error(answers):
    total = 0
    for group in groups(answers):
        confidence = sum(c for c, _ in group) / len(group)
        right = sum(r for _, r in group) / len(group)
        total += len(group) * abs(confidence - right)
    return total / len(answers)


def case(source, count, digits):
    """`digits` after the point: few of them make many ties."""
    answers = []
    for _ in range(count):
        confidence = round(source.random(), digits)
        answers.append((confidence, source.random() < confidence ** 2))
    return {
        "answers": [[c, int(r)] for c, r in answers],
        "auroc": area(answers),
        "calibration_error": error(answers),
        "bins": [len(group) for group in groups(answers)],
    }


def main():
    source = random.Random(20261)
    cases = [case(source, count, digits) for count in (1, 2, 7, 10, 11, 99, 250) for digits in (1, 2, 6)]
    pathlib.Path(__file__).with_name("calibration.json").write_text("[" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases) + "]\n")


if __name__ == "__main__":
    main()
