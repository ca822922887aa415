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

// Tokens in which the predictive policy learns the order and fills its room.
constexpr size_t kLearning = 2;

// What a run sends, before its tokens.
struct Outcome {
  PagingRun run;
  uint64_t logits_checksum = 0;
};
static_assert(std::is_trivially_copyable_v<Outcome>);

struct Written {
  Outcome outcome;
  std::vector<TokenId> tokens;
};

struct Continuation {
  std::vector<TokenId> tokens;
  std::vector<double> milliseconds;  // of each
  uint64_t logits_checksum = 0;
};

Continuation continue_text(Decoder& decoder, const std::string& text, int64_t new_tokens, Budget& budget) {
  const std::vector<TokenId> prompt = decoder.tokenizer().encode(text, false);
  const int64_t needed = static_cast<int64_t>(prompt.size()) + new_tokens;
  if (prompt.empty()) throw Error(Code::usage, "the text to go on with is empty");
  if (needed > decoder.context_tokens())
    throw Error(Code::bad_input,
                fmt::format("{} tokens do not fit the model's context of {}", needed, decoder.context_tokens()))
        .hint("ask for fewer");
  KvCache cache = decoder.make_cache(needed, &budget, KvType::automatic);
  std::vector<float> logits(static_cast<size_t>(decoder.vocab_size()));
  decoder.forward(prompt, cache, logits);
  Continuation result;
  while (static_cast<int64_t>(result.tokens.size()) < new_tokens) {
    result.tokens.push_back(static_cast<TokenId>(likeliest(logits)));
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

Written write_under(const PagingPlan& plan, uint64_t budget_bytes, const PagerOptions& paging) {
  ThreadPool threads(plan.threads);
  Budget budget(budget_bytes);
  const LoadedModel model(plan.pack, threads, &budget, {}, LoadMode::mmap, paging);
  Continuation text = continue_text(model.decoder(), plan.text, plan.new_tokens, budget);
  Written written;
  PagingRun& run = written.outcome.run;
  run.peak_rss_bytes = high_water_mark_bytes();  // first: what follows takes memory too
  run.policy = paging.policy;
  run.asked_source = paging.source;
  const size_t learning = std::min(kLearning, text.milliseconds.size() - 1);
  run.ms_per_token = median(std::span(text.milliseconds).subspan(learning));
  written.outcome.logits_checksum = text.logits_checksum;
  written.tokens = std::move(text.tokens);
  const Pager* pager = model.pack().pager();
  if (!pager) return written;
  run.pager = pager->stats();
  run.blocks = pager->blocks();
  run.uses = static_cast<int64_t>(pager->trace().size());
  if (run.pager.paging) run.simulated = simulate(*pager);
  return written;
}

Written write_alone(const PagingPlan& plan, uint64_t budget_bytes, const PagerOptions& paging,
                    const RunAlone& run_alone) {
  const std::string bytes = run_alone([&] {
    const Written written = write_under(plan, budget_bytes, paging);
    std::string sent(reinterpret_cast<const char*>(&written.outcome), sizeof written.outcome);
    return sent.append(reinterpret_cast<const char*>(written.tokens.data()), written.tokens.size() * sizeof(TokenId));
  });
  Written written;
  FRUGAL_CHECK(bytes.size() >= sizeof written.outcome);
  std::memcpy(&written.outcome, bytes.data(), sizeof written.outcome);
  written.tokens.resize((bytes.size() - sizeof written.outcome) / sizeof(TokenId));
  std::memcpy(written.tokens.data(), bytes.data() + sizeof written.outcome, written.tokens.size() * sizeof(TokenId));
  return written;
}

// Through the cache, in pieces that take no memory.
void read_into_page_cache(const std::filesystem::path& path) {
  const MappedFile file(path);
  for (uint64_t at = 0; at < file.bytes().size(); at += kMiB) {
    checksum64(file.bytes().subspan(at, std::min<uint64_t>(kMiB, file.bytes().size() - at)));
    file.release(at, kMiB);
  }
}

Written measure(const PagingPlan& plan, BlockSource source, PagePolicyKind policy, const RunAlone& run_alone) {
  if (source == BlockSource::direct)
    drop_from_page_cache(plan.pack);
  else
    read_into_page_cache(plan.pack);
  PagerOptions paging;
  paging.source = source;
  paging.policy = policy;
  paging.record_trace = true;
  const std::optional<double> before = sequential_read_rate(plan.pack);
  Written written = write_alone(plan, plan.budget_bytes, paging, run_alone);
  const std::optional<double> after = sequential_read_rate(plan.pack);
  if (before && after) written.outcome.run.disk_bytes_per_second = (*before + *after) / 2;
  return written;
}

// Tokens' worth of time in bytes that the disk could have read: what rounds are compared by.
double bytes_per_token(const Written& round) {
  return round.outcome.run.ms_per_token * round.outcome.run.disk_bytes_per_second.value_or(1);
}

// The round in the middle: what else the machine does slows a run, or the disk it is measured by, but seldom half of
// the rounds. Memory and tokens are those of the worst.
PagingRun middle_of(std::vector<Written> rounds, const Written& unlimited) {
  std::sort(rounds.begin(), rounds.end(),
            [](const Written& a, const Written& b) { return bytes_per_token(a) < bytes_per_token(b); });
  PagingRun run = rounds[rounds.size() / 2].outcome.run;
  run.same_tokens = run.same_logits = true;
  for (const Written& round : rounds) {
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
  std::vector<std::vector<Written>> limited;  // first: a budget that is too small is found out at once
  for (const BlockSource source : plan.sources)
    for (const PagePolicyKind policy : plan.policies) {
      limited.emplace_back();
      for (int round = 0; round < plan.rounds; ++round)
        limited.back().push_back(measure(plan, source, policy, run_alone));
    }
  const Written unlimited = write_alone(plan, 0, {}, run_alone);
  ablation.pack_bytes = std::filesystem::file_size(plan.pack);
  ablation.compute_ms_per_token = unlimited.outcome.run.ms_per_token;
  ablation.unlimited_peak_rss_bytes = unlimited.outcome.run.peak_rss_bytes;
  for (std::vector<Written>& rounds : limited) ablation.runs.push_back(middle_of(std::move(rounds), unlimited));
  return ablation;
}

}  // namespace frugal
