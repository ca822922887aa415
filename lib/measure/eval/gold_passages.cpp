#include "measure/eval/gold_passages.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "rag/law/articles.h"

namespace frugal {
namespace {

/// The two parts of an id of the form "WHERE/art-N", the second as texts cite it: "art N".
struct ArticleId {
  std::string where, article;
};

std::optional<ArticleId> read_article_id(std::string_view id) {
  const size_t slash = id.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  ArticleId read{std::string(id.substr(0, slash)), std::string(id.substr(slash + 1))};
  // Only the first: "art-121-A" is article 121-A.
  if (const size_t hyphen = read.article.find('-'); hyphen != std::string::npos) read.article[hyphen] = ' ';
  return read;
}

std::optional<Provision> first_article(std::string_view text, const LawTable& laws, bool with_law) {
  for (const FoundProvision& found : find_provisions(text, laws))
    if (!found.reference.article.empty() && found.reference.law.empty() != with_law) return found.reference;
  return std::nullopt;
}

std::string_view without_extension(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos || path.find('/', dot) != std::string_view::npos ? path : path.substr(0, dot);
}

bool ends_with_path(std::string_view path, std::string_view end) {
  return path == end || (path.ends_with(end) && path[path.size() - end.size() - 1] == '/');
}

}  // namespace

std::optional<Provision> gold_provision(std::string_view name, const LawTable& laws) {
  if (auto cited = first_article(name, laws, true)) return cited;
  std::optional<ArticleId> id = read_article_id(name);
  if (!id) return std::nullopt;
  std::replace(id->where.begin(), id->where.end(), '-', ' ');  // ids join words by hyphens
  return first_article(id->article + " " + id->where, laws, true);
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

const GoldPassages::Meaning& GoldPassages::meaning(const std::string& name) {
  const auto known = meanings_.find(name);
  if (known != meanings_.end()) return known->second;
  Meaning meaning{gold_provision(name, store_.laws()), {}, {}};
  if (const auto id = read_article_id(name)) {
    meaning.file = id->where;
    meaning.of_file = first_article(id->article, store_.laws(), false);
  }
  return meanings_.emplace(name, std::move(meaning)).first->second;
}

bool GoldPassages::is_named(const Passage& passage, const std::string& name) {
  if (passage.external_id == name || ends_with_path(passage.document, name) || ends_with_path(passage.path, name))
    return true;
  const Meaning& means = meaning(name);
  if (means.of_law && contains_article(passage.provisions, *means.of_law)) return true;
  return means.of_file && ends_with_path(without_extension(passage.path), means.file) &&
         contains_article(passage.provisions, *means.of_file);
}

}  // namespace frugal
