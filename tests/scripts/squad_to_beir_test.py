"""scripts/squad-to-beir: a set that rag-eval reads, split by article whatever else is in the file."""

import json
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def question(identity, text, answers, impossible=False):
    return {"id": identity, "question": text, "answers": [{"text": a, "answer_start": 0} for a in answers], "is_impossible": impossible}


def article(title, *paragraphs):
    return {"title": title, "paragraphs": [{"context": context, "qas": questions} for context, questions in paragraphs]}


PORT = article("Old_Port", ("The port opened in 1932 by the river.", [
    question("1", "When did the port open?", ["1932", "in 1932", "1932"]),
    question("2", "When did the port close?", [], True),
    question("3", "Who built it?", ["Nobody here"]),
]), ("Ships come at noon.", [question("4", " When do ships come? ", ["noon"])]))
TOWER = article("Tower", ("The tower is tall.", [question("5", "How is the tower?", ["tall"])]))


class Conversion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def convert(self, articles, *flags, out="set"):
        source = self.folder / "squad.json"
        source.write_text(json.dumps({"version": "v2.0", "data": articles}) if isinstance(articles, list) else articles)
        return subprocess.run([ROOT / "scripts/squad-to-beir", source, "-o", self.folder / out, *flags], capture_output=True, text=True)

    def lines(self, name, out="set"):
        return [json.loads(line) for line in (self.folder / out / name).read_text().splitlines()]

    def test_paragraphs_become_documents_and_questions_keep_their_answers(self):
        done = self.convert([PORT, TOWER], "--language", "en")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("2 of 2 articles, 3 paragraphs, 3 questions, 1 without an answer; 1 left out", done.stdout)
        self.assertEqual(self.lines("corpus.jsonl")[0], {"_id": "old-port/1", "title": "Old Port", "text": "The port opened in 1932 by the river."})
        self.assertEqual([q["_id"] for q in self.lines("queries.jsonl")], ["1", "4", "5"])
        self.assertEqual(self.lines("queries.jsonl")[0], {"_id": "1", "text": "When did the port open?", "answers": ["1932", "in 1932"], "language": "en"})
        self.assertEqual((self.folder / "set/qrels.tsv").read_text().splitlines(), ["query-id\tcorpus-id\tscore", "1\told-port/1\t1", "4\told-port/2\t1", "5\ttower/1\t1"])
        self.assertEqual([(q["_id"], q["answers"], q["gold_passage"]) for q in self.lines("unanswerable.jsonl")], [("2", [], "old-port/1")])

    def test_an_article_is_on_one_side_whatever_else_is_in_the_file(self):
        articles = [article(f"Article_{n}", (f"Text {n}.", [question(str(n), f"What is {n}?", [f"Text {n}"])])) for n in range(60)]
        self.assertEqual(self.convert(articles, "--held-out", "0.3", "--rest", self.folder / "rest.json").returncode, 0)
        drawn = {d["title"] for d in self.lines("corpus.jsonl")}
        rest = {a["title"].replace("_", " ") for a in json.loads((self.folder / "rest.json").read_text())["data"]}
        self.assertEqual(drawn | rest, {f"Article {n}" for n in range(60)})
        self.assertFalse(drawn & rest)
        self.assertTrue(8 <= len(drawn) <= 28, len(drawn))
        half = [{**a, "title": a["title"].replace("_", " ")} for a in articles[::2]]
        self.assertEqual(self.convert(half, "--held-out", "0.3", out="half").returncode, 0)
        self.assertEqual({d["title"] for d in self.lines("corpus.jsonl", "half")}, {t for t in drawn if int(t.split()[1]) % 2 == 0})
        self.assertEqual(self.convert(articles, "--held-out", "0.3", "--seed", "other", out="seed").returncode, 0)
        self.assertNotEqual({d["title"] for d in self.lines("corpus.jsonl", "seed")}, drawn)

    def test_a_repeated_paragraph_is_one_document_and_titles_alike_stay_apart(self):
        twice = article("A b", ("Same.", [question("1", "What?", ["Same"])]), ("Same.", [question("2", "Which?", ["Same"])]))
        alike = article("A-B", ("Other.", [question("3", "What?", ["Other"])]))
        self.assertEqual(self.convert([twice, alike]).returncode, 0)
        self.assertEqual([d["_id"] for d in self.lines("corpus.jsonl")], ["a-b/1", "a-b-2/1"])
        self.assertFalse((self.folder / "set/unanswerable.jsonl").exists())

    def test_bad_input_has_an_error_and_a_hint(self):
        for articles, flags, error in (("{", (), "not JSON"), ("{}", (), "not in SQuAD's form"), ("[" * 100000, (), "not JSON"),
                                       ([PORT, PORT], (), "question '1' is there twice"), ([{"title": "x", "paragraphs": [{}]}], (), "not in SQuAD's form"),
                                       ([PORT], ("--held-out", "0.000001"), "no article with an answerable question")):
            with self.subTest(error):
                done = self.convert(articles, *flags)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, f"^error: .*{error}.*\nhint: ")
                self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(self.convert([PORT], "--held-out", "2").returncode, 2)


if __name__ == "__main__":
    unittest.main()
