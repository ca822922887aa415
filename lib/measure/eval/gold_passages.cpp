#include "measure/eval/gold_passages.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "rag/law/articles.h"

namespace frugal {
namespace {

// "LAW/art-N" in the order in which texts cite it: "art-N LAW". Ids join words by hyphens.
std::string as_cited(std::string_view id) {
  const size_t slash = id.rfind('/');
  if (slash == std::string_view::npos) return "";
  std::string law(id.substr(0, slash)), article(id.substr(slash + 1));
  std::replace(law.begin(), law.end(), '-', ' ');
  // Only the first: "art-121-A" is article 121-A.
  if (const size_t hyphen = article.find('-'); hyphen != std::string::npos) article[hyphen] = ' ';
  return article + " " + law;
}

bool ends_with_path(std::string_view path, std::string_view end) {
  return path == end || (path.ends_with(end) && path[path.size() - end.size() - 1] == '/');
}

}  // namespace

std::optional<Provision> gold_provision(std::string_view name, const LawTable& laws) {
  for (const std::string& text : {std::string(name), as_cited(name)})
    for (const FoundProvision& found : find_provisions(text, laws))
      if (!found.reference.article.empty() && !found.reference.law.empty()) return found.reference;
  return std::nullopt;
}

bool GoldPassages::is_gold(const EvalQuery& query, int64_t chunk) {
  fetch_unknown(std::array{Candidate{.id = chunk}});
  const Passage* found = passage(chunk);
  return found && std::any_of(query.gold.begin(), query.gold.end(),
                              [&](const std::string& name) { return is_named(*found, name); });
}

std::optional<int64_t> GoldPassages::rank(const EvalQuery& query, std::span<const Candidate> ranking) {
  fetch_unknown(ranking);
  std::unordered_set<std::string_view> places;
  for (const Candidate& candidate : ranking) {
    const Passage* found = passage(candidate.id);
    if (!found) continue;
    places.insert(found->place);
    if (is_gold(query, candidate.id)) return static_cast<int64_t>(places.size());
  }
  return std::nullopt;
}

const GoldPassages::Passage* GoldPassages::passage(int64_t chunk) {
  const auto found = passages_.find(chunk);
  return found == passages_.end() ? nullptr : &found->second;
}

void GoldPassages::fetch_unknown(std::span<const Candidate> chunks) {
  std::vector<int64_t> unknown;
  for (const Candidate& chunk : chunks)
    if (!passages_.contains(chunk.id)) unknown.push_back(chunk.id);
  if (unknown.empty()) return;
  for (Chunk& chunk : store_.fetch(unknown)) {
    std::string place = chunk.document;
    std::vector<std::string> articles;
    for (const Provision& held : chunk.references) articles.push_back("\n" + held.law + " " + held.article);
    articles.erase(std::unique(articles.begin(), articles.end()), articles.end());
    for (const std::string& article : articles) place += article;
    passages_[chunk.id] = {std::move(chunk.external_id), std::move(chunk.document), std::move(chunk.path),
                           std::move(chunk.references), std::move(place)};
  }
}

bool GoldPassages::is_named(const Passage& passage, const std::string& name) {
  if (passage.external_id == name || ends_with_path(passage.document, name) || ends_with_path(passage.path, name))
    return true;
  auto parsed = provisions_.find(name);
  if (parsed == provisions_.end()) parsed = provisions_.emplace(name, gold_provision(name, store_.laws())).first;
  return parsed->second && contains_article(passage.provisions, *parsed->second);
}

}  // namespace frugal
