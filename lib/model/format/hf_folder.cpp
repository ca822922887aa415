#include "model/format/hf_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "model/format/flat_json.h"
#include "model/format/json_reader.h"
#include "model/format/pytorch.h"
#include "model/format/safetensors.h"
#include "model/format/sentence_modules.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxSideFileBytes = 100'000'000;  // the largest tokenizer.json in use has some 35 MB

// How weights are stored, and the names under which folders have them: one file, or shards with an index.
struct Container {
  std::string_view format;
  std::string_view file, index;
  std::vector<SourceTensor> (*read)(const MappedFile&);
};
constexpr Container kSafetensors{"safetensors", "model.safetensors", "model.safetensors.index.json", read_safetensors};
constexpr Container kPytorch{"pytorch", "pytorch_model.bin", "pytorch_model.bin.index.json", read_pytorch};

// Heads that FlagEmbedding saves beside the weights of BGE-M3, each the state of a layer. Their tensors are named as
// there: "sparse_linear.weight".
constexpr std::array<std::string_view, 2> kHeadModules{"sparse_linear", "colbert_linear"};

// True if `name` stays inside the folder it is appended to.
bool is_inside(const std::filesystem::path& name) {
  return name.is_relative() && !name.empty() && std::find(name.begin(), name.end(), "..") == name.end();
}

class HfFolder final : public Checkpoint {
 public:
  HfFolder(std::filesystem::path folder, const Container& container, const std::vector<std::string>& weights)
      : folder_(std::move(folder)), container_(container) {
    const std::optional<std::string> config = side_file("config.json");
    if (!config)
      throw Error(Code::bad_input, fmt::format("no config.json in '{}'", folder_.native()))
          .hint("weights need the config.json they were published with");
    config_ = FlatJson(*config, (folder_ / "config.json").native());
    if (const auto modules = side_file(kModulesFile))
      modules_ = parse_modules(*modules, (folder_ / kModulesFile).native());
    shards_.reserve(weights.size() + modules_.size() + kHeadModules.size());
    for (const std::string& name : weights) add_shard(name, container_);
    add_modules();
    sort_by_name(tensors_, folder_);
  }

  std::string_view format() const override { return container_.format; }
  std::string architecture() const override { return config_.text("model_type").value_or(""); }
  std::string head_class() const override { return config_.text("architectures.0").value_or(""); }
  std::span<const SourceTensor> tensors() const override { return tensors_; }

  std::optional<std::string> text(std::string_view key) const override { return config_.text(key); }
  std::optional<int64_t> integer(std::string_view key) const override { return config_.integer(key); }
  std::optional<double> number(std::string_view key) const override { return config_.number(key); }
  std::vector<double> numbers(std::string_view key) const override { return config_.numbers(key); }

  void release(std::span<const std::byte> data) const override {
    for (const MappedFile& shard : shards_) {
      const std::byte* begin = shard.bytes().data();
      if (data.data() >= begin && data.data() < begin + shard.bytes().size())
        shard.release(static_cast<uint64_t>(data.data() - begin), data.size());
    }
  }

  TokenizerSource tokenizer() const override {
    TokenizerSource source;
    source.tokenizer_json = side_file("tokenizer.json").value_or("");
    source.tokenizer_config = side_file("tokenizer_config.json").value_or("");
    source.vocab_txt = side_file("vocab.txt").value_or("");
    source.model_type = architecture();
    if (const auto name = sentencepiece_file()) {
      source.sentencepiece = side_file(*name).value_or("");
      source.sentencepiece_file = (folder_ / *name).native();
    }
    source.chat_template = side_file("chat_template.jinja").value_or("");
    if (source.chat_template.empty() && !source.tokenizer_config.empty())
      source.chat_template = template_of(source.tokenizer_config);
    return source;
  }

  std::optional<std::string> side_file(std::string_view name) const override {
    const std::filesystem::path relative(name);
    std::error_code status;
    if (!is_inside(relative) || !std::filesystem::exists(folder_ / relative, status)) return std::nullopt;
    return read_file(folder_ / relative, kMaxSideFileBytes);
  }

  std::vector<std::filesystem::path> files() const override {
    std::vector<std::filesystem::path> result;
    for (const MappedFile& shard : shards_) result.push_back(shard.path());
    const auto add = [&](const std::string& name) {
      const std::filesystem::path path = folder_ / name;
      std::error_code status;
      if (std::filesystem::exists(path, status) && std::find(result.begin(), result.end(), path) == result.end())
        result.push_back(path);
    };
    for (const char* name :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "chat_template.jinja", "modules.json",
          "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json",
          "preprocessor_config.json", "processor_config.json"})
      add(name);
    if (const auto name = sentencepiece_file()) add(std::string(*name));
    for (const SentenceModule& module : modules_) add(module.file("config.json"));
    // Only the packs of encoder-decoders hold its settings (model/nn/seq2seq_settings.h).
    if (config_.integer("is_encoder_decoder") == 1) add("generation_config.json");
    return result;
  }

 private:
  // Reads a file; `prefix` precedes the names of its tensors.
  void add_shard(const std::string& name, const Container& container, std::string_view prefix = {}) {
    shards_.emplace_back(folder_ / name);
    for (SourceTensor& tensor : container.read(shards_.back())) {
      tensor.name.insert(0, prefix);
      tensors_.push_back(std::move(tensor));
    }
  }

  // The SentencePiece model, which counts where there is no tokenizer.json.
  std::optional<std::string_view> sentencepiece_file() const {
    std::error_code status;
    if (std::filesystem::exists(folder_ / "tokenizer.json", status)) return std::nullopt;
    for (const std::string_view name : {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model"})
      if (std::filesystem::exists(folder_ / name, status)) return name;
    return std::nullopt;
  }

  // The weights of modules behind the transformer ("2_Dense/linear.weight"), and those of heads.
  void add_modules() {
    std::error_code status;
    for (const SentenceModule& module : modules_) {
      if (module.kind != "Dense") continue;
      for (const Container& container : {kSafetensors, kPytorch}) {
        const std::string name = module.file(container.file);
        if (!std::filesystem::exists(folder_ / name, status)) continue;
        add_shard(name, container, module.file(""));
        break;
      }
    }
    for (const std::string_view head : kHeadModules)
      if (const std::string name = fmt::format("{}.pt", head); std::filesystem::exists(folder_ / name, status))
        add_shard(name, kPytorch, fmt::format("{}.", head));
  }

  // "chat_template" is a string, or a list of {name, template} of which "default" counts.
  std::string template_of(const std::string& tokenizer_config) const {
    simdjson::dom::parser parser;
    const auto config = parse_json_object(parser, tokenizer_config, (folder_ / "tokenizer_config.json").native());
    std::string_view text;
    if (!config["chat_template"].get_string().get(text)) return std::string(text);
    simdjson::dom::array list;
    if (config["chat_template"].get_array().get(list)) return {};
    for (const simdjson::dom::element entry : list) {
      std::string_view name;
      if (!entry["name"].get_string().get(name) && name == "default" && !entry["template"].get_string().get(text))
        return std::string(text);
    }
    return {};
  }

  std::filesystem::path folder_;
  Container container_;
  FlatJson config_;
  std::vector<SentenceModule> modules_;
  std::vector<MappedFile> shards_;
  std::vector<SourceTensor> tensors_;
};

// The distinct files that the index names, sorted.
std::vector<std::string> shards_of(const std::filesystem::path& folder, std::string_view index) {
  const std::string file = (folder / index).native();
  const std::string json = read_file(file, kMaxSideFileBytes);
  simdjson::dom::parser parser;
  simdjson::dom::object map;
  if (parse_json_object(parser, json, file)["weight_map"].get_object().get(map))
    throw Error(Code::corrupt_file, fmt::format("'{}': no 'weight_map'", file));
  std::set<std::string> names;
  for (const auto [tensor, value] : map) {
    std::string_view name;
    if (value.get_string().get(name) || name.find('/') != name.npos || !is_inside(std::filesystem::path(name)))
      throw Error(Code::corrupt_file,
                  fmt::format("'{}': weight_map of '{}' is not a file name", file, printable(tensor)));
    names.emplace(name);
  }
  for (const std::string& name : names)
    if (std::error_code status; !std::filesystem::exists(folder / name, status))
      throw Error(Code::bad_input,
                  fmt::format("'{}' names the shard '{}', which does not exist", file, printable(name)))
          .hint("download the missing file");
  return {names.begin(), names.end()};
}

std::unique_ptr<Checkpoint> open_file(const std::filesystem::path& file, const Container& container) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  return std::make_unique<HfFolder>(folder, container, std::vector<std::string>{file.filename().native()});
}

}  // namespace

std::unique_ptr<Checkpoint> open_hf_folder(const std::filesystem::path& folder) {
  for (const Container& container : {kSafetensors, kPytorch}) {
    std::error_code status;
    if (std::filesystem::exists(folder / container.file, status))
      return std::make_unique<HfFolder>(folder, container, std::vector<std::string>{std::string(container.file)});
    if (std::filesystem::exists(folder / container.index, status))
      return std::make_unique<HfFolder>(folder, container, shards_of(folder, container.index));
  }
  throw Error(Code::bad_input, fmt::format("folder '{}' holds none of {}, {}, {} and {}", folder.native(),
                                           kSafetensors.file, kSafetensors.index, kPytorch.file, kPytorch.index))
      .hint("give the folder of a Hugging Face checkpoint, or the .safetensors, .gguf, .pt or .bin file itself");
}

std::unique_ptr<Checkpoint> open_safetensors_file(const std::filesystem::path& file) {
  return open_file(file, kSafetensors);
}

std::unique_ptr<Checkpoint> open_pytorch_file(const std::filesystem::path& file) {
  return open_file(file, kPytorch);
}

}  // namespace frugal
