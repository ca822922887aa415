// A pack opened and ready to run, whatever its architecture: what mem-profile loads and unloads and bench-latency
// times. Not the toolkit's model hub: it owns one model, and gives everything back when it dies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "format/pack.h"
#include "memory/budget.h"
#include "nn/decoder.h"
#include "nn/embedder.h"
#include "ops/plugin.h"

namespace frugal {

class LoadedModel {
 public:
  /// Borrows `threads` and `budget` (may be null). Throws Error(missing, corrupt_file, mismatch).
  LoadedModel(const std::filesystem::path& pack, ThreadPool& threads, Budget* budget = nullptr,
              const Backend& backend = {});
  /// The same on a backend of the caller's.
  LoadedModel(const std::filesystem::path& pack, std::unique_ptr<Ops> ops, Budget* budget = nullptr);
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;
  /// Also hands freed heap pages back to the system, which the allocator would keep.
  ~LoadedModel();

  const Pack& pack() const { return pack_; }
  /// The plugin's backend that it runs on; null for the native one.
  PluginOps* device() const;
  bool generates() const { return decoder_ != nullptr; }
  /// Throw Error(mismatch) where the model is of the other kind.
  Embedder& embedder() const;
  Decoder& decoder() const;

  /// One use: embeds `text`, or answers it with at most `max_new_tokens`. Says what it did: "embedded 12 tokens".
  /// Hands freed heap pages back too, so that what is there afterwards is held by something.
  std::string run(std::string_view text, int64_t max_new_tokens);

 private:
  std::string embed(std::string_view text);
  std::string answer(std::string_view text, int64_t max_new_tokens);

  Pack pack_;
  Budget* budget_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace frugal
