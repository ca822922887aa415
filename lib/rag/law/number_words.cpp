// A spelled number is a sum of parts of falling size: hundreds, tens, a unit; "mil" and "thousand" multiply what stands
// before them, "hundred" a unit. `limit` is the value that the next part must stay below, so a list of numbers ends
// the first where its second begins.
#include "rag/law/number_words.h"

#include <array>
#include <string_view>

namespace frugal {
namespace {

enum class NumeralKind { cardinal, ordinal };

struct Part {
  std::string_view word;  // folded
  int value;
  NumeralKind kind = NumeralKind::cardinal;
};

constexpr NumeralKind kOrdinal = NumeralKind::ordinal;
constexpr Part kParts[] = {
    {"um", 1},
    {"dois", 2},
    {"tres", 3},
    {"quatro", 4},
    {"cinco", 5},
    {"seis", 6},
    {"sete", 7},
    {"oito", 8},
    {"nove", 9},
    {"dez", 10},
    {"onze", 11},
    {"doze", 12},
    {"treze", 13},
    {"catorze", 14},
    {"quatorze", 14},
    {"quinze", 15},
    {"dezesseis", 16},
    {"dezasseis", 16},
    {"dezessete", 17},
    {"dezassete", 17},
    {"dezoito", 18},
    {"dezenove", 19},
    {"dezanove", 19},
    {"vinte", 20},
    {"trinta", 30},
    {"quarenta", 40},
    {"cinquenta", 50},
    {"sessenta", 60},
    {"setenta", 70},
    {"oitenta", 80},
    {"noventa", 90},
    {"cem", 100},
    {"cento", 100},
    {"duzentos", 200},
    {"trezentos", 300},
    {"quatrocentos", 400},
    {"quinhentos", 500},
    {"seiscentos", 600},
    {"setecentos", 700},
    {"oitocentos", 800},
    {"novecentos", 900},
    {"primeiro", 1, kOrdinal},
    {"segundo", 2, kOrdinal},
    {"terceiro", 3, kOrdinal},
    {"quarto", 4, kOrdinal},
    {"quinto", 5, kOrdinal},
    {"sexto", 6, kOrdinal},
    {"setimo", 7, kOrdinal},
    {"oitavo", 8, kOrdinal},
    {"nono", 9, kOrdinal},
    {"decimo", 10, kOrdinal},
    {"vigesimo", 20, kOrdinal},
    {"trigesimo", 30, kOrdinal},
    {"quadragesimo", 40, kOrdinal},
    {"quinquagesimo", 50, kOrdinal},
    {"sexagesimo", 60, kOrdinal},
    {"septuagesimo", 70, kOrdinal},
    {"octogesimo", 80, kOrdinal},
    {"nonagesimo", 90, kOrdinal},
    {"centesimo", 100, kOrdinal},
    {"one", 1},
    {"two", 2},
    {"three", 3},
    {"four", 4},
    {"five", 5},
    {"six", 6},
    {"seven", 7},
    {"eight", 8},
    {"nine", 9},
    {"ten", 10},
    {"eleven", 11},
    {"twelve", 12},
    {"thirteen", 13},
    {"fourteen", 14},
    {"fifteen", 15},
    {"sixteen", 16},
    {"seventeen", 17},
    {"eighteen", 18},
    {"nineteen", 19},
    {"twenty", 20},
    {"thirty", 30},
    {"forty", 40},
    {"fifty", 50},
    {"sixty", 60},
    {"seventy", 70},
    {"eighty", 80},
    {"ninety", 90},
};
constexpr int kThousand = 1000;

const Part* find_part(std::string_view word) {
  for (const Part& part : kParts)
    if (part.word == word) return &part;
  return nullptr;
}

// What a part that follows must stay below: a unit after "vinte" (20) or "décimo" (10), tens after "cento", nothing
// after "dezoito" or "dez".
int limit_after(const Part& part) {
  if (part.value >= 100) return part.word == "cem" ? 1 : 100;
  if (part.value >= 20 || (part.value == 10 && part.kind == NumeralKind::ordinal)) return 10;
  return 1;
}

class SpelledReader {
 public:
  SpelledReader(std::span<const std::string> words, size_t begin) : words_(words), begin_(begin), at_(begin) {}

  std::optional<SpelledNumber> read() {
    while (read_part()) {
    }
    const int value = thousands_ + group_;
    return at_ > begin_ ? std::optional(SpelledNumber{value, at_ - begin_}) : std::nullopt;
  }

 private:
  bool read_part() {
    size_t next = at_;
    if (at_ > begin_ && next < words_.size() && (words_[next] == "e" || words_[next] == "and")) ++next;
    if (next >= words_.size()) return false;
    const bool joined = next > at_;
    if (!joined && multiply(words_[next])) return true;
    const Part* part = find_part(words_[next]);
    if (!part || part->value >= limit_ || (at_ > begin_ && part->kind != kind_)) return false;
    kind_ = part->kind;
    group_ += part->value;
    limit_ = limit_after(*part);
    at_ = next + 1;
    return true;
  }

  bool multiply(std::string_view word) {
    if (word == "hundred" && group_ >= 1 && group_ <= 9) {
      group_ *= 100;
      limit_ = 100;
    } else if ((word == "mil" || (word == "thousand" && group_ > 0)) && thousands_ == 0) {
      thousands_ = kThousand * (group_ == 0 ? 1 : group_);
      group_ = 0;
      limit_ = kThousand;
    } else {
      return false;
    }
    ++at_;
    return true;
  }

  std::span<const std::string> words_;
  size_t begin_, at_;
  NumeralKind kind_ = NumeralKind::cardinal;
  int thousands_ = 0, group_ = 0;
  int limit_ = kThousand;
};

}  // namespace

std::optional<SpelledNumber> read_spelled_number(std::span<const std::string> words, size_t at) {
  return SpelledReader(words, at).read();
}

}  // namespace frugal
