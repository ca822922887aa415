"""Questions made from provisions of laws that no evaluation uses. Templates ask for what a sentence says in the form that people
ask: how long, how much, who, when, whether something is allowed; the answer is the part that says it."""

import re
import zlib

_NUMBER = (r"(?:\d[\d.,]*(?:\s*\([^)]{2,40}\))?|um|uma|dois|duas|três|quatro|cinco|seis|sete|oito|nove|dez|doze|quinze|vinte|trinta|quarenta"
           r"(?:\s+e\s+cinco)?|sessenta|noventa|cento\s+e\s+vinte|cento\s+e\s+oitenta|setenta)")
_DURATION = re.compile(rf"\b(?P<before>no prazo (?:máximo |mínimo |improrrogável )?de(?: até)?|em até|dentro de|durante|pelo prazo (?:máximo )?de(?: até)?|"
                       rf"por(?: até)?|prazo (?:máximo )?de(?: até)?|idade (?:mínima )?de|maior(?:es)? de|menor(?:es)? de|em|de|até)\s+"
                       rf"(?P<span>{_NUMBER}\s+(?P<unit>dias?(?: úteis| corridos)?|mês|meses|anos?|horas?|minutos?))\b", re.I)
_AMOUNT = re.compile(rf"\b(?P<span>{_NUMBER}\s*(?:%|por cento)(?:\s*\([^)]{{2,40}}\))?|R\$\s*[\d.,]+(?:\s*\([^)]{{2,80}}\))?|{_NUMBER}\s+(?:membros|vezes|salários mínimos))", re.I)
_LABEL = re.compile(r"^(?:Art\.?\s*\d+[\dº°.\-A-Z]*|§\s*\d+[º°.\-A-Z]*|Parágrafo único|[IVXLCDM]+|[a-z])\s*(?:[-–—.)]|\s)\s*")
_NOTE = re.compile(r"\([^()]*(?:redação|acrescid|inclu[ií]d|revogad|publicad|vigor|vide)[^()]*(?:\([^()]*\)[^()]*)*\)", re.I)


# Questions that point at what only the text around the sentence says.
_POINTS = re.compile(r"\b(?:referid[oa]s?|previst[oa]s?|(?:d|n)?est[ea]s?\s(?:artigo|inciso|parágrafo|lei|decreto)|se refere|de que trata|caput|anterior(?:es)?|\d[º°o]|inciso|alínea)\b|[?:]\s\d|[“”\"()]", re.I)


def _words(text):
    return len(text.split())


def _lowered(text):
    text = text.strip(" ,–-")
    return text[:1].lower() + text[1:]


def _asked(start, rest):
    """The question, or None where too little or too much would be asked."""
    rest = _lowered(re.sub(r"\s+", " ", rest))
    rest = " ".join(rest.split()[:18]).rstrip(" ,.;:(")
    rest = re.sub(r"\s(?:de|do|da|dos|das|por|em|no|na|ao|à|a|o|e|que|com|para|ou|se|até)$", "", rest)
    return f"{start} {rest}?" if 3 <= _words(rest) else None


def _how_long(match):
    before, unit = match["before"].lower(), match["unit"].lower()
    plural = {"dia": "dias", "mês": "meses", "ano": "anos", "hora": "horas", "minuto": "minutos"}.get(unit, unit).split()[0]
    many = "quantas" if plural == "horas" else "quantos"
    if "idade" in before or before.startswith(("maior", "menor")):
        return ("Com que idade", "A partir de que idade", f"Com {many} {plural} de idade")
    if before.startswith(("durante", "por", "pelo")):
        return ("Por quanto tempo", f"Por {many} {plural}")
    if "prazo" in before or before in ("em até", "dentro de", "em", "até"):
        return ("Em quanto tempo", f"Em {many} {plural}", "Qual o prazo:", "Até quando")
    return ()


def _durations(sentence):
    for match in _DURATION.finditer(sentence):
        rest = sentence[: match.start()]
        if _words(rest) < 4:
            rest = sentence[match.end() :]
        starts = _how_long(match)
        if starts:
            yield _asked(starts[zlib.crc32(sentence.encode()) % len(starts)], rest), match.span("span")


def _amounts(sentence):
    for match in _AMOUNT.finditer(sentence):
        rest = re.sub(r"\s(?:em|de|a|até|por|no valor de|no mínimo|no máximo)$", "", sentence[: match.start()].rstrip())
        percent = "%" in match["span"] or "cento" in match["span"]
        start = "Que porcentagem:" if percent else "Que valor:" if match["span"].startswith("R$") else "Em que número:"
        yield _asked(start, rest), match.span("span")


_TO_WHOM = re.compile(r"^(?P<what>.{12,160}?),?\s(?P<verb>incumbirá|incumbe|caberá|cabe|compete|competirá)\s(?:ao?s?|às?)\s(?P<who>[^.,;:]{4,90})", re.S)
_COMPETES = re.compile(r"^(?P<verb>Compete|Cabe|Incumbe)\s(?:privativamente |exclusivamente )?(?:ao?s?|às?)\s(?P<who>.{4,80}?)(?:,[^,]{3,80},)?\s"
                       r"(?P<what>\w+(?:ar|er|ir|or)\s.{12,220})", re.S)
_DEFINED = re.compile(r"^(?:Considera(?:m)?-se|Entende-se (?:por|como)|São considerad[oa]s|É considerad[oa])\s(?P<term>.{3,60}?),?\s(?:para[^,]{3,60},\s)?"
                      r"(?P<what>(?:os?|as?|aquel[ea]s?|tod[oa]s?|qualquer|quem)\s.{20,260})", re.S)
_IS = re.compile(r"^(?P<term>[A-ZÀ-Ú][^,.;:]{3,60}?)\sé\s(?P<what>(?:o|a|um|uma)\s.{25,260})", re.S)
_FORBIDDEN = re.compile(r"(?P<how>é|são|fica|ficam)\s(?P<word>vedad[oa]s?|proibid[oa]s?|permitid[oa]s?|assegurad[oa]s?|garantid[oa]s?|obrigatóri[oa]s?|facultad[oa]s?)"
                        r"\s(?P<what>[^.;]{12,160})", re.I)
_MAY = re.compile(r"^(?P<who>(?:O|A|Os|As)\s[^,.;:]{3,80}?)\s(?P<verb>poderá|poderão|pode|podem|deverá|deverão|deve|devem)\s(?P<what>[^.;:]{14,220})")
_WHEN = re.compile(r"^(?P<what>[^,;:]{20,140}),?\s(?P<span>(?:quando|desde que|se (?:houver|o|a|os|as|não)|salvo(?: se)?|exceto)\s[^.;:]{14,200})")


def _by_rules(sentence):
    """(question, span) of each rule that fits."""
    if match := _COMPETES.search(sentence):
        yield _asked("A quem compete", match["what"]), match.span("who")
        yield f"O que compete a {match['who']}?", match.span("what")
    elif match := _TO_WHOM.search(sentence):
        yield _asked(f"A quem {match['verb']}", match["what"]), match.span("who")
    if match := _DEFINED.search(sentence) or _IS.search(sentence):
        start = ("O que é", "O que se entende por", "O que significa")[zlib.crc32(sentence.encode()) % 3]
        yield f"{start} {_lowered(match['term'])}?", match.span("what")
    if match := _FORBIDDEN.search(sentence):
        yield _asked(("É permitido", "Pode haver", "É proibido")[zlib.crc32(sentence.encode()) % 3], match["what"]), (match.start(), match.end())
    if match := _MAY.search(sentence):
        verb = {"poderá": "pode", "poderão": "podem", "deverá": "deve", "deverão": "devem"}.get(match["verb"], match["verb"])
        if verb in ("deve", "devem") and match["what"].startswith(("ser ", "estar ", "ocorrer ")):
            pass
        elif verb in ("deve", "devem"):
            yield f"O que {_lowered(match['who'])} {verb} fazer?", match.span("what")
        else:
            yield _asked(f"{match['who']} {verb}", match["what"]), (match.start("verb"), match.end("what"))
    if match := _WHEN.search(sentence):
        yield _asked(("Quando", "Em que caso")[zlib.crc32(sentence.encode()) % 2], match["what"]), match.span("span")


def questions(text):
    """(question, begin, end): what the provision answers, by templates."""
    masked = _NOTE.sub(lambda m: " " * len(m.group()), text[:6000])  # same places
    for part in re.finditer(r"\S.*?(?=§\s*\d|Parágrafo único|(?<=[;:.])\s+[IVXLCDM]+\s*[-–]\s|$)", masked, re.S):
        for found in re.finditer(r"[^.;]{25,}?(?:\.(?=\s|$)|;|$)", part.group()):
            sentence, at = found.group(), part.start() + found.start()
            while label := _LABEL.match(sentence.lstrip()):
                cut = len(sentence) - len(sentence.lstrip()) + label.end()
                sentence, at = sentence[cut:], at + cut
            if not 30 <= len(sentence) <= 420:
                continue
            for question, (begin, end) in (*_durations(sentence), *_amounts(sentence), *_by_rules(sentence)):
                answer = sentence[begin:end].rstrip(" ,.;:")
                if question and len(question) < 180 and not _POINTS.search(question) and 1 <= len(answer) <= 280 and "  " not in answer:
                    yield question, at + begin, at + begin + len(answer)
