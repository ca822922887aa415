// A file is extracted once for all of its citations. In each document the quote is looked for at the cited place, then
// anywhere. Quotes that were not found are then looked for in the other files that their answer retrieved, and
// approximately in their own: both read files again, so only if there are such quotes.
#include "rag/reply/cite_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/visible.h"
#include "rag/extract/extract.h"
#include "rag/reply/cite.h"
#include "rag/reply/near_match.h"
#include "rag/reply/reply_json.h"
#include "rag/reply/source_file.h"

namespace frugal {
namespace {

using Verdict = CitationVerdict;
using Place = SourceMap::Place;

// A hostile answer may name any number of files.
constexpr size_t kMaxOtherFiles = 64;

struct Open {
  CitationCheck* check = nullptr;
  std::set<std::string> other_paths;  // of the files that the same answer retrieved
  bool own_place = false;             // the bytes stand at the cited place of the text, but not of the file
  std::optional<Place> elsewhere;     // in a document of the file
  std::string elsewhere_record;
  int64_t elsewhere_page = 0;
  std::optional<float> near_share;
  std::string near_text;
};

Place place_of(const Document& document, uint64_t begin, uint64_t end, bool in_file) {
  if (in_file && document.source) return document.source->find(begin, end);
  const std::string_view text = document.text;
  const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
  return {begin, end, (in_file || !document.is_record ? 1 : document.line) + lines};
}

bool is_at_cited_bytes(const Citation& citation, std::string_view text) {
  return citation.text_begin <= citation.text_end && citation.text_end <= text.size() &&
         text.substr(citation.text_begin, citation.text_end - citation.text_begin) == citation.quote;
}

bool is_at_cited_place(const Citation& citation, const Document& document) {
  Place place{citation.text_begin, citation.text_end, citation.line};
  if (citation.in_file) place = place_of(document, citation.text_begin, citation.text_end, true);
  return place.begin == citation.start_byte && place.end == citation.end_byte && place.line == citation.line &&
         page_at(document.text, citation.text_begin, document.first_page) == citation.page;
}

void compare(Open& open, const Document& document, const std::string& hash) {
  CitationCheck& check = *open.check;
  const Citation& citation = check.citation;
  if (check.verdict == Verdict::exact && !check.document_changed) return;
  const bool same = hash == citation.sha256;
  if (same) check.document_changed = false;
  // Of a changed file of records, only the cited one.
  const bool is_own = same || citation.record == document.external_id;
  if (is_own && is_at_cited_bytes(citation, document.text)) {
    if (is_at_cited_place(citation, document)) {
      check.verdict = Verdict::exact;
      return;
    }
    // An unchanged text that is not the file's bytes stands elsewhere when the bytes around it have changed.
    if (same && document.source) open.own_place = true;
    open.elsewhere = place_of(document, citation.text_begin, citation.text_end, citation.in_file);
    open.elsewhere_record = document.external_id;
    open.elsewhere_page = page_at(document.text, citation.text_begin, document.first_page);
    return;
  }
  if (open.elsewhere && (open.own_place || !is_own)) return;
  const size_t found = document.text.find(citation.quote);
  if (found == std::string::npos) return;
  open.elsewhere = place_of(document, found, found + citation.quote.size(), citation.in_file);
  open.elsewhere_record = document.external_id;
  open.elsewhere_page = page_at(document.text, found, document.first_page);
}

std::string described(const Place& place, int64_t page) {
  const std::string where = fmt::format("bytes {} to {}, line {}", place.begin, place.end, place.line);
  return page > 0 ? fmt::format("{}, page {}", where, page) : where;
}

/// What the reading of its own file says; nothing yet about a quote that is not in it.
void conclude(Open& open) {
  CitationCheck& check = *open.check;
  if (check.verdict == Verdict::exact) {
    check.problem = {};
    check.holds = true;
    return;
  }
  if (!open.elsewhere) return;
  check.now = open.elsewhere;
  check.now_path = check.citation.path;
  const std::string where = described(*open.elsewhere, open.elsewhere_page);
  const bool other_record = !check.citation.record.empty() && open.elsewhere_record != check.citation.record;
  if (other_record && !open.own_place) {
    check.verdict = Verdict::misattributed;
    check.problem = fmt::format("the quote is at {}: record {}", where, open.elsewhere_record);
  } else if (check.document_changed || open.own_place) {
    check.verdict = Verdict::moved;
    check.holds = true;
    check.problem = fmt::format("the quote is now at {}", where);
  } else {
    check.verdict = Verdict::misattributed;
    check.problem = fmt::format("the file has not changed, and the quote is at {}", where);
  }
}

/// Runs `read` over a file. Returns what kept it from being read; empty if nothing did.
std::string why_unreadable(const std::string& path, const std::function<void()>& read) {
  try {
    if (was_standard_input(path)) return "it was read from standard input: there is no file to compare with";
    read();
  } catch (const Error& error) {
    if (error.code() == Code::over_budget) throw;
    return error.message();
  } catch (const std::filesystem::filesystem_error& error) {
    return error.code().message();
  }
  return {};
}

void check_own_file(const std::string& path, std::span<Open* const> opens, Budget& budget) {
  const std::string unreadable = why_unreadable(path, [&] {
    extract_again(path, budget, [&](const Document& document) {
      const std::string hash = sha256_hex(document.text);
      for (Open* open : opens)
        if (!open->check->citation.quote.empty()) compare(*open, document, hash);
    });
  });
  for (Open* open : opens) {
    CitationCheck& check = *open->check;
    check.problem = "the file has changed since: the quote is not in it";
    if (!check.document_changed) check.problem = "the file does not say it";
    if (check.citation.quote.empty()) check.problem = "the quote is empty";
    if (!unreadable.empty()) {
      check = {check.citation, Verdict::missing, false, true, unreadable, {}, {}};
      open->elsewhere.reset();
      continue;
    }
    conclude(*open);
  }
}

/// Looks for what became of quotes that their own file does not have.
void look_for_altered(const std::string& path, std::span<Open* const> opens, Budget& budget) {
  why_unreadable(path, [&] {
    extract_again(path, budget, [&](const Document& document) {
      for (Open* open : opens) {
        CitationCheck& check = *open->check;
        const std::optional<NearMatch> near = find_near(document.text, check.citation.quote);
        if (!near || (open->near_share && near->share <= *open->near_share)) continue;
        open->near_share = near->share;
        open->near_text = collapse_spaces(std::string_view(document.text).substr(near->begin, near->end - near->begin));
        check.now = place_of(document, near->begin, near->end, check.citation.in_file);
        check.now_path = path;
      }
    });
  });
  for (Open* open : opens) {
    if (!open->near_share) continue;
    CitationCheck& check = *open->check;
    check.verdict = Verdict::altered;
    const std::string_view says = first_bytes(open->near_text, 300);
    check.problem =
        fmt::format("line {} says “{}{}”", check.now->line, says, says.size() < open->near_text.size() ? "…" : "");
  }
}

void look_in_other_file(const std::string& path, std::span<Open* const> opens, Budget& budget) {
  why_unreadable(path, [&] {
    extract_again(path, budget, [&](const Document& document) {
      for (Open* open : opens) {
        CitationCheck& check = *open->check;
        if (check.verdict == Verdict::misattributed) continue;
        const size_t found = document.text.find(check.citation.quote);
        if (found == std::string::npos) continue;
        check.verdict = Verdict::misattributed;
        check.now = place_of(document, found, found + check.citation.quote.size(), true);
        check.now_path = path;
        check.problem = fmt::format("the quote is in '{}', at {}", path,
                                    described(*check.now, page_at(document.text, found, document.first_page)));
      }
    });
  });
}

using ByFile = std::map<std::string, std::vector<Open*>>;

/// Those that are not decided: of a changed file, an altered quote is likelier than one of another file.
void look_further(std::vector<Open>& opens, Budget& budget) {
  ByFile own, other;
  for (Open& open : opens) {
    const CitationCheck& check = *open.check;
    if (check.verdict != Verdict::missing || check.citation.quote.empty()) continue;
    own[check.citation.path].push_back(&open);
  }
  const auto altered = [&](bool changed) {
    for (const auto& [path, all] : own) {
      std::vector<Open*> some;
      for (Open* open : all)
        if (open->check->verdict == Verdict::missing && open->check->document_changed == changed) some.push_back(open);
      if (!some.empty()) look_for_altered(path, some, budget);
    }
  };
  altered(true);
  for (const auto& [path, all] : own)
    for (Open* open : all)
      if (open->check->verdict == Verdict::missing)
        for (const std::string& each : open->other_paths)
          if (each != path) other[each].push_back(open);
  for (const auto& [path, all] : other) look_in_other_file(path, all, budget);
  altered(false);
}

// What an answer says beyond its citations; empty if nothing is wrong.
std::string problem_of(const SavedAnswer& answer) {
  if (!answer.text) return {};
  if (answer.citations.empty()) return "it has no citation";
  const bool is_quote = answer.mode == to_string(AnswerMode::extract);
  if (is_quote && *answer.text != text_of_quotes(answer.citations) &&
      *answer.text != collapse_spaces(answer.citations.front().quote))  // as it was written until version 0.1
    return "its text is not the quote that it cites";
  return {};
}

}  // namespace

bool AnswerCheck::holds() const {
  return problems.empty() &&
         std::all_of(citations.begin(), citations.end(), [](const CitationCheck& each) { return each.holds; });
}

AnswerCheck check_citations(std::string_view answer_json, Budget& budget) {
  AnswerCheck result;
  std::vector<Open> opens;
  for (SavedAnswer& answer : answers_from_json(answer_json)) {
    result.answers += answer.text.has_value();
    if (const std::string problem = problem_of(answer); !problem.empty())
      result.problems.push_back(fmt::format("{}: {}", answer.name, problem));
    std::set<std::string> paths;
    for (const std::string& path : answer.paths)
      if (paths.size() < kMaxOtherFiles) paths.insert(path);
    for (Citation& citation : answer.citations) {
      result.citations.push_back({std::move(citation), Verdict::missing, false, true, {}, {}, {}});
      opens.push_back({nullptr, paths, false, {}, {}, 0, {}, {}});
    }
  }
  ByFile by_file;
  for (size_t i = 0; i < opens.size(); ++i) {
    opens[i].check = &result.citations[i];
    by_file[opens[i].check->citation.path].push_back(&opens[i]);
  }
  for (const auto& [path, all] : by_file) check_own_file(path, all, budget);
  look_further(opens, budget);
  return result;
}

void require_holds(const AnswerCheck& check) {
  if (check.holds()) return;
  const auto failed =
      std::count_if(check.citations.begin(), check.citations.end(), [](const auto& each) { return !each.holds; });
  throw Error(Code::verify_failed,
              failed > 0 ? fmt::format("{} of {} citations do not match their files", failed, check.citations.size())
                         : fmt::format("{} answers are not what they cite", check.problems.size()))
      .hint("update the index with rag-index add, and ask again");
}

std::string render_check(const AnswerCheck& check, bool as_json) {
  if (as_json) return check_to_json(check);
  std::string out;
  for (const CitationCheck& each : check.citations) {
    const std::string_view verdict = to_string(each.verdict);
    out += fmt::format("[{}] {} bytes {}-{}: ", each.citation.n, visible_line(each.citation.path),
                       each.citation.start_byte, each.citation.end_byte);
    if (each.verdict != Verdict::exact)
      out += fmt::format("{}: {}\n", verdict, visible_line(each.problem));
    else
      out += each.document_changed ? "ok (the document has changed elsewhere)\n" : "ok\n";
  }
  for (const std::string& problem : check.problems) out += visible_line(problem) + "\n";
  if (check.citations.empty() && check.answers == 0) out += "no answer, no citations: nothing to check\n";
  return out;
}

}  // namespace frugal
