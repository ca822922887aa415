// Ollama's routes, as its clients use them: /api/tags, /api/ps, /api/show, /api/version, /api/embed, /api/embeddings,
// /api/chat and /api/generate, which stream JSON lines unless "stream" is false. "keep_alive" is seconds, or a duration
// such as "5m"; 0 unloads after the request, below 0 nothing is ever unloaded. It holds for the whole server.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <functional>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "app/api/protocol.h"
#include "app/api/worker_orders.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/version.h"
#include "rag/answer/question.h"

namespace frugal::api {
namespace {

using Clock = std::chrono::steady_clock;

int64_t since_ns(Clock::time_point begin) {
  return std::chrono::nanoseconds(Clock::now() - begin).count();
}

/// Applies "keep_alive" when the request is done.
class KeepAlive {
 public:
  KeepAlive(Context& context, const nlohmann::json& body) : context_(context) {
    const nlohmann::json* field = find_field(body, "keep_alive");
    if (!field) return;
    if (!field->is_string() && !field->is_number()) throw wrong();
    duration_ = parse_duration(field->is_string() ? field->get<std::string>() : field->dump());
    if (!duration_) throw wrong();
    if (*duration_ != std::chrono::milliseconds(0)) keep_workers_alive(context_, *duration_);
  }
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;
  ~KeepAlive() {
    if (!unloads()) return;
    try {
      unload_workers(context_);
    } catch (const std::exception& error) {
      log(LogLevel::warn, "unloading failed: {}", error.what());
    }
  }
  bool unloads() const { return duration_ == std::chrono::milliseconds(0); }

 private:
  static Error wrong() {
    return Error(Code::bad_input, "'keep_alive' is not a duration").hint("write 300, \"5m\", 0 or -1");
  }

  Context& context_;
  std::optional<std::chrono::milliseconds> duration_;
};

std::string tagged(const std::string& name) {
  return name + ":latest";
}

nlohmann::ordered_json details_json(const EngineModel& model) {
  return {{"parent_model", ""},       {"format", "frugal"},   {"family", model.role},
          {"families", {model.role}}, {"parameter_size", ""}, {"quantization_level", ""}};
}

std::string modified_at(const EngineModel& model) {
  std::error_code gone;
  const auto written = std::filesystem::last_write_time(model.file, gone);
  if (gone) return rfc3339(0);
  const auto system = std::chrono::file_clock::to_sys(written);
  return rfc3339(std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count());
}

nlohmann::ordered_json model_json(const EngineModel& model) {
  const std::string name = tagged(public_name(model));
  return {
      {"name", name}, {"model", name}, {"size", model.file_bytes}, {"digest", ""}, {"details", details_json(model)}};
}

// Where models stay for ever, a time that no client lives to see: a point in time is what they parse.
std::string expiry_of(const EngineStatus& status) {
  constexpr int64_t kEverS = int64_t(100) * 366 * 86'400;
  if (!status.closes_at) return rfc3339(now_s() + kEverS);
  return rfc3339(std::chrono::duration_cast<std::chrono::seconds>(status.closes_at->time_since_epoch()).count());
}

bool is_rag(std::string_view name) {
  return name == kRagModel || name == tagged(std::string(kRagModel));
}

/// The index, as a model that a client can choose.
EngineModel rag_model() {
  EngineModel model;
  model.role = "generator";
  model.name = kRagModel;
  return model;
}

/// Replies and returns true if no model of the role has that name: clients offer to pull it.
bool refuses(Context& context, std::string_view role, std::string_view asked, Exchange& exchange) {
  auto refusal = unknown_model_reply(ErrorStyle::ollama, context.engine.status(), role, asked);
  if (refusal) exchange.send(std::move(*refusal));
  return refusal.has_value();
}

/// What a chat and a completion have in common: they differ in where the text stands.
struct Stream {
  Exchange& exchange;
  std::string model;
  bool is_chat = false, is_stream = true;
  Clock::time_point began = Clock::now();
  bool has_begun = false;

  nlohmann::ordered_json part(std::string text) const {
    nlohmann::ordered_json json{{"model", model}, {"created_at", rfc3339(now_s())}};
    if (is_chat)
      json["message"] = {{"role", "assistant"}, {"content", std::move(text)}};
    else
      json["response"] = std::move(text);
    json["done"] = false;
    return json;
  }
  bool write(std::string_view text) {
    begin();
    return exchange.write(dump(part(std::string(text))) + "\n");
  }
  void end(nlohmann::ordered_json last) {
    last["total_duration"] = since_ns(began);
    if (!is_stream) return exchange.send(json_reply(dump(last)));
    begin();
    exchange.write(dump(last) + "\n");
    exchange.end();
  }
  /// Ends a stream that has begun: clients raise the error.
  void fail(const Error& error) {
    exchange.write(error_reply(ErrorStyle::ollama, error).body + "\n");
    exchange.end();
  }

 private:
  // The head is sent with the first text, so that what fails before is an error and no stream.
  void begin() {
    if (has_begun) return;
    has_begun = true;
    HttpReply head;
    head.content_type = "application/x-ndjson";
    exchange.begin(std::move(head));
  }
};

nlohmann::ordered_json done_json(const Stream& stream, std::string text, const char* reason) {
  nlohmann::ordered_json json = stream.part(std::move(text));
  json["done"] = true;
  json["done_reason"] = reason;
  json["load_duration"] = 0;
  json["prompt_eval_count"] = 0;
  json["prompt_eval_duration"] = 0;
  json["eval_count"] = 0;
  json["eval_duration"] = 0;
  return json;
}

void answer_from_index(Context& context, Stream& stream, const std::string& question) {
  AskRequest request;
  request.query.text = question;
  check_question(request.query.text);
  std::string text = text_of(context.engine.ask(request, {}));
  if (stream.is_stream) {
    stream.write(text);
    text.clear();
  }
  stream.end(done_json(stream, std::move(text), "stop"));
}

void generate(Context& context, const nlohmann::json& body, Stream& stream, std::span<const ChatMessage> messages) {
  GenerateOptions options = context.engine.generate_defaults();
  if (const nlohmann::json* given = find_field(body, "options")) {
    if (!given->is_object()) throw Error(Code::bad_input, "'options' is not an object");
    read_sampling(*given, options);
    if (const auto most = integer_field(*given, "num_predict", -2, 1 << 20); most && *most > 0)
      options.max_new_tokens = *most;
    if (const auto penalty = number_field(*given, "repeat_penalty"); penalty && *penalty >= 0.01 && *penalty <= 100)
      options.repeat_penalty = static_cast<float>(*penalty);
  }
  const auto sink = [&](std::string_view text) {
    return stream.is_stream ? stream.write(text) : !stream.exchange.is_cancelled();
  };
  Generation generation;
  try {
    generation = context.engine.generate(messages, options, sink);
  } catch (const Error& error) {
    if (!stream.has_begun) throw;
    return stream.fail(error);
  }
  nlohmann::ordered_json last =
      done_json(stream, stream.is_stream ? "" : generation.text, generation.finish == Finish::stop ? "stop" : "length");
  last["prompt_eval_count"] = generation.prompt_tokens;
  last["prompt_eval_duration"] = generation.prefill_ns;
  last["eval_count"] = generation.new_tokens;
  last["eval_duration"] = generation.decode_ns;
  stream.end(std::move(last));
}

/// nullopt: the model is unknown, and the client has been told.
std::optional<Stream> open_stream(Context& context, const nlohmann::json& body, Exchange& exchange, bool is_chat) {
  for (const char* name : {"tools", "images", "format"}) refuse_field(body, name);
  std::string model = string_field(body, "model").value_or("");
  if (!is_rag(model)) {
    if (refuses(context, "generator", model, exchange)) return std::nullopt;
    resolve_model(context.engine.status(), "generator", model);
  }
  Stream stream{exchange, std::move(model), is_chat};
  stream.is_stream = bool_field(body, "stream").value_or(true);
  return stream;
}

}  // namespace

void get_ollama_version(Context&, const HttpRequest&, Exchange& exchange) {
  exchange.send(json_reply(dump({{"version", version()}})));
}

void get_tags(Context& context, const HttpRequest&, Exchange& exchange) {
  auto models = nlohmann::ordered_json::array();
  const EngineStatus status = context.engine.status();
  std::vector<EngineModel> listed;
  if (!status.index.empty()) listed.push_back(rag_model());
  for (const EngineModel& model : status.models)
    if (!model.file.empty()) listed.push_back(model);
  for (const EngineModel& model : listed) {
    nlohmann::ordered_json json = model_json(model);
    json["modified_at"] = modified_at(model);
    models.push_back(std::move(json));
  }
  exchange.send(json_reply(dump({{"models", std::move(models)}})));
}

void get_ps(Context& context, const HttpRequest&, Exchange& exchange) {
  auto models = nlohmann::ordered_json::array();
  const EngineStatus status = context.engine.status();
  for (const EngineModel& model : status.models) {
    if (!model.is_loaded) continue;
    nlohmann::ordered_json json = model_json(model);
    json["size_vram"] = 0;
    json["expires_at"] = expiry_of(status);
    models.push_back(std::move(json));
  }
  exchange.send(json_reply(dump({{"models", std::move(models)}})));
}

void post_show(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  const std::string asked = string_field(body, "model").value_or(string_field(body, "name").value_or(""));
  const EngineStatus status = context.engine.status();
  std::optional<EngineModel> shown;
  if (is_rag(asked) && !status.index.empty()) shown = rag_model();
  for (const EngineModel& model : status.models)
    if (!shown && !asked.empty() && !is_unknown_model(status, model.role, asked)) shown = model;
  if (!shown) return exchange.send(error_reply(ErrorStyle::ollama, 404, fmt::format("model '{}' not found", asked)));
  const bool writes = shown->role == "generator";
  exchange.send(json_reply(dump({{"details", details_json(*shown)},
                                 {"model_info", nlohmann::ordered_json::object()},
                                 {"capabilities", {writes ? "completion" : "embedding"}},
                                 {"modified_at", modified_at(*shown)}})));
}

void post_ollama_embed(Context& context, const HttpRequest& request, Exchange& exchange) {
  const Clock::time_point began = Clock::now();
  const nlohmann::json body = parse_object_body(request.body);
  const std::string asked = string_field(body, "model").value_or("");
  if (refuses(context, "embedder", asked, exchange)) return;
  const KeepAlive keep_alive(context, body);
  const std::optional<int64_t> dimensions = integer_field(body, "dimensions", 1, 1 << 20);
  EmbedRequest wanted;
  wanted.texts = required_strings(body, "input", kMaxTexts);
  Embedded embedded = context.engine.embed(wanted);
  if (!bool_field(body, "truncate").value_or(true))
    for (const int64_t tokens : embedded.tokens)
      if (tokens > embedded.max_tokens) throw Error(Code::bad_input, "the input is longer than the model's context");
  shorten(embedded.vectors, dimensions);
  int64_t tokens = 0;
  for (const int64_t each : embedded.tokens) tokens += std::min(each, embedded.max_tokens);
  std::string json = fmt::format(R"({{"model":{},"embeddings":[)", dump(asked));
  for (size_t i = 0; i < embedded.vectors.size(); ++i) {
    if (i > 0) json += ',';
    append_floats(json, embedded.vectors[i]);
  }
  json += fmt::format(R"(],"total_duration":{},"load_duration":0,"prompt_eval_count":{}}})", since_ns(began), tokens);
  exchange.send(json_reply(std::move(json)));
}

void post_ollama_embeddings(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  if (refuses(context, "embedder", string_field(body, "model").value_or(""), exchange)) return;
  const KeepAlive keep_alive(context, body);
  EmbedRequest wanted;
  wanted.texts = {required_string(body, "prompt")};
  std::string json = R"({"embedding":)";
  append_floats(json, context.engine.embed(wanted).vectors.at(0));
  exchange.send(json_reply(json + "}"));
}

void post_ollama_chat(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  std::optional<Stream> opened = open_stream(context, body, exchange, true);
  if (!opened) return;
  Stream& stream = *opened;
  const KeepAlive keep_alive(context, body);
  const nlohmann::json* list = find_field(body, "messages");
  if (!list || (list->is_array() && list->empty()))
    return stream.end(done_json(stream, "", keep_alive.unloads() ? "unload" : "load"));
  const std::vector<ChatMessage> messages = messages_field(body);
  if (is_rag(stream.model)) return answer_from_index(context, stream, last_question(messages));
  generate(context, body, stream, messages);
}

void post_ollama_generate(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  for (const char* name : {"suffix", "context", "raw", "template"}) refuse_field(body, name);
  std::optional<Stream> opened = open_stream(context, body, exchange, false);
  if (!opened) return;
  Stream& stream = *opened;
  const KeepAlive keep_alive(context, body);
  const std::string prompt = string_field(body, "prompt").value_or("");
  if (prompt.empty()) return stream.end(done_json(stream, "", keep_alive.unloads() ? "unload" : "load"));
  if (is_rag(stream.model)) return answer_from_index(context, stream, prompt);
  std::vector<ChatMessage> messages;
  if (const auto system = string_field(body, "system"); system && !system->empty())
    messages.push_back({"system", *system});
  messages.push_back({"user", prompt});
  generate(context, body, stream, messages);
}

}  // namespace frugal::api
