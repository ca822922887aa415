// What the protocols of OpenAI, Ollama and Cohere have in common: names of models, messages of a chat, options of a
// generation.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/api/engine.h"
#include "app/api/routes.h"
#include "model/tokenize/chat.h"

namespace frugal::api {

/// Texts that one request may have.
inline constexpr size_t kMaxTexts = 4096;

/// The model that answers from the index, with citations.
inline constexpr std::string_view kRagModel = "rag";

/// The name under which clients see a model: that of its pack, without folder and ".pack".
std::string public_name(const EngineModel& model);

/// Which model of a role a client means: its name, with or without ".pack" and ":latest", or "default" or nothing.
/// Returns its public name. Throws Error(bad_input) listing the known names, Error(missing) if the role has none.
std::string resolve_model(const EngineStatus& status, std::string_view role, std::string_view asked);

/// True for a name that resolve_model() would refuse.
bool is_unknown_model(const EngineStatus& status, std::string_view role, std::string_view asked);
/// What resolve_model() says of such a name as a reply: 404, by which clients recognise it. nullopt: it is known.
std::optional<HttpReply> unknown_model_reply(ErrorStyle style, const EngineStatus& status, std::string_view role,
                                             std::string_view asked);

/// The messages of a chat: "content" is a string, or a list of parts of type text. Throws Error(bad_input) for a part
/// of another type, an unknown role, or no messages.
std::vector<ChatMessage> messages_field(const nlohmann::json& body);

/// The text of the last message of the user. Throws Error(bad_input) if there is none.
std::string last_question(const std::vector<ChatMessage>& messages);

/// An answer as rag-query prints it, with its sources; streamed: without the text that was sent already.
std::string text_of(const Reply& reply, bool streamed = false);

/// Reads temperature, top_p, top_k, min_p, seed and stop, where they are set.
void read_sampling(const nlohmann::json& from, GenerateOptions& options);

/// Throws Error(bad_input) if the field is there and neither null nor empty nor false: what it asks for is not done.
void refuse_field(const nlohmann::json& body, const char* name);

/// Leaves of each vector the first `dimensions` of each, of unit length again (Matryoshka; Kusupati et al.
/// 2022). Throws Error(bad_input) if they have fewer. nullopt: all.
void shorten(std::vector<std::vector<float>>& vectors, std::optional<int64_t> dimensions);

/// Seconds since 1970.
int64_t now_s();
/// A point in time as RFC 3339, in UTC: "2026-11-28T12:00:00Z".
std::string rfc3339(int64_t seconds);

}  // namespace frugal::api
