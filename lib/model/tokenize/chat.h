// Chat templates: the families that this project supports, recognised from the model's Jinja template. Not a Jinja
// engine.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"

namespace frugal {

/// chatml covers SmolLM2 too. qwen3 answers without thinking first (chatml lets it think); llama31 is Llama 3.1
/// and 3.2, whose system turn begins with dates. gemma has no system turn: the first of the user begins with it.
enum class ChatFamily { none, chatml, llama3, llama2, qwen, qwen3, llama31, gemma };
constexpr std::array<Named<ChatFamily>, 8> names_of(ChatFamily) {
  return {{{ChatFamily::chatml, "chatml"},
           {ChatFamily::gemma, "gemma"},
           {ChatFamily::llama2, "llama2"},
           {ChatFamily::llama3, "llama3"},
           {ChatFamily::llama31, "llama3.1"},
           {ChatFamily::qwen, "qwen"},
           {ChatFamily::qwen3, "qwen3"},
           {ChatFamily::none, "none"}}};
}

struct ChatMessage {
  std::string role;  // system, user, assistant
  std::string content;
};

/// The family of a Jinja template, by its markers; none for an empty template. nullopt: not recognised.
std::optional<ChatFamily> recognise_chat_template(std::string_view jinja);
/// The template's default system message, used where the conversation has none; empty if it has no default.
std::string chat_default_system(std::string_view jinja);
/// "chatml, llama2, … or none", for messages.
std::string known_chat_families();

/// A piece of a rendered chat. Markup consists of special tokens only and is tokenised as such; content never is, so
/// that a document cannot forge a turn. The ids equal those of the whole text tokenised at once.
struct ChatPiece {
  std::string text;
  bool markup = false;
};
/// Renders the conversation in the model's format, ready for the assistant to answer. Includes the begin-of-text token
/// where the family has one, so do not add Tokenizer::prefix(). default_system is used where the template would use it;
/// for qwen, empty means Qwen2's. none joins the contents with blank lines. Throws Error(bad_input) where the
/// turns of llama2 or gemma do not alternate, as their templates do.
std::vector<ChatPiece> render_chat(ChatFamily family, std::span<const ChatMessage> messages,
                                   std::string_view default_system = {});

}  // namespace frugal
