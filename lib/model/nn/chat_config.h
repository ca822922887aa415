// What a pack says of a decoder's chat template, and how it gets there from a checkpoint. Keys "chat.…".
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/tokenize/chat.h"

namespace frugal {

/// A template of no known family is noted as such: the weights are still worth packing.
void plan_chat(const Checkpoint& checkpoint, std::map<std::string, std::string>& config);

class ChatConfig {
 public:
  explicit ChatConfig(const ModelConfig& pack);
  /// Throws Error(mismatch) saying what to set where the checkpoint's own template was not recognised.
  ChatFamily family() const;
  std::string_view default_system() const { return default_system_; }

 private:
  std::string family_, default_system_;
};

}  // namespace frugal
