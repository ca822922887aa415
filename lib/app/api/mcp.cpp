#include "app/api/mcp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/api/handlers.h"
#include "app/api/json_body.h"
#include "base/log.h"
#include "base/version.h"
#include "rag/answer/question.h"
#include "rag/reply/passage.h"
#include "rag/reply/render.h"
#include "rag/reply/reply_json.h"

namespace frugal::api {
namespace {

using Json = nlohmann::ordered_json;

// Newest first.
constexpr std::array<std::string_view, 3> kVersions{"2025-06-18", "2025-03-26", "2024-11-05"};
constexpr std::string_view kBatchVersion = "2025-03-26";  // the only one that has them
constexpr size_t kMaxBatch = 64;
constexpr size_t kMaxMessageBytes = size_t(2) << 20;

// JSON-RPC 2.0, 5.1.
constexpr int kParseError = -32700, kInvalidRequest = -32600, kMethodNotFound = -32601, kInvalidParams = -32602,
              kInternalError = -32603;

/// What a tool returns: text for the assistant, and the same as data.
struct ToolResult {
  std::string text;
  Json data;
};

struct McpTool {
  const char* name;
  const char* description;
  Json (*schema)();
  ToolResult (*call)(Context& context, const nlohmann::json& arguments);
};

Json object_schema(Json properties, Json required) {
  return {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

Json restrictions(Json properties) {
  properties["path"] = {{"type", "array"},
                        {"items", {{"type", "string"}}},
                        {"description", "search only files that match one of these globs"}};
  properties["where"] = {{"type", "array"},
                         {"items", {{"type", "string"}}},
                         {"description", "conditions on fields of documents, as year>=2020"}};
  return properties;
}

void add_lists(AskRequest& request, const nlohmann::json& arguments) {
  constexpr size_t kMost = 64;
  const auto list = [&](const char* name) {
    return find_field(arguments, name) ? required_strings(arguments, name, kMost) : std::vector<std::string>();
  };
  add_restrictions(request.query.filter, list("path"), list("where"));
}

ToolResult reply_result(const Reply& reply) {
  return {render_reply(reply, RenderOptions{}), Json::parse(reply_to_json(reply, ReplyDetail::contract))};
}

ToolResult call_search(Context& context, const nlohmann::json& arguments) {
  AskRequest request;
  request.query.text = required_string(arguments, "query");
  request.query.has_operators = true;
  check_question(request.query.text);
  add_lists(request, arguments);
  request.settings = {{"answer.mode", "none"},
                      {"retrieval.top_k", std::to_string(integer_field(arguments, "limit", 1, 100).value_or(5))}};
  return reply_result(context.engine.ask(request, {}));
}

ToolResult call_ask(Context& context, const nlohmann::json& arguments) {
  AskRequest request;
  request.query.text = required_string(arguments, "question");
  check_question(request.query.text);
  add_lists(request, arguments);
  return reply_result(context.engine.ask(request, {}));
}

ToolResult call_get(Context& context, const nlohmann::json& arguments) {
  std::string place = required_string(arguments, "path");
  const auto first = integer_field(arguments, "first_line", 1, int64_t(1) << 40);
  const auto last = integer_field(arguments, "last_line", 1, int64_t(1) << 40);
  if (first) place += fmt::format(":{}", *first);
  if (first && last) place += fmt::format("-{}", *last);
  const Passage passage = context.engine.read(place);
  const std::string note = passage_note(passage);
  return {(note.empty() ? "" : note + "\n") + passage.text, Json::parse(passage_to_json(passage))};
}

ToolResult call_status(Context& context, const nlohmann::json&) {
  const EngineStatus status = context.engine.status();
  Json data{{"index", status.index}, {"models", Json::array()}};
  for (const EngineModel& model : status.models)
    data["models"].push_back({{"role", model.role}, {"name", model.name}, {"loaded", model.is_loaded}});
  return {dump(data), data};
}

Json search_schema() {
  return object_schema(
      restrictions({{"query", {{"type", "string"}, {"description", "words, \"exact phrases\" and -excluded words"}}},
                    {"limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", 100}, {"default", 5}}}}),
      {"query"});
}

Json ask_schema() {
  return object_schema(restrictions({{"question", {{"type", "string"}}}}), {"question"});
}

Json get_schema() {
  return object_schema({{"path", {{"type", "string"}, {"description", "of an indexed file, as a citation names it"}}},
                        {"first_line", {{"type", "integer"}, {"minimum", 1}}},
                        {"last_line", {{"type", "integer"}, {"minimum", 1}}}},
                       {"path"});
}

Json status_schema() {
  return {{"type", "object"}, {"properties", Json::object()}};
}

constexpr McpTool kTools[] = {
    {"search", "Finds the passages of the user's indexed files that fit a query best, with path and lines.",
     search_schema, call_search},
    {"ask",
     "Answers a question from the user's indexed files, with citations that can be verified, or says that it is not in "
     "the sources.",
     ask_schema, call_ask},
    {"get", "Reads lines of an indexed file, as they were indexed if the file has changed since.", get_schema,
     call_get},
    {"status", "Says which index and which models the server has.", status_schema, call_status},
};

Json response(const nlohmann::json& id, Json result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

Json failure(const nlohmann::json& id, int code, const std::string& message) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}};
}

Json initialize(const nlohmann::json& params) {
  const std::string asked = string_field(params, "protocolVersion").value_or("");
  const auto known = std::find(kVersions.begin(), kVersions.end(), asked);
  return {{"protocolVersion", known == kVersions.end() ? kVersions.front() : *known},
          {"capabilities", {{"tools", Json::object()}}},
          {"serverInfo", {{"name", "frugal"}, {"version", version()}}},
          {"instructions", "Cite path and line of what you use; quotes are exact bytes of the files."}};
}

Json list_tools() {
  Json tools = Json::array();
  for (const McpTool& tool : kTools)
    tools.push_back({{"name", tool.name},
                     {"description", tool.description},
                     {"inputSchema", tool.schema()},
                     {"annotations", {{"readOnlyHint", true}}}});
  return {{"tools", std::move(tools)}};
}

// What a tool throws is its result, so that the assistant can read it and try again.
Json call_tool(Context& context, const nlohmann::json& params) {
  const std::string name = required_string(params, "name");
  const auto tool =
      std::find_if(std::begin(kTools), std::end(kTools), [&](const McpTool& each) { return name == each.name; });
  if (tool == std::end(kTools)) throw Error(Code::bad_input, fmt::format("there is no tool '{}'", name));
  const nlohmann::json* given = find_field(params, "arguments");
  if (given && !given->is_object()) throw Error(Code::bad_input, "'arguments' is not an object");
  try {
    const ToolResult result = tool->call(context, given ? *given : nlohmann::json::object());
    return {{"content", {{{"type", "text"}, {"text", result.text}}}},
            {"structuredContent", result.data},
            {"isError", false}};
  } catch (const Error& error) {
    const std::string text = error.hint().empty() ? error.message() : error.message() + " (" + error.hint() + ")";
    return {{"content", {{{"type", "text"}, {"text", text}}}}, {"isError", true}};
  }
}

std::optional<Json> answer(Context& context, const nlohmann::json& message) {
  const nlohmann::json id = message.contains("id") ? message["id"] : nlohmann::json();
  const std::optional<std::string> method = string_field(message, "method");
  if (!method) {
    const bool is_response = message.contains("result") || message.contains("error");
    if (is_response) return std::nullopt;
    return failure(id, kInvalidRequest, "the message has no method");
  }
  if (!message.contains("id")) return std::nullopt;  // a notification
  const nlohmann::json* given = find_field(message, "params");
  if (given && !given->is_object()) return failure(id, kInvalidParams, "'params' is not an object");
  const nlohmann::json params = given ? *given : nlohmann::json::object();
  try {
    if (*method == "initialize") return response(id, initialize(params));
    if (*method == "ping") return response(id, Json::object());
    if (*method == "tools/list") return response(id, list_tools());
    if (*method == "tools/call") return response(id, call_tool(context, params));
  } catch (const Error& error) {
    return failure(id, kInvalidParams, error.message());
  }
  return failure(id, kMethodNotFound, fmt::format("there is no method '{}'", *method));
}

// nullopt: the message was a notification or a response.
std::optional<Json> answer_safely(Context& context, const nlohmann::json& message) {
  if (!message.is_object()) return failure(nullptr, kInvalidRequest, "the message is not a JSON object");
  try {
    return answer(context, message);
  } catch (const Error& error) {
    return failure(nullptr, kInvalidRequest, error.message());
  } catch (const std::exception& error) {
    log(LogLevel::error, "MCP: {}", error.what());
    return failure(message.value("id", nlohmann::json()), kInternalError, "a bug in frugal");
  }
}

McpAnswer refused(int code, const std::string& message) {
  return {dump(failure(nullptr, code, message)), true};
}

McpAnswer answer_batch(Context& context, const nlohmann::json& batch, std::string_view version) {
  if (version != kBatchVersion)
    return refused(kInvalidRequest, fmt::format("the protocol {} has no batches: send one message", version));
  if (batch.empty() || batch.size() > kMaxBatch)
    return refused(kInvalidRequest, fmt::format("a batch has from 1 to {} messages", kMaxBatch));
  Json replies = Json::array();
  for (const nlohmann::json& message : batch) {
    const bool initializes = message.is_object() && message.value("method", nlohmann::json()) == "initialize";
    std::optional<Json> reply =
        initializes ? failure(message.value("id", nlohmann::json()), kInvalidRequest, "initialize cannot be in a batch")
                    : answer_safely(context, message);
    if (reply) replies.push_back(std::move(*reply));
  }
  return replies.empty() ? McpAnswer{} : McpAnswer{dump(replies)};
}

}  // namespace

McpAnswer answer_mcp(Context& context, std::string_view message, std::string_view version) {
  nlohmann::json parsed;
  try {
    parsed = parse_body(message);
  } catch (const Error& error) {
    return refused(kParseError, error.message());
  }
  if (parsed.is_array()) return answer_batch(context, parsed, version);
  if (!parsed.is_object()) return refused(kInvalidRequest, "the message is not a JSON object");
  const std::optional<Json> reply = answer_safely(context, parsed);
  if (!reply) return {};
  McpAnswer answer{dump(*reply)};
  if (parsed.value("method", nlohmann::json()) == "initialize" && reply->contains("result"))
    answer.version = (*reply)["result"]["protocolVersion"].get<std::string>();
  return answer;
}

void serve_mcp(Context& context, std::istream& lines, const std::function<void(const std::string& line)>& print) {
  std::string version(kAssumedMcpVersion);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (line.size() > kMaxMessageBytes) line.resize(kMaxMessageBytes);  // no JSON any more
    const McpAnswer answer = answer_mcp(context, line, version);
    if (!answer.version.empty()) version = answer.version;
    if (answer.json) print(*answer.json + "\n");
  }
}

// Without a session, the version of each message is that of its header.
void post_mcp(Context& context, const HttpRequest& request, Exchange& exchange) {
  std::string_view version = request.header("mcp-protocol-version");
  if (version.empty()) version = kAssumedMcpVersion;
  const bool is_known = std::find(kVersions.begin(), kVersions.end(), version) != kVersions.end();
  const McpAnswer answer =
      is_known ? answer_mcp(context, request.body, version)
               : refused(kInvalidRequest, fmt::format("MCP-Protocol-Version: '{}' is not spoken here", version));
  if (!answer.json) return exchange.send({202, "application/json", "", {}});
  exchange.send(json_reply(*answer.json, answer.is_refused ? 400 : 200));
}

}  // namespace frugal::api
