// The parts of a sentence-transformers model, as modules.json of its folder lists them: a transformer, its pooling, and
// what follows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

inline constexpr std::string_view kModulesFile = "modules.json";

struct SentenceModule {
  std::string kind;    // the last part of its type: "Pooling" of "sentence_transformers.models.Pooling"
  std::string folder;  // of its files, in the model's folder; empty: the model's folder itself

  /// The name of a file of the module, relative to the model's folder: "1_Pooling/config.json".
  std::string file(std::string_view name) const { return (folder.empty() ? "" : folder + "/") + std::string(name); }
};

/// The modules in their order, at most 16. Throws Error(bad_input) naming `file` if it is no list of modules, or if a
/// folder leads out of the model's.
std::vector<SentenceModule> parse_modules(std::string_view json, std::string_view file);
/// Those of a checkpoint, or none.
std::vector<SentenceModule> read_modules(const Checkpoint& checkpoint);

}  // namespace frugal
