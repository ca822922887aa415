#include "rag/filter/search_operators.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/error.h"

using namespace frugal;

namespace {

using Words = std::vector<std::string>;

struct Taken {
  explicit Taken(std::string_view question) : rest(take_operators(question, filter)) {}
  ChunkFilter filter;
  std::string rest;
};

}  // namespace

TEST_CASE("an exact phrase is in quotes of any kind, is folded, and stays among the words to search with") {
  for (const char* question :
       {"prazo do \"Direito de Arrependimento\" hoje", "prazo do “Direito de Arrependimento” hoje",
        "prazo do „Direito de Arrependimento“ hoje", "prazo do «Direito de Arrependimento» hoje"}) {
    const Taken taken(question);
    INFO(question);
    CHECK(taken.filter.phrases == Words{"direito de arrependimento"});
    CHECK(taken.rest == "prazo do Direito de Arrependimento hoje");
  }
  CHECK(Taken("\"Ação 8.078\", \"b\"").filter.phrases == Words{"acao 8078", "b"});
  CHECK(Taken("(\"in brackets\")").filter.phrases == Words{"in brackets"});
}

TEST_CASE("a quote that opens no phrase stays as it is") {
  for (const char* question :
       {"a 5\" pipe and a 6\" pipe", "no \"end to this", "\"\" and \"—\"", "it's the dogs' day"}) {
    const Taken taken(question);
    INFO(question);
    CHECK(taken.filter.empty());
    CHECK(taken.rest == question);
  }
}

TEST_CASE("a hyphen before a word excludes it, and the word is not searched") {
  const Taken taken("multa -Trânsito -\"código penal\" -bem-estar da lei");
  CHECK(taken.filter.excluded == Words{"transito", "codigo penal", "bem estar"});
  CHECK(taken.filter.phrases.empty());
  CHECK(Taken("-fees what is due").rest == " what is due");
}

TEST_CASE("hyphens inside words, before numbers, and dashes exclude nothing") {
  for (const char* question :
       {"dar-se-á o bem-estar", "below -5 degrees", "art. 121-A -1º", "the king - or queen - rules",
        "the king -- and -- queen", "rules – as – ever", "so-called pre- and post-war", "he -alone- knows", "a−b −c",
        "--flag", "-", "ends with -"}) {
    const Taken taken(question);
    INFO(question);
    CHECK(taken.filter.empty());
    CHECK(taken.rest == question);
  }
}

TEST_CASE("the number of operators is bounded, and bytes that are not UTF-8 are left to the question") {
  std::string many;
  for (size_t i = 0; i <= ChunkFilter::kMaxParts; ++i) many += " -a";
  CHECK_THROWS_AS(Taken{many}, Error);
  CHECK(Taken("\"a\xff\"").rest == "\"a\xff\"");
}
