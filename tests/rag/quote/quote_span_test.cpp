#include "rag/quote/quote_span.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace frugal;

namespace {

using Strings = std::vector<std::string>;

Strings quoted(const std::string& text, const std::string& answer, uint32_t max_bytes = 1200,
               const std::vector<Provision>& held = {}, bool whole_list = false) {
  const auto begin = static_cast<uint32_t>(text.find(answer));
  REQUIRE(begin < text.size());
  Strings quotes;
  for (const TextRange& range :
       quote_span(PassageParts(text), held, {begin, begin + uint32_t(answer.size())}, max_bytes, whole_list))
    quotes.push_back(text.substr(range.begin, range.end - range.begin));
  return quotes;
}

Provision article(std::string number, std::string paragraph = {}, std::string item = {}, std::string letter = {}) {
  return {"br/x", std::move(number), std::move(paragraph), std::move(item), std::move(letter)};
}

}  // namespace

TEST_CASE("the sentence around a span is quoted, and both if it crosses from one to the next") {
  CHECK(quoted("The market opens at six. The bridge was finished in 1932. It is red.", "1932") ==
        Strings{"The bridge was finished in 1932."});
  CHECK(quoted("It rained. The bridge is red. It is long. It is old.", "red. It is") ==
        Strings{"The bridge is red. It is long."});
}

TEST_CASE("an item of a list comes with the words that introduce the list, and those with the items") {
  const std::string law =
      "A idade mínima para ser eleito é de:\n\nI - trinta e cinco anos para Presidente;\n\nII - trinta anos para "
      "Governador;\n\nIII - dezoito anos para Vereador.";
  CHECK(quoted(law, "trinta anos") ==
        Strings{"A idade mínima para ser eleito é de:", "II - trinta anos para Governador;"});
  CHECK(quoted(law, "trinta e cinco anos") ==
        Strings{"A idade mínima para ser eleito é de:\n\nI - trinta e cinco anos para Presidente;"});
  CHECK(quoted(law, "idade mínima") == Strings{law});
}

TEST_CASE("an item of a nested list comes with all that introduces it, and a nested list with its items alone") {
  const std::string list =
      "The port has:\n- cranes:\n  - one of 40 tons\n  - one of 20 tons\n- a lighthouse\n\nIt is old.";
  CHECK(quoted(list, "20 tons") == Strings{"The port has:\n- cranes:", "- one of 20 tons"});
  CHECK(quoted(list, "cranes") == Strings{"The port has:\n- cranes:\n  - one of 40 tons\n  - one of 20 tons"});
  CHECK(quoted(list, "lighthouse") == Strings{"The port has:", "- a lighthouse"});
  CHECK(quoted(list, "The port").front() == list.substr(0, list.find("\n\nIt")));
}

TEST_CASE("words that end with a colon come with the sentence or the lines that they introduce") {
  CHECK(quoted("To copy a file, run:\n\n```\ncp a b\n```\n\nThat is all.", "copy a file") ==
        Strings{"To copy a file, run:\n\n```\ncp a b\n```"});
  CHECK(quoted("The prefix key is:\n\nC-b\n\nIt can be changed.", "prefix key") ==
        Strings{"The prefix key is:\n\nC-b"});
}

TEST_CASE("a question or a heading is not an answer: the sentence after it is") {
  CHECK(quoted("What is the warranty period?\n\nThe warranty lasts 24 months. Keep the receipt.", "warranty period") ==
        Strings{"The warranty lasts 24 months."});
  CHECK(quoted("# Warranty period\n\nIt lasts 24 months.", "Warranty period") == Strings{"It lasts 24 months."});
  CHECK(quoted("P: Qual é o prazo de entrega?\nR: O prazo é de 7 dias úteis.", "prazo de entrega") ==
        Strings{"O prazo é de 7 dias úteis."});
  CHECK(quoted("Can I return a book?\nYes. Within 30 days, unread.\nWho pays?\nYou do.", "Yes") ==
        Strings{"Yes. Within 30 days, unread."});
  CHECK(quoted("Can I return a book?\nYes. Within 30 days, unread.\nWho pays?\nYou do.", "Within 30 days") ==
        Strings{"Yes. Within 30 days, unread."});
  CHECK(quoted("Is it open?\nIs it free?", "open").empty());
}

TEST_CASE("links, closings and amendment notes are no answer") {
  CHECK(quoted("- [Home](/)\n- [The docs](/docs/)", "docs").empty());
  CHECK(quoted("Esta lei vigora.\n\nBrasília, 12 de março de 1990; 169º da Independência.", "Brasília").empty());
  CHECK(quoted("O prazo é de dez dias. (Redação dada pela Lei nº 12.010, de 2009)", "12.010").empty());
}

TEST_CASE("in a law, the provision around a span is quoted, an inciso below its caput") {
  const std::string text =
      "Art. 14. A soberania é exercida pelo voto. Ele é secreto. § 3º São condições de elegibilidade, na forma da lei: "
      "(Redação dada pela Emenda nº 1) I – a nacionalidade; VI – a idade mínima de: a) trinta e cinco anos para "
      "Presidente; b) trinta anos para Governador. § 4º São inelegíveis os analfabetos. (Incluído pela Emenda nº 2)\n\n"
      "CAPÍTULO V\nDos Partidos";
  const std::vector<Provision> held = {
      article("14"),           article("14", "3"),           article("14", "3", "1"),
      article("14", "3", "6"), article("14", "3", "6", "a"), article("14", "3", "6", "b"),
      article("14", "4")};
  CHECK(quoted(text, "secreto", 1200, held) == Strings{"Art. 14. A soberania é exercida pelo voto. Ele é secreto."});
  CHECK(quoted(text, "trinta anos", 1200, held) ==
        Strings{"§ 3º São condições de elegibilidade, na forma da lei: (Redação dada pela Emenda nº 1)",
                "VI – a idade mínima de:", "b) trinta anos para Governador."});
  CHECK(quoted(text, "nacionalidade", 1200, held) ==
        Strings{"§ 3º São condições de elegibilidade, na forma da lei: (Redação dada pela Emenda nº 1) I – a "
                "nacionalidade;"});
  CHECK(quoted(text, "idade mínima", 1200, held) ==
        Strings{"§ 3º São condições de elegibilidade, na forma da lei: (Redação dada pela Emenda nº 1)",
                "VI – a idade mínima de: a) trinta e cinco anos para Presidente; b) trinta anos para Governador."});
  const Strings whole = quoted(text, "condições de elegibilidade", 1200, held);
  REQUIRE(whole.size() == 1);
  CHECK(whole[0].starts_with("§ 3º"));
  CHECK(whole[0].ends_with("b) trinta anos para Governador."));
  CHECK(quoted(text, "analfabetos", 1200, held) ==
        Strings{"§ 4º São inelegíveis os analfabetos. (Incluído pela Emenda nº 2)"});
}

TEST_CASE("indents by typographic spaces and labels in emphasis hide neither items nor provisions") {
  const std::string text =
      "\u2003**§ 3º** São condições:\n\n\u2003\u2003VI - a idade mínima de:\n\n\u2003\u2003\u2003_a)_ trinta e cinco "
      "anos para "
      "Presidente;\n\n\u2003\u2003\u2003_b)_ trinta anos para Governador.";
  const Strings below = {"**§ 3º** São condições:\n\n\u2003\u2003VI - a idade mínima de:",
                         "_b)_ trinta anos para Governador."};
  CHECK(quoted(text, "trinta anos", 1200,
               {article("14", "3"), article("14", "3", "6"), article("14", "3", "6", "a"),
                article("14", "3", "6", "b")}) == below);
  const Strings plain = quoted(text, "trinta anos");
  REQUIRE(plain.size() == 2);
  CHECK(plain[0].ends_with("VI - a idade mínima de:"));
  CHECK(plain[1].ends_with("_b)_ trinta anos para Governador."));
  CHECK(quoted(text, "idade mínima").back().ends_with("trinta anos para Governador."));
}

TEST_CASE("where the whole list is wanted, an item brings it, if it is among the items that fit") {
  const std::string list = "The port has:\n- a crane\n- a lighthouse\n\nIt is old.";
  CHECK(quoted(list, "lighthouse", 1200, {}, true) == Strings{"The port has:\n- a crane\n- a lighthouse"});
  CHECK(quoted(list, "old", 1200, {}, true) == Strings{"It is old."});
  const std::string law = "Art. 1º São direitos:\nI – o primeiro;\nII – o segundo;\nIII – o terceiro.";
  const std::vector<Provision> held = {article("1"), article("1", "", "1"), article("1", "", "2"),
                                       article("1", "", "3")};
  CHECK(quoted(law, "segundo", 1200, held, true) == Strings{law});
  CHECK(quoted(law, "terceiro", 60, held, true) == Strings{"Art. 1º São direitos:", "III – o terceiro."});
}

TEST_CASE("of a label that comes twice, the place of the span is quoted") {
  const std::string text = "Art. 1º O primeiro texto vale.\n\nArt. 1º O segundo texto vale.";
  CHECK(quoted(text, "segundo", 1200, {article("1")}) == Strings{"Art. 1º O segundo texto vale."});
}

TEST_CASE("parts of a provision that do not fit are left out whole") {
  const std::string text = "Art. 1º São direitos:\nI – o primeiro;\nII – o segundo;\nIII – o terceiro.";
  const std::vector<Provision> held = {article("1"), article("1", "", "1"), article("1", "", "2"),
                                       article("1", "", "3")};
  CHECK(quoted(text, "direitos:\nI – o primeiro", 1200, held) == Strings{text});
  CHECK(quoted(text, "direitos", 60, held) == Strings{"Art. 1º São direitos:\nI – o primeiro;\nII – o segundo;"});
}

TEST_CASE("a quote is bounded, holds the span, and never splits a character") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ção e ";
  text += "o prazo é de trinta dias";
  for (const uint32_t max : {40u, 41u, 42u, 43u, 100u}) {
    const Strings quotes = quoted(text, "trinta dias", max);
    REQUIRE(quotes.size() == 1);
    CHECK(quotes[0].size() <= max);
    CHECK(quotes[0].find("trinta") != std::string::npos);
    CHECK((static_cast<unsigned char>(quotes[0][0]) & 0xC0) != 0x80);
  }
}
