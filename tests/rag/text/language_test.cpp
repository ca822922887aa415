#include "rag/text/language.h"
#include "base/utf8.h"
#include "rag/text/sentences.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace frugal;

std::string words_of(std::string_view text) {
  std::string joined;
  for (const Word& word : split_words(text)) joined += (joined.empty() ? "" : " ") + word.folded;
  return joined;
}

std::vector<std::string> sentences_of(std::string_view text) {
  std::vector<std::string> sentences;
  for (const Sentence& s : split_sentences(text)) sentences.emplace_back(text.substr(s.begin, s.end - s.begin));
  return sentences;
}

}  // namespace

TEST_CASE("ill-formed bytes are found and each maximal subpart becomes one replacement character") {
  CHECK(is_valid_utf8("ação 漢字 😀"));
  for (const std::string_view bad :
       {"\x80", "\xC0\xAF", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "a\xC3"})
    CHECK_FALSE(is_valid_utf8(bad));
  CHECK(repair_utf8("a\xE2\x82z") == "a\uFFFDz");
  CHECK(repair_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");  // a surrogate: no prefix of it is well formed
  CHECK(repair_utf8("\xF0\x9F\x98") == "\uFFFD");
  CHECK(repair_utf8("ação") == "ação");
}

TEST_CASE("folding drops case, marks and compatibility forms") {
  CHECK(fold("Ação Nº") == "acao no");
  CHECK(fold("STRASSE straße") == "strasse strasse");
  CHECK(fold("ﬁnal ①") == "final 1");
  CHECK(fold("e\u0301") == "e");
  CHECK(fold("Ünïcödé ΣΊΣΥΦΟΣ") == "unicode σισυφοσ");
}

TEST_CASE("words keep legal numbers whole, and drop ordinal marks and thousands separators") {
  CHECK(words_of("Art. 121-A do Código Penal, § 1º, inciso IV") == "art 121-a do codigo penal 1 inciso iv");
  CHECK(words_of("Lei nº 8.078/1990 e Lei 8078") == "lei no 8078 1990 e lei 8078");
  CHECK(words_of("art. 1º-B; Art. 5o; 2ª Turma") == "art 1-b art 5 2 turma");
  CHECK(words_of("10,5 1.2.3 1,234,567 0.125 12.345,67") == "10,5 1.2.3 1234567 0.125 12.345,67");
  CHECK(words_of("COVID-19, 10-year, h264 4x4 10.5mm") == "covid 19 10 year h264 4x4 10.5 mm");
  CHECK(words_of("dá-se d'água don't e-mail") == "da se d agua don t e mail");
  CHECK(words_of("漢字 かな") == "漢 字 か な");
  CHECK(words_of("co\u00ADoperate") == "cooperate");
  CHECK(words_of(" \n§ — … ") == "");
}

TEST_CASE("words have the byte ranges of their spelling") {
  const std::string text = "O art. 121-A, § 1º.";
  std::vector<std::string> written;
  for (const Word& word : split_words(text)) written.push_back(text.substr(word.begin, word.end - word.begin));
  CHECK(written == std::vector<std::string>{"O", "art", "121-A", "1º"});
}

TEST_CASE("the language of short questions is detected") {
  CHECK(detect_language("What is the penalty for theft?") == Language::english);
  CHECK(detect_language("Qual é a pena para o furto?") == Language::portuguese);
  CHECK(detect_language("pena para homicidio qualificado") == Language::portuguese);
  CHECK(detect_language("Who won the 1998 World Cup in Sao Paulo?") == Language::english);
  CHECK(detect_language("12345 67") == Language::unknown);
  CHECK(detect_language("") == Language::unknown);
}

TEST_CASE("Portuguese stems agree across plurals, however the word was accented") {
  const Stemmer stemmer(Language::portuguese);
  const auto same = [&](std::string_view a, std::string_view b) {
    return stemmer.stem(fold(a)) == stemmer.stem(fold(b));
  };
  CHECK(same("obrigação", "obrigacoes"));
  CHECK(same("legal", "legais"));
  CHECK(same("imóvel", "imóveis"));
  CHECK(same("responsável", "responsáveis"));
  CHECK(same("homem", "homens"));
  CHECK(same("decisão", "decisões"));
  CHECK(same("crime", "crimes"));
  CHECK_FALSE(same("pena", "penhora"));
  CHECK(stemmer.stem("121-a") == "121-a");
}

TEST_CASE("English stems conflate inflections; an unknown language is left alone") {
  const Stemmer english(Language::english);
  CHECK(english.stem("running") == english.stem("runs"));
  CHECK(english.stem("universities") == english.stem("university"));
  CHECK(Stemmer(Language::unknown).stem("running") == "running");
}

TEST_CASE("stop words are folded and belong to one language") {
  CHECK(is_stop_word("the", Language::english));
  CHECK(is_stop_word("nao", Language::portuguese));
  CHECK_FALSE(is_stop_word("the", Language::portuguese));
  CHECK_FALSE(is_stop_word("the", Language::unknown));
}

TEST_CASE("abbreviations, initials and numbers do not end a sentence") {
  CHECK(sentences_of("Conforme o art. 5º e o inc. IV da Lei n. 8.078. O Dr. Silva discorda.") ==
        std::vector<std::string>{"Conforme o art. 5º e o inc. IV da Lei n. 8.078.", "O Dr. Silva discorda."});
  CHECK(sentences_of("J. K. Rowling lives in the U.K. now. It rose 3.5 percent, e.g. in 1990. Then it fell.") ==
        std::vector<std::string>{"J. K. Rowling lives in the U.K. now.", "It rose 3.5 percent, e.g. in 1990.",
                                 "Then it fell."});
  CHECK(sentences_of("Is it? Yes! \"So be it.\" He left… and returned.") ==
        std::vector<std::string>{"Is it?", "Yes!", "\"So be it.\"", "He left… and returned."});
}

TEST_CASE("blank lines and list items end a sentence, semicolons and wrapped lines do not") {
  CHECK(sentences_of("Title without stop\n\nFirst line\nwrapped here.\n- one\n- two") ==
        std::vector<std::string>{"Title without stop", "First line\nwrapped here.", "- one", "- two"});
  CHECK(sentences_of("São direitos: a vida; a saúde; o trabalho.") ==
        std::vector<std::string>{"São direitos: a vida; a saúde; o trabalho."});
  CHECK(sentences_of("1. First item.\n2. Second item.") ==
        std::vector<std::string>{"1. First item.", "2. Second item."});
  CHECK(sentences_of(" \n ").empty());
}

TEST_CASE("long input without a boundary stays linear") {
  const std::string stops(1 << 20, '.');
  CHECK(split_sentences(stops).size() == 1);
  CHECK(split_words(std::string(1 << 20, 'a')).size() == 1);
  CHECK(split_words(std::string(1 << 20, '1')).size() == 1);
  std::string dotted;
  for (int i = 0; i < 1 << 18; ++i) dotted += "1.";
  CHECK(split_words(dotted).size() == 1);
}
