"""English examples with most words replaced by Portuguese ones (Qin et al. 2020, code-switching augmentation): a few hundred
Portuguese articles have answers marked, some ten thousand English ones have."""

import collections
import csv
import dataclasses
import re

_WORDS = re.compile(r"\w+|\W+")
LEAST, ROUNDS, REPLACED = 0.15, 5, 0.7


def _align(sentences):
    """IBM model 1 (Brown et al. 1993): {word: {translation: probability}}."""
    table = collections.defaultdict(lambda: collections.defaultdict(lambda: 1.0))  # all alike, before the first round
    for _ in range(ROUNDS):
        counts = collections.defaultdict(lambda: collections.defaultdict(float))
        for source, target in sentences:
            for word in target:
                total = sum(table[s][word] for s in source)
                for s in source:
                    counts[s][word] += table[s][word] / total
        for s, row in counts.items():
            total = sum(row.values())
            table[s] = collections.defaultdict(lambda: 1e-9, {t: c / total for t, c in row.items() if c > 1e-3 * total})
    return table


def dictionary(folder):
    """From pairs of sentences (pairs.tsv: en, pt): {English word: ([Portuguese words], [probabilities])}, lower case."""
    with open(folder / "pairs.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    words = lambda text: re.findall(r"\w+", text.lower())
    sentences = [(["", *words(row["en"])], words(row["pt"])) for row in rows]  # "": what translates nothing
    table = _align([(en, pt) for en, pt in sentences if len(en) <= 40 and len(pt) <= 40])
    found = {}
    for word, row in table.items():
        likely = sorted(((t, p) for t, p in row.items() if p >= LEAST), key=lambda item: -item[1])[:3]
        if word and likely and not word.isdigit():
            found[word] = ([t for t, _ in likely], [p for _, p in likely])
    return found


def _switch(text, words, chance, marks=(0, 0)):
    """Returns the text with words replaced, and the places in it of two places in `text`."""
    parts, length, moved = [], 0, list(marks)
    for match in _WORDS.finditer(text):
        part = match.group()
        known = words.get(part.lower())
        if known and chance.random() < REPLACED:
            chosen = chance.choices(*known)[0]
            part = chosen.capitalize() if part[0].isupper() else chosen
        for i, mark in enumerate(marks):
            if match.start() < mark <= match.end():
                moved[i] = length + (len(part) if mark == match.end() else min(len(part), mark - match.start()))
            elif mark == match.start():
                moved[i] = length
        parts.append(part)
        length += len(part)
    return "".join(parts), moved


def switched(example, words, chance):
    """The example with question, passage or both in the other language."""
    which = chance.choice(("both", "both", "question", "passage"))
    question = _switch(example.question, words, chance)[0] if which != "passage" else example.question
    if which == "question":
        return dataclasses.replace(example, question=question)
    passage, (begin, end) = _switch(example.passage, words, chance, (max(0, example.begin), max(0, example.end)))
    if example.begin < 0:
        begin = end = -1
    return dataclasses.replace(example, question=question, passage=passage, begin=begin, end=end)
