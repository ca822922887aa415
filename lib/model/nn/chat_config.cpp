#include "model/nn/chat_config.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"

namespace frugal {
namespace {

// chat.family of a pack whose checkpoint has a chat template that was not recognised.
constexpr std::string_view kUnknownFamily = "unknown";

}  // namespace

void plan_chat(const Checkpoint& checkpoint, std::map<std::string, std::string>& config) {
  const std::string jinja = checkpoint.tokenizer().chat_template;
  const std::optional<ChatFamily> family = recognise_chat_template(jinja);
  config["chat.family"] = family ? to_string(*family) : kUnknownFamily;
  if (family) config["chat.default_system"] = chat_default_system(jinja);
}

ChatConfig::ChatConfig(const ModelConfig& pack)
    : family_(pack.require_text("chat.family")), default_system_(pack.text("chat.default_system").value_or("")) {}

ChatFamily ChatConfig::family() const {
  if (family_ == kUnknownFamily)
    throw Error(Code::mismatch, "the model's chat template is not recognised")
        .hint(fmt::format("set generate.chat_family to {}", known_chat_families()));
  return parse_named<ChatFamily>("chat family", family_);
}

}  // namespace frugal
