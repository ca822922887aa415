"""The training data as examples: a question, the passage it is about, and the answer's place in it, or that there is none."""

import dataclasses
import json
import pathlib
import re
import zlib

from . import laws, written


@dataclasses.dataclass
class Example:
    question: str
    passage: str
    begin: int = -1  # of the answer in the passage, in characters; -1: no answer there, or its place is unknown
    end: int = -1
    reads: bool = True  # the reader learns from it: a span, or that there is none
    weight: float = 1.0
    language: str = "en"
    group: str = ""  # negatives come from passages of the same group
    held_out: bool = False
    negatives: list = dataclasses.field(default_factory=list)  # passages that the source itself calls irrelevant

    @property
    def answer(self):
        """Empty: there is none, or its place is unknown."""
        return self.passage[self.begin : self.end] if self.begin >= 0 else ""


# A question gets several copies, or is drawn with this probability, so that neither size nor noise of a source decides.
SHARES = {"squad-44": 1, "squad-extra": 1, "squad2-en": 1, "squad2-pt": 2, "crossed": 0.7, "fairytale": 0.5, "qamr": 0.35,
          "bioasq": 1, "policy": 0.2, "selqa": 1, "pira-pt": 3, "pira-en": 0.7, "law": 1.5,
          "laws-pt": 3, "laws-held-pt": 3, "passages-pt": 3, "translated-pt": 3, "passages-en": 2, "lookalikes-en": 2}
# Groups whose English examples are also read with Portuguese words (switching.py).
SWITCHED = ("squad-en", "squad2-en", "qamr", "fairytale", "written-en")


def is_held_out(title):
    """One article in sixteen of each source is kept for choosing and calibrating, never trained on."""
    return zlib.crc32(title.encode()) % 16 == 0


def _squad(path, group, language, reads=True, weight=1.0):
    for article in json.loads(path.read_text())["data"]:
        title = article.get("title", "").replace("_", " ")
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            for qa in paragraph["qas"]:
                answer = None if qa.get("is_impossible") or not qa.get("answers") else qa["answers"][0]
                example = Example(qa["question"].strip(), context, reads=reads, weight=weight, language=language, group=group,
                                  held_out=is_held_out(title or context[:40]))
                if answer and not _place(example, answer["text"], answer["answer_start"]):
                    continue
                yield qa.get("id", ""), example


def _place(example, text, start):
    """Puts the span where its text is: offsets that are off by some characters are mended, others are given up."""
    text = text.strip()
    if not text:
        return False
    if not example.passage.startswith(text, start):
        near = [m.start() for m in re.finditer(re.escape(text), example.passage)]
        if not near:
            return False
        start = min(near, key=lambda at: abs(at - start))
    example.begin, example.end = start, start + len(text)
    return True


def _crossed(english, portuguese):
    """The same question of SQuAD in both languages: each asked of the other's passage."""
    for key in english.keys() & portuguese.keys():
        en, pt = english[key], portuguese[key]
        if en.begin < 0 or pt.begin < 0:
            continue
        held_out = en.held_out or pt.held_out
        yield dataclasses.replace(pt, question=en.question, group="squad2-pt", held_out=held_out)
        yield dataclasses.replace(en, question=pt.question, group="squad2-en", held_out=held_out)


def _selqa(path):
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["positives"]:
            yield Example(row["question"], row["positives"][0], reads=False, group="selqa",
                          held_out=is_held_out(str(row.get("article"))), negatives=row["negatives"][:12])


_DEFINITION = re.compile(r"[IVXLCDM]+\s*[-–]\s+([a-zà-ú][^:;\n.]{2,60}?)\s*(?::|\s[-–])\s+([^;\n:]{25,400})[;.]")
_ASKED = ("O que é {}?", "O que se entende por {}?", "Como a norma define {}?", "Qual é a definição de {}?", "O que significa {}?")


def _law_of(article):
    return article["_id"].split("!")[0]


def _law(articles):
    """Definitions in laws: "I - tratamento: toda operação …" answers "O que é tratamento?"; and what laws.py asks."""
    for row in articles:
        held_out = is_held_out(_law_of(row))
        for question, begin, end in (*_definitions(row["text"][:6000]), *laws.questions(row["text"])):
            yield Example(question, row["text"], begin, end, language="pt", group="law", held_out=held_out)


def _definitions(text):
    for match in _DEFINITION.finditer(text):
        term, meaning = match.group(1).strip(), match.group(2)
        if meaning.startswith("a)") or len(term.split()) > 8 or re.search(r"\b(de|por|com|a|o|que|realizar)$", term):
            continue
        yield _ASKED[zlib.crc32(term.encode()) % len(_ASKED)].format(term), match.start(2), match.end(2)


def _passages_by_id(articles_of_laws, squad):
    """The passages that the written questions name, and what decides whether they are held out: {id: (passage, title)}.
    Articles of laws have ids; paragraphs of SQuAD are "TITLE#PLACE"."""
    found = {row["_id"]: (row["text"], _law_of(row)) for row in articles_of_laws}
    for article in json.loads(squad.read_text())["data"]:
        for place, paragraph in enumerate(article["paragraphs"]):
            found[f"{article['title']}#{place}"] = (paragraph["context"], article["title"].replace("_", " "))
    return found


def _written(name, by_id):
    language, group = written.FILES[name]
    for passage, key, pairs in written.rows(name):
        title = by_id[key][1] if key else passage[:40]
        passage = passage or by_id[key][0]
        for question, answer in pairs:
            example = Example(question, passage, language=language, group=group, held_out=is_held_out(title))
            if answer is None or _place(example, answer, passage.find(answer)):
                yield example


def load(folder):
    """All examples by source, and the passages of each group: {source: [Example]}, {group: [passage]}."""
    at = pathlib.Path(folder)
    english = dict(_squad(at / "squad2-en-b/train.json", "squad2-en", "en"))
    portuguese = dict(_squad(at / "squad2-pt-b/train.json", "squad2-pt", "pt"))
    articles_of_laws = [json.loads(line) for line in (at / "laws-br-unlabelled-pt/corpus.jsonl").read_text().splitlines()]
    plain = lambda rows: [example for _, example in rows]
    sources = {
        "squad-44": plain(_squad(at / "squad-train-44-articles.json", "squad-en", "en")),
        "squad-extra": plain(_squad(at / "squad-train-extra-en/train.json", "squad-en", "en")),
        "squad2-en": list(english.values()),
        "squad2-pt": list(portuguese.values()),
        "crossed": list(_crossed(english, portuguese)),
        "fairytale": plain(_squad(at / "fairytaleqa-en/train.json", "fairytale", "en")),
        "qamr": plain(_squad(at / "qamr-en/train.json", "qamr", "en")),
        "bioasq": plain(_squad(at / "bioasq678-en/train.json", "bioasq", "en")),
        "policy": plain(_squad(at / "policyqa-en-noisy/train.json", "policy", "en", reads=False)),
        "selqa": list(_selqa(at / "selqa-en/train.jsonl")),
        "pira-pt": plain(_squad(at / "pira-pt/pira-pt-spans.json", "pira-pt", "pt", weight=0.5)),
        "pira-en": plain(_squad(at / "pira-pt/pira-en-spans.json", "pira-en", "en", weight=0.5)),
        "law": list(_law(articles_of_laws)),
    }
    by_id = _passages_by_id(articles_of_laws, at / "squad-train-44-articles.json")
    sources |= {name: list(_written(name, by_id)) for name in written.FILES}
    groups = {}
    for examples in sources.values():
        for example in examples:
            groups.setdefault(example.group, {})[example.passage] = None
    for row in articles_of_laws:
        groups["law"][row["text"]] = None
    return sources, {name: list(passages) for name, passages in groups.items()}


