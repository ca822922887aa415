// Errors in the words of each protocol. The status says what a client should do: 4xx, change the request; 424, the
// server's operator must bring a model or an index; 503, try again later.
#include <fmt/format.h>

#include "app/api/json_body.h"
#include "app/api/routes.h"

namespace frugal::api {
namespace {

int status_of(Code code) {
  switch (code) {
    case Code::usage:
    case Code::bad_input:
    case Code::corrupt_file:
    case Code::negative:
      return 400;
    case Code::missing:
    case Code::mismatch:
    case Code::verify_failed:
      return 424;
    case Code::over_budget:
    case Code::remote:
    case Code::io:
      return 503;
    case Code::internal:
      return 500;
  }
  return 500;
}

// text-embeddings-inference's error types (router/src/http/types.rs).
const char* tei_type(int status) {
  switch (status) {
    case 400:
    case 413:
    case 422:
      return "Validation";
    case 401:
      return "Unauthorized";
    case 429:
      return "Overloaded";
    case 503:
      return "Unhealthy";
    default:
      return "Backend";
  }
}

const char* openai_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 404) return "not_found_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 && status != 424 ? "invalid_request_error" : "server_error";
}

nlohmann::ordered_json body_of(ErrorStyle style, int status, const std::string& message, const std::string& hint) {
  const std::string whole = hint.empty() ? message : message + " (" + hint + ")";
  switch (style) {
    case ErrorStyle::tei:
      return {{"error", whole}, {"error_type", tei_type(status)}};
    case ErrorStyle::openai:
      return {{"error", {{"message", whole}, {"type", openai_type(status)}, {"param", nullptr}, {"code", nullptr}}}};
    case ErrorStyle::ollama:
      return {{"error", whole}};
    case ErrorStyle::frugal:
      break;
  }
  return {{"schema_version", 1}, {"error", {{"status", status}, {"message", message}, {"hint", hint}}}};
}

}  // namespace

HttpReply json_reply(std::string body, int status) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

HttpReply error_reply(ErrorStyle style, int status, const std::string& message, const std::string& hint) {
  HttpReply reply = json_reply(dump(body_of(style, status, message, hint)), status);
  if (status == 429 || status == 503) reply.headers.emplace_back("Retry-After", "1");
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

HttpReply error_reply(ErrorStyle style, const Error& error) {
  int status = status_of(error.code());
  if (style == ErrorStyle::tei && status == 400) status = 422;
  return error_reply(style, status, error.message(), error.hint());
}

}  // namespace frugal::api
