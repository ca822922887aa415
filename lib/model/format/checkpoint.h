// A published model: named tensors, a configuration, a tokenizer. One interface over safetensors and PyTorch folders,
// GGUF files and E5S1 files. Tensors are read by block, so that quantising never holds a whole model. Not a runtime
// format: see pack.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compute/tensor/view.h"
#include "model/source/source_type.h"

namespace frugal {

/// A Unigram tokenizer (Kudo 2018): pieces with scores, and the normalisation before them.
struct UnigramSource {
  std::vector<std::string> pieces;                             // by id; U+2581 stands for a space
  std::vector<double> scores;                                  // by id: logarithms of probabilities
  std::vector<std::pair<char32_t, std::string>> replacements;  // code points that others replace, as UTF-8; sorted
  int32_t bos = -1, eos = -1, pad = -1, unk = -1;
};

/// The raw parts of a checkpoint's tokenizer; model/tokenize turns them into flat tables.
struct TokenizerSource {
  std::string tokenizer_json;            // content of tokenizer.json, or empty
  std::string tokenizer_config;          // content of tokenizer_config.json, or empty
  std::string vocab_txt;                 // content of vocab.txt, or empty
  std::string sentencepiece;             // content of a SentencePiece model, or empty if there is a tokenizer.json
  std::string sentencepiece_file;        // where it lies, for errors
  std::string model_type;                // of config.json
  std::optional<UnigramSource> unigram;  // of an E5S1 file
  // From GGUF metadata (tokenizer.ggml.*), when model is not empty:
  std::string gguf_model;  // "gpt2", "llama", "bert"
  std::string gguf_pre;    // "smollm", "llama-bpe", "qwen2", …
  std::vector<std::string> gguf_tokens;
  std::vector<std::string> gguf_merges;
  std::vector<float> gguf_scores;
  std::vector<int32_t> gguf_token_types;
  std::optional<int64_t> gguf_bos, gguf_eos, gguf_unk, gguf_pad, gguf_sep, gguf_cls;
  bool gguf_add_bos = false, gguf_add_eos = false, gguf_add_space_prefix = false;
  std::string chat_template;  // from tokenizer_config.json or GGUF, or empty
};

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  /// "safetensors", "pytorch", "gguf" or "e5s1".
  virtual std::string_view format() const = 0;
  /// GGUF's general.architecture, or config.json's model_type: "llama", "bert", …
  virtual std::string architecture() const = 0;
  /// The first of config.json's "architectures", which names the model with its head: "BertForSequenceClassification".
  /// Empty if there is none.
  virtual std::string head_class() const { return {}; }
  /// Sorted by name.
  virtual std::span<const SourceTensor> tensors() const = 0;
  const SourceTensor* find(std::string_view name) const;
  /// Releases the mapped pages under `data`, part of a tensor: weights that are read once need not stay resident.
  virtual void release(std::span<const std::byte> data) const { static_cast<void>(data); }

  /// A configuration value, by Hugging Face's key for a folder or an E5S1 file
  /// ("num_hidden_layers"; nested keys dotted: "rope_scaling.factor"), by GGUF's key for GGUF ("llama.block_count").
  /// nullopt if absent or of another type. A boolean reads as integer 0 or 1, an integer also as a number.
  virtual std::optional<std::string> text(std::string_view key) const = 0;
  virtual std::optional<int64_t> integer(std::string_view key) const = 0;
  virtual std::optional<double> number(std::string_view key) const = 0;
  virtual std::vector<double> numbers(std::string_view key) const = 0;  // a list of numbers; empty if absent

  virtual TokenizerSource tokenizer() const = 0;
  /// Content of a side file of the folder ("modules.json", "1_Pooling/config.json"). nullopt if it does not exist, for
  /// a GGUF file, and if the name leads out of the folder. An E5S1 file implies the one with the prompts.
  virtual std::optional<std::string> side_file(std::string_view name) const = 0;
  /// The files that this checkpoint consists of, in a stable order; provenance hashes them.
  virtual std::vector<std::filesystem::path> files() const = 0;
};

/// Opens a Hugging Face folder, a .safetensors, .pt or .bin file (config.json beside it), a .gguf file or an E5S1 file,
/// recognised by content, not by name. Reads headers only; tensor data is mapped. Throws Error(missing | bad_input |
/// corrupt_file | io) naming file, field and offset.
std::unique_ptr<Checkpoint> open_checkpoint(const std::filesystem::path& path);

}  // namespace frugal
