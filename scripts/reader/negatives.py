"""Hard negatives: passages that words (BM25) and the embedder rank high for a question, and that do not hold its answer."""

import random
import sqlite3

import torch

from .model import embed
from .text import words

DEPTH, KEPT = 24, 12


class WordSearch:
    def __init__(self, passages, language):
        self.db = sqlite3.connect(":memory:")
        stemmer = "porter " if language == "en" else ""
        self.db.execute(f"create virtual table t using fts5(x, tokenize='{stemmer}unicode61 remove_diacritics 2')")
        self.db.executemany("insert into t values(?)", [(passage,) for passage in passages])

    def find(self, question, count):
        asked = [w for w in dict.fromkeys(words(question)) if len(w) > 2] or words(question)
        query = " OR ".join(f'"{w}"' for w in asked)
        rows = self.db.execute("select rowid from t where t match ? order by bm25(t) limit ?", (query, count)) if asked else []
        return [row[0] - 1 for row in rows]


@torch.inference_mode()
def vectors(encoder, pairs, texts, prefix, batch=32):
    """Unit vectors [texts, hidden] of texts as the embedder reads them."""
    out = torch.zeros(len(texts), encoder.word.weight.shape[1])
    rows = [pairs.single(prefix + text) for text in texts]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    for at in range(0, len(order), batch):
        chosen = order[at : at + batch]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out[chosen] = embed(encoder, [rows[i] for i in chosen])
    return out


def _interleave(first, second):
    mixed = [item for pair in zip(first, second) for item in pair]
    return list(dict.fromkeys(mixed + first[len(second):] + second[len(first):]))


def _by_vectors(passages, examples, encoder, pairs):
    """A function from a question of the examples to the places of its nearest passages."""
    of_passages = vectors(encoder, pairs, passages, "passage: ")
    questions = list(dict.fromkeys(example.question for example in examples))
    of_questions = dict(zip(questions, vectors(encoder, pairs, questions, "query: ")))
    return lambda question: (of_passages @ of_questions[question]).topk(min(DEPTH, len(passages))).indices.tolist()


def mine(sources, groups, encoder, pairs, say=print):
    """Fills in each example's negatives from its group, hardest first; examples that have some keep them in front. Without an
    encoder words alone choose them, which takes minutes instead of hours."""
    by_group = {}
    for examples in sources.values():
        for example in examples:
            by_group.setdefault(example.group, []).append(example)
    for name, examples in by_group.items():
        passages = groups[name]
        search = WordSearch(passages, examples[0].language)
        near = _by_vectors(passages, examples, encoder, pairs) if encoder else None
        for example in examples:
            dense = near(example.question) if near else []
            answer = example.answer.lower()
            found = [passages[i] for i in _interleave(search.find(example.question, DEPTH), dense)]
            hard = [p for p in found if p != example.passage and not (answer and answer in p.lower())]
            example.negatives = (example.negatives + hard)[:KEPT] or random.sample(passages, min(KEPT, len(passages)))
        say(f"{name}: {len(passages)} passages, {len(examples)} questions")
