"""Tokenised (question, passage) pairs, and the comparison of answers as SQuAD makes it."""

import re
import unicodedata

BOS, EOS = 0, 2
MAX_QUESTION, MAX_PAIR = 64, 256


class Pairs:
    """Encodes pairs as `<s> question </s></s> passage </s>`, with types 0 and 1; caches the tokens of passages."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.passages = {}

    def passage(self, text, keep=True):
        if text in self.passages:
            return self.passages[text]
        encoded = self.tokenizer.encode(text, add_special_tokens=False)
        if keep:
            self.passages[text] = (encoded.ids, encoded.offsets)
        return encoded.ids, encoded.offsets

    def encode(self, question, passage, first=0, keep=True):
        """Returns (ids, types, place of the passage's first token, offsets of its tokens in characters). first: the token of
        the passage to begin with. keep: the passage will come again."""
        asked = self.tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUESTION]
        ids, offsets = self.passage(passage, keep)
        room = MAX_PAIR - len(asked) - 4
        ids, offsets = ids[first : first + room], offsets[first : first + room]
        row = [BOS, *asked, EOS, EOS, *ids, EOS]
        at = len(asked) + 3
        return row, [0] * at + [1] * (len(row) - at), at, offsets

    def single(self, text):
        """A text alone, as the embedder reads it: (ids, types)."""
        ids = [BOS, *self.tokenizer.encode(text, add_special_tokens=False).ids[: MAX_PAIR - 2], EOS]
        return ids, [0] * len(ids)


def span_tokens(offsets, begin, end):
    """The first and last of the tokens that cover characters [begin, end); None if they are not all there."""
    first = next((i for i, (_, stop) in enumerate(offsets) if stop > begin), None)
    last = next((i for i in range(len(offsets) - 1, -1, -1) if offsets[i][0] < end), None)
    if first is None or last is None or last < first or offsets[-1][1] < end or offsets[0][0] > begin:
        return None
    return first, last


def words(text):
    return re.findall(r"\w+", text.lower())


def answer_words(text):
    """Lower case, without accents, punctuation and articles."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return [w for w in re.sub(r"[^\w\s]", " ", text).split() if w not in ("a", "an", "the", "o", "as", "os")]


def f1_and_exact(given, gold):
    given, gold = answer_words(given), answer_words(gold)
    common = sum(min(given.count(w), gold.count(w)) for w in set(given))
    if not common:
        return (1.0, 1.0) if given == gold else (0.0, 0.0)
    return 2 * common / (len(given) + len(gold)), float(given == gold)
