// The chat template of a decoder as its pack records it (keys "chat.…"), and how a checkpoint's template becomes these
// keys. model/tokenize/chat.h has the families and renders conversations.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/tokenize/chat.h"

namespace frugal {

/// Adds the keys for a checkpoint to `config`. A template that is not recognised is recorded as unknown, since the
/// weights are still worth packing: generate.chat_family can name the family later.
void plan_chat(const Checkpoint& checkpoint, std::map<std::string, std::string>& config);

/// The chat keys of a pack. The constructor throws what ModelConfig::fail throws.
class ChatConfig {
 public:
  explicit ChatConfig(const ModelConfig& pack);
  /// Throws Error(mismatch) if the checkpoint's chat template was not recognised; the hint names the setting to use.
  ChatFamily family() const;
  /// The template's system message for conversations without one; empty: none.
  std::string_view default_system() const { return default_system_; }

 private:
  std::string family_, default_system_;
};

}  // namespace frugal
