#include "rag/quote/passage_parts.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

namespace {

// One letter for each part: s(tatement), q(uestion), h(eading), | (layout), l(inks), c(losing), n(ote).
std::string roles(std::string_view text) {
  const PassageParts parts(text);
  std::string letters;
  for (size_t i = 0; i < parts.count(); ++i) letters += "sqh|lcn"[static_cast<size_t>(parts.role(i))];
  return letters;
}

}  // namespace

TEST_CASE("questions are recognised by their mark, in headings and emphasis, and by a label") {
  CHECK(roles("What is the warranty period?\nThe warranty lasts 24 months.") == "qs");
  CHECK(roles("**Posso devolver um livro?**\n\nSim, em sete dias.") == "qs");
  CHECK(roles("## What is the pack?\n\nOne file a model.") == "qs");
  CHECK(roles("P: Qual é o prazo?\nR: O prazo é de 7 dias.") == "qs");
  CHECK(roles("Q: warranty period\n\nA: 24 months.") == "qs");
  CHECK(roles("Q: warranty period\nA: 24 months.") == "s");  // one sentence has both
  CHECK(roles("The clerk asked: \"Who pays?\" Nobody knew.") == "qs");
}

TEST_CASE("headings are recognised by their marks, and plain ones by their form") {
  CHECK(roles("# Warranty\n\nIt lasts 24 months.") == "hs");
  CHECK(roles("Warranty\n=====\n\nIt lasts 24 months.") == "hs");
  CHECK(roles("**Delivery times**\n\nThree days.") == "hs");
  CHECK(roles("CAPÍTULO II\nDos Direitos\n\nArt. 5º Todos são iguais.") == "hs");
  CHECK(roles("DISPOSIÇÕES GERAIS\n\nO prazo é de dez dias.") == "hs");
  CHECK(roles("Prazo de entrega\n\nO prazo é de dez dias.") == "hs");
  CHECK(roles("The council has eleven members.\n\nIt meets on Mondays.") == "ss");
  CHECK(roles("The members are:\n\nAnna Holm\n\nThey meet on Mondays.") == "sss");
  CHECK(roles("Founded in 1932\n\nIt is red.") == "ss");
}

TEST_CASE("lists of links and their definitions are recognised, and a sentence with a link is none") {
  CHECK(roles("- [Home](/)\n- [The docs](/docs/index.html)\n- [About us](/about)") == "lll");
  CHECK(roles("[`fs`]: #fs\n[`maxBuffer`]: #child_process_exec\n[pipes]: #pipes") == "l");
  CHECK(roles("The default is 1 MiB; see [`maxBuffer`](#max) and [pipes](#pipes) for what else the option does.") ==
        "s");
  CHECK(roles("It is in [the documentation](https://example.org/docs).") == "s");
}

TEST_CASE("closings of laws and letters are recognised") {
  CHECK(roles("Esta lei entra em vigor hoje.\n\nBrasília, 12 de março de 1990; 169º da Independência e 102º da "
              "República.\n\nFERNANDO HENRIQUE CARDOSO\nRenan Calheiros\n\nPedro Malan") == "sccc");
  CHECK(roles("We await your reply.\n\nYours sincerely,\nAnna Holm") == "sc");
  CHECK(roles("Aguardamos retorno.\n\nAtenciosamente,\nMaria Silva") == "sc");
  CHECK(roles("Pinto - Paes de Andrade - Paes Landim - Paulo Delgado - Paulo Macarini - Paulo Marques - Paulo Paim.") ==
        "c");
  CHECK(roles("Brasília, 21 de abril de 1960, foi inaugurada por JK.") == "s");
  CHECK(roles("A reunião foi em Brasília, em 12 de março de 1990.") == "s");
}

TEST_CASE("an amendment note that stands alone is one, and a remark in brackets is not") {
  CHECK(roles("Art. 2º O prazo é de dez dias. (Redação dada pela Lei nº 12.010, de 2009)") == "sn");
  CHECK(roles("(Artigo acrescido pela Lei nº 12.010, de 2009).") == "n");
  CHECK(roles("(Revogado)") == "n");
  CHECK(roles("(The clerk was absent that day.)") == "s");
}

TEST_CASE("a question is answered by the statement after it, unless another question follows") {
  const PassageParts faq("Can I return a book?\nYes. Within 30 days.\nWho pays?\nThe buyer pays.");
  REQUIRE(faq.count() == 5);
  CHECK(faq.answer_to(0) == 1);
  CHECK(faq.question_of(1) == 0);
  CHECK_FALSE(faq.question_of(2));
  CHECK(faq.block_end(1) == 3);
  CHECK(faq.answer_to(3) == 4);
  const PassageParts contents("Can I return a book?\nWho pays?\nWhen is it open?");
  CHECK_FALSE(contents.answer_to(0));
  CHECK_FALSE(contents.answer_to(2));
}

TEST_CASE("any bytes have parts") {
  for (const char* text : {"", "?", "(", "[", "**", "[](", "\xC3", "A:", "- ", "\n\n#"}) {
    const PassageParts parts(text);
    for (size_t i = 0; i < parts.count(); ++i) CHECK(parts.range(i).end > parts.range(i).begin);
  }
}
