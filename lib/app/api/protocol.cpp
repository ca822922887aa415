#include "app/api/protocol.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <optional>

#include "app/api/json_body.h"
#include "base/error.h"
#include "rag/reply/render.h"

namespace frugal::api {
namespace {

std::string_view without(std::string_view name, std::string_view suffix) {
  if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

const EngineModel* find_role(const EngineStatus& status, std::string_view role) {
  for (const EngineModel& model : status.models)
    if (model.role == role) return &model;
  return nullptr;
}

std::string text_of_part(const nlohmann::json& part) {
  const std::string type = part.is_object() ? string_field(part, "type").value_or("text") : "";
  if (type != "text")
    throw Error(Code::bad_input, "'content': a part is no text").hint("images are answered by rag-query --image");
  return required_string(part, "text");
}

std::string content_of(const nlohmann::json& message) {
  const nlohmann::json* content = find_field(message, "content");
  if (!content) return {};
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) throw Error(Code::bad_input, "'content' is neither a string nor a list of parts");
  std::string text;
  for (const nlohmann::json& part : *content) text += text_of_part(part);
  return text;
}

}  // namespace

std::string public_name(const EngineModel& model) {
  return std::string(without(std::filesystem::path(model.name).filename().native(), ".pack"));
}

bool is_unknown_model(const EngineStatus& status, std::string_view role, std::string_view asked) {
  const std::string_view name = without(without(asked, ":latest"), ".pack");
  if (name.empty() || name == "default") return false;
  const EngineModel* model = find_role(status, role);
  return !model || public_name(*model) != name;
}

std::string resolve_model(const EngineStatus& status, std::string_view role, std::string_view asked) {
  const EngineModel* model = find_role(status, role);
  if (!model) throw Error(Code::missing, fmt::format("the server has no {}", role));
  if (is_unknown_model(status, role, asked))
    throw Error(Code::bad_input, fmt::format("the model '{}' is not served", asked))
        .hint(fmt::format("the {} is '{}'", role, public_name(*model)));
  return public_name(*model);
}

std::optional<HttpReply> unknown_model_reply(ErrorStyle style, const EngineStatus& status, std::string_view role,
                                             std::string_view asked) {
  if (!is_unknown_model(status, role, asked)) return std::nullopt;
  try {
    resolve_model(status, role, asked);
  } catch (const Error& error) {
    return error_reply(style, 404, error.message(), error.hint());
  }
  return std::nullopt;
}

std::vector<ChatMessage> messages_field(const nlohmann::json& body) {
  const nlohmann::json* list = find_field(body, "messages");
  if (!list || !list->is_array() || list->empty()) throw Error(Code::bad_input, "'messages' is not a list of messages");
  std::vector<ChatMessage> messages;
  messages.reserve(list->size());
  for (const nlohmann::json& each : *list) {
    if (!each.is_object()) throw Error(Code::bad_input, "'messages': an entry is no object");
    std::string role = required_string(each, "role");
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant")
      throw Error(Code::bad_input, fmt::format("'role': '{}' is neither system, user nor assistant", role));
    messages.push_back({std::move(role), content_of(each)});
  }
  return messages;
}

std::string last_question(const std::vector<ChatMessage>& messages) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message)
    if (message->role == "user") return message->content;
  throw Error(Code::bad_input, "'messages' has none of the user");
}

std::string text_of(const Reply& reply, bool streamed) {
  std::string text = (streamed ? "\n" : "") + render_reply(reply, {ReplyFormat::text, false, streamed});
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

void read_sampling(const nlohmann::json& from, GenerateOptions& options) {
  const auto within = [&](const char* name, double min, double max) -> std::optional<float> {
    const std::optional<double> value = number_field(from, name);
    if (value && !(*value >= min && *value <= max))
      throw Error(Code::bad_input, fmt::format("'{}' is not a number from {} to {}", name, min, max));
    return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
  };
  options.temperature = within("temperature", 0, 100).value_or(options.temperature);
  options.top_p = within("top_p", 0, 1).value_or(options.top_p);
  options.min_p = within("min_p", 0, 1).value_or(options.min_p);
  options.top_k = integer_field(from, "top_k", 0, 1 << 20).value_or(options.top_k);
  if (const auto seed = integer_field(from, "seed", -(int64_t(1) << 53), int64_t(1) << 53))
    options.seed = static_cast<uint64_t>(*seed);
  if (find_field(from, "stop")) options.stop = required_strings(from, "stop", 16);
}

void refuse_field(const nlohmann::json& body, const char* name) {
  const nlohmann::json* field = find_field(body, name);
  if (!field || (field->is_boolean() && !field->get<bool>())) return;
  if ((field->is_array() || field->is_object() || field->is_string()) && field->empty()) return;
  throw Error(Code::bad_input, fmt::format("'{}' is not supported", name)).hint("leave it out");
}

void shorten(std::vector<std::vector<float>>& vectors, std::optional<int64_t> dimensions) {
  if (!dimensions) return;
  for (std::vector<float>& vector : vectors) {
    if (static_cast<size_t>(*dimensions) > vector.size())
      throw Error(Code::bad_input, fmt::format("'dimensions' is {}, and the model has {}", *dimensions, vector.size()));
    vector.resize(static_cast<size_t>(*dimensions));
    double squares = 0;
    for (const float value : vector) squares += double(value) * value;
    const double length = std::sqrt(squares);
    if (length > 0)
      for (float& value : vector) value = static_cast<float>(value / length);
  }
}

int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string rfc3339(int64_t seconds) {
  const time_t time = seconds;
  tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace frugal::api
