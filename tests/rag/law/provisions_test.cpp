// References in the spellings that people use, and the provisions that a lawyer would read in them.
#include <doctest/doctest.h>

#include "rag/index_fakes.h"
#include "rag/law/legal.h"
#include "rag/law/provision.h"

using namespace frugal;

namespace {

constexpr const char* kCp = "br/codigo-penal";
constexpr const char* kCf = "br/constituicao";
constexpr const char* kCdc = "br/codigo-de-defesa-do-consumidor";
constexpr const char* kLgpd = "br/lgpd";

std::vector<Provision> read(std::string_view text) {
  std::vector<Provision> references;
  for (const FoundProvision& found : find_provisions(text, testing::few_laws())) references.push_back(found.reference);
  return references;
}

}  // namespace

TEST_CASE("a reference is parsed completely in any spelling") {
  const std::vector<std::pair<std::string, Provision>> cases = {
      {"art. 121-A do CP", {kCp, "121-A", "", "", ""}},
      {"art 121-a do cp", {kCp, "121-A", "", "", ""}},
      {"O que diz o artigo 5º, inciso XXXII, da Constituição?", {kCf, "5", "", "32", ""}},
      {"Art 2o CDC", {kCdc, "2", "", "", ""}},
      {"§ 3º do art. 4º da LGPD", {kLgpd, "4", "3", "", ""}},
      {"art. 4º, § 3º, II, da LGPD", {kLgpd, "4", "3", "2", ""}},
      {"art. 5º, XXXII, da CF/88", {kCf, "5", "", "32", ""}},
      {"alínea b do inciso II do § 1º do art. 3º do Código Penal", {kCp, "3", "1", "2", "b"}},
      {"parágrafo único do art. 2º do Código de Defesa do Consumidor", {kCdc, "2", "unico", "", ""}},
      {"art. 6º da Lei nº 8.078/1990", {kCdc, "6", "", "", ""}},
      {"art. 6 da lei 8078/90", {kCdc, "6", "", "", ""}},
      {"art. 6º da Lei nº 8.078, de 11 de setembro de 1990", {kCdc, "6", "", "", ""}},
      {"art. 121 do DL 2.848/40", {kCp, "121", "", "", ""}},
      {"art. 1.015 do Decreto-Lei nº 2.848", {kCp, "1015", "", "", ""}},
      {"CP, art. 121", {kCp, "121", "", "", ""}},
      {"Código de Defesa do Consumidor, art. 2º", {kCdc, "2", "", "", ""}},
      {"Article 5 of the GDPR", {"eu/gdpr", "5", "", "", ""}},
      {"what does Section 3 say?", {"", "3", "", "", ""}},
      {"art. 7º da Lei 99.999/2031", {"lei/99999/2031", "7", "", "", ""}},
      {"artigo quinto da Constituição Federal", {kCf, "5", "", "", ""}},
      {"artigo cento e vinte e um do Código Penal", {kCp, "121", "", "", ""}},
      {"artigo vigésimo quinto da Constituição", {kCf, "25", "", "", ""}},
      {"o artigo mil duzentos e trinta do CP", {kCp, "1230", "", "", ""}},
      {"Section one hundred and twenty-one", {"", "121", "", "", ""}},
      {"Article twenty one of the GDPR", {"eu/gdpr", "21", "", "", ""}},
      {"o artigo um do CP", {kCp, "1", "", "", ""}},
      {"inciso quatro do parágrafo segundo do artigo cento e vinte e um do CP", {kCp, "121", "2", "4", ""}},
  };
  for (const auto& [asked, expected] : cases) {
    const std::string_view text = asked;  // Clang 14 captures no structured binding
    CAPTURE(text);
    const std::vector<Provision> found = read(text);
    REQUIRE(found.size() == 1);
    CHECK(to_string(found[0]) == to_string(expected));
  }
}

TEST_CASE("lists and ranges give every article") {
  const auto articles = [](std::string_view text) {
    std::string all;
    for (const Provision& each : read(text)) all += each.law + ":" + each.article + " ";
    return all;
  };
  CHECK(articles("Arts. 5º e 6º da CF") == "br/constituicao:5 br/constituicao:6 ");
  CHECK(articles("artigos 1 a 3 do CP") == "br/codigo-penal:1 br/codigo-penal:2 br/codigo-penal:3 ");
  CHECK(articles("artigos dezoito e dezenove do CP") == "br/codigo-penal:18 br/codigo-penal:19 ");
  CHECK(articles("artigos vinte e um e trinta do CP") == "br/codigo-penal:21 br/codigo-penal:30 ");
  CHECK(articles("arts. 5º e 6º do CP, dois dos quais caíram") == "br/codigo-penal:5 br/codigo-penal:6 ");
  CHECK(articles("art. 5º da CF e art. 10 do CP") == "br/constituicao:5 br/codigo-penal:10 ");
  CHECK(articles("nos termos dos arts. 5º, inciso XXXII, 170, inciso V, da Constituição Federal") ==
        "br/constituicao:5 br/constituicao:170 ");
}

TEST_CASE("a law without an article is found; everyday words that look like a law or a reference are not") {
  CHECK(read("O que é a LGPD?").at(0) == Provision{kLgpd, "", "", "", ""});
  CHECK(read("send it to me and cc the team").empty());
  CHECK(read("art. 5º da Constituição do Estado de São Paulo").at(0).law == "");
  CHECK(read("the article was 5 pages long").empty());
  CHECK(read("o artigo um tanto confuso").empty());
  CHECK(read("the article one reads first").empty());
  CHECK(read("").empty());
}

TEST_CASE("the byte range of a reference covers its words") {
  const std::string text = "Veja o art. 121 do CP agora.";
  const auto found = find_provisions(text, testing::few_laws());
  REQUIRE(found.size() == 1);
  CHECK(text.substr(found[0].begin, found[0].end - found[0].begin) == "art. 121 do CP");
}

TEST_CASE("a law table is the same after serialising and parsing") {
  const LawTable laws = LawTable::parse(testing::few_laws().serialise());
  CHECK(laws.num_laws() == 5);
  CHECK(laws.serialise() == testing::few_laws().serialise());
  CHECK(laws.find_number("lei/8078/1990") == kCdc);
  CHECK(laws.find_number("lei/8078") == kCdc);
  CHECK(laws.find_number("lei/8078/1991") == std::nullopt);
  CHECK(laws.match({"codigo", "defesa", "consumidor"}, 0)->words == 3);
  CHECK_FALSE(laws.match({"codigo"}, 0).has_value());
  CHECK(LawTable::parse("name\t999\tx\nlaw\n\t\t\nrubbish").num_laws() == 1);
}

TEST_CASE("a law number that cannot be parsed is an error that quotes it") {
  LawTable laws;
  CHECK_THROWS_WITH_AS(laws.add({"x", "X", {}, {"number nine"}}), doctest::Contains("number nine"), Error);
}

TEST_CASE("only canonical Roman numerals have a value") {
  CHECK(roman_value("XXXII") == 32);
  CHECK(roman_value("LXXVIII") == 78);
  CHECK(roman_value("IIII") == std::nullopt);
  CHECK(roman_value("VX") == std::nullopt);
  CHECK(roman_value("") == std::nullopt);
}
