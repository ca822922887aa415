// The baseline that savings are measured against: the straightforward program. It reads every model from its published
// checkpoint, in full precision, before the first question, whether the question needs it or not.

#include <fmt/format.h>

#include "base/error.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/heads/encoder_embedder.h"
#include "model/hub/models.h"
#include "model/nn/decoder.h"
#include "model/nn/model_source.h"

namespace frugal {
namespace {

class NaiveModels final : public Models {
 public:
  NaiveModels(const NaivePaths& paths, const Backend& backend, int threads, Budget& budget,
              std::optional<ChatFamily> chat_family)
      : pool_(threads), ops_(make_ops(backend, pool_, budget)), chat_family_(chat_family) {
    // An index accepts only the embedder whose identity it was made with, and that is the pack's.
    const Pack embedder_pack(paths.embedder_pack);
    embedder_source_ =
        open_checkpoint_source(paths.embedder, std::string(embedder_pack.identity()),
                               {.kind = ModelKind::embedder, .dimensions = read_truncation(embedder_pack)});
    embedder_ = open_embedder(*embedder_source_, *ops_);
    if (paths.generator.empty()) return;
    generator_source_ = open_checkpoint_source(paths.generator, "naive");
    decoder_ = open_decoder(*generator_source_, *ops_);
    generator_ = make_local_generator(*decoder_, budget, chat_family);
    const Pack pack(paths.generator_pack);
    for (const PackTensor& tensor : pack.tensors()) parameters_ += tensor.shape.elements();
  }

  std::shared_ptr<Embedder> embedder() override { return embedder_; }
  std::shared_ptr<Generator> generator() override {
    if (!generator_)
      throw Error(Code::missing, "there is no checkpoint of a generator").hint("run scripts/fetch-models --all");
    return generator_;
  }
  // Readers are published as packs, so there is no checkpoint to be read in full precision.
  bool has_reader() const override { return false; }
  std::shared_ptr<Reader> reader() override { throw Error(Code::internal, "no reader"); }
  GeneratorSize generator_size(int64_t min_parameters) override {
    if (!generator_) return GeneratorSize::none;
    return parameters_ >= min_parameters ? GeneratorSize::sufficient : GeneratorSize::small;
  }
  std::string identity() override {
    return fmt::format("naive {} {}\nembedder {}\nchat {}", ops_->name(), embedder_source_->path().native(),
                       embedder_source_->identity(), chat_family_ ? to_string(*chat_family_) : "auto");
  }

 private:
  // In this order, because later members borrow from earlier ones.
  ThreadPool pool_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<ModelSource> embedder_source_, generator_source_;
  std::shared_ptr<Embedder> embedder_;
  std::unique_ptr<Decoder> decoder_;
  std::shared_ptr<Generator> generator_;
  std::optional<ChatFamily> chat_family_;
  int64_t parameters_ = 0;
};

}  // namespace

std::unique_ptr<Models> open_naive_models(const NaivePaths& paths, const Backend& backend, int threads, Budget& budget,
                                          std::optional<ChatFamily> chat_family) {
  return std::make_unique<NaiveModels>(paths, backend, threads, budget, chat_family);
}

}  // namespace frugal
