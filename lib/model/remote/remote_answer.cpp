#include "model/remote/remote_answer.h"

#include <fmt/format.h>

#include <cmath>

#include "base/utf8.h"

namespace frugal {

RemoteAnswer::RemoteAnswer(HttpService& service, std::string_view json) : service_(service) {
  constexpr size_t kMaxDepth = 64;
  simdjson::error_code error = parser_.allocate(json.size() + 1, kMaxDepth);
  if (!error) error = parser_.parse(json.data(), json.size()).get(root_);
  if (error) fail(fmt::format("the answer is no JSON: {}", simdjson::error_message(error)));
}

void RemoteAnswer::fail(std::string_view why) const {
  throw service_.failed(why);
}

simdjson::dom::element RemoteAnswer::member(simdjson::dom::element object, const char* key) const {
  simdjson::dom::element found;
  if (object[key].get(found)) fail(fmt::format("the answer lacks '{}'", key));
  return found;
}

simdjson::dom::array RemoteAnswer::list(simdjson::dom::element element, std::string_view what) const {
  simdjson::dom::array found;
  if (element.get(found)) fail(fmt::format("the answer's {} is no list", what));
  return found;
}

int64_t RemoteAnswer::integer(simdjson::dom::element object, const char* key) const {
  int64_t found = 0;
  if (member(object, key).get(found)) fail(fmt::format("the answer's '{}' is no integer", key));
  return found;
}

float RemoteAnswer::number(simdjson::dom::element element, std::string_view what) const {
  double found = 0;
  if (element.get(found) || !std::isfinite(static_cast<float>(found)))
    fail(fmt::format("the answer's {} is no number", what));
  return static_cast<float>(found);
}

std::string_view RemoteAnswer::text_or_empty(simdjson::dom::element object, const char* key) {
  std::string_view text;
  return object[key].get(text) ? std::string_view() : text;
}

std::string api_path(std::string_view url, std::string_view path) {
  const size_t host = url.find("://") + 3;
  return fmt::format("{}{}", url.find('/', host) == url.npos ? "/v1" : "", path);
}

std::string json_string(std::string_view text) {
  const std::string repaired = repair_utf8(text);
  std::string json = "\"";
  for (const char c : repaired) {
    if (c == '"' || c == '\\')
      json += std::string{'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      json += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      json += c;
  }
  return json + "\"";
}

std::string json_strings(const std::vector<std::string_view>& texts) {
  std::string json = "[";
  for (const std::string_view text : texts) json += (json.size() > 1 ? "," : "") + json_string(text);
  return json + "]";
}

}  // namespace frugal
