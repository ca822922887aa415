#include "rag/guard/guard.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

namespace {

LawTable table() {
  LawTable laws;
  laws.add({"br/cf", "Constituição Federal", {"CF", "CF/88"}, {}});
  laws.add({"br/cdc", "Código de Defesa do Consumidor", {"CDC"}, {"Lei 8.078/1990"}});
  laws.add({"br/cpc", "Código de Processo Civil", {"CPC"}, {"Lei 13.105/2015"}});
  laws.add({"br/cpc-1973", "Código de Processo Civil de 1973", {"CPC/1973"}, {"Lei 5.869/1973"}});
  laws.add({"br/cp", "Código Penal", {"CP"}, {}});
  laws.add({"br/lgpd", "Lei Geral de Proteção de Dados", {"LGPD"}, {"Lei 13.709/2018"}});
  return laws;
}

const LawTable& laws() {
  static const LawTable kLaws = table();
  return kLaws;
}

std::string verdict(const std::string& a, const std::string& b) {
  const GuardVerdict there = compare_questions(a, b, laws()), back = compare_questions(b, a, laws());
  CHECK(there.same == back.same);
  // Neighbours are found by signature: it must not separate what the guard joins.
  if (there.same) CHECK(read_form(a, laws()).signature() == read_form(b, laws()).signature());
  return (there.same ? "same: " : "other: ") + there.reason;
}
bool same(const std::string& a, const std::string& b) {
  const std::string found = verdict(a, b);
  INFO(a, " | ", b, ": ", found);
  return found.starts_with("same");
}

}  // namespace

TEST_CASE("white space, case, final punctuation and missing accents make no other question") {
  const std::string asked = "Qual é a multa prevista no art. 57 do Código Penal?";
  CHECK(same(asked, asked));
  CHECK(same(asked, "  Qual  é a multa\tprevista no art. 57 do Código Penal"));
  CHECK(same(asked, "QUAL É A MULTA PREVISTA NO ART. 57 DO CÓDIGO PENAL?"));
  CHECK(same(asked, "qual e a multa prevista no art 57 do cp"));
  CHECK(
      same("Which duties does Art. 9 of the Water Act impose?", "which duties does article 9 of the water act impose"));
}

TEST_CASE("a provision is the same under each of its names, and no other") {
  CHECK(
      same("O que diz o art. 6, IV, do CDC?", "o que diz o inciso IV do artigo 6º do Código de Defesa do Consumidor"));
  CHECK(same("O que diz o art. 6, IV, do CDC?", "O que diz o art. 6º, inciso IV, da Lei 8.078/90?"));
  CHECK(same("O que diz o art. 121-A do CP?", "o que diz o art 121-a do cp"));
  CHECK(verdict("O que diz o art. 5 da CF?", "O que diz o art. 50 da CF?").starts_with("other: provisions differ"));
  for (const auto* other :
       {"O que diz o art. 5, § 1º, da CF?", "O que diz o art. 5, I, da CF?", "O que diz o art. 5-A da CF?",
        "O que diz o art. 5 do CDC?", "O que diz o art. 5?", "O que diz o art. 5, I, a, da CF?", "O que diz a CF?",
        "O que dizem os arts. 5 e 6 da CF?", "O que não diz o art. 5 da CF?", "Explique o art. 5 da CF",
        "O que dizia o art. 5 da CF?", "Quem cita o art. 5 da CF?", "O que diz o caput do art. 5 da CF?"})
    CHECK_FALSE(same("O que diz o art. 5 da CF?", other));
  CHECK_FALSE(same("O que diz o art. 5 do CPC?", "O que diz o art. 5 do CPC de 1973?"));
  CHECK_FALSE(same("O que dizem os arts. 5 e 8 da CF?", "O que dizem os arts. 5 a 8 da CF?"));
  CHECK_FALSE(same("O que dizem os arts. 5 e 8 da CF?", "O que dizem os arts. 5-8 da CF?"));
  CHECK_FALSE(same("O que é a LGPD?", "O que diz a LGPD?"));
}

TEST_CASE("asking for the text of a provision is one question in many words") {
  const std::string portuguese = "O que diz o art. 5º da CF?", english = "What does Article 5 of the LGPD say?";
  for (const auto* other : {"O artigo 5 da CF diz o quê?", "Qual o conteúdo do artigo 5 da CF?",
                            "texto do art. 5 da CF", "Me mostre o que está escrito no art. 5º da CF.",
                            "O que é que prevê o art. 5 da CF?", "Gostaria de ler o art. 5 da CF, por favor"})
    CHECK(same(portuguese, other));
  for (const auto* other :
       {"What is the text of Art. 5 of the LGPD?", "Could you please tell me what Article 5 of the LGPD says?",
        "Show me article 5 of the LGPD", "What is written in Article 5 of the LGPD?"})
    CHECK(same(english, other));
  CHECK(verdict(portuguese, english) == "other: the languages differ");
  CHECK(verdict(portuguese, "texto do art. 5 da CF") == "same: both ask for the text of br/cf, art. 5");
}

TEST_CASE("numbers are compared by value, in digits and in words, and an ordinal is no cardinal") {
  CHECK(same("Qual a multa após sete dias?", "Qual a multa após 7 dias?"));
  CHECK(same("Does it end in twenty-one days?", "Does it end in 21 days?"));
  CHECK(verdict("Qual o prazo de 7 dias?", "Qual o prazo de 30 dias?") == "other: numbers differ: 7 | 30");
  CHECK_FALSE(same("A taxa é 1,5?", "A taxa é 15?"));
  CHECK_FALSE(same("Is the rate 1.500?", "Is the rate 1500?"));
  CHECK(same("Is the total 1,500?", "Is the total 1500?"));
  CHECK_FALSE(same("What is in section 5.10?", "What is in section 5.1?"));
  CHECK_FALSE(same("Quem venceu no quinto ano?", "Quem venceu em cinco anos?"));
  CHECK_FALSE(same("Is it -5 degrees?", "Is it 5 degrees?"));
  CHECK_FALSE(same("Is it between 5 and 10?", "Is it between 10 and 5?"));
  CHECK_FALSE(same("Are 5-10 enough?", "Are 5 10 enough?"));
  CHECK_FALSE(same("What changed in the 1990s?", "What changed in 1990?"));
}

TEST_CASE("amounts, units and dates are compared in normal form") {
  CHECK(same("A multa é de R$ 5.000?", "A multa é de R$ 5.000,00?"));
  CHECK(same("A multa é de R$ 5.000?", "A multa é de cinco mil reais?"));
  CHECK(same("A multa é de 2 milhões de reais?", "A multa é de R$ 2.000.000?"));
  CHECK_FALSE(same("A multa é de R$ 5.000?", "A multa é de R$ 500?"));
  CHECK_FALSE(same("A multa é de R$ 5.000?", "A multa é de US$ 5.000?"));
  CHECK_FALSE(same("A multa é de R$ 5.000?", "A multa é de 5.000?"));
  CHECK_FALSE(same("Is the fee $1.50?", "Is the fee $150?"));
  CHECK(same("Is 10 km allowed?", "Is 10 kilometres allowed?"));
  CHECK(verdict("Is 10 km allowed?", "Is 10 miles allowed?") == "other: units differ: km | mile");
  CHECK(same("A taxa é de 10%?", "A taxa é de dez por cento?"));
  CHECK_FALSE(same("A taxa é de 10%?", "A taxa é de 10?"));
  CHECK(same("O que houve em 5 de maio de 2020?", "O que houve em 05/05/2020?"));
  CHECK(same("What happened on May 5, 2020?", "What happened on 5 May 2020?"));
  CHECK_FALSE(same("What happened on 05/06/2020?", "What happened on 5 June 2020?"));  // or on 6 May
  CHECK_FALSE(same("O que houve em 5 de maio de 2020?", "O que houve em 5 de maio de 2021?"));
  CHECK_FALSE(same("O que houve em maio de 2020?", "O que houve em março de 2020?"));
}

TEST_CASE("negation, opposites, comparatives and question words tell questions apart, and the reason names them") {
  CHECK(verdict("Quem pode votar?", "Quem não pode votar?") == "other: negation differ: none | nao");
  CHECK_FALSE(same("Can a tenant sublet?", "Can't a tenant sublet?"));
  CHECK(same("Can't a tenant sublet?", "Cannot a tenant sublet?"));
  CHECK_FALSE(same("Só menores podem pedir?", "Menores podem pedir?"));
  CHECK_FALSE(same("Posso viajar com visto?", "Posso viajar sem visto?"));
  CHECK(verdict("O ato é válido?", "O ato é inválido?") == "other: opposites differ: valido | invalido");
  CHECK(verdict("Qual é o maior prazo?", "Qual é o menor prazo?") == "other: comparatives differ: maior | menor");
  CHECK_FALSE(same("Qual o prazo máximo da prisão?", "Qual o prazo da prisão?"));
  CHECK(verdict("When does it end?", "How does it end?") == "other: question words differ: when | how");
  CHECK_FALSE(same("Who is the president?", "Who was the president?"));
  CHECK_FALSE(same("Preciso de RG e CPF?", "Preciso de RG ou CPF?"));
}

TEST_CASE("the order of words says who does what to whom") {
  CHECK(verdict("Does Acme own Globex?", "Does Globex own Acme?") ==
        "other: the order or the number of the words differs");
  CHECK_FALSE(same("O locador pode processar o inquilino?", "O inquilino pode processar o locador?"));
  CHECK_FALSE(same("Flights from Lisbon to Porto?", "Flights to Lisbon from Porto?"));
  CHECK_FALSE(same("Who did John sue?", "Who sued John?"));
  CHECK_FALSE(same("Quem deve a quem?", "Quem deve?"));
}

TEST_CASE("a plural is the same word, another word of the same stem is not") {
  CHECK(same("Qual é a pena para contratos falsos?", "Qual é a pena para contrato falso?"));
  CHECK(same("Quais são as obrigações do fiador?", "Qual é a obrigação do fiador?"));
  CHECK(same("What are the duties of a director?", "What are the duties of directors?"));
  CHECK_FALSE(same("Are import duties due?", "Are important duties due?"));
  CHECK_FALSE(same("Who approves the budget?", "Who approved the budget?"));
  CHECK_FALSE(same("Who pays the costs?", "Who pays the cost?"));
  CHECK_FALSE(same("Quem cuida dos pais?", "Quem cuida do pai?"));
}

TEST_CASE("names, acronyms, accents and articles count where both questions show them") {
  CHECK_FALSE(same("What does WHO recommend?", "What does who recommend?"));
  CHECK_FALSE(same("Who may polish the Crown Jewels?", "Who may Polish the Crown Jewels?"));
  CHECK_FALSE(same("Quem cuida da avó materna?", "Quem cuida do avô materno?"));
  CHECK_FALSE(same("Quem é a secretária?", "Quem e a secretaria?"));
  CHECK_FALSE(same("Onde fica a capital da empresa?", "Onde fica o capital da empresa?"));
  CHECK_FALSE(same("O que é hepatite A?", "O que é hepatite?"));
  CHECK_FALSE(same("What is vitamin A?", "What is vitamin?"));
}

TEST_CASE("search operators and symbols are part of a question") {
  CHECK_FALSE(same("contrato -locação", "contrato locação"));
  CHECK_FALSE(same("\"boa fé\" objetiva", "boa fé objetiva"));
  CHECK_FALSE(same("What is C#?", "What is C++?"));
  CHECK_FALSE(same("What is C?", "What is C++?"));
  CHECK(same("“boa fé” objetiva", "\"boa fé\" objetiva"));
}

TEST_CASE("what only introduces a question is no part of it") {
  CHECK(same("Gostaria de saber qual é o prazo de entrega, por favor", "Qual o prazo de entrega?"));
  CHECK(same("Can you tell me what the deadline is?", "What's the deadline?"));
  CHECK(same("Quem é que pode votar?", "Quem pode votar?"));
  CHECK(same("Do you know whether a tenant may sublet?", "A tenant may sublet"));
  CHECK_FALSE(same("Please", "Hello"));
  CHECK_FALSE(same("Quero saber", "Por favor"));
}

TEST_CASE("any bytes can be compared") {
  const std::string texts[] = {"",
                               " ",
                               "?",
                               "\xff\xfe",
                               "R$",
                               "$",
                               "-",
                               "5%",
                               "art.",
                               "§",
                               "a",
                               "o",
                               "'t",
                               "don't",
                               "1,",
                               "1.2.3,4",
                               "99999999999999999999 mil",
                               "\u00e9\u0301",
                               "🙂",
                               "R$ - %",
                               "5 de",
                               "31/12/",
                               std::string(20000, 'x'),
                               std::string(5000, '(')};
  for (const std::string& a : texts)
    for (const std::string& b : texts) {
      const bool same_text = compare_questions(a, b, laws()).same;
      if (a == b) CHECK(same_text);
    }
  CHECK_FALSE(compare_questions("🙂", "🙁", laws()).same);
}
