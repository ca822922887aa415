#include "app/wiring/served_question.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>

#include "app/cli/output.h"
#include "app/config/paths.h"
#include "app/config/setting_list.h"
#include "app/wiring/service_client.h"
#include "app/wiring/service_identity.h"
#include "base/error.h"
#include "base/log.h"

namespace frugal::cli {
namespace {

// Longer than any answer takes; a question with a deadline has less.
constexpr std::chrono::milliseconds kPatience{600'000};

/// Where the server is to be looked for; empty: nowhere.
std::string place_of(const ServeSettings& serve) {
  constexpr std::string_view kUnix = "unix:";
  if (serve.client == "never") return {};
  if (serve.client.starts_with(kUnix)) return expand_home(serve.client.substr(kUnix.size())).native();
  if (serve.client.starts_with("http://")) return serve.client;
  if (serve.client != "auto")
    throw Error(Code::usage,
                fmt::format("--server: '{}' is neither auto, never, unix:PATH nor http://ADDRESS:PORT", serve.client));
  if (serve.socket == "none") return {};
  return serve.socket.empty() ? default_service_socket().native() : expand_home(serve.socket).native();
}

std::string body_of(const Settings& settings, const ServedQuestion& question) {
  nlohmann::ordered_json body{{"query", question.text},      {"path", question.paths},
                              {"where", question.where},     {"format", question.format},
                              {"explain", question.explain}, {"settings", nlohmann::ordered_json::object()}};
  PipelineOptions options = settings.pipeline;
  const SettingList list(options);
  for (const SettingField& field : list.fields()) body["settings"][field.key()] = field.text();
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool is_as_asked(const ServiceAnswer& answer, AnswerMode asked) {
  if (asked == AnswerMode::none) return answer.hits > 0;
  const bool has_text = answer.answered != "none" && answer.answered != "abstained";
  return has_text && (asked == AnswerMode::automatic || answer.answered == to_string(asked));
}

}  // namespace

void warn_of_deadline(const PipelineOptions& asked) {
  print_message(fmt::format("no answer within the deadline of {} ms (--deadline-ms)", asked.deadline_ms));
}

std::optional<int> ask_server(const Tool& tool, const Settings& settings, const ServedQuestion& question) {
  const std::string place = place_of(settings.serve);
  std::error_code ignored;
  const bool is_named = settings.serve.client != "auto";
  if (place.empty() || (!is_named && !std::filesystem::exists(place, ignored))) return std::nullopt;
  const auto answer =
      ask_service(place, "/query", service_identity(tool, settings), body_of(settings, question), kPatience);
  if (!answer || answer->status != 200) {
    const auto level = is_named ? LogLevel::warn : LogLevel::info;
    log(level, "the server at {} {}: this process answers", place,
        !answer                 ? "does not answer"
        : answer->status == 409 ? "has another version, index or settings"
                                : fmt::format("answers with status {}", answer->status));
    return std::nullopt;
  }
  print(answer->body);
  flush_output();
  if (settings.pipeline.answer != AnswerMode::none && answer->answered == "none") warn_of_deadline(settings.pipeline);
  return is_as_asked(*answer, settings.pipeline.answer) ? 0 : exit_code(Code::negative);
}

}  // namespace frugal::cli
