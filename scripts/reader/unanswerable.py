"""Questions that look answerable and are not, made from answerable ones by rules, in the manner of those that people wrote for
SQuAD 2.0 (Rajpurkar et al. 2018): another number, another name, an opposite, a negation, another thing of the same kind; or the
sentence that answers is taken out of the passage."""

import dataclasses
import re

from .augmentation import sentences

_NUMBER = re.compile(r"\b\d[\d.,]*\b")
_NAME = re.compile(r"\b[A-ZÀ-Ú][\w'’-]+(?:\s(?:d[aeo]s?\s)?[A-ZÀ-Ú][\w'’-]+)*")
_OPPOSITES = [pair.split("/") for pair in (
    "first/last largest/smallest biggest/smallest highest/lowest most/least more/fewer before/after early/late north/south east/west "
    "northern/southern eastern/western increase/decrease increased/decreased above/below old/new oldest/newest major/minor best/worst "
    "begin/end began/ended start/stop started/stopped win/lose won/lost support/oppose supported/opposed allow/forbid allowed/forbidden "
    "long/short longest/shortest male/female public/private internal/external maximum/minimum rich/poor strong/weak cause/prevent "
    "primeiro/último primeira/última maior/menor maiores/menores mais/menos antes/depois norte/sul leste/oeste aumento/queda "
    "aumentou/diminuiu acima/abaixo antigo/novo antiga/nova melhor/pior começou/terminou início/fim ganhou/perdeu apoiou/rejeitou "
    "permitido/proibido pode/deve máximo/mínimo máxima/mínima público/privado pública/privada interno/externo curto/longo sempre/nunca "
    "homens/mulheres vendeu/comprou vender/comprar devedor/credor empregado/empregador").split()]
_OPPOSITE = {a: b for pair in _OPPOSITES for a, b in (pair, pair[::-1])}
_NEGATED = {"en": re.compile(r"\b(did|does|do|was|were|is|are|can|could|has|have|had|will|would|may|must)\b(?!\snot)", re.I),
            "pt": re.compile(r"\b(foi|foram|é|são|era|eram|pode|podem|deve|devem|tem|têm|teve|fica|está|estão|fez|faz|será)\b", re.I)}


def _replaced(text, match, part):
    return text[: match.start()] + part + text[match.end() :]


def _other_number(example, chance):
    found = list(_NUMBER.finditer(example.question))
    if not found:
        return None
    match = chance.choice(found)
    own = [n for n in _NUMBER.findall(example.passage) if n != match.group() and len(n) == len(match.group())]
    if own and chance.random() < 0.5:
        return _replaced(example.question, match, chance.choice(own))
    digits = list(match.group())
    places = [i for i, c in enumerate(digits) if c.isdigit()]
    place = chance.choice(places[-2:])
    digits[place] = chance.choice([c for c in "123456789" if c != digits[place]])
    return _replaced(example.question, match, "".join(digits))


def _other_name(example, chance, others):
    found = [m for m in _NAME.finditer(example.question) if m.start() > 0]
    if not found:
        return None
    match = chance.choice(found)
    source = example.passage if chance.random() < 0.6 else chance.choice(others).passage
    inside = [m.group() for m in _NAME.finditer(source) if m.start() > 1 and source[m.start() - 2] not in ".!?;:\n"]
    names = [n for n in dict.fromkeys(inside) if len(n.split()) == len(match.group().split())
             and n not in example.question and n not in example.answer and example.answer not in n and len(n) > 3]
    return _replaced(example.question, match, chance.choice(names)) if names else None


def _opposite(example, chance):
    found = [m for m in re.finditer(r"\w+", example.question) if m.group().lower() in _OPPOSITE]
    if not found:
        return None
    match = chance.choice(found)
    other = _OPPOSITE[match.group().lower()]
    return _replaced(example.question, match, other.capitalize() if match.group()[0].isupper() else other)


def _negated(example, chance):
    match = _NEGATED[example.language].search(example.question)
    if not match:
        return None
    # "What did X not …" would need a parser; "What did not X …" is near enough, and not always right in English itself.
    return _replaced(example.question, match, f"{match.group()} not" if example.language == "en" else f"não {match.group()}")


def _other_thing(example, chance):
    """A content word by another of the passage with the same ending, which often is of the same part of speech."""
    found = [m for m in re.finditer(r"\b[a-zà-ú]{6,}\b", example.question)]
    if not found:
        return None
    match = chance.choice(found)
    word = match.group()
    words = [w for w in dict.fromkeys(re.findall(r"\b[a-zà-ú]{5,}\b", example.passage))
             if w[-3:] == word[-3:] and w[:4] != word[:4] and w not in example.answer and w not in example.question]
    return _replaced(example.question, match, chance.choice(words)) if words else None


def _without_answer(example):
    """The passage without the sentences that touch the answer."""
    kept = [example.passage[first:last] for first, last in sentences(example.passage)
            if not (first < example.end and example.begin < last)]
    passage = "".join(kept)
    return passage if len(passage) > 200 and example.answer.lower() not in passage.lower() else None


def lookalike(example, chance, others):
    """The example as one without an answer, or None where no rule fits. others: examples of the same language, for names."""
    # Of a law "can …?" and "must …?" are asked, which a negation or an opposite leaves answerable.
    if example.group == "law" or chance.random() < 0.25:
        passage = _without_answer(example)
        return dataclasses.replace(example, passage=passage, begin=-1, end=-1) if passage else None
    # Another name is there twice: it is what people change most.
    rules = [lambda: _other_number(example, chance), lambda: _other_name(example, chance, others), lambda: _opposite(example, chance),
             lambda: _negated(example, chance), lambda: _other_thing(example, chance), lambda: _other_name(example, chance, others)]
    chance.shuffle(rules)
    for rule in rules:
        question = rule()
        if question:
            return dataclasses.replace(example, question=question, begin=-1, end=-1)
    return None
