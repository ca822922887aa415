#include "rag/guard/word_classes.h"

#include <algorithm>
#include <array>

#include "base/one_of.h"

namespace frugal {
namespace {

struct UnitWord {
  std::string_view word, symbol;
};
constexpr auto kUnits = std::to_array<UnitWord>({
    {"percent", "%"},
    {"percentage", "%"},
    {"reais", "BRL"},
    {"real", "BRL"},
    {"dolar", "USD"},
    {"dolares", "USD"},
    {"dollar", "USD"},
    {"dollars", "USD"},
    {"usd", "USD"},
    {"euro", "EUR"},
    {"euros", "EUR"},
    {"eur", "EUR"},
    {"libra", "GBP"},
    {"libras", "GBP"},
    {"pound", "GBP"},
    {"pounds", "GBP"},
    {"gbp", "GBP"},
    {"segundos", "s"},
    {"seconds", "s"},
    {"sec", "s"},
    {"minuto", "min"},
    {"minutos", "min"},
    {"minute", "min"},
    {"minutes", "min"},
    {"min", "min"},
    {"hora", "h"},
    {"horas", "h"},
    {"hour", "h"},
    {"hours", "h"},
    {"h", "h"},
    {"dia", "day"},
    {"dias", "day"},
    {"day", "day"},
    {"days", "day"},
    {"semana", "week"},
    {"semanas", "week"},
    {"week", "week"},
    {"weeks", "week"},
    {"mes", "month"},
    {"meses", "month"},
    {"month", "month"},
    {"months", "month"},
    {"ano", "year"},
    {"anos", "year"},
    {"year", "year"},
    {"years", "year"},
    {"milimetro", "mm"},
    {"milimetros", "mm"},
    {"millimetre", "mm"},
    {"millimetres", "mm"},
    {"millimeter", "mm"},
    {"millimeters", "mm"},
    {"mm", "mm"},
    {"centimetro", "cm"},
    {"centimetros", "cm"},
    {"centimetre", "cm"},
    {"centimetres", "cm"},
    {"centimeter", "cm"},
    {"centimeters", "cm"},
    {"cm", "cm"},
    {"metro", "m"},
    {"metros", "m"},
    {"metre", "m"},
    {"metres", "m"},
    {"meter", "m"},
    {"meters", "m"},
    {"m", "m"},
    {"quilometro", "km"},
    {"quilometros", "km"},
    {"kilometre", "km"},
    {"kilometres", "km"},
    {"kilometer", "km"},
    {"kilometers", "km"},
    {"km", "km"},
    {"milha", "mile"},
    {"milhas", "mile"},
    {"mile", "mile"},
    {"miles", "mile"},
    {"pe", "foot"},
    {"pes", "foot"},
    {"foot", "foot"},
    {"feet", "foot"},
    {"ft", "foot"},
    {"hectare", "ha"},
    {"hectares", "ha"},
    {"ha", "ha"},
    {"miligrama", "mg"},
    {"miligramas", "mg"},
    {"milligram", "mg"},
    {"milligrams", "mg"},
    {"mg", "mg"},
    {"grama", "g"},
    {"gramas", "g"},
    {"gram", "g"},
    {"grams", "g"},
    {"g", "g"},
    {"quilo", "kg"},
    {"quilos", "kg"},
    {"quilograma", "kg"},
    {"quilogramas", "kg"},
    {"kilo", "kg"},
    {"kilos", "kg"},
    {"kilogram", "kg"},
    {"kilograms", "kg"},
    {"kg", "kg"},
    {"tonelada", "t"},
    {"toneladas", "t"},
    {"tonne", "t"},
    {"tonnes", "t"},
    {"t", "t"},
    {"mililitro", "ml"},
    {"mililitros", "ml"},
    {"millilitre", "ml"},
    {"millilitres", "ml"},
    {"milliliter", "ml"},
    {"milliliters", "ml"},
    {"ml", "ml"},
    {"litro", "l"},
    {"litros", "l"},
    {"litre", "l"},
    {"litres", "l"},
    {"liter", "l"},
    {"liters", "l"},
    {"l", "l"},
});

bool is_negation(std::string_view word, Language language) {
  if (language == Language::portuguese)
    return is_one_of(
        word, {"nao",    "nunca", "jamais", "nenhum", "nenhuma", "ninguem", "nada",   "nem",     "sem", "tampouco",
               "exceto", "salvo", "senao",  "fora",   "afora",   "menos",   "apenas", "somente", "so",  "unicamente"});
  return is_one_of(word, {"not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "without",
                          "except", "but", "unless", "besides", "only", "hardly", "barely", "cannot"});
}

bool is_polar(std::string_view word) {
  // Words that have an antonym which a question differs in by one word. The guard tells all words apart; these are
  // named in its reasons.
  return is_one_of(
      word, {"permitido",   "permitida",  "permitidos", "permitidas",    "proibido",    "proibida",    "proibidos",
             "proibidas",   "vedado",     "vedada",     "licito",        "licita",      "ilicito",     "ilicita",
             "legal",       "ilegal",     "legais",     "ilegais",       "obrigatorio", "obrigatoria", "facultativo",
             "facultativa", "opcional",   "direito",    "dever",         "direitos",    "deveres",     "autorizado",
             "valido",      "valida",     "invalido",   "invalida",      "nulo",        "nula",        "possivel",
             "impossivel",  "capaz",      "incapaz",    "culposo",       "culposa",     "doloso",      "dolosa",
             "publico",     "publica",    "privado",    "privada",       "ativo",       "passivo",     "credor",
             "devedor",     "autor",      "reu",        "comprador",     "vendedor",    "locador",     "locatario",
             "empregado",   "empregador", "antes",      "depois",        "apos",        "inicio",      "fim",
             "aumentar",    "diminuir",   "reduzir",    "conceder",      "negar",       "aceitar",     "recusar",
             "incluir",     "excluir",    "abrir",      "fechar",        "ganhar",      "perder",      "presente",
             "ausente",     "dentro",     "vantagens",  "desvantagens",  "nacional",    "estrangeiro", "interno",
             "externo",     "allowed",    "permitted",  "forbidden",     "prohibited",  "banned",      "legal",
             "illegal",     "lawful",     "unlawful",   "mandatory",     "compulsory",  "optional",    "required",
             "voluntary",   "valid",      "invalid",    "possible",      "impossible",  "able",        "unable",
             "public",      "private",    "active",     "passive",       "buyer",       "seller",      "landlord",
             "tenant",      "employer",   "employee",   "creditor",      "debtor",      "plaintiff",   "defendant",
             "before",      "after",      "start",      "end",           "begin",       "increase",    "decrease",
             "reduce",      "grant",      "deny",       "accept",        "refuse",      "reject",      "include",
             "exclude",     "open",       "close",      "win",           "lose",        "present",     "absent",
             "inside",      "outside",    "advantages", "disadvantages", "domestic",    "foreign",     "internal",
             "external",    "with",       "always",     "sempre",        "com",         "true",        "false",
             "verdadeiro",  "falso"});
}

bool is_comparative(std::string_view word) {
  return is_one_of(
      word, {"mais",     "maior",     "maiores", "menor",    "menores", "melhor",    "melhores", "pior",     "piores",
             "superior", "inferior",  "maximo",  "maxima",   "maximos", "maximas",   "minimo",   "minima",   "minimos",
             "minimas",  "acima",     "abaixo",  "ate",      "desde",   "primeiro",  "primeira", "ultimo",   "ultima",
             "igual",    "diferente", "mesmo",   "mesma",    "quase",   "more",      "most",     "less",     "least",
             "fewer",    "fewest",    "greater", "greatest", "larger",  "largest",   "smaller",  "smallest", "bigger",
             "biggest",  "higher",    "highest", "lower",    "lowest",  "better",    "best",     "worse",    "worst",
             "older",    "oldest",    "younger", "youngest", "longer",  "longest",   "shorter",  "shortest", "earlier",
             "earliest", "later",     "latest",  "maximum",  "minimum", "above",     "below",    "over",     "under",
             "until",    "since",     "first",   "last",     "same",    "different", "almost",   "than"});
}

bool is_question_word(std::string_view word, Language language) {
  if (language == Language::portuguese)
    return is_one_of(word, {"que", "qual", "quem", "quando", "onde", "aonde", "donde", "como", "quanto", "quanta",
                            "quantos", "quantas", "porque", "por que", "cujo"});
  return is_one_of(word, {"what", "which", "who", "whom", "whose", "when", "where", "why", "how"});
}

using Words = std::initializer_list<std::string_view>;
using Pattern = std::initializer_list<Words>;  // the alternatives of each word; "" among them: it may be missing

// The number of words that the pattern covers at the beginning; nullopt if it does not match there.
std::optional<size_t> covered_by(Pattern pattern, std::span<const std::string_view> words) {
  size_t at = 0;
  for (const Words& choices : pattern) {
    if (at < words.size() && is_one_of(words[at], choices))
      ++at;
    else if (!is_one_of("", choices))
      return std::nullopt;
  }
  return at;
}

bool matches(Pattern pattern, std::span<const std::string_view> words) {
  return covered_by(pattern, words) == words.size();
}

size_t longest(std::initializer_list<Pattern> patterns, std::span<const std::string_view> words) {
  size_t length = 0;
  for (const Pattern& pattern : patterns) length = std::max(length, covered_by(pattern, words).value_or(0));
  return length;
}

}  // namespace

std::optional<FormKind> special_class(std::string_view word, Language language) {
  if (is_negation(word, language)) return FormKind::negation;
  if (is_question_word(word, language)) return FormKind::question;
  if (is_comparative(word)) return FormKind::comparative;
  if (is_polar(word)) return FormKind::polarity;
  return std::nullopt;
}

std::optional<WordParts> determiner_of(std::string_view word, Language language) {
  struct Entry {
    std::string_view word;
    WordParts parts;
  };
  // "a" is the article or the preposition, and typed without accents also "à": only the gender remains, and the
  // preposition goes, as in "ao".
  static constexpr auto kPortuguese = std::to_array<Entry>({
      {"o", {"", 'm'}},       {"os", {"", 'm'}},       {"a", {"", 'f'}},       {"as", {"", 'f'}},
      {"ao", {"", 'm'}},      {"aos", {"", 'm'}},      {"um", {"", 'M'}},      {"uns", {"", 'M'}},
      {"uma", {"", 'F'}},     {"umas", {"", 'F'}},     {"do", {"de", 'm'}},    {"dos", {"de", 'm'}},
      {"da", {"de", 'f'}},    {"das", {"de", 'f'}},    {"no", {"em", 'm'}},    {"nos", {"em", 'm'}},
      {"na", {"em", 'f'}},    {"nas", {"em", 'f'}},    {"num", {"em", 'M'}},   {"numa", {"em", 'F'}},
      {"pelo", {"por", 'm'}}, {"pelos", {"por", 'm'}}, {"pela", {"por", 'f'}}, {"pelas", {"por", 'f'}},
  });
  static constexpr auto kEnglish = std::to_array<Entry>({{"the", {"", 'd'}}, {"a", {"", 'i'}}, {"an", {"", 'i'}}});
  const auto find = [&](const auto& entries) -> std::optional<WordParts> {
    for (const Entry& entry : entries)
      if (entry.word == word) return entry.parts;
    return std::nullopt;
  };
  return language == Language::portuguese ? find(kPortuguese) : find(kEnglish);
}

std::string_view usual_form(std::string_view word, Language language) {
  struct Entry {
    std::string_view word, usual;
  };
  static constexpr auto kPortuguese =
      std::to_array<Entry>({{"quais", "qual"}, {"vc", "voce"}, {"q", "que"}, {"pra", "para"}, {"pro", "para"}});
  static constexpr auto kEnglish = std::to_array<Entry>({{"cant", "cannot"}, {"whats", "what"}});
  const auto find = [&](const auto& entries) {
    for (const Entry& entry : entries)
      if (entry.word == word) return entry.usual;
    return word;
  };
  return language == Language::portuguese ? find(kPortuguese) : find(kEnglish);
}

int month_of(std::string_view word, Language language) {
  static constexpr std::array<std::string_view, 12> kPortuguese = {"janeiro",  "fevereiro", "marco",    "abril",
                                                                   "maio",     "junho",     "julho",    "agosto",
                                                                   "setembro", "outubro",   "novembro", "dezembro"};
  static constexpr std::array<std::string_view, 12> kEnglish = {"january",   "february", "march",    "april",
                                                                "may",       "june",     "july",     "august",
                                                                "september", "october",  "november", "december"};
  static constexpr std::array<std::string_view, 12> kShort = {"jan", "feb", "mar", "apr", "may", "jun",
                                                              "jul", "aug", "sep", "oct", "nov", "dec"};
  for (size_t i = 0; i < 12; ++i) {
    if (language == Language::portuguese && word == kPortuguese[i]) return static_cast<int>(i) + 1;
    if (language != Language::portuguese && (word == kEnglish[i] || word == kShort[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

std::string_view unit_of(std::string_view word) {
  for (const UnitWord& unit : kUnits)
    if (unit.word == word) return unit.symbol;
  return {};
}

int64_t scale_of(std::string_view word, Language language) {
  if (language == Language::portuguese) {
    if (word == "mil") return 1'000;
    if (is_one_of(word, {"milhao", "milhoes"})) return 1'000'000;
    if (is_one_of(word, {"bilhao", "bilhoes"})) return 1'000'000'000;
    return 0;
  }
  if (is_one_of(word, {"thousand"})) return 1'000;
  if (is_one_of(word, {"million"})) return 1'000'000;
  return is_one_of(word, {"billion"}) ? 1'000'000'000 : 0;
}

bool is_ordinal_word(std::string_view word) {
  if (is_one_of(word, {"first", "second", "third"})) return true;
  for (const std::string_view begin :
       {"primeir", "segund", "terceir", "quart", "quint", "sext", "setim", "oitav", "non", "decim", "vigesim",
        "trigesim", "quadragesim", "quinquagesim", "sexagesim", "septuagesim", "octogesim", "nonagesim", "centesim"})
    if (word.starts_with(begin) && word.size() <= begin.size() + 2) return word != "segundos";
  return word.size() > 4 && word.ends_with("th");
}

size_t opener_length(std::span<const std::string_view> words, Language language) {
  size_t length = 0;
  bool knows = false;  // the opener ends in a verb that governs "se", "whether"
  if (language == Language::portuguese) {
    const size_t asked = longest(
        {{{"voce", "voces", ""},
          {"pode", "poderia", "podem", "poderiam"},
          {"me", "nos", ""},
          {"dizer", "informar", "responder"}},
         {{"voce", "voces", ""}, {"sabe", "sabem", "saberia"}, {"me", ""}, {"dizer", "informar", ""}},
         {{"gostaria", "queria", "quero", "preciso", "desejo", "gostariamos", "queremos"}, {"de", ""}, {"saber"}},
         {{"me", ""}, {"diga", "informe", "responda"}},
         {{"me"}, {"diz", "fala"}},
         {{"diga", "informe", "responda"}, {"me", "nos", ""}}},
        words);
    const size_t shown = longest(
        {{{"voce", "voces", ""}, {"pode", "poderia", "podem"}, {"me", "nos", ""}, {"mostrar", "exibir", "apresentar"}},
         {{"gostaria", "queria", "quero", "preciso", "desejo"}, {"de", ""}, {"ver", "ler", "conhecer"}},
         {{"me", ""}, {"mostre", "mostra", "apresente", "exiba", "traga"}},
         {{"mostre", "mostra", "apresente", "exiba"}, {"me", "nos", ""}},
         {{"por"}, {"favor"}},
         {{"ola", "oi"}},
         {{"bom", "boa"}, {"dia", "tarde", "noite"}}},
        words);
    length = std::max(asked, shown);
    knows = asked == length && asked > 0;
  } else {
    const size_t asked =
        longest({{{"can", "could", "would", "will"}, {"you"}, {"please", "kindly", ""}, {"tell"}, {"me", "us"}},
                 {{"please", "kindly", ""}, {"tell"}, {"me", "us"}},
                 {{"do", "would"}, {"you"}, {"happen", ""}, {"to", ""}, {"know"}},
                 {{"i"}, {"want", "need", "wish"}, {"to"}, {"know", "learn"}},
                 {{"i", "we"}, {"would", "d"}, {"like"}, {"to"}, {"know", "learn"}},
                 {{"let"}, {"me"}, {"know"}}},
                words);
    const size_t shown =
        longest({{{"can", "could", "would", "will"}, {"you"}, {"please", ""}, {"show", "give"}, {"me", "us"}},
                 {{"please", ""}, {"show", "give"}, {"me", "us"}},
                 {{"i", "we"}, {"want", "need"}, {"to"}, {"see", "read"}},
                 {{"i", "we"}, {"would", "d"}, {"like"}, {"to"}, {"see", "read"}},
                 {{"please"}},
                 {{"hello", "hi", "hey"}}},
                words);
    length = std::max(asked, shown);
    knows = asked == length && asked > 0;
  }
  if (knows && length < words.size() && is_one_of(words[length], {"se", "if", "whether"})) ++length;
  return length;
}

size_t closer_length(std::span<const std::string_view> words, Language language) {
  const std::string_view last = words.empty() ? "" : words.back();
  const std::string_view before = words.size() < 2 ? "" : words[words.size() - 2];
  if (language == Language::portuguese)
    return before == "por" && last == "favor" ? 2 : is_one_of(last, {"obrigado", "obrigada"}) ? 1 : 0;
  return before == "thank" && last == "you" ? 2 : is_one_of(last, {"please", "thanks"}) ? 1 : 0;
}

bool is_copula(std::string_view word, Language language) {
  return language == Language::portuguese ? is_one_of(word, {"e", "sao"}) : is_one_of(word, {"is", "are", "s", "re"});
}

bool is_text_frame(std::span<const std::string_view> before, std::span<const std::string_view> behind,
                   Language language) {
  if (before.empty() && behind.empty()) return true;
  if (language == Language::portuguese) {
    const Words says = {"diz",        "dizem",       "dispoe",    "dispoem",    "preve", "preveem",
                        "estabelece", "estabelecem", "determina", "determinam", "reza",  "preceitua",
                        "fala",       "preconiza",   "estipula",  "estatui"};
    const Words texts = {"conteudo", "texto", "teor", "redacao", "integra", "letra"};
    const Words written = {"escrito", "disposto", "previsto", "estabelecido", "dito", "determinado"};
    if (behind.empty())
      return matches({{"que"}, says}, before) || matches({{"qual"}, {"e"}}, before) ||
             matches({{"que", "qual", ""}, {"e", ""}, texts, {"de"}}, before) ||
             matches({{"que"}, {"esta", "vem", "foi", "fica"}, written, {"em", "por"}}, before) ||
             matches({{"que"}, {"e"}, written, {"em", "por"}}, before) ||
             matches({{"que"}, {"consta", "ha", "tem"}, {"em", "de"}}, before);
    return before.empty() &&
           (matches({says, {"que"}}, behind) || matches({{"que"}, {"e", ""}, {"que", ""}, says}, behind));
  }
  const Words say = {"say", "state", "provide", "establish", "read", "stipulate", "contain", "prescribe"};
  const Words says = {"says", "states", "provides", "establishes", "reads", "stipulates", "contains", "prescribes"};
  const Words texts = {"text", "content", "contents", "wording"};
  const Words written = {"written", "stated", "said", "provided", "established", "laid"};
  if (behind.empty())
    return matches({{"what"}, {"is"}}, before) || matches({{"what"}, says}, before) ||
           matches({{"what", ""}, {"is", "are", ""}, texts, {"of"}}, before) ||
           matches({{"what"}, {"is"}, written, {"down", ""}, {"in", "by"}}, before);
  return (matches({{"what"}, {"does", "do"}}, before) && matches({say}, behind)) ||
         (matches({{"what"}}, before) && matches({says}, behind)) ||
         (before.empty() && matches({says, {"what"}}, behind));
}

bool changes_in_plural(std::string_view word) {
  return is_one_of(
      word, {"new",        "news",        "good",      "goods",      "custom", "customs", "arm",        "arms",
             "damage",     "damages",     "mean",      "means",      "saving", "savings", "cost",       "costs",
             "minute",     "minutes",     "term",      "terms",      "work",   "works",   "security",   "securities",
             "proceeding", "proceedings", "contents",  "content",    "remain", "remains", "premise",    "premises",
             "bem",        "bens",        "custa",     "custas",     "costa",  "costas",  "pai",        "pais",
             "alimento",   "alimentos",   "letra",     "letras",     "ar",     "ares",    "vencimento", "vencimentos",
             "costume",    "costumes",    "feria",     "ferias",     "conta",  "contas",  "principio",  "principios",
             "meio",       "meios",       "honorario", "honorarios", "ele",    "eles",    "ela",        "elas",
             "seu",        "seus",        "sua",       "suas",       "it",     "its",     "a",          "as",
             "i",          "is",          "wa",        "was",        "ha",     "has",     "thi",        "this",
             "u",          "us"});
}

bool is_homograph(std::string_view word) {
  return is_one_of(word, {"secretaria", "pais", "sabia", "coco", "bebe", "avo"});
}

}  // namespace frugal
