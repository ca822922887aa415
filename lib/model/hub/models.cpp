// A Manager owns the open models and decides how long each stays. Its loaders open a pack together with the backend
// that runs it; its prefetch reads the embedder's file into the page cache. The pointers that embedder(), reader() and
// generator() return share ownership with the manager's, so a model counts as used while any of them lives. The thread
// pool is made with the first model, so that a question that needs none starts no thread.
#include "model/hub/models.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/naming.h"
#include "base/thread_pool.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/arch/bulk_embedder.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/generate/prefix_cache.h"
#include "model/nn/decoder.h"
#include "model/nn/reader.h"
#include "telemetry/page_cache.h"

namespace frugal {
namespace {

// Path, size and modification time, so that another file of the same name is another model.
std::string file_identity(const std::function<std::filesystem::path()>& path) {
  std::filesystem::path file;
  try {
    file = path();
  } catch (const Error&) {
    return "none";  // the error is reported when the model is needed
  }
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return "none";
  return fmt::format("{}|{}|{}.{}", file.native(), info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

// What the pack holds, whatever its file is called and wherever it lies.
std::string pack_identity(const std::function<std::filesystem::path()>& path) {
  try {
    return std::string(Pack(path()).identity());
  } catch (const Error&) {
    return file_identity(path);
  }
}

// A pack with the backend that runs it. The pager is for the native backend only: other backends copy the weights, and
// reserve the copy.
struct OpenPack {
  OpenPack(const std::filesystem::path& file, const ModelOptions& options, ThreadPool& threads)
      : pack(file), ops(make_ops(options.backend, threads, options.budget)) {
    if (options.budget.limited() && options.backend.native()) pack.page(options.budget, options.paging);
  }
  void release_working_memory() { ops->release_working_memory(); }

  Pack pack;
  std::unique_ptr<Ops> ops;
};

struct OpenEmbedder : OpenPack {
  OpenEmbedder(const std::filesystem::path& file, const ModelOptions& options, ThreadPool& threads)
      : OpenPack(file, options, threads),
        embedder(options.backend.native() ? open_bulk_embedder(pack, *ops, threads, options.budget)
                                          : open_embedder(pack, *ops)) {}
  void release_working_memory() {
    embedder->release_working_memory();
    OpenPack::release_working_memory();
  }

  std::unique_ptr<Embedder> embedder;
};

struct OpenGenerator : OpenPack {
  OpenGenerator(const std::filesystem::path& file, const ModelOptions& options, ThreadPool& threads,
                const PrefixCache* prefixes)
      : OpenPack(file, options, threads), decoder(open_decoder(pack, *ops)), generator(naming_file(file, [&] {
          return make_local_generator(*decoder, options.budget, options.chat_family, prefixes,
                                      options.generator.kv_type);
        })) {}
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Generator> generator;
};

struct OpenReader : OpenPack {
  OpenReader(const std::filesystem::path& file, const ModelOptions& options, ThreadPool& threads)
      : OpenPack(file, options, threads), reader(open_as<Reader>(PackSource(pack), *ops)) {}
  std::unique_ptr<Reader> reader;
};

struct OpenImageEmbedder : OpenPack {
  OpenImageEmbedder(const std::filesystem::path& file, const ModelOptions& options, ThreadPool& threads)
      : OpenPack(file, options, threads), embedder(open_as<ImageEmbedder>(PackSource(pack), *ops)) {}
  std::unique_ptr<ImageEmbedder> embedder;
};

int64_t parameters_of(const Pack& pack) {
  int64_t parameters = 0;
  for (const PackTensor& tensor : pack.tensors()) parameters += tensor.shape.elements();
  return parameters;
}

class PackModels : public Models {
 public:
  PackModels(ModelPaths paths, const ModelOptions& options)
      : paths_(std::move(paths)), options_(options), manager_(options.mode, options.budget) {
    const GeneratorMemory& memory = options.generator;
    if (memory.prefix_cache && !memory.prefix_folder.empty())
      prefixes_.emplace(memory.prefix_folder, memory.prefix_max_bytes, options.budget);
    manager_.register_loader<OpenEmbedder>(
        "embedder", [this] { return std::make_unique<OpenEmbedder>(paths_.embedder(), options_, pool()); },
        [this] { prefetch_embedder_file(); });
    manager_.register_loader<OpenGenerator>("generator", [this] {
      return std::make_unique<OpenGenerator>(paths_.generator(), options_, pool(), prefixes_ ? &*prefixes_ : nullptr);
    });
    if (paths_.reader)
      manager_.register_loader<OpenReader>(
          "reader", [this] { return std::make_unique<OpenReader>(paths_.reader(), options_, pool()); });
    if (paths_.image_embedder)
      manager_.register_loader<OpenImageEmbedder>("image embedder", [this] {
        return std::make_unique<OpenImageEmbedder>(paths_.image_embedder(), options_, pool());
      });
  }

  std::shared_ptr<Embedder> embedder() override {
    const auto open = manager_.load<OpenEmbedder>("embedder");
    return {open, open->embedder.get()};
  }

  std::shared_ptr<Generator> generator() override {
    const auto open = manager_.load<OpenGenerator>("generator");
    return {open, open->generator.get()};
  }

  std::shared_ptr<ImageEmbedder> image_embedder() override {
    if (!paths_.image_embedder) return Models::image_embedder();
    const auto open = manager_.load<OpenImageEmbedder>("image embedder");
    return {open, open->embedder.get()};
  }

  bool has_reader() const override { return bool(paths_.reader); }

  std::shared_ptr<Reader> reader() override {
    FRUGAL_CHECK(has_reader());
    const auto open = manager_.load<OpenReader>("reader");
    return {open, open->reader.get()};
  }

  void prefetch_embedder() override { manager_.prefetch("embedder"); }

  GeneratorSize generator_size(int64_t min_parameters) override {
    if (!size_ || size_->first != min_parameters) size_ = {min_parameters, compare_size(min_parameters)};
    return size_->second;
  }

  std::string identity() override { return identity_by(file_identity); }
  std::string content_identity() override { return identity_by(pack_identity); }

  void unload_idle() override {
    const auto now = std::chrono::steady_clock::now();
    if (now - checked_at_ < kCheckInterval) return;
    checked_at_ = now;
    manager_.auto_cleanup_if_needed(kUnloadAbovePercent);
  }

  void release_working_memory() override {
    release_of<OpenEmbedder>("embedder");
    release_of<OpenGenerator>("generator");
    if (paths_.reader) release_of<OpenReader>("reader");
    if (paths_.image_embedder) release_of<OpenImageEmbedder>("image embedder");
  }

  const Manager* manager() const override { return &manager_; }

 private:
  template <class Open>
  void release_of(std::string_view name) {
    if (const auto open = manager_.find_loaded<Open>(name)) open->release_working_memory();
  }

  template <typename Identify>
  std::string identity_by(const Identify& identify) {
    const std::string images =
        paths_.image_embedder ? fmt::format("image embedder {}\n", identify(paths_.image_embedder)) : "";
    return fmt::format("{}embedder {}\nreader {}\ngenerator {} {} chat {}\nbackend {} {} {}", images,
                       identify(paths_.embedder), has_reader() ? identify(paths_.reader) : "none",
                       identify(paths_.generator), to_string(options_.generator.kv_type),
                       options_.chat_family ? to_string(*options_.chat_family) : "auto", options_.backend.plugin,
                       options_.backend.device, static_cast<int>(options_.backend.precision));
  }

  // Reading the system's memory takes 0.1 ms.
  static constexpr std::chrono::seconds kCheckInterval{1};
  static constexpr double kUnloadAbovePercent = 95;

  GeneratorSize compare_size(int64_t min_parameters) const {
    constexpr uint64_t kMaxWeightsPerByte = 2;  // no type has fewer than 4 bits
    try {
      const std::filesystem::path file = paths_.generator();
      struct stat info {};
      if (::stat(file.c_str(), &info) != 0) return GeneratorSize::none;
      const bool may_suffice = static_cast<uint64_t>(info.st_size) >=
                               static_cast<uint64_t>(std::max<int64_t>(min_parameters, 0)) / kMaxWeightsPerByte;
      if (!may_suffice) return GeneratorSize::small;
      return parameters_of(Pack(file)) >= min_parameters ? GeneratorSize::sufficient : GeneratorSize::small;
    } catch (const Error& error) {
      if (error.code() == Code::missing) return GeneratorSize::none;
      log(LogLevel::info, "the generator cannot be read: {}", error.message());
      return GeneratorSize::unreadable;
    }
  }
  // Not if the file exceeds the budget: its pages would not stay.
  void prefetch_embedder_file() const {
    const std::filesystem::path file = paths_.embedder();
    const Budget& budget = options_.budget;
    if (budget.limited() && std::filesystem::file_size(file) > budget.limit_bytes()) return;
    prefetch_into_page_cache(file);
  }
  ThreadPool& pool() {
    std::call_once(pool_made_, [this] { pool_ = std::make_unique<ThreadPool>(options_.threads); });
    return *pool_;
  }

  const ModelPaths paths_;
  const ModelOptions options_;
  std::optional<PrefixCache> prefixes_;
  std::optional<std::pair<int64_t, GeneratorSize>> size_;  // the last answer of generator_size(), by its minimum
  std::chrono::steady_clock::time_point checked_at_ = std::chrono::steady_clock::now();
  std::once_flag pool_made_;
  std::unique_ptr<ThreadPool> pool_;
  Manager manager_;  // destroyed first, since its models borrow from the other members
};

}  // namespace

std::vector<NamedModel<Generator>> Models::generators() {
  return {{"", [this] { return generator(); }}};
}

std::vector<NamedModel<Reader>> Models::readers() {
  return {{"", [this] { return reader(); }}};
}

std::shared_ptr<ImageEmbedder> Models::image_embedder() {
  throw Error(Code::missing, "no image embedder is configured").hint("name the pack of one with --image-embedder");
}

std::unique_ptr<Models> open_pack_models(ModelPaths paths, const ModelOptions& options) {
  return std::make_unique<PackModels>(std::move(paths), options);
}

}  // namespace frugal
