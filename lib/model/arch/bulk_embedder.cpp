// With many texts, every thread runs forward passes of its own on whole texts. A forward pass that is split over the
// threads ends each of its fifty loops with a wait for the slowest thread, which on two cores took an eighth of the
// time to build an index. Few texts still share one split pass.
#include "model/arch/bulk_embedder.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "model/arch/registry.h"

namespace frugal {
namespace {

// Tokens of the batch that a thread takes at a time, about: enough rows for the kernels to reach full speed, few enough
// that threads finish together and activations stay in the second-level cache.
constexpr int64_t kTokensPerBatch = 192;
// An estimate for text in words. It affects only how evenly the work is distributed.
constexpr int64_t kBytesPerToken = 4;

class BulkEmbedder final : public Embedder {
 public:
  BulkEmbedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget& budget)
      : pack_(pack), threads_(threads), budget_(budget), shared_(open_embedder(pack, ops)) {}

  int64_t dimension() const override { return shared_->dimension(); }
  int64_t max_tokens() const override { return shared_->max_tokens(); }
  const Tokenizer& tokenizer() const override { return shared_->tokenizer(); }
  std::string_view prompt(TextRole role) const override { return shared_->prompt(role); }
  std::string fingerprint() const override { return shared_->fingerprint(); }
  std::vector<float> hidden_states(std::span<const TokenId> ids) override { return shared_->hidden_states(ids); }

  void release_working_memory() override { workers_.clear(); }

  bool has_sparse() const override { return shared_->has_sparse(); }
  int64_t token_dimension() const override { return shared_->token_dimension(); }

  void embed(std::span<const std::string_view> texts, TextRole role, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    const auto width = static_cast<size_t>(dimension());
    distribute(texts, [&](Embedder& embedder, size_t first, size_t count) {
      embedder.embed(texts.subspan(first, count), role, out.subspan(first * width, count * width));
    });
  }

  std::vector<TextEmbedding> embed_all(std::span<const std::string_view> texts, TextRole role,
                                       TokenOutputs wanted) override {
    std::vector<TextEmbedding> all(texts.size());
    distribute(texts, [&](Embedder& embedder, size_t first, size_t count) {
      std::vector<TextEmbedding> some = embedder.embed_all(texts.subspan(first, count), role, wanted);
      std::move(some.begin(), some.end(), all.begin() + static_cast<ptrdiff_t>(first));
    });
    return all;
  }

 private:
  /// An embedder that one thread runs alone.
  struct Worker {
    Worker(const Pack& pack, Budget& budget) : ops(make_cpu_ops(thread, budget)), embedder(open_embedder(pack, *ops)) {}
    ThreadPool thread{1};
    std::unique_ptr<Ops> ops;
    std::unique_ptr<Embedder> embedder;
  };

  // Calls run(embedder, first, count) for runs of texts, from several threads if there are many.
  template <class Run>
  void distribute(std::span<const std::string_view> texts, const Run& run) {
    const std::vector<size_t> batches = split_into_batches(texts);
    const size_t count = batches.size() - 1;
    if (threads_.threads() == 1 || count < 2 * static_cast<size_t>(threads_.threads()))
      return run(*shared_, 0, texts.size());
    while (int64_t(workers_.size()) < threads_.threads()) workers_.push_back(std::make_unique<Worker>(pack_, budget_));
    std::atomic<size_t> next{0};
    threads_.parallel_for(threads_.threads(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (size_t batch = next++; batch < count; batch = next++)
          run(*workers_[static_cast<size_t>(i)]->embedder, batches[batch], batches[batch + 1] - batches[batch]);
    });
  }

  /// Batch i is texts [result[i], result[i + 1]).
  std::vector<size_t> split_into_batches(std::span<const std::string_view> texts) const {
    std::vector<size_t> batches{0};
    int64_t tokens = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      tokens += std::min<int64_t>(static_cast<int64_t>(texts[i].size()) / kBytesPerToken + 2, max_tokens());
      if (tokens < kTokensPerBatch && i + 1 < texts.size()) continue;
      batches.push_back(i + 1);
      tokens = 0;
    }
    return batches;
  }

  const Pack& pack_;
  ThreadPool& threads_;
  Budget& budget_;
  std::unique_ptr<Embedder> shared_;  // for few texts: all threads share one forward pass
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::unique_ptr<Embedder> open_bulk_embedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget& budget) {
  return std::make_unique<BulkEmbedder>(pack, ops, threads, budget);
}

}  // namespace frugal
