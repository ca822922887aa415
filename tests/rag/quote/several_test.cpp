#include "rag/quote/several.h"

#include <doctest/doctest.h>

using namespace frugal;

TEST_CASE("a question that asks for several things is told from one that asks for one") {
  for (const char* question :
       {"Quais são os direitos do titular?", "Cite os crimes contra a honra.",
        "Em que casos cabe mandado de segurança?", "Which two rivers meet at Aldersby?", "What are the fees?",
        "List the members of the council.", "In which cases is the fee waived?", "Name three bridges."}) {
    INFO(question);
    CHECK(asks_for_several(split_words(question)));
  }
  for (const char* question :
       {"Qual é o prazo?", "Que dia abre a feira?", "Which river passes Aldersby?", "What is the fee?", "Who drew it?",
        "When was the list of members made?", "Name of the river?", ""}) {
    INFO(question);
    CHECK_FALSE(asks_for_several(split_words(question)));
  }
}
