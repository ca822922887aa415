// OpenAI's routes, as its clients use them: /v1/models, /v1/embeddings {"input", "model", "encoding_format",
// "dimensions"}, /v1/chat/completions {"messages", "model", "stream", "stream_options", "max_tokens", …}. The model
// "rag" answers the last message of the user from the index: the sources are in the text, and in the extra field
// "citations" as rag-query prints them.
#include <fmt/format.h>

#include <atomic>
#include <bit>

#include "app/api/event_stream.h"
#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "app/api/protocol.h"
#include "base/base64.h"
#include "rag/answer/question.h"
#include "rag/reply/reply_json.h"

namespace frugal::api {
namespace {

static_assert(std::endian::native == std::endian::little);  // as "base64" has the floats

// Clients of OpenAI's own models send the ids of its tokenizer, which mean nothing to another model.
void refuse_token_ids(const nlohmann::json& body) {
  const nlohmann::json* input = find_field(body, "input");
  if (!input || !input->is_array() || input->empty()) return;
  const nlohmann::json& first = input->front();
  if (first.is_number() || (first.is_array() && !first.empty() && first.front().is_number()))
    throw Error(Code::bad_input, "'input' is token ids of another model's tokenizer")
        .hint("send texts: in LangChain, OpenAIEmbeddings(check_embedding_ctx_length=False)");
}

std::string unique_id(std::string_view prefix) {
  static std::atomic<uint64_t> count{0};
  return fmt::format("{}-{:x}{:06x}", prefix, now_s(), ++count);
}

// What a client asks to be JSON, it parses: text in its place would be a failure far from its cause.
void refuse_response_format(const nlohmann::json& body) {
  const nlohmann::json* format = find_field(body, "response_format");
  if (!format) return;
  if (!format->is_object()) throw Error(Code::bad_input, "'response_format' is not an object");
  if (const std::string type = required_string(*format, "type"); type != "text")
    throw Error(Code::bad_input, fmt::format("'response_format': the type '{}' is not supported", type))
        .hint("\"text\" is, and it is the default");
}

struct Chat {
  std::string id = unique_id("chatcmpl");
  int64_t created = now_s();
  std::string model;

  nlohmann::ordered_json head(const char* object) const {
    return {{"id", id}, {"object", object}, {"created", created}, {"model", model}};
  }
  std::string chunk(nlohmann::ordered_json delta, const char* finish = nullptr) const {
    nlohmann::ordered_json json = head("chat.completion.chunk");
    json["choices"] = {{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", nullptr}}};
    if (finish) json["choices"][0]["finish_reason"] = finish;
    return dump(json);
  }
};

nlohmann::ordered_json usage_json(int64_t prompt, int64_t completion) {
  return {{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}};
}

struct Completion {
  std::string text;
  const char* finish = "stop";
  int64_t prompt_tokens = 0, new_tokens = 0;
  std::string citations = {};  // a JSON array; empty: the model is no "rag"
};

Completion answer_from_index(Context& context, const std::vector<ChatMessage>& messages, const TokenSink& sink) {
  AskRequest request;
  request.query.text = last_question(messages);
  check_question(request.query.text);
  bool streamed = false;
  const auto pass = [&](std::string_view text) {
    streamed = true;
    return sink(text);
  };
  const Reply reply = context.engine.ask(request, sink ? TokenSink(pass) : TokenSink());
  Completion done;
  done.text = text_of(reply, streamed);
  if (sink) sink(done.text);
  done.citations = citations_to_json(reply.citations);
  if (reply.generated) {
    done.prompt_tokens = reply.generated->prompt_tokens;
    done.new_tokens = reply.generated->new_tokens;
  }
  return done;
}

Completion generate(Context& context, const nlohmann::json& body, const std::vector<ChatMessage>& messages,
                    const TokenSink& sink) {
  GenerateOptions options = context.engine.generate_defaults();
  read_sampling(body, options);
  for (const char* name : {"max_tokens", "max_completion_tokens"})
    options.max_new_tokens = integer_field(body, name, 1, 1 << 20).value_or(options.max_new_tokens);
  const Generation generation = context.engine.generate(messages, options, sink);
  Completion done;
  done.text = generation.text;
  done.finish = generation.finish == Finish::stop ? "stop" : "length";
  done.prompt_tokens = generation.prompt_tokens;
  done.new_tokens = generation.new_tokens;
  return done;
}

void send_stream(const Chat& chat, bool with_usage, Exchange& exchange,
                 const std::function<Completion(const TokenSink&)>& complete) {
  // The head is sent with the first text, so that what fails before is an error and no stream.
  std::optional<EventStream> events;
  const auto begin = [&] {
    if (events) return;
    events.emplace(exchange);
    events->send(chat.chunk({{"role", "assistant"}, {"content", ""}}));
  };
  Completion done;
  try {
    done = complete([&](std::string_view text) {
      begin();
      return events->send(chat.chunk({{"content", std::string(text)}}));
    });
  } catch (const Error& error) {
    if (!events) throw;
    events->send(error_reply(ErrorStyle::openai, error).body);  // clients raise it
    return events->end();
  }
  begin();
  nlohmann::ordered_json last = nlohmann::ordered_json::object();
  if (!done.citations.empty()) last["citations"] = nlohmann::ordered_json::parse(done.citations);
  events->send(chat.chunk(std::move(last), done.finish));
  if (with_usage) {
    nlohmann::ordered_json json = chat.head("chat.completion.chunk");
    json["choices"] = nlohmann::ordered_json::array();
    json["usage"] = usage_json(done.prompt_tokens, done.new_tokens);
    events->send(dump(json));
  }
  events->send("[DONE]");
  events->end();
}

HttpReply whole_reply(const Chat& chat, const Completion& done) {
  nlohmann::ordered_json json = chat.head("chat.completion");
  nlohmann::ordered_json message{{"role", "assistant"}, {"content", done.text}};
  if (!done.citations.empty()) message["citations"] = nlohmann::ordered_json::parse(done.citations);
  json["choices"] = {
      {{"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", done.finish}}};
  json["usage"] = usage_json(done.prompt_tokens, done.new_tokens);
  if (!done.citations.empty()) json["citations"] = nlohmann::ordered_json::parse(done.citations);
  return json_reply(dump(json));
}

}  // namespace

void get_models(Context& context, const HttpRequest&, Exchange& exchange) {
  auto data = nlohmann::ordered_json::array();
  const auto add = [&](const std::string& id) {
    data.push_back({{"id", id}, {"object", "model"}, {"created", 0}, {"owned_by", "frugal"}});
  };
  const EngineStatus status = context.engine.status();
  if (!status.index.empty()) add(std::string(kRagModel));
  for (const EngineModel& model : status.models)
    if (!model.file.empty()) add(public_name(model));
  exchange.send(json_reply(dump({{"object", "list"}, {"data", std::move(data)}})));
}

void post_openai_embeddings(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  refuse_token_ids(body);
  const std::string asked = string_field(body, "model").value_or("");
  const EngineStatus status = context.engine.status();
  if (auto refusal = unknown_model_reply(ErrorStyle::openai, status, "embedder", asked))
    return exchange.send(std::move(*refusal));
  const std::string format = string_field(body, "encoding_format").value_or("float");
  if (format != "float" && format != "base64")
    throw Error(Code::bad_input, fmt::format("'encoding_format': '{}' is neither float nor base64", format));
  const std::optional<int64_t> dimensions = integer_field(body, "dimensions", 1, 1 << 20);
  EmbedRequest wanted;
  wanted.texts = required_strings(body, "input", kMaxTexts);
  if (wanted.texts.empty()) throw Error(Code::bad_input, "'input' is empty");
  Embedded embedded = context.engine.embed(wanted);
  shorten(embedded.vectors, dimensions);
  std::string json = R"({"object":"list","data":[)";
  int64_t tokens = 0;
  for (size_t i = 0; i < embedded.vectors.size(); ++i) {
    tokens += std::min(embedded.tokens[i], embedded.max_tokens);
    json += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i == 0 ? "" : ",", i);
    const std::vector<float>& vector = embedded.vectors[i];
    if (format == "base64") {
      json += '"';
      append_base64(json, {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
      json += '"';
    } else {
      append_floats(json, vector);
    }
    json += '}';
  }
  json += fmt::format(R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})",
                      dump(resolve_model(status, "embedder", asked)), tokens, tokens);
  exchange.send(json_reply(std::move(json)));
}

void post_chat_completions(Context& context, const HttpRequest& request, Exchange& exchange) {
  const nlohmann::json body = parse_object_body(request.body);
  Chat chat;
  chat.model = string_field(body, "model").value_or("");
  const std::vector<ChatMessage> messages = messages_field(body);
  for (const char* name : {"tools", "functions", "logprobs", "audio"}) refuse_field(body, name);
  integer_field(body, "n", 1, 1);
  refuse_response_format(body);
  const bool from_index = chat.model == kRagModel;
  if (!from_index) {
    const EngineStatus status = context.engine.status();
    if (auto refusal = unknown_model_reply(ErrorStyle::openai, status, "generator", chat.model))
      return exchange.send(std::move(*refusal));
    chat.model = resolve_model(status, "generator", chat.model);
  }
  const auto complete = [&](const TokenSink& sink) {
    return from_index ? answer_from_index(context, messages, sink) : generate(context, body, messages, sink);
  };
  if (!bool_field(body, "stream").value_or(false)) {
    // Without a stream, a client that has left is noticed between two tokens.
    const auto goes_on = [&](std::string_view) { return !exchange.is_cancelled(); };
    return exchange.send(whole_reply(chat, from_index ? complete({}) : complete(goes_on)));
  }
  const nlohmann::json* options = find_field(body, "stream_options");
  const bool with_usage = options && options->is_object() && bool_field(*options, "include_usage").value_or(false);
  send_stream(chat, with_usage, exchange, complete);
}

}  // namespace frugal::api
