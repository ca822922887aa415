"""What keeps a reader from learning its few articles by heart: it had 88 F1 on articles that it was trained on and 65 on others.
Sentences of the passage are left out, and tokens are hidden (word dropout, Iyyer et al. 2015)."""

import dataclasses
import re

UNKNOWN = 3
HIDDEN_TOKENS, SHORTENED, LEFT_OUT = 0.08, 0.4, 0.35
_SENTENCES = re.compile(r"(?<=[.!?;])\s+(?=\S)")


def sentences(passage):
    """(first, last) of each, with the white space behind it, so that together they are the passage."""
    cuts = [0, *(m.end() for m in _SENTENCES.finditer(passage)), len(passage)]
    return list(zip(cuts, cuts[1:]))


def shortened(example, chance):
    """The example, perhaps without some sentences of the passage that do not touch the answer."""
    if chance.random() >= SHORTENED:
        return example
    kept, begin, length = [], -1, 0
    for first, last in sentences(example.passage):
        touches = example.begin >= 0 and first < example.end and example.begin < last
        if not touches and chance.random() < LEFT_OUT:
            continue
        if touches and begin < 0:
            begin = length + example.begin - first
        kept.append(example.passage[first:last])
        length += last - first
    passage = "".join(kept)
    if not passage.strip():
        return example
    end = begin + example.end - example.begin if begin >= 0 else -1
    return dataclasses.replace(example, passage=passage, begin=begin, end=end)


def hide(ids, at, span, chance):
    """Token ids of a pair with some of its words unknown, except those of the answer. at: place of the passage's first token."""
    own = range(span[0], span[1] + 1) if span and span != (0, 0) else ()
    return [UNKNOWN if 0 < i < len(ids) - 1 and i not in (at - 2, at - 1) and i not in own and chance.random() < HIDDEN_TOKENS
            else token for i, token in enumerate(ids)]
