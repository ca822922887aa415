#include "model/nn/chat_config.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {
namespace {

// chat.family of a pack whose checkpoint brought a template that was not recognised.
constexpr std::string_view kUnknownChat = "unknown";

}  // namespace

void plan_chat(const Checkpoint& checkpoint, std::map<std::string, std::string>& config) {
  const std::string jinja = checkpoint.tokenizer().chat_template;
  try {
    config["chat.family"] = to_string(recognise_chat_template(jinja));
    config["chat.default_system"] = chat_default_system(jinja);
  } catch (const Error&) {
    // The weights are still worth packing: generate.chat_family names the family where they are used.
    config["chat.family"] = kUnknownChat;
  }
}

ChatConfig::ChatConfig(const ModelConfig& pack)
    : family_(pack.require_text("chat.family")), default_system_(pack.text("chat.default_system").value_or("")) {}

ChatFamily ChatConfig::family() const {
  if (family_ == kUnknownChat)
    throw Error(Code::mismatch, "the model's chat template is of no family this build knows")
        .hint(fmt::format("set generate.chat_family to {}", known_chat_families()));
  return parse_named<ChatFamily>("chat family", family_);
}

}  // namespace frugal
