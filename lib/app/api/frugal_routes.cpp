// frugal's own routes that compute. POST /query takes {"query", "path", "where", "format", "explain", "stream",
// "settings"} and answers what rag-query prints for it: json by default. With "stream": true it answers server-sent
// events: "token" for each piece of a generated answer, then "reply".
#include <fmt/format.h>

#include "app/api/event_stream.h"
#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "app/api/worker_orders.h"
#include "rag/answer/batch.h"
#include "rag/answer/question.h"
#include "rag/reply/render.h"

namespace frugal::api {
namespace {

// The header by which rag-query asks for answers of exactly its own settings.
constexpr std::string_view kIdentityHeader = "x-frugal-identity";

struct Asked {
  AskRequest request;
  RenderOptions render;
  bool stream = false;
};

std::string setting_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Asked parse_query(const nlohmann::json& body) {
  Asked asked;
  asked.request.query.has_operators = true;
  parse_batch_line(body.dump(), asked.request.query);
  check_question(asked.request.query.text);
  asked.render.format = parse_reply_format(string_field(body, "format").value_or("json"));
  asked.render.explain = bool_field(body, "explain").value_or(false);
  asked.stream = bool_field(body, "stream").value_or(false);
  const nlohmann::json* settings = find_field(body, "settings");
  if (!settings) return asked;
  if (!settings->is_object()) throw Error(Code::bad_input, "'settings' is not an object");
  for (const auto& [key, value] : settings->items()) asked.request.settings.emplace_back(key, setting_of(value));
  return asked;
}

const char* content_type(ReplyFormat format) {
  switch (format) {
    case ReplyFormat::json:
    case ReplyFormat::jsonl:
      return "application/json";
    case ReplyFormat::csv:
      return "text/csv; charset=utf-8";
    case ReplyFormat::markdown:
      return "text/markdown; charset=utf-8";
    default:
      return "text/plain; charset=utf-8";
  }
}

// For rag-query, which makes its exit code of it.
std::string outcome_of(const Answer& answer) {
  if (answer.text) return std::string(to_string(answer.mode));
  return answer.abstained ? "abstained" : "none";
}

void stream_reply(Context& context, const Asked& asked, Exchange& exchange) {
  EventStream events(exchange);
  const auto pass = [&](std::string_view text) { return events.send("token", dump({{"text", std::string(text)}})); };
  RenderOptions render = asked.render;
  render.format = ReplyFormat::jsonl;
  try {
    std::string json = render_reply(context.engine.ask(asked.request, pass), render);
    json.pop_back();  // its line feed
    events.send("reply", json);
  } catch (const Error& error) {
    events.send("error", error_reply(ErrorStyle::frugal, error).body);
  }
  events.end();
}

}  // namespace

void post_query(Context& context, const HttpRequest& request, Exchange& exchange) {
  const std::string_view identity = request.header(kIdentityHeader);
  if (!identity.empty() && identity != context.identity)
    return exchange.send(error_reply(ErrorStyle::frugal, 409, "the server has another index, version or models"));
  const Asked asked = parse_query(parse_object_body(request.body));
  const bool wants_events =
      asked.stream || request.header("accept").find("text/event-stream") != std::string_view::npos;
  if (wants_events) return stream_reply(context, asked, exchange);
  const auto goes_on = [&](std::string_view) { return !exchange.is_cancelled(); };
  const Reply reply = context.engine.ask(asked.request, goes_on);
  HttpReply http;
  http.content_type = content_type(asked.render.format);
  http.body = render_reply(reply, asked.render);
  http.headers.emplace_back("X-Frugal-Answered", outcome_of(reply.answer));
  http.headers.emplace_back("X-Frugal-Hits", std::to_string(reply.hits.size()));
  exchange.send(std::move(http));
}

void post_unload(Context& context, const HttpRequest&, Exchange& exchange) {
  const uint64_t freed = unload_workers(context);
  exchange.send(json_reply(dump({{"schema_version", 1}, {"freed_bytes", freed}})));
}

// Answers the state of the server after it, as GET /status.
void post_reload(Context& context, const HttpRequest& request, Exchange& exchange) {
  unload_workers(context);
  get_status(context, request, exchange);
}

}  // namespace frugal::api
