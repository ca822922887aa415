"""The reader's training data: what was written for it is sound, and look-alikes have no answer."""

import pathlib
import random
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from reader import augmentation, sources, unanswerable, written  # noqa: E402

PASSAGE = ("The Halden Bridge was opened in 1932 by Mayor Ingrid Solberg. It is 418 metres long, and its first toll was 25 øre. "
           "In 1951 the engineer Arne Dahl doubled the northern span, because ferries had become too large for it. "
           "Critics of the plan asked whether any other crossing of the fjord would be cheaper.")


def asked(question, answer, group="squad-en"):
    begin = PASSAGE.index(answer)
    return sources.Example(question, PASSAGE, begin, begin + len(answer), group=group)


EXAMPLES = [asked("Who opened the Halden Bridge in 1932?", "Mayor Ingrid Solberg"),
            asked("How much was the first toll of the bridge?", "25 øre"),
            asked("Which span did Arne Dahl enlarge in 1951?", "northern span")]


class Written(unittest.TestCase):
    def test_every_file_is_read_and_no_other_is_there(self):
        self.assertEqual({f"{name}.jsonl" for name in written.FILES}, {path.name for path in written.FOLDER.glob("*.jsonl")})

    def test_answers_are_in_their_passages_and_some_questions_have_none(self):
        for name in written.FILES:
            answered = lookalikes = 0
            for passage, key, pairs in written.rows(name):
                self.assertTrue(passage or key, name)
                for question, answer in pairs:
                    self.assertTrue(question.strip(), name)
                    answered += answer is not None
                    lookalikes += answer is None
                    if passage and answer is not None:
                        self.assertTrue(answer and answer in passage, f"{name}: {question}")
            self.assertGreater(answered, 100, name)
            self.assertGreater(lookalikes, 50, name)


class Lookalikes(unittest.TestCase):
    def test_each_has_another_question_or_a_passage_that_lost_the_answer(self):
        changed = {"question": 0, "passage": 0}
        for seed in range(300):
            chance = random.Random(seed)
            example = chance.choice(EXAMPLES)
            made = unanswerable.lookalike(example, chance, EXAMPLES)
            if made is None:
                continue
            self.assertEqual((made.begin, made.end, made.answer), (-1, -1, ""))
            if made.passage == example.passage:
                self.assertNotEqual(made.question, example.question)
                changed["question"] += 1
            else:
                self.assertEqual(made.question, example.question)
                self.assertNotIn(example.answer, made.passage)
                changed["passage"] += 1
        self.assertGreater(changed["question"], 50)
        self.assertGreater(changed["passage"], 30)

    def test_a_question_about_a_law_is_never_turned_round(self):
        law = asked("Who opened the Halden Bridge in 1932?", "Mayor Ingrid Solberg", group="law")
        for seed in range(50):
            made = unanswerable.lookalike(law, random.Random(seed), EXAMPLES)
            self.assertEqual(made.question, law.question)
            self.assertNotIn(law.answer, made.passage)

    def test_sentences_make_up_the_passage(self):
        parts = augmentation.sentences(PASSAGE)
        self.assertEqual("".join(PASSAGE[first:last] for first, last in parts), PASSAGE)
        self.assertEqual(len(parts), 4)


if __name__ == "__main__":
    unittest.main()
