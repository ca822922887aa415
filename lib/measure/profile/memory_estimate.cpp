// An estimate is a rehearsal: the model is really opened, on CountingOps instead of a backend. Its objects (tokenizer,
// handles, graph) are measured as the memory that opening adds. A run executes the model's own code; CountingOps
// records the allocations of working memory and the weights that it would read, and computes nothing. So a new
// architecture or a changed scope is estimated correctly without a formula of its own.
//
// Between stages a model keeps part of its working memory (arena blocks, tables). The peak of a run is therefore its
// own peak, plus the memory kept by all other loaded models, plus all objects.
#include "measure/profile/memory_estimate.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "memory/budget.h"
#include "telemetry/process_memory.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

// Memory added so far: in pages, as a measurement sees it, including the allocator's rounding and free gaps; but at
// least the bytes allocated, which may lie in pages that were there before.
class AddedMemory {
 public:
  uint64_t bytes() const { return std::max(since(anon_, anon_bytes()), since(heap_, heap_in_use_bytes())); }

 private:
  static uint64_t since(uint64_t before, uint64_t now) { return now - std::min(before, now); }
  static uint64_t anon_bytes() {
    const MemoryReading now = read_memory();
    return now.anon_bytes + now.swap_bytes;
  }
  uint64_t anon_ = anon_bytes(), heap_ = heap_in_use_bytes();
};

// A decoder whose most likely token is always an ordinary one writes as many tokens as allowed.
int32_t ordinary_token(const Tokenizer& tokenizer, int64_t vocab) {
  int32_t token = 0;
  while (token + 1 < vocab && tokenizer.is_special(token)) ++token;
  return token;
}

ActivationLayout layout_of(const ForwardPass& pass) {
  const LifetimePlan plan = plan_lifetimes(pass.tensors);
  return {pass.arena_bytes, plan.planned_bytes, plan.peak_live_bytes};
}

}  // namespace

void MemoryEstimate::add_runtime(uint64_t anon_bytes) {
  runtime_bytes += anon_bytes;
  peak_anon_bytes += anon_bytes;
}

MemoryEstimate MemoryEstimator::sum() const {
  MemoryEstimate estimate;
  for (const auto& [name, rehearsal] : loaded_) {
    estimate.model_bytes += rehearsal.object_bytes;
    estimate.working.activation_bytes += rehearsal.kept.activation_bytes;
    estimate.working.table_bytes += rehearsal.kept.table_bytes;
  }
  estimate.peak_anon_bytes = estimate.model_bytes + estimate.working.total_bytes();
  return estimate;
}

uint64_t MemoryEstimator::mapped_bytes(const Rehearsal& rehearsal) const {
  const uint64_t whole = round_up(rehearsal.model->pack().file_bytes(), kPageBytes);
  if (rehearsal.mode == LoadMode::read) return 0;
  if (rehearsal.mode == LoadMode::mlock) return whole;
  return std::min(rehearsal.header_bytes + rehearsal.ops->mapped_bytes(), whole);
}

MemoryEstimate MemoryEstimator::load(const std::string& name, const std::filesystem::path& pack, LoadMode mode) {
  if (mode == LoadMode::naive)
    throw Error(Code::usage, "a full-precision checkpoint has no estimate").hint("estimate its pack");
  if (mode == LoadMode::stream)
    throw Error(Code::usage, "a streamed pack has no estimate").hint("mem-profile paging measures one");
  Rehearsal rehearsal;
  const AddedMemory added;
  auto ops = std::make_unique<CountingOps>(threads_);
  rehearsal.ops = ops.get();
  rehearsal.model = std::make_unique<LoadedModel>(pack, std::move(ops), Budget::unlimited());
  rehearsal.object_bytes = added.bytes();
  rehearsal.ops->watch(rehearsal.model->pack().file().bytes());
  rehearsal.header_bytes = mapped_resident_bytes(pack).value_or(0);
  rehearsal.mode = mode;
  if (mode == LoadMode::read) rehearsal.object_bytes += round_up(rehearsal.model->pack().file_bytes(), kPageBytes);
  if (const auto* decoder = rehearsal.model->find<Decoder>())
    rehearsal.ops->set_argmax(ordinary_token(decoder->tokenizer(), decoder->vocab_size()));
  const Rehearsal& loaded = loaded_.insert_or_assign(name, std::move(rehearsal)).first->second;
  MemoryEstimate estimate = sum();
  estimate.mapped_bytes = mapped_bytes(loaded);
  return estimate;
}

MemoryEstimate MemoryEstimator::run(const std::string& name, std::string_view text, int64_t max_new_tokens,
                                    std::optional<ChatFamily> chat_family) {
  Rehearsal& rehearsal = loaded_.at(name);
  MemoryEstimate before = sum();
  rehearsal.model->run(text, max_new_tokens, chat_family);
  const WorkingMemory &peak = rehearsal.ops->peak(), now = rehearsal.ops->now();
  // Other models keep their working memory; this one's counts at its peak.
  MemoryEstimate estimate = before;
  estimate.working = peak;
  estimate.working.activation_bytes += before.working.activation_bytes - rehearsal.kept.activation_bytes;
  estimate.working.table_bytes += before.working.table_bytes - rehearsal.kept.table_bytes;
  estimate.peak_anon_bytes = estimate.model_bytes + estimate.working.total_bytes();
  rehearsal.kept.activation_bytes = now.activation_bytes;
  rehearsal.kept.table_bytes = now.table_bytes;
  estimate.mapped_bytes = mapped_bytes(rehearsal);
  estimate.activations = layout_of(rehearsal.ops->widest_pass());
  return estimate;
}

void MemoryEstimator::unload(const std::string& name) {
  loaded_.erase(name);
}

}  // namespace frugal
