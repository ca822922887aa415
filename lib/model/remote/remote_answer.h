// The JSON of a remote's answer, as hostile as a file: what is missing, of another type or not UTF-8 is an
// Error(remote) that names the service and the field. Include it only in .cpp files of this room, because simdjson's
// header is large.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/http_service.h"

namespace frugal {

class RemoteAnswer {
 public:
  /// Parses `json`. Borrows `service`, which is paused by a failure. Throws Error(remote).
  RemoteAnswer(HttpService& service, std::string_view json);

  simdjson::dom::element root() const { return root_; }
  /// Throw Error(remote) if there is none of that type.
  simdjson::dom::element member(simdjson::dom::element object, const char* key) const;
  simdjson::dom::array list(simdjson::dom::element element, std::string_view what) const;
  int64_t integer(simdjson::dom::element object, const char* key) const;
  /// A finite number.
  float number(simdjson::dom::element element, std::string_view what) const;
  [[noreturn]] void fail(std::string_view why) const;

  /// "" if it is missing or no string.
  static std::string_view text_or_empty(simdjson::dom::element object, const char* key);

 private:
  HttpService& service_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

/// The path of a request: an address that has no path of its own gets /v1.
std::string api_path(std::string_view url, std::string_view path);

/// `text` as a JSON string, ill-formed UTF-8 replaced.
std::string json_string(std::string_view text);
/// A list of strings.
std::string json_strings(const std::vector<std::string_view>& texts);

}  // namespace frugal
