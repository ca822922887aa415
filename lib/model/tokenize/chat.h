// Chat templates: the families this project knows, recognised from the model's own Jinja template. Not a Jinja engine.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// chatml also stands for SmolLM2 and Qwen3. llama31 is Llama 3.1 and 3.2, whose system turn opens with dates.
enum class ChatFamily { none, chatml, llama3, llama2, qwen, llama31 };
/// "none", "chatml", "llama3", "llama2", "qwen", "llama3.1".
std::string_view to_string(ChatFamily family);

struct ChatMessage {
  std::string role;  // system, user, assistant
  std::string content;
};

/// Family of a Jinja template, by its markers; an empty template is none. Throws Error(bad_input) for an unknown one.
ChatFamily recognise_chat_template(std::string_view jinja);
/// The system message that a template puts in where the conversation has none; empty if it does not.
std::string chat_default_system(std::string_view jinja);
/// By name ("chatml", …). Throws Error(usage).
ChatFamily parse_chat_family(std::string_view name);
/// The configuration's generate.chat_family: nullopt for "auto", the family that the model names. Throws Error(usage).
std::optional<ChatFamily> parse_chat_override(std::string_view name);
/// "chatml, llama2, … or none", for messages.
std::string_view known_chat_families();

/// A piece of a rendered chat: markup is tokenised with special tokens, content never is, so that a document cannot
/// forge a turn. Markup is special tokens only, so that the ids are those of the whole text tokenised at once.
struct ChatPiece {
  std::string text;
  bool markup = false;
};
/// The conversation as the model was trained to see it, ready for the assistant to answer, with the begin-of-text token
/// where the family has one: Tokenizer::prefix() is not added again. default_system fills in where the template does;
/// for qwen an empty one means Qwen2's. none joins the contents with blank lines. Throws Error(bad_input) where
/// llama2's turns do not alternate, as its template does.
std::vector<ChatPiece> render_chat(ChatFamily family, std::span<const ChatMessage> messages,
                                   std::string_view default_system = {});

}  // namespace frugal
