// Many texts on many threads: every thread runs forwards of its own. Split over the threads, a forward ends each of its
// fifty loops with a wait for the slower core; on two cores that cost an eighth of the time of an index.
#include "model/arch/bulk_embedder.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "model/arch/registry.h"

namespace frugal {
namespace {

// Texts of about so many tokens go to a thread at a time: enough rows for a kernel to be at its best, few enough that
// threads finish together and activations stay in the second-level cache.
constexpr int64_t kTokensPerTurn = 192;
// Roughly, of text in words; only how evenly the work is shared depends on it.
constexpr int64_t kBytesPerToken = 4;

class BulkEmbedder final : public Embedder {
 public:
  BulkEmbedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget& budget)
      : pack_(pack), threads_(threads), budget_(budget), whole_(open_embedder(pack, ops)) {}

  int64_t dimension() const override { return whole_->dimension(); }
  int64_t max_tokens() const override { return whole_->max_tokens(); }
  const Tokenizer& tokenizer() const override { return whole_->tokenizer(); }
  std::string fingerprint() const override { return whole_->fingerprint(); }
  std::vector<float> hidden_states(std::span<const TokenId> ids) override { return whole_->hidden_states(ids); }

  void embed(std::span<const std::string_view> texts, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    const std::vector<size_t> turns = cut_into_turns(texts);
    const size_t count = turns.size() - 1;
    if (threads_.threads() == 1 || count < 2 * static_cast<size_t>(threads_.threads()))
      return whole_->embed(texts, out);
    while (int64_t(singles_.size()) < threads_.threads()) singles_.push_back(std::make_unique<Single>(pack_, budget_));

    const auto width = static_cast<size_t>(dimension());
    std::atomic<size_t> next{0};
    threads_.parallel_for(threads_.threads(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (size_t turn = next++; turn < count; turn = next++) {
          const size_t first = turns[turn], texts_in_turn = turns[turn + 1] - first;
          singles_[static_cast<size_t>(i)]->embedder->embed(texts.subspan(first, texts_in_turn),
                                                            out.subspan(first * width, texts_in_turn * width));
        }
    });
  }

 private:
  /// An embedder that one thread runs alone.
  struct Single {
    Single(const Pack& pack, Budget& budget) : ops(make_cpu_ops(alone, budget)), embedder(open_embedder(pack, *ops)) {}
    ThreadPool alone{1};
    std::unique_ptr<Ops> ops;
    std::unique_ptr<Embedder> embedder;
  };

  /// Turn i is texts [result[i], result[i + 1]).
  std::vector<size_t> cut_into_turns(std::span<const std::string_view> texts) const {
    std::vector<size_t> turns{0};
    int64_t tokens = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      tokens += std::min<int64_t>(static_cast<int64_t>(texts[i].size()) / kBytesPerToken + 2, max_tokens());
      if (tokens < kTokensPerTurn && i + 1 < texts.size()) continue;
      turns.push_back(i + 1);
      tokens = 0;
    }
    return turns;
  }

  const Pack& pack_;
  ThreadPool& threads_;
  Budget& budget_;
  std::unique_ptr<Embedder> whole_;  // few texts: all threads share one forward
  std::vector<std::unique_ptr<Single>> singles_;
};

}  // namespace

std::unique_ptr<Embedder> open_bulk_embedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget& budget) {
  return std::make_unique<BulkEmbedder>(pack, ops, threads, budget);
}

}  // namespace frugal
