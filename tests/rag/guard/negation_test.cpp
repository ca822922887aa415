#include "rag/guard/negation.h"

#include <doctest/doctest.h>

using namespace frugal;

namespace {

bool negates_in(const char* statement, const char* sentence, Language language) {
  return negates(statement, sentence, sentence, language);
}

}  // namespace

TEST_CASE("a statement that negates its source, or states what it negates, is recognised") {
  const auto english = [](const char* a, const char* b) { return negates_in(a, b, Language::english); };
  CHECK(english("The bridge is not open on Sundays.", "The bridge is open on Sundays."));
  CHECK(english("The bridge isn't open on Sundays.", "The bridge is open on Sundays."));
  CHECK(english("Dogs may enter the hall.", "No dogs may enter the hall."));
  CHECK(english("The clerk never lets stalls.", "Stalls are let by the clerk."));
  CHECK(english("Fishing is allowed in the harbour.", "Fishing is prohibited in the harbour."));
  CHECK(english("The keeper leaves before the ferry.", "The keeper leaves after the ferry."));
  const auto portuguese = [](const char* a, const char* b) { return negates_in(a, b, Language::portuguese); };
  CHECK(portuguese("A multa não dobra em caso de reincidência.", "A multa dobra em caso de reincidência."));
  CHECK(portuguese("A pena passará da pessoa do condenado.", "Nenhuma pena passará da pessoa do condenado."));
  CHECK(portuguese("É permitido lançar lixo nas ruas.", "É proibido lançar lixo nas ruas."));
}

TEST_CASE("a statement that says the same in part, or negates the same, is none") {
  const auto english = [](const char* a, const char* b) { return negates_in(a, b, Language::english); };
  CHECK_FALSE(english("The bridge opened in 1932.", "The bridge, which is not painted, opened in 1932."));
  CHECK_FALSE(english("It is not painted.", "The bridge, which isn't painted, opened in 1932."));
  CHECK_FALSE(english("The bridge is red.", "No, the bridge is red."));
  CHECK_FALSE(english("It opened in 1935.", "It was built in 1932 but opened in 1935."));
  CHECK_FALSE(negates_in("A pena não será cumprida no exterior.", "A pena não poderá ser cumprida no exterior.",
                         Language::portuguese));
}

TEST_CASE("a negation may stand in another sentence of the passage") {
  CHECK_FALSE(negates("The market opens at six and is not heated.", "The market opens at six.",
                      "The market opens at six. It is not heated.", Language::english));
  CHECK(negates("Dogs are not allowed.", "Dogs are allowed.", "Dogs are allowed. Cats are not allowed.",
                Language::english));
}
