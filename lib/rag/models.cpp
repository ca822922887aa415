#include "rag/models.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "format/pack.h"
#include "generate/prefix_cache.h"
#include "nn/decoder.h"
#include "ops/ops.h"

namespace frugal {
namespace {

// Path, size and time of change: a new file of the same name is another model.
std::string file_identity(const std::function<std::filesystem::path()>& path) {
  std::filesystem::path file;
  try {
    file = path();
  } catch (const Error&) {
    return "none";  // said where the model is needed
  }
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return "none";
  return fmt::format("{}|{}|{}.{}", file.native(), info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

class PackModels : public Models {
 public:
  PackModels(ModelPaths paths, const Backend& backend, int threads, Budget* budget, const GeneratorMemory& memory,
             const PagerOptions& paging)
      : paths_(std::move(paths)),
        backend_(backend),
        threads_(threads),
        budget_(budget),
        kv_type_(memory.kv_type),
        paging_(paging) {
    if (!memory.prefix_folder.empty()) prefixes_.emplace(memory.prefix_folder, memory.prefix_max_bytes, budget);
  }

  Embedder& embedder() override {
    if (!embedder_) {
      embedder_pack_.emplace(paths_.embedder());
      page(*embedder_pack_);
      embedder_ = backend_.native() ? open_bulk_embedder(*embedder_pack_, ops(), pool(), budget_)
                                    : open_embedder(*embedder_pack_, ops());
    }
    return *embedder_;
  }

  Generator& generator() override {
    if (!generator_) {
      page(generator_pack());
      decoder_ = open_decoder(generator_pack(), ops());
      generator_ = make_local_generator(*decoder_, budget_, {}, prefixes_ ? &*prefixes_ : nullptr, kv_type_);
    }
    return *generator_;
  }

  int64_t generator_parameters() override {
    try {
      int64_t parameters = 0;
      for (const PackTensor& tensor : generator_pack().tensors()) parameters += tensor.shape.elements();
      return parameters;
    } catch (const Error& error) {
      if (error.code() == Code::missing) return 0;
      throw;
    }
  }

  std::string identity() override {
    return fmt::format("embedder {}\ngenerator {} {}\nbackend {} {} {}", file_identity(paths_.embedder),
                       file_identity(paths_.generator), to_string(kv_type_), backend_.plugin, backend_.device,
                       static_cast<int>(backend_.precision));
  }

 private:
  // Other backends copy the weights to where they compute, and reserve that.
  void page(Pack& pack) {
    if (budget_ && budget_->limited() && backend_.native()) pack.page(*budget_, paging_);
  }
  Pack& generator_pack() {
    if (!generator_pack_) generator_pack_.emplace(paths_.generator());
    return *generator_pack_;
  }
  ThreadPool& pool() {
    if (!pool_) pool_ = std::make_unique<ThreadPool>(threads_);
    return *pool_;
  }
  Ops& ops() {
    if (!ops_) ops_ = make_ops(backend_, pool(), budget_);
    return *ops_;
  }

  ModelPaths paths_;
  Backend backend_;
  int threads_;
  Budget* budget_;
  KvType kv_type_;
  PagerOptions paging_;
  std::optional<PrefixCache> prefixes_;
  // Destroyed from the last to the first: what borrows comes after what it borrows from.
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Ops> ops_;
  std::optional<Pack> embedder_pack_, generator_pack_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Generator> generator_;
};

}  // namespace

std::unique_ptr<Models> open_pack_models(ModelPaths paths, const Backend& backend, int threads, Budget* budget,
                                         const GeneratorMemory& memory, const PagerOptions& paging) {
  return std::make_unique<PackModels>(std::move(paths), backend, threads, budget, memory, paging);
}

}  // namespace frugal
