#include "model/remote/remote_generator.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

#include "base/error.h"
#include "model/remote/remote_answer.h"
#include "net/sse.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytesPerToken = 3;
constexpr int64_t kTokensPerMessage = 8;  // of a template, generously

int64_t estimated_tokens(std::string_view text) {
  return static_cast<int64_t>((text.size() + kBytesPerToken - 1) / kBytesPerToken);
}

std::string request_json(const std::string& model, std::span<const ChatMessage> messages,
                         const GenerateOptions& options) {
  std::string json = fmt::format("{{\"model\":{},\"messages\":[", json_string(model));
  for (const ChatMessage& each : messages)
    json += fmt::format("{}{{\"role\":{},\"content\":{}}}", json.back() == '[' ? "" : ",", json_string(each.role),
                        json_string(each.content));
  json += fmt::format("],\"stream\":true,\"stream_options\":{{\"include_usage\":true}},\"max_tokens\":{}",
                      options.max_new_tokens);
  json += fmt::format(",\"temperature\":{}", options.temperature);
  // What the API of OpenAI does not have is sent only if it is asked for.
  if (options.temperature > 0) json += fmt::format(",\"seed\":{}", options.seed >> 1);  // some take int64 only
  if (options.top_p < 1) json += fmt::format(",\"top_p\":{}", options.top_p);
  if (options.top_k > 0) json += fmt::format(",\"top_k\":{}", options.top_k);
  if (options.min_p > 0) json += fmt::format(",\"min_p\":{}", options.min_p);
  if (options.repeat_penalty != 1)
    json += fmt::format(",\"repeat_penalty\":{0},\"repetition_penalty\":{0}", options.repeat_penalty);
  const std::vector<std::string_view> stop(options.stop.begin(), options.stop.end());
  if (!stop.empty()) json += fmt::format(",\"stop\":{}", json_strings(stop));
  return json + "}";
}

// What has come of one text.
class ChatStream {
 public:
  ChatStream(HttpService& service, const TokenSink& sink)
      : service_(service), sink_(sink), events_([this](std::string_view data) { return take(data); }) {}

  bool push(std::string_view bytes) { return events_.push(bytes); }

  /// To be called when the answer has ended. Throws Error(remote) unless the text has, too.
  Generation finish(int64_t prompt_tokens) {
    if (events_.overflowed()) throw service_.failed("an event of the answer has no end");
    if (!finish_ && !cancelled_) throw service_.failed("the answer ends in the middle");
    return generation(cancelled_ ? Finish::cancelled : finish_.value_or(Finish::stop), prompt_tokens);
  }
  Generation generation(Finish finish, int64_t prompt_tokens) {
    if (result_.prompt_tokens == 0) result_.prompt_tokens = prompt_tokens;
    if (result_.new_tokens == 0) result_.new_tokens = estimated_tokens(result_.text);
    const Clock::time_point first = first_text_.value_or(Clock::now());
    result_.prefill_ns = std::chrono::nanoseconds(first - began_).count();
    result_.decode_ns = std::chrono::nanoseconds(Clock::now() - first).count();
    result_.finish = finish;
    return std::move(result_);
  }
  bool has_text() const { return !result_.text.empty(); }

 private:
  bool take(std::string_view data) {
    if (data == "[DONE]") {
      if (!finish_) finish_ = Finish::stop;
      return true;
    }
    const RemoteAnswer answer(service_, data);
    if (simdjson::dom::element error; !answer.root()["error"].get(error) && !error.is_null())
      answer.fail(fmt::format("it gave up: {}", simdjson::minify(error)).substr(0, 300));
    take_usage(answer.root());
    simdjson::dom::array choices;
    if (answer.root()["choices"].get(choices)) answer.fail("the answer lacks 'choices'");
    if (choices.size() == 0) return true;
    const simdjson::dom::element choice = choices.at(0);
    const std::string_view reason = RemoteAnswer::text_or_empty(choice, "finish_reason");
    if (!reason.empty()) finish_ = reason == "length" ? Finish::length : Finish::stop;
    simdjson::dom::element delta;
    return choice["delta"].get(delta) || add(RemoteAnswer::text_or_empty(delta, "content"));
  }
  void take_usage(simdjson::dom::element root) {
    int64_t tokens = 0;
    if (!root["usage"]["prompt_tokens"].get(tokens)) result_.prompt_tokens = tokens;
    if (!root["usage"]["completion_tokens"].get(tokens)) result_.new_tokens = tokens;
    if (!root["usage"]["prompt_tokens_details"]["cached_tokens"].get(tokens)) result_.prefix_tokens_reused = tokens;
  }
  bool add(std::string_view text) {
    if (text.empty()) return true;
    if (!first_text_) first_text_ = Clock::now();
    result_.text += text;
    cancelled_ = sink_ && !sink_(text);
    return !cancelled_;
  }

  HttpService& service_;
  const TokenSink& sink_;
  SseParser events_;
  Generation result_;
  std::optional<Finish> finish_;
  bool cancelled_ = false;
  const Clock::time_point began_ = Clock::now();
  std::optional<Clock::time_point> first_text_;
};

class RemoteGenerator final : public Generator {
 public:
  RemoteGenerator(std::shared_ptr<HttpService> service, const ModelEntry& remote, int64_t context_tokens)
      : service_(std::move(service)),
        name_(remote.name),
        model_(remote.model),
        path_(api_path(remote.url, "/chat/completions")),
        context_tokens_(context_tokens) {}

  std::string identity() const override { return name_; }
  int64_t context_tokens() const override { return context_tokens_; }
  int64_t count_tokens(std::span<const ChatMessage> messages) const override {
    int64_t tokens = kTokensPerMessage;
    for (const ChatMessage& each : messages) tokens += kTokensPerMessage + estimated_tokens(each.content);
    return tokens;
  }

  Generation chat(std::span<const ChatMessage> messages, const GenerateOptions& options,
                  const TokenSink& sink) override {
    const int64_t prompt_tokens = count_tokens(messages);
    ChatStream stream(*service_, sink);
    const auto began = Clock::now();
    const auto is_late = [&] {
      constexpr int64_t kEarlyMs = 5;  // timers of whole milliseconds may end before theirs
      return options.deadline_ms > 0 &&
             Clock::now() - began >= std::chrono::milliseconds(options.deadline_ms - kEarlyMs);
    };
    try {
      service_->send(
          "POST", path_, request_json(model_, messages, options), "text/event-stream",
          [&](std::string_view bytes) { return stream.push(bytes); }, options.deadline_ms);
    } catch (const Error& error) {
      if (error.code() != Code::remote || !stream.has_text() || !is_late()) throw;
      return stream.generation(Finish::deadline, prompt_tokens);
    }
    return stream.finish(prompt_tokens);
  }

 private:
  std::shared_ptr<HttpService> service_;
  std::string name_, model_, path_;
  int64_t context_tokens_;
};

}  // namespace

std::unique_ptr<Generator> make_remote_generator(std::shared_ptr<HttpService> service, const ModelEntry& remote,
                                                 int64_t context_tokens) {
  if (remote.shape != RemoteShape::openai || remote.model.empty())
    throw Error(Code::usage, fmt::format("'{}' is no generator", remote.name))
        .hint("write models.generator like openai:http://127.0.0.1:8080#MODEL");
  return std::make_unique<RemoteGenerator>(std::move(service), remote, context_tokens);
}

}  // namespace frugal
