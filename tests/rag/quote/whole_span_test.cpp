// Short answers keep their words and numbers whole.
#include "rag/quote/whole_span.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

namespace {

// The widened span of the first occurrence of `part`.
std::string whole(const std::string& text, const std::string& part) {
  const size_t at = text.find(part);
  REQUIRE(at != std::string::npos);
  const TextRange span = whole_span(text, {uint32_t(at), uint32_t(at + part.size())});
  return text.substr(span.begin, span.end - span.begin);
}

}  // namespace

TEST_CASE("a number in words is not cut") {
  const std::string leave = "licença à gestante, com a duração de cento e vinte dias; e mais dez";
  CHECK(whole(leave, "vinte dias") == "cento e vinte dias");
  CHECK(whole(leave, "cento") == "cento e vinte");
  CHECK(whole(leave, "cento e vinte dias") == "cento e vinte dias");
  CHECK(whole(leave, "duração de cento") == "duração de cento e vinte");
  CHECK(whole("within twenty-one days", "one days") == "twenty-one days");
  CHECK(whole("desde dois mil e dez", "dez") == "dois mil e dez");
  CHECK(whole("entre dez, vinte e trinta dias", "vinte") == "vinte");
  CHECK(whole("entre cem e, vinte dias", "vinte dias") == "vinte dias");
}

TEST_CASE("a word or a number in digits is not cut, and keeps currency and sign") {
  CHECK(whole("o valor de 1.250,50 reais", "250,50") == "1.250,50");
  CHECK(whole("multa de até R$ 50.000.000,00 por infração", "50.000.000,00") == "R$ 50.000.000,00");
  CHECK(whole("it costs US$5 each", "5") == "US$5");
  CHECK(whole("de 2% do faturamento", "2") == "2%");
  CHECK(whole("de 2 % do faturamento", "2") == "2 %");
  CHECK(whole("nos termos do art. 5º, caput", "art. 5") == "art. 5º");
  CHECK(whole("Organização das Nações", "ização das Naç") == "Organização das Nações");
}

TEST_CASE("a span that cuts nothing stays, and one without words, too") {
  CHECK(whole("in Wales, (near Abercynon)", "(near Abercynon)") == "(near Abercynon)");
  CHECK(whole("Wales — Abercynon", "—") == "—");
  CHECK(whole_span("", {0, 0}).end == 0);
  CHECK(whole_span("twenty", {3, 6}).begin == 0);
}
