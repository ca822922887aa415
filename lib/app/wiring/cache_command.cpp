#include "app/wiring/cache_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "app/cli/output.h"
#include "app/wiring/known_laws.h"
#include "app/wiring/open_caches.h"
#include "base/error.h"
#include "base/units.h"
#include "rag/answer/answer_cache.h"
#include "rag/cache/result_store.h"
#include "rag/guard/guard.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

std::string date_of(int64_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(static_cast<std::time_t>(seconds)));
}

ordered_json or_null(int64_t seconds) {
  return seconds > 0 ? ordered_json(seconds) : ordered_json(nullptr);
}

std::string as_json(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// A question goes on without the cache; a command on the cache itself does not.
void require_reached(const ResultStore& store) {
  if (const std::string why = store.away(); !why.empty())
    throw Error(Code::remote, fmt::format("{} is away: {}", store.place(), plain_text(why)))
        .hint("start the server, or correct cache.url, cache.password_file or cache.timeout_ms");
}

int print_stats(ResultStore& store, const CacheOptions& options, bool json) {
  const ResultStats stats = store.stats();
  require_reached(store);
  if (json)
    cli::print(as_json({{"schema_version", 1},
                        {"path", store.place()},
                        {"answers", stats.results},
                        {"hits", stats.hits},
                        {"semantic_hits", stats.matches},
                        {"file_bytes", stats.bytes},
                        {"max_bytes", options.max_bytes},
                        {"max_age_days", options.max_age_days},
                        {"oldest_unix_s", or_null(stats.oldest_s)}}));
  else
    cli::print(
        fmt::format("{}\n{} answers, {} {} (limit {}), {} (limit {} days)\n{} hits of the answers "
                    "that are kept; {} semantic hits on record\n",
                    plain_text(store.place()), stats.results, format_bytes(stats.bytes),
                    store.is_shared() ? "of the server" : "on disk", format_bytes(options.max_bytes),
                    stats.oldest_s > 0 ? "oldest of " + date_of(stats.oldest_s) : "none yet", options.max_age_days,
                    stats.hits, stats.matches));
  return 0;
}

int clear(ResultStore& store, bool json) {
  const int64_t before = store.stats().results;
  require_reached(store);
  if (before > 0 || store.is_shared() || store.stats().matches > 0) store.clear();
  if (store.stats().results > 0) throw Error(Code::io, fmt::format("'{}' was not cleared", store.place()));
  cli::print(json ? as_json({{"schema_version", 1}, {"deleted", before}})
                  : fmt::format("{} answers deleted\n", before));
  return 0;
}

// Judges each recorded semantic hit by the guard of this version and the laws of the configuration.
int audit(ResultStore& store, const LawTable& laws, bool json) {
  ordered_json answers = ordered_json::array(), matches = ordered_json::array();
  std::string text;
  const int64_t damaged = store.for_each([&](const StoredResult& result) {
    answers.push_back({{"question", result.question}, {"created_unix_s", result.created_s}, {"hits", result.hits}});
    text += fmt::format("{}  {:3} hits  {}\n", date_of(result.created_s), result.hits, plain_text(result.question));
  });
  require_reached(store);
  int64_t refused = 0;
  for (const StoredMatch& match : store.matches()) {
    const GuardVerdict verdict = compare_questions(match.asked, match.question, laws);
    refused += !verdict.same;
    matches.push_back(
        {{"asked", match.asked}, {"answer_of", match.question}, {"holds", verdict.same}, {"reason", verdict.reason}});
    text += fmt::format("{}  {}\n    answered as: {}\n    {}: {}\n", date_of(match.at_s), plain_text(match.asked),
                        plain_text(match.question), verdict.same ? "holds" : "REFUSED NOW", plain_text(verdict.reason));
  }
  text += fmt::format("{} answers, {} damaged and deleted; {} semantic hits, {} refused now\n", answers.size(), damaged,
                      matches.size(), refused);
  cli::print(json ? as_json({{"schema_version", 1},
                             {"answers", answers},
                             {"damaged", damaged},
                             {"semantic_hits", matches},
                             {"refused", refused}})
                  : text);
  if (refused > 0)
    throw Error(Code::verify_failed, fmt::format("{} semantic hits are refused by the guard now", refused))
        .hint("rag-query cache clear forgets them");
  return 0;
}

}  // namespace

CacheCommand::CacheCommand(cli::Tool& tool) {
  CLI::App* cache = tool.app().add_subcommand("cache", "show, empty or check the cache of answers");
  cache->require_subcommand(1);
  const auto add = [&](const char* name, const char* description) {
    cache->add_subcommand(name, description)->callback([this, name] { asked_ = name; });
  };
  add("stats", "how many answers it has, and how much space they take");
  add("clear", "delete all answers");
  add("audit", "list the answers and semantic hits, and let the guard judge the hits again");
}

std::optional<int> CacheCommand::run(const cli::Tool& tool, const Settings& settings) const {
  if (asked_.empty()) return std::nullopt;
  const Caches caches = open_caches(settings.cache, true);
  if (!caches.answers) throw Error(Code::missing, "there is no cache folder").hint("set HOME or XDG_CACHE_HOME");
  ResultStore& store = *caches.answers;
  const bool json = tool.format().starts_with("json");
  if (asked_ == "stats") return print_stats(store, settings.cache, json);
  if (asked_ == "clear") return clear(store, json);
  return audit(store, known_laws(settings), json);
}

}  // namespace frugal
