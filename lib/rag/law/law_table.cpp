// LawTable: two sorted arrays of keys, for names and for numbers; each key holds the index of its law.
//
// match() appends the words of the text one by one as long as some key begins with them, and keeps the last complete
// name: the longest match. Articles and prepositions are dropped from keys and texts alike, but they count in the
// length of a match. find_number() looks up a number with its year, or one without a year if it belongs to one law.
//
// A law that is added later takes over the keys of earlier ones, so a user's file can override the built-in table.
// serialise() writes the keys in order, and parse() thus inserts each at the end.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "rag/law/law_number.h"
#include "rag/law/provision.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// Words that people omit from the names of laws: "Código Defesa Consumidor".
constexpr std::array<std::string_view, 15> kNameConnectors = {"a",   "as", "o",  "os", "da", "das", "de", "do",
                                                              "dos", "e",  "em", "na", "no", "the", "of"};

bool is_connector(std::string_view word) {
  return std::find(kNameConnectors.begin(), kNameConnectors.end(), word) != kNameConnectors.end();
}

std::string key_of(std::string_view name) {
  std::string key;
  for (const Word& word : split_words(name)) {
    if (is_connector(word.folded)) continue;
    if (!key.empty()) key += ' ';
    key += word.folded;
  }
  return key;
}

/// Tabs separate the fields of a serialised line, so names must not contain control characters.
std::string without_controls(std::string_view text) {
  std::string clean(text);
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return clean;
}

std::string_view take_field(std::string_view& line) {
  const size_t tab = line.find('\t');
  const std::string_view field = line.substr(0, tab);
  line = tab == std::string_view::npos ? std::string_view() : line.substr(tab + 1);
  return field;
}

}  // namespace

void LawTable::insert(std::vector<Key>& keys, std::string words, size_t law) {
  const auto at = std::lower_bound(keys.begin(), keys.end(), words,
                                   [](const Key& key, const std::string& value) { return key.words < value; });
  if (at != keys.end() && at->words == words)
    at->law = law;
  else
    keys.insert(at, Key{std::move(words), law});
}

const LawTable::Key* LawTable::lookup(const std::vector<Key>& keys, std::string_view words) {
  const auto at = std::lower_bound(keys.begin(), keys.end(), words,
                                   [](const Key& key, std::string_view value) { return key.words < value; });
  return at == keys.end() ? nullptr : &*at;
}

void LawTable::add(const Law& law) {
  if (law.id.empty()) throw Error(Code::bad_input, fmt::format("law '{}' has no id", law.title));
  const size_t index = laws_.size();
  laws_.push_back({without_controls(law.id), without_controls(law.title)});
  const auto add_name = [&](std::string_view name) {
    std::string key = key_of(name);
    if (!key.empty()) insert(names_, std::move(key), index);
  };
  add_name(law.title);
  for (const std::string& name : law.names) add_name(name);
  for (const std::string& number : law.numbers) {
    const std::optional<std::string> normal = normal_law_number(number);
    if (!normal)
      throw Error(Code::bad_input, fmt::format("law '{}': number '{}' cannot be parsed", law.id, number))
          .hint("write \"Lei 8.078/1990\" or \"Decreto-Lei 2.848/1940\", or move the text to the names of the law");
    insert(numbers_, *normal, index);
  }
}

std::optional<LawTable::Match> LawTable::match(const std::vector<std::string>& folded_words, size_t offset) const {
  if (offset >= folded_words.size() || is_connector(folded_words[offset])) return std::nullopt;
  std::optional<Match> longest;
  std::string words;
  for (size_t at = offset; at < folded_words.size(); ++at) {
    if (is_connector(folded_words[at])) continue;
    if (!words.empty()) words += ' ';
    words += folded_words[at];
    const Key* key = lookup(names_, words);
    if (!key || !key->words.starts_with(words)) break;
    if (key->words.size() == words.size()) longest = Match{laws_[key->law].id, at - offset + 1};
  }
  return longest;
}

std::optional<std::string> LawTable::find_number(std::string_view normal) const {
  const Key* key = lookup(numbers_, normal);
  if (key && key->words == normal) return laws_[key->law].id;
  const bool has_year = std::count(normal.begin(), normal.end(), '/') >= 2;
  const std::string prefix = std::string(normal) + "/";
  if (has_year || !(key = lookup(numbers_, prefix)) || !key->words.starts_with(prefix)) return std::nullopt;
  const Key* next = key + 1;
  const bool ambiguous =
      next != numbers_.data() + numbers_.size() && next->words.starts_with(prefix) && next->law != key->law;
  return ambiguous ? std::nullopt : std::optional(laws_[key->law].id);
}

std::optional<std::string> LawTable::title(std::string_view id) const {
  // Later laws take precedence, as in add().
  const auto found = std::find_if(laws_.rbegin(), laws_.rend(), [&](const Entry& law) { return law.id == id; });
  return found == laws_.rend() ? std::nullopt : std::optional(found->title);
}

std::string LawTable::serialise() const {
  std::string text;
  for (const Entry& law : laws_) text += fmt::format("law\t{}\t{}\n", law.id, law.title);
  for (const Key& key : names_) text += fmt::format("name\t{}\t{}\n", key.law, key.words);
  for (const Key& key : numbers_) text += fmt::format("number\t{}\t{}\n", key.law, key.words);
  return text;
}

LawTable LawTable::parse(std::string_view text) {
  LawTable table;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view kind = take_field(line);
    const std::string_view first = take_field(line);
    const std::string_view second = take_field(line);
    if (kind == "law") {
      table.laws_.push_back({std::string(first), std::string(second)});
      continue;
    }
    size_t law = 0;
    for (const char c : first) law = std::min<size_t>(law * 10 + static_cast<size_t>(c - '0'), table.laws_.size());
    std::vector<Key>& keys = kind == "name" ? table.names_ : table.numbers_;
    const bool known = (kind == "name" || kind == "number") && law < table.laws_.size() && !second.empty();
    if (known) table.insert(keys, std::string(second), law);  // at the end: the lines are sorted
  }
  return table;
}

std::optional<std::string> normal_law_number(std::string_view text) {
  const std::vector<Word> words = split_words(text);
  const std::optional<LawNumber> number = read_law_number(text, words, 0);
  return number && number->words == words.size() ? std::optional(number->normal) : std::nullopt;
}

}  // namespace frugal
