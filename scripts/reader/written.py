"""Questions written for this project (written/README.md). A line has a passage, or the id of one in a source, and pairs
[question, answer]; the answer is a part of the passage, or null where the question looks answerable and is not."""

import json
import pathlib

FOLDER = pathlib.Path(__file__).parent / "written"
# Language and group of each file.
FILES = {"laws-pt": ("pt", "law"), "laws-held-pt": ("pt", "law"), "passages-pt": ("pt", "written-pt"), "translated-pt": ("pt", "written-pt"),
         "passages-en": ("en", "written-en"), "lookalikes-en": ("en", "squad-en")}


def rows(name):
    """(passage or None, id or None, [(question, answer or None)]) of a file of FILES."""
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row.get("passage"), row.get("id"), row["qas"]
