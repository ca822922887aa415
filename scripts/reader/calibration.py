"""Fits the confidence of answers on held-out articles, through the pipeline that users run.

Every held-out question is asked of three indexes of its kind of text: with its passage, without half of the held-out passages (a
look-alike: the neighbours are there, the answer is not), and without all of them (foreign). The coefficients are those of a logistic
regression of "the quote holds the answer" on the features that `rag-query --explain` shows.
"""

import json
import random
import subprocess

import numpy

from .text import answer_words

FEATURES = ("answerable", "best_answerable", "margin", "certainty", "share", "coverage", "contrast", "portuguese")
# Kinds of texts, each with its groups of examples; a name begins with the language.
GROUPS = {"en": ("squad2-en", "bioasq"), "pt": ("squad2-pt", "pira-pt"), "pt-law": ("law",)}
MOST = 250  # questions of a set
MOST_PASSAGES = 1500  # of a set, beside the held-out ones
# What a mixture of questions is taken to be, whatever the number of each kind among the held-out ones.
KINDS = {"answerable": 0.5, "unanswerable": 0.3, "foreign": 0.2}
L2 = 1.0


def write_sets(sources, groups, folder):
    """folder/KIND-PART: corpus.jsonl to index, questions.jsonl to ask, with "kind" and "answer"."""
    for texts, names in GROUPS.items():
        asked = {}
        for name, examples in sources.items():
            for e in examples if name != "crossed" else ():
                if e.held_out and e.reads and e.language == texts[:2] and e.group in names:
                    asked.setdefault((e.question, e.passage), e)
        held = sorted({e.passage for e in asked.values()})
        random.Random(7).shuffle(held)
        rest = sorted({p for name in names for p in groups[name]}.difference(held))
        everything = held + random.Random(7).sample(rest, min(MOST_PASSAGES, len(rest)))
        for part, hidden in (("whole", set()), ("half", set(held[: len(held) // 2])), ("none", set(held))):
            at = folder / f"{texts}-{part}"
            at.mkdir(parents=True, exist_ok=True)
            passages = [p for p in everything if p not in hidden]
            _write(at / "corpus.jsonl", ({"_id": str(i), "title": "", "text": p} for i, p in enumerate(passages)))
            questions = []
            for e in asked.values():
                answerable = e.begin >= 0
                if part == "whole":
                    kind = "answerable" if answerable else "unanswerable"
                elif e.passage not in hidden:
                    continue
                else:
                    kind = "unanswerable" if part == "half" else "foreign"
                questions.append({"id": [kind, e.answer], "query": e.question})
            _write(at / "questions.jsonl", random.Random(part).sample(questions, min(MOST, len(questions))))


def _write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def ask(folder, bin_folder, reader, embedder, say):
    """Answers the questions of all sets, without a threshold; yields (kind of text, kind of question, right, features)."""
    models = ["--embedder", str(embedder)]
    for at in sorted(p for p in folder.iterdir() if (p / "corpus.jsonl").exists()):
        subprocess.run([bin_folder / "rag-index", "add", at / "corpus.jsonl", "--index", at / "index", *models], check=True,
                       stdout=subprocess.DEVNULL)
        say(f"asking {at.name}")
        answers = subprocess.run([bin_folder / "rag-query", "--index", at / "index", *models, "--reader", reader, "--batch",
                                  at / "questions.jsonl", "--explain", "--no-cache", "--answer", "extract", "--format", "json", "--set",
                                  "answer.abstain_below=0"], stdout=subprocess.PIPE, text=True).stdout
        for line in answers.splitlines():
            row = json.loads(line)
            if row.get("error") or not row["explain"]["reading"]:
                continue
            (kind, gold), text = row["id"], row["answer"]["text"] or ""
            right = kind == "answerable" and f" {' '.join(answer_words(gold))} " in f" {' '.join(answer_words(text))} "
            yield at.name.rsplit("-", 1)[0], kind, right, [row["explain"]["reading"][name] for name in FEATURES]


def without_contrast(rows):
    """The rows as an index of few chunks has them, where it is not known what cosine is usual: a contrast of 0, whose coefficient is 0."""
    at = FEATURES.index("contrast")
    return [(texts, kind, right, [0.0 if i == at else f for i, f in enumerate(features)]) for texts, kind, right, features in rows]


def fit(rows):
    """Coefficients of FEATURES and the intercept, by Newton's method with an L2 penalty on standardised features."""
    x = numpy.array([features for *_, features in rows], dtype=float)
    y = numpy.array([right for _, _, right, _ in rows], dtype=float)
    counts = {}
    for texts, kind, *_ in rows:
        counts[texts, kind] = counts.get((texts, kind), 0) + 1
    weight = numpy.array([KINDS[kind] / counts[texts, kind] for texts, kind, *_ in rows])
    weight *= len(rows) / weight.sum()
    mean, deviation = x.mean(0), x.std(0) + 1e-9
    z = numpy.hstack([(x - mean) / deviation, numpy.ones((len(x), 1))])
    penalty = numpy.diag([L2] * len(FEATURES) + [0.0])
    b = numpy.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + numpy.exp(-z @ b))
        slope = z.T @ (weight * (p - y)) + penalty @ b
        curvature = (z * (weight * p * (1 - p))[:, None]).T @ z + penalty
        b -= numpy.linalg.solve(curvature, slope)
    coefficients = b[:-1] / deviation
    return [*coefficients, b[-1] - (coefficients * mean).sum()]


def report(rows, coefficients, say):
    """For each kind of texts and of questions: how many answers a threshold keeps. Fitted and reported on the same questions."""
    for texts in sorted({row[0] for row in rows}):
        p = {}
        for of, kind, right, features in rows:
            if of == texts:
                logit = sum(c * f for c, f in zip(coefficients, features)) + coefficients[-1]
                p.setdefault(kind, []).append((1 / (1 + numpy.exp(-logit)), right))
        for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5):
            kept = {kind: sum(value >= threshold for value, _ in values) / len(values) for kind, values in p.items()}
            say(f"{texts} threshold {threshold:.2f}: " + ", ".join(f"{kind} {1 - share:.3f} refused" for kind, share in sorted(kept.items())))
