#include "rag/law/articles.h"

#include <algorithm>

namespace frugal {
namespace {

bool same_law(const Provision& asked, const Provision& other) {
  return asked.law.empty() || asked.law == other.law;
}

/// True if one of `provisions` is an article of the law that is asked about, or of an unknown law.
bool contains_article_of_law(std::span<const Provision> provisions, const Provision& asked) {
  return std::any_of(provisions.begin(), provisions.end(), [&](const Provision& other) {
    return !other.article.empty() && (other.law.empty() || same_law(asked, other));
  });
}

}  // namespace

std::vector<Provision> named_articles(std::span<const FoundProvision> found) {
  std::vector<Provision> named;
  for (const FoundProvision& one : found)
    if (!one.reference.article.empty() && std::find(named.begin(), named.end(), one.reference) == named.end())
      named.push_back(one.reference);
  return named;
}

std::vector<std::string> named_laws(std::span<const FoundProvision> found) {
  std::vector<std::string> laws;
  for (const FoundProvision& one : found)
    if (one.reference.article.empty() && !one.reference.law.empty() &&
        std::find(laws.begin(), laws.end(), one.reference.law) == laws.end())
      laws.push_back(one.reference.law);
  return laws;
}

bool is_same_article(const Provision& asked, const Provision& other) {
  return !asked.article.empty() && asked.article == other.article && same_law(asked, other);
}

bool contains_article(std::span<const Provision> provisions, const Provision& asked) {
  return std::any_of(provisions.begin(), provisions.end(),
                     [&](const Provision& other) { return is_same_article(asked, other); });
}

bool contains_other_article(std::span<const Provision> provisions, std::span<const Provision> asked) {
  return std::any_of(asked.begin(), asked.end(), [&](const Provision& one) {
    return !contains_article(provisions, one) && contains_article_of_law(provisions, one);
  });
}

bool mentions_article(std::string_view text, std::span<const Provision> asked, const LawTable& laws) {
  const std::vector<FoundProvision> mentions = find_provisions(text, laws);
  return std::any_of(mentions.begin(), mentions.end(), [&](const FoundProvision& mention) {
    return std::any_of(asked.begin(), asked.end(),
                       [&](const Provision& one) { return is_same_article(one, mention.reference); });
  });
}

}  // namespace frugal
