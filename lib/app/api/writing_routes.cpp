// Texts about what a request brings along. POST /summarize takes {"text", "style", "max_length", "stream"} and answers
// what `summarize --format json` prints; with "stream": true, server-sent events: "statement" for each sentence as soon
// as it is known, then "summary". POST /caption takes {"image", "prompt"}, the image in base 64 or as a data: URL, and
// answers what `caption-image --format json` prints. Neither opens a path or a URL.
#include <utility>

#include "app/api/event_stream.h"
#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "base/ascii.h"
#include "base/base64.h"

namespace frugal::api {
namespace {

SummariseRequest parse_summarize(const nlohmann::json& body) {
  SummariseRequest request;
  request.text = required_string(body, "text");
  request.max_words = integer_field(body, "max_length", 1, 1'000'000);
  if (const auto style = string_field(body, "style")) request.style = parse_named<SummaryStyle>("style", *style);
  return request;
}

std::string json_of(const SummarySession::Result& result) {
  std::string json = summary_to_json(result.summary, result.frame, -1);
  if (json.ends_with('\n')) json.pop_back();
  return json;
}

void stream_summary(Context& context, const SummariseRequest& request, Exchange& exchange) {
  EventStream events(exchange);
  const auto pass = [&](const SummaryStatement* statement) {
    if (!statement) return !exchange.is_cancelled();
    return events.send("statement", dump({{"text", statement->text}, {"citation", statement->n}}));
  };
  try {
    events.send("summary", json_of(context.engine.summarise(request, pass)));
  } catch (const Error& error) {
    events.send("error", error_reply(ErrorStyle::frugal, error).body);
  }
  events.end();
}

// The bytes of "data:image/png;base64,…", or of base 64 alone.
std::string image_field(const nlohmann::json& body) {
  const std::string text = required_string(body, "image");
  std::string_view digits = text;
  if (text.starts_with("data:")) {
    const size_t comma = text.find(',');
    if (comma == std::string::npos || !std::string_view(text).substr(0, comma).ends_with(";base64"))
      throw Error(Code::bad_input, "'image': the data: URL is not in base 64");
    digits.remove_prefix(comma + 1);
  }
  std::optional<std::string> bytes = from_base64(digits);
  if (!bytes || bytes->empty())
    throw Error(Code::bad_input, "'image' is neither base 64 nor a data: URL")
        .hint("send the bytes of the file: the server opens neither paths nor URLs");
  return std::move(*bytes);
}

}  // namespace

void post_summarize(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  const SummariseRequest wanted = parse_summarize(body);
  const bool is_stream = bool_field(body, "stream").value_or(false) ||
                         request.header("accept").find("text/event-stream") != std::string_view::npos;
  if (is_stream) return stream_summary(context, wanted, exchange);
  const auto goes_on = [&](const SummaryStatement*) { return !exchange.is_cancelled(); };
  exchange.send(json_reply(json_of(context.engine.summarise(wanted, goes_on))));
}

void post_caption(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  CaptionRequest wanted;
  wanted.image = image_field(body);
  wanted.prompt = string_field(body, "prompt").value_or("");
  const auto goes_on = [&](std::string_view) { return !exchange.is_cancelled(); };
  const Captioned captioned = context.engine.describe(wanted, goes_on);
  exchange.send(json_reply(caption_to_json(captioned.caption, captioned.model, wanted.prompt, -1)));
}

}  // namespace frugal::api
