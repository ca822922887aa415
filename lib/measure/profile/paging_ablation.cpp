// How the ablation works. It asks two questions about a budget: does the answer stay the same within the limit, and how
// close does the time come to its lower bound?
//
// Every run is a child process, so that its peak RSS (the kernel's high-water mark, which never falls) is its own. A
// run loads the pack under the budget, reads the prompt, and generates tokens greedily. It returns its figures, a
// checksum over all logits, and the tokens. One more run without a limit gives the reference: tokens must be equal, and
// logits are compared bit for bit.
//
// The page cache decides what a block read costs, so it is put in a known state before each run: `direct` evicts the
// pack, `mapped` reads it in (in pieces that are released at once, so that the parent does not become resident).
//
// The disk of a shared machine is not the same from minute to minute. Its sequential rate is measured directly before
// and after each run, and the mean of both is the run's rate. Rounds of one setting are ordered by time × rate, that
// is, by the bytes that the disk could have read during one token; the median round counts, because other load on the
// machine seldom disturbs more than half of the rounds. Peak RSS and tokens, in contrast, must hold in every round.
//
// The first two tokens are left out of the time: in them the predictive policy learns the order of use and fills its
// capacity. All later passes use blocks in the same order, so simulate_reads() can tell for the recorded order how many
// blocks Belady's optimal policy, and each real policy, would have read with the same capacity. The ratio of the blocks
// that were read to Belady's number separates a poor choice of pages from a slow disk.
//
// The lower bound of the time per token is max(compute, bytes that cannot be resident ÷ disk rate): reads may overlap
// computation completely, but neither can be skipped.
#include "measure/profile/paging_ablation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/statistics.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "measure/bench/disk_rate.h"
#include "memory/budget.h"
#include "model/hub/loaded_model.h"
#include "model/nn/kv_cache.h"
#include "model/nn/logits.h"
#include "telemetry/page_cache.h"
#include "telemetry/process_memory.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens in which the predictive policy learns the order of use and fills its capacity.
constexpr size_t kLearning = 2;

// The fixed part of a run's result; the tokens follow it.
struct Outcome {
  PagingRun run;
  uint64_t logits_checksum = 0;
};
static_assert(std::is_trivially_copyable_v<Outcome>);

struct RunResult {
  Outcome outcome;
  std::vector<TokenId> tokens;
};

struct Continuation {
  std::vector<TokenId> tokens;
  std::vector<double> milliseconds;  // one per token
  uint64_t logits_checksum = 0;
};

Continuation continue_text(Decoder& decoder, const std::string& text, int64_t new_tokens, Budget& budget) {
  const std::vector<TokenId> prompt = decoder.tokenizer().encode(text, false);
  const int64_t needed = static_cast<int64_t>(prompt.size()) + new_tokens;
  if (prompt.empty()) throw Error(Code::usage, "the prompt is empty");
  if (needed > decoder.context_tokens())
    throw Error(Code::bad_input,
                fmt::format("{} tokens do not fit the model's context of {}", needed, decoder.context_tokens()))
        .hint("generate fewer tokens");
  KvCache cache = decoder.make_cache(needed, budget, KvType::automatic);
  std::vector<float> logits(static_cast<size_t>(decoder.vocab_size()));
  decoder.forward(prompt, cache, logits);
  Continuation result;
  while (static_cast<int64_t>(result.tokens.size()) < new_tokens) {
    result.tokens.push_back(static_cast<TokenId>(argmax(logits)));
    const auto begin = Clock::now();
    decoder.forward(std::span(&result.tokens.back(), 1), cache, logits);
    result.milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    result.logits_checksum = result.logits_checksum * 31 + checksum64(std::as_bytes(std::span(logits)));
  }
  return result;
}

SimulatedReads simulate(const Pager& pager) {
  const std::vector<int32_t> trace = pager.trace();
  const auto room = static_cast<int32_t>(pager.stats().capacity_bytes / Pager::kBlockBytes);
  const auto reads = [&](std::optional<PagePolicyKind> policy) {
    return simulate_reads(policy, trace, pager.blocks(), room, Pager::kWindow);
  };
  return {reads({}), reads(PagePolicyKind::predictive), reads(PagePolicyKind::lru), reads(PagePolicyKind::clock)};
}

RunResult generate_within(const PagingPlan& plan, uint64_t budget_bytes, const PagerOptions& paging) {
  ThreadPool threads(plan.threads);
  Budget budget(budget_bytes);
  const LoadedModel model(plan.pack, threads, budget, {}, LoadMode::mmap, paging);
  Continuation text = continue_text(model.decoder(), plan.text, plan.new_tokens, budget);
  RunResult result;
  PagingRun& run = result.outcome.run;
  run.peak_rss_bytes = high_water_mark_bytes();  // first: the code below allocates too
  run.policy = paging.policy;
  const size_t learning = std::min(kLearning, text.milliseconds.size() - 1);
  run.ms_per_token = median(std::span(text.milliseconds).subspan(learning));
  result.outcome.logits_checksum = text.logits_checksum;
  result.tokens = std::move(text.tokens);
  const Pager* pager = model.pack().pager();
  if (!pager) return result;
  run.pager = pager->stats();
  run.blocks = pager->blocks();
  run.uses = static_cast<int64_t>(pager->trace().size());
  if (run.pager.paging) run.simulated = simulate(*pager);
  return result;
}

RunResult generate_in_child(const PagingPlan& plan, uint64_t budget_bytes, const PagerOptions& paging,
                            const RunAlone& run_alone) {
  const std::string bytes = run_alone([&] {
    const RunResult result = generate_within(plan, budget_bytes, paging);
    std::string sent(reinterpret_cast<const char*>(&result.outcome), sizeof result.outcome);
    return sent.append(reinterpret_cast<const char*>(result.tokens.data()), result.tokens.size() * sizeof(TokenId));
  });
  RunResult result;
  FRUGAL_CHECK(bytes.size() >= sizeof result.outcome);
  std::memcpy(&result.outcome, bytes.data(), sizeof result.outcome);
  result.tokens.resize((bytes.size() - sizeof result.outcome) / sizeof(TokenId));
  std::memcpy(result.tokens.data(), bytes.data() + sizeof result.outcome, result.tokens.size() * sizeof(TokenId));
  return result;
}

// Reads the file through the page cache, releasing each piece at once.
void read_into_page_cache(const std::filesystem::path& path) {
  const MappedFile file(path);
  for (uint64_t at = 0; at < file.bytes().size(); at += kMiB) {
    checksum64(file.bytes().subspan(at, std::min<uint64_t>(kMiB, file.bytes().size() - at)));
    file.release(at, kMiB);
  }
}

RunResult measure(const PagingPlan& plan, BlockSource source, PagePolicyKind policy, const RunAlone& run_alone) {
  if (source == BlockSource::direct)
    drop_from_page_cache(plan.pack);
  else
    read_into_page_cache(plan.pack);
  PagerOptions paging;
  paging.source = source;
  paging.policy = policy;
  paging.record_trace = true;
  const std::optional<double> before = sequential_read_rate(plan.pack);
  RunResult result = generate_in_child(plan, plan.budget_bytes, paging, run_alone);
  const std::optional<double> after = sequential_read_rate(plan.pack);
  if (before && after) result.outcome.run.disk_bytes_per_second = (*before + *after) / 2;
  return result;
}

// The bytes that the disk could have read during one token: the key by which rounds are compared.
double bytes_per_token(const RunResult& round) {
  return round.outcome.run.ms_per_token * round.outcome.run.disk_bytes_per_second.value_or(1);
}

// The median round, with the largest peak RSS of all rounds; tokens and logits must match in every round.
PagingRun middle_of(std::vector<RunResult> rounds, const RunResult& unlimited) {
  std::sort(rounds.begin(), rounds.end(),
            [](const RunResult& a, const RunResult& b) { return bytes_per_token(a) < bytes_per_token(b); });
  PagingRun run = rounds[rounds.size() / 2].outcome.run;
  run.same_tokens = run.same_logits = true;
  for (const RunResult& round : rounds) {
    run.peak_rss_bytes = std::max(run.peak_rss_bytes, round.outcome.run.peak_rss_bytes);
    run.same_tokens &= round.tokens == unlimited.tokens;
    run.same_logits &= round.outcome.logits_checksum == unlimited.outcome.logits_checksum;
  }
  return run;
}

}  // namespace

double PagingRun::reads_to_optimum() const {
  return simulated.belady == 0 ? 1 : static_cast<double>(pager.read_blocks) / static_cast<double>(simulated.belady);
}

std::optional<double> PagingRun::least_ms_per_token(double compute_ms) const {
  if (!disk_bytes_per_second) return std::nullopt;
  return std::max(compute_ms, 1e3 * static_cast<double>(bytes_not_resident()) / *disk_bytes_per_second);
}

uint64_t PagingAblation::rss_limit_bytes() const {
  return plan.budget_bytes + plan.budget_bytes / 50 + 16 * kMiB;
}

bool PagingAblation::passed() const {
  return std::all_of(runs.begin(), runs.end(), [&](const PagingRun& run) { return holds(run); });
}

PagingAblation measure_paging(const PagingPlan& plan, const RunAlone& run_alone) {
  if (plan.budget_bytes == 0) throw Error(Code::usage, "paging needs a --memory-budget").hint("--memory-budget 64MiB");
  PagingAblation ablation;
  ablation.plan = plan;
  std::vector<std::vector<RunResult>> limited;  // first, so that a budget that is too small fails at once
  for (const BlockSource source : plan.sources)
    for (const PagePolicyKind policy : plan.policies) {
      limited.emplace_back();
      for (int round = 0; round < plan.rounds; ++round)
        limited.back().push_back(measure(plan, source, policy, run_alone));
    }
  const RunResult unlimited = generate_in_child(plan, 0, {}, run_alone);
  ablation.pack_bytes = std::filesystem::file_size(plan.pack);
  ablation.compute_ms_per_token = unlimited.outcome.run.ms_per_token;
  ablation.unlimited_peak_rss_bytes = unlimited.outcome.run.peak_rss_bytes;
  for (std::vector<RunResult>& rounds : limited) ablation.runs.push_back(middle_of(std::move(rounds), unlimited));
  return ablation;
}

}  // namespace frugal
