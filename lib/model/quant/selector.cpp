// The steps of select():
//
// 1. write_candidates() writes every candidate of every tensor to one temporary pack beside the output. The candidates
//    stay in that file, and only the pages in use are resident.
// 2. evaluate_structure() computes the spectrum of each weight and the energies of its blocks. They tell whether two
//    thin factors, or int8 without zero blocks, would be smaller at the same error. write_factors() writes the factors
//    that may be chosen to a second temporary pack.
// 3. measure_layers() measures the output error and the time of each candidate on the calibration text.
// 4. choose() measures int8 as the reference, then assembles models and measures their loss on the verification text.
//    The first is the cheapest candidate of every tensor, the second the lossless form of a quantised source. If one of
//    them keeps the limit, it is chosen.
// 5. Otherwise measure_sensitivities() runs the model once for each tensor, with that tensor in its coarsest form and
//    all others in full precision. Its sensitivity is the loss divided by the squared error of that form, so the loss
//    of any other form is predicted as sensitivity · error².
// 6. choose_within() minimises the cost within a limit on the sum of predicted losses (model/quant/allocate.h), and
//    measures the assembled model. Predictions rank the tensors well but their sum is off, so that limit is scaled by
//    the measured loss and the step repeated, until kMaxRounds models were measured.
// 7. prefer_int8() takes int8 for every tensor if the choice costs more than that and int8 keeps the limit, too: with
//    activations in groups, else exactly as --dtype int8 stores the model. The search may miss it, since predictions
//    are off, and since it tries only activations in groups.
//
// The target `quality` goes from int8 directly to the sensitivities, and minimises the predicted loss in int8's bytes.
// A choice counts as within the limit only if the assembled model was measured. Times are reported but decide nothing,
// since the same source and recipe must give the same bytes: the target `speed` uses the costs of kNominalCosts.
#include "model/quant/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>

#include "base/error.h"
#include "base/naming.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "model/nn/model_source.h"
#include "model/quant/allocate.h"
#include "model/quant/calibration.h"
#include "model/quant/structure.h"
#include "model/quant/tensor_errors.h"
#include "model/quant/tensor_writer.h"

namespace frugal {
namespace {

// Tokens (decoder) and texts (encoder) of a sensitivity: enough to rank the tensors, few enough to run for each.
constexpr int64_t kSensitivityTokens = 64;
constexpr size_t kSensitivityTexts = 8;
// The number of assembled models after which choose_within() stops.
constexpr int kMaxRounds = 6;
// Each round aims at this share of the limit on the loss.
constexpr double kTargetShare = 0.97;
// A choice that uses at least this share of the limit is final.
constexpr double kAcceptedShare = 0.85;
// Smaller losses are rounding errors of the comparison.
constexpr double kMinLoss = 1e-9;
constexpr uint64_t kCopyBytes = 1 << 20;

// Picoseconds for each weight, on two cores of a Zen 3 with AVX2 (docs/design/0018): for a single row, as in decoding,
// and for each row of a batch. Constants, so that the choice is the same in every run.
struct NominalCost {
  CandidateKind kind;
  double decode_ps, batch_ps;
};
constexpr std::array<NominalCost, 6> kNominalCosts{{{CandidateKind::int4, 42, 12},
                                                    {CandidateKind::int8, 62, 16},
                                                    {CandidateKind::int8_grouped, 65, 17},
                                                    {CandidateKind::fp16, 130, 21},
                                                    {CandidateKind::fp32, 175, 21},
                                                    {CandidateKind::low_rank, 62, 16}}};

// A look-up of a row takes next to no time. With a cost of zero, the allocator would give tables bytes without need.
constexpr double kTablePsPerByte = 0.1;

double nominal_cost(const StorageOption& candidate, const TensorSpec& spec, const QuantizedKind& kind) {
  if (spec.role == TensorRole::embedding) return kTablePsPerByte * double(candidate.bytes);
  const auto at =
      std::find_if(kNominalCosts.begin(), kNominalCosts.end(), [&](const auto& c) { return c.kind == candidate.kind; });
  FRUGAL_CHECK(at != kNominalCosts.end());
  const auto weights = candidate.rank > 0 ? candidate.rank * (spec.shape[0] + spec.shape[1]) : spec.shape.elements();
  return double(weights) * (kind.reads_weights_per_token ? at->decode_ps : at->batch_ps);
}

// The eligible candidates of each tensor as options of the allocator.
struct EligibleOptions {
  std::vector<AllocationOptions> options;
  std::vector<std::vector<size_t>> candidates;  // for each option, its index among the tensor's candidates

  /// Translates indices of options to indices of candidates.
  std::vector<size_t> candidates_of(std::span<const size_t> chosen) const {
    std::vector<size_t> result;
    for (size_t t = 0; t < chosen.size(); ++t) result.push_back(candidates[t][chosen[t]]);
    return result;
  }
};

double squared(double value) {
  return value * value;
}

template <typename Cost>
EligibleOptions eligible_options(std::span<const TensorCandidates> tensors, Cost&& cost) {
  EligibleOptions result;
  for (const TensorCandidates& tensor : tensors) {
    AllocationOptions options;
    std::vector<size_t> indices;
    for (size_t i = 0; i < tensor.candidates.size(); ++i) {
      const StorageOption& candidate = tensor.candidates[i];
      if (!candidate.eligible) continue;
      options.push_back({cost(candidate, tensor.spec), candidate.model_loss.value_or(squared(candidate.error()))});
      indices.push_back(i);
    }
    result.options.push_back(std::move(options));
    result.candidates.push_back(std::move(indices));
  }
  return result;
}

// The cost that a target minimises: bytes, or picoseconds.
double target_cost(AutoTarget target, const StorageOption& candidate, const TensorSpec& spec,
                   const QuantizedKind& kind) {
  return target == AutoTarget::speed ? nominal_cost(candidate, spec, kind) : double(candidate.bytes);
}

EligibleOptions options_for(AutoTarget target, std::span<const TensorCandidates> tensors, const QuantizedKind& kind) {
  return eligible_options(
      tensors, [&](const auto& candidate, const auto& spec) { return target_cost(target, candidate, spec, kind); });
}

std::vector<CandidateKind> kinds_of(std::span<const TensorCandidates> tensors, std::span<const size_t> chosen) {
  std::vector<CandidateKind> kinds;
  for (size_t t = 0; t < tensors.size(); ++t) kinds.push_back(tensors[t].candidates[chosen[t]].kind);
  return kinds;
}

uint64_t bytes_of(std::span<const TensorCandidates> tensors, std::span<const CandidateKind> kinds) {
  uint64_t sum = 0;
  for (size_t t = 0; t < tensors.size(); ++t) sum += tensors[t].find(kinds[t])->bytes;
  return sum;
}

void pack_factor(PackWriter& writer, size_t index, const DenseMatrix& factor) {
  const uint64_t block_bytes = packed_block_bytes(DType::linear_i8, factor.cols);
  std::vector<std::byte> data(block_bytes);
  std::array<float, kOutputBlock> scales;
  for (int64_t row = 0, block = 0; row < factor.rows; row += kOutputBlock, ++block) {
    const int64_t count = std::min(kOutputBlock, factor.rows - row);
    pack_block(DType::linear_i8,
               std::span(factor.values)
                   .subspan(static_cast<size_t>(row * factor.cols), static_cast<size_t>(count * factor.cols)),
               factor.cols, data.data(), scales.data());
    writer.write_data(index, static_cast<uint64_t>(block) * block_bytes, data);
    writer.write_scales(index, static_cast<uint64_t>(row), scales);
  }
}

void copy_tensor(const PackTensor& tensor, PackWriter& writer, size_t index) {
  for (uint64_t at = 0; at < tensor.data.size(); at += kCopyBytes)
    writer.write_data(index, at, tensor.data.subspan(at, std::min<uint64_t>(kCopyBytes, tensor.data.size() - at)));
  if (!tensor.scales.empty()) writer.write_scales(index, 0, tensor.scales);
}

std::string percent(double share) {
  return fmt::format("{:.3g} %", 100 * share);
}

}  // namespace

std::vector<PackWriter::Plan> writer_plan(const TensorPlan& plan) {
  std::vector<PackWriter::Plan> result;
  for (const TensorJob& job : plan.jobs) {
    const TensorSpec& spec = job.spec;
    if (job.rank == 0) {
      result.push_back({spec.name, job.dtype, spec.shape, spec.role});
      continue;
    }
    result.push_back({spec.name + ".v", job.dtype, Shape{job.rank, spec.shape[1]}, spec.role});
    result.push_back({spec.name + ".u", job.dtype, Shape{spec.shape[0], job.rank}, spec.role});
  }
  return result;
}

CompressionSelector::CompressionSelector(const Checkpoint& checkpoint, const ModelPlan& model, const Recipe& recipe,
                                         SelectorOptions options)
    : checkpoint_(checkpoint), model_(model), recipe_(recipe), options_(std::move(options)) {
  selection_.target = recipe.target;
  selection_.tensors = list_candidates(checkpoint, model, recipe, options_.allow_requantize);
}

CompressionSelector::~CompressionSelector() = default;

void CompressionSelector::select() {
  write_candidates();
  evaluate_structure();
  write_factors();
  measure_layers();
  choose();
  explain();
}

void CompressionSelector::report_progress(std::string_view stage, double share) const {
  if (options_.progress) options_.progress(stage, share);
}

void CompressionSelector::write_candidates() {
  const TensorPlan plan = candidate_jobs(checkpoint_, model_, selection_.tensors);
  whole_writer_ = std::make_unique<PackWriter>(options_.output.native() + ".candidates", frugal::writer_plan(plan),
                                               options_.config, options_.blobs);
  uint64_t total = 0;
  for (const TensorJob& job : plan.jobs) total += job.source->data.size();
  WriteOptions write;
  write.threads = options_.threads;
  write.work_bytes = options_.work_bytes;
  write.progress = [&](uint64_t done) { report_progress("writing candidates", double(done) / double(total)); };
  naming_file(options_.input, [&] { write_tensors(checkpoint_, plan, *whole_writer_, write); });
  whole_.emplace(whole_writer_->seal());
  const std::vector<TensorError> errors =
      measure_errors(checkpoint_, plan, *whole_, options_.threads,
                     [&](uint64_t done) { report_progress("measuring weights", double(done) / double(total)); });
  size_t job = 0;
  for (TensorCandidates& tensor : selection_.tensors)
    for (StorageOption& candidate : tensor.candidates) candidate.weight_error = errors[job++].relative_rms;
}

// Each thread evaluates one tensor. As many threads run as the memory limit allows for the largest tensor.
void CompressionSelector::evaluate_structure() {
  std::vector<TensorCandidates*> open;
  uint64_t most = 1;
  for (TensorCandidates& tensor : selection_.tensors) {
    const auto bytes = structure_work_bytes(tensor.spec.shape);
    if (tensor.spec.role != TensorRole::linear)
      tensor.note = "low rank and zero blocks not evaluated: rows of a table are looked up, not multiplied";
    else if (!bytes)
      tensor.note = "low rank and zero blocks not evaluated: too large";
    else if (*bytes > options_.structure_work_bytes)
      tensor.note =
          fmt::format("low rank and zero blocks not evaluated: that needs {}, see --max-ram", format_bytes(*bytes));
    else if (recipe_.is_automatic(tensor.spec.name))
      open.push_back(&tensor);
    if (!open.empty() && open.back() == &tensor) most = std::max(most, *bytes);
  }
  ThreadPool pool(
      static_cast<int>(std::clamp<uint64_t>(options_.structure_work_bytes / most, 1, uint64_t(options_.threads))));
  std::mutex mutex;
  size_t done = 0;
  pool.parallel_for(int64_t(open.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      TensorCandidates& tensor = *open[static_cast<size_t>(i)];
      const DenseMatrix weight = read_dense(whole_->require_linear(stored_name(tensor.spec.name, CandidateKind::fp32),
                                                                   tensor.spec.shape[0], tensor.spec.shape[1]));
      StorageOption low_rank = low_rank_candidate(tensor, Spectrum(weight));
      tensor.candidates.push_back(block_sparse_candidate(tensor, weight));
      tensor.candidates.push_back(std::move(low_rank));
      const std::lock_guard lock(mutex);
      report_progress("evaluating structure", double(++done) / double(open.size()));
    }
  });
}

// A second pack, because the ranks were not known when the first was written.
void CompressionSelector::write_factors() {
  TensorPlan plan;
  for (const TensorCandidates& tensor : selection_.tensors)
    if (const StorageOption* c = tensor.find(CandidateKind::low_rank); c && c->eligible)
      plan.jobs.push_back({tensor.spec, tensor.source, c->dtype, c->bytes, false, c->rank});
  if (plan.jobs.empty()) return;
  factors_writer_ = std::make_unique<PackWriter>(options_.output.native() + ".factors", frugal::writer_plan(plan),
                                                 options_.config, options_.blobs);
  size_t index = 0;
  for (const TensorJob& job : plan.jobs) {
    const DenseMatrix weight = read_dense(
        whole_->require_linear(stored_name(job.spec.name, CandidateKind::fp32), job.spec.shape[0], job.spec.shape[1]));
    const Spectrum::Factors factors = Spectrum(weight).factors(weight, job.rank);
    pack_factor(*factors_writer_, index++, factors.v);
    pack_factor(*factors_writer_, index++, factors.u);
  }
  factors_.emplace(factors_writer_->seal());
}

void CompressionSelector::measure_layers() {
  measure_candidates(*whole_, factors_ ? &*factors_ : nullptr, selection_.tensors, model_.kind,
                     options_.calibration_texts, options_.threads,
                     [&](double share) { report_progress("measuring layers", share); });
  for (TensorCandidates& tensor : selection_.tensors) {
    const StorageOption *low_rank = tensor.find(CandidateKind::low_rank), *int4 = tensor.find(CandidateKind::int4);
    if (!low_rank || !low_rank->eligible || low_rank->error() <= int4->error()) continue;
    StorageOption& refused = tensor.candidates[static_cast<size_t>(low_rank - tensor.candidates.data())];
    refused.eligible = false;
    refused.verdict = fmt::format("output error {}, int4 has {}", percent(refused.error()), percent(int4->error()));
  }
}

AssembledSource CompressionSelector::assemble(std::vector<CandidateKind> kinds, bool grouped) const {
  return AssembledSource(*whole_, factors_ ? &*factors_ : nullptr, selection_.tensors, std::move(kinds), grouped);
}

std::vector<CandidateKind> CompressionSelector::int8_kinds() const {
  std::vector<CandidateKind> kinds;
  for (const TensorCandidates& tensor : selection_.tensors) {
    const DType dtype = type_of(tensor.spec.role, tensor.source->type, Precision::int8);
    kinds.push_back(dtype == DType::linear_i8g ? CandidateKind::int8_grouped : CandidateKind::int8);
  }
  return kinds;
}

std::vector<size_t> CompressionSelector::int8_where_eligible() const {
  const std::vector<CandidateKind> int8 = int8_kinds();
  std::vector<size_t> chosen;
  for (size_t t = 0; t < int8.size(); ++t) {
    const std::vector<StorageOption>& candidates = selection_.tensors[t].candidates;
    auto at = std::find_if(candidates.begin(), candidates.end(),
                           [&](const StorageOption& c) { return c.eligible && c.kind == int8[t]; });
    if (at == candidates.end())
      at = std::find_if(candidates.begin(), candidates.end(), [](const StorageOption& c) { return c.eligible; });
    chosen.push_back(static_cast<size_t>(at - candidates.begin()));
  }
  return chosen;
}

double CompressionSelector::cost_of(const std::vector<size_t>& chosen) const {
  double cost = 0;
  for (size_t t = 0; t < chosen.size(); ++t) {
    const TensorCandidates& tensor = selection_.tensors[t];
    cost += target_cost(selection_.target, tensor.candidates[chosen[t]], tensor.spec, quantized_kind(model_.kind));
  }
  return cost;
}

double CompressionSelector::measure_choice(const std::vector<size_t>& chosen, bool grouped_activations) {
  const std::string stage = fmt::format("measuring choice {}", ++selection_.rounds);
  selection_.grouped_activations = grouped_activations;
  selection_.chosen = meter_->measure(assemble(kinds_of(selection_.tensors, chosen), grouped_activations),
                                      VerifyLevel::selected, [&](double share) { report_progress(stage, share); });
  for (size_t t = 0; t < chosen.size(); ++t) selection_.tensors[t].chosen = chosen[t];
  return std::max(selection_.chosen.loss, kMinLoss);
}

void CompressionSelector::choose() {
  const AssembledSource full = assemble(std::vector(selection_.tensors.size(), CandidateKind::fp32), true);
  meter_ = std::make_unique<QualityMeter>(full, model_.kind, options_.verify_texts, kMaxVerifyTokens, options_.threads,
                                          options_.verify_backend);
  const std::vector<CandidateKind> int8 = int8_kinds();
  selection_.int8_tensor_bytes = bytes_of(selection_.tensors, int8);
  selection_.int8 = meter_->measure(assemble(int8, false), VerifyLevel::selected,
                                    [&](double share) { report_progress("measuring int8", share); });
  if (selection_.target == AutoTarget::quality) return choose_best_in_int8_bytes();
  // Never a larger loss than int8's or the target.
  selection_.loss_limit = std::min(kLossTarget, std::max(selection_.int8.loss, kMinLoss));

  const EligibleOptions eligible = options_for(selection_.target, selection_.tensors, quantized_kind(model_.kind));
  const std::vector<size_t> cheapest = minimise_cost(eligible.options, std::numeric_limits<double>::infinity());
  if (measure_choice(eligible.candidates_of(cheapest)) <= selection_.loss_limit) {
    selection_.summary = "the cheapest candidate of every tensor keeps the limit";
    return;
  }
  // The lossless form of a quantised source is a candidate, and coarser forms would save little. That of a source in
  // fp16 is not: it is larger than int8.
  const std::vector<size_t> int8_choice = int8_where_eligible();
  if (const auto exact = lossless_choice();
      exact && cost_of(*exact) <= cost_of(int8_choice) && measure_choice(*exact) <= selection_.loss_limit) {
    selection_.summary = "every weight is stored in the smallest form that holds its quantised source without loss";
    return;
  }
  measure_sensitivities();
  choose_within(selection_.loss_limit);
  prefer_int8(int8_choice);
}

void CompressionSelector::prefer_int8(const std::vector<size_t>& int8) {
  std::vector<size_t> searched;
  for (const TensorCandidates& tensor : selection_.tensors) searched.push_back(tensor.chosen);
  if (cost_of(searched) <= cost_of(int8)) return;
  for (const bool grouped : {true, false}) {
    if (measure_choice(int8, grouped) > selection_.loss_limit) continue;
    selection_.summary = "int8, since no choice that was found within the limit costs less";
    return;
  }
  measure_choice(searched);
}

std::optional<std::vector<size_t>> CompressionSelector::lossless_choice() const {
  std::vector<size_t> chosen;
  for (const TensorCandidates& tensor : selection_.tensors) {
    std::optional<size_t> smallest;
    for (size_t i = 0; i < tensor.candidates.size(); ++i) {
      const StorageOption& candidate = tensor.candidates[i];
      if (!candidate.eligible || candidate.weight_error != 0.0) continue;
      if (!smallest || candidate.bytes < tensor.candidates[*smallest].bytes) smallest = i;
    }
    if (!smallest) return std::nullopt;
    chosen.push_back(*smallest);
  }
  return chosen;
}

void CompressionSelector::measure_sensitivities() {
  const AssembledSource full = assemble(std::vector(selection_.tensors.size(), CandidateKind::fp32), true);
  const std::vector<std::string_view>& texts = options_.calibration_texts;
  QualityMeter meter(full, model_.kind, std::span(texts).first(std::min(texts.size(), kSensitivityTexts)),
                     kSensitivityTokens, options_.threads, Backend());
  for (size_t t = 0; t < selection_.tensors.size(); ++t) {
    report_progress("measuring sensitivities", double(t) / double(selection_.tensors.size()));
    TensorCandidates& tensor = selection_.tensors[t];
    const StorageOption* coarsest = nullptr;
    for (const StorageOption& candidate : tensor.candidates)
      if (candidate.eligible && (!coarsest || candidate.error() > coarsest->error())) coarsest = &candidate;
    if (!coarsest || coarsest->error() <= 0) continue;
    std::vector<CandidateKind> kinds(selection_.tensors.size(), CandidateKind::fp32);
    kinds[t] = coarsest->kind;
    const double loss = std::max(meter.measure(assemble(kinds, true), VerifyLevel::selected, {}).loss, kMinLoss);
    tensor.sensitivity = loss / squared(coarsest->error());
    for (StorageOption& candidate : tensor.candidates)
      candidate.model_loss = *tensor.sensitivity * squared(candidate.error());
  }
}

void CompressionSelector::choose_within(double limit) {
  const EligibleOptions eligible = options_for(selection_.target, selection_.tensors, quantized_kind(model_.kind));
  std::optional<std::vector<size_t>> best;
  std::vector<size_t> chosen;
  double max_predicted_loss = limit;
  while (selection_.rounds < kMaxRounds) {
    std::vector<size_t> next = minimise_cost(eligible.options, max_predicted_loss);
    if (next == chosen) break;
    chosen = std::move(next);
    const double loss = measure_choice(eligible.candidates_of(chosen));
    const bool held = loss <= limit;
    if (held && (!best || total_cost(eligible.options, chosen) < total_cost(eligible.options, *best))) best = chosen;
    if (held && loss >= kAcceptedShare * limit) break;
    max_predicted_loss = total_loss(eligible.options, chosen) * kTargetShare * limit / loss;
  }
  if (best) {
    selection_.summary = "the cheapest choice found within the limit";
  } else {
    best = minimise_cost(eligible.options, 0);
    selection_.summary = "no choice keeps the limit: the most accurate candidate of every tensor";
  }
  if (*best != chosen) measure_choice(eligible.candidates_of(*best));
}

void CompressionSelector::choose_best_in_int8_bytes() {
  measure_sensitivities();
  selection_.loss_limit = kLossCeiling;
  selection_.summary = "the most accurate choice found in no more bytes than int8 takes";
  const EligibleOptions eligible = options_for(AutoTarget::quality, selection_.tensors, quantized_kind(model_.kind));
  const std::vector<size_t> best = minimise_loss(eligible.options, double(selection_.int8_tensor_bytes));
  if (measure_choice(eligible.candidates_of(best)) <= selection_.int8.loss) return;
  // The prediction may be wrong: int8 for every tensor is as small, and is taken if its measured loss is smaller.
  const double loss = selection_.chosen.loss;
  const std::vector<size_t> int8 = int8_where_eligible();
  if (measure_choice(int8) > loss) measure_choice(eligible.candidates_of(best));
}

void CompressionSelector::explain() {
  selection_.tensor_bytes = 0;
  for (TensorCandidates& tensor : selection_.tensors) {
    const StorageOption& choice = tensor.choice();
    selection_.tensor_bytes += choice.bytes;
    for (StorageOption& candidate : tensor.candidates) {
      if (!candidate.verdict.empty()) continue;
      if (&candidate == &choice)
        candidate.verdict = "chosen";
      else if (candidate.bytes >= choice.bytes && candidate.error() >= choice.error())
        candidate.verdict = fmt::format("neither smaller nor more accurate than {}", to_string(choice.kind));
      else if (candidate.bytes >= choice.bytes)
        candidate.verdict = fmt::format("{} more than {}; these bytes reduce the loss more in other tensors",
                                        format_bytes(candidate.bytes - choice.bytes), to_string(choice.kind));
      else
        candidate.verdict =
            fmt::format("{} less than {}, but {:.2g} times its error", format_bytes(choice.bytes - candidate.bytes),
                        to_string(choice.kind), candidate.error() / std::max(choice.error(), kMinLoss));
    }
  }
}

TensorPlan CompressionSelector::plan() const {
  TensorPlan plan;
  size_t next = 0;
  for (const TensorSpec& spec : model_.tensors) {
    if (spec.role == TensorRole::vector) {
      if (auto job = plan_tensor(checkpoint_, spec, DType::f32)) plan.jobs.push_back(std::move(*job));
      continue;
    }
    if (next == selection_.tensors.size() || selection_.tensors[next].spec.name != spec.name) continue;
    const StorageOption& choice = selection_.tensors[next++].choice();
    TensorJob job = *plan_tensor(checkpoint_, spec, choice.dtype);
    job.rank = choice.rank;
    job.bytes = choice.bytes;
    plan.jobs.push_back(std::move(job));
  }
  return plan;
}

void CompressionSelector::copy_to(PackWriter& writer) const {
  size_t index = 0, next = 0;
  for (const TensorJob& job : plan().jobs) {
    if (job.spec.role == TensorRole::vector) {
      copy_tensor(whole_->require(job.spec.name), writer, index++);
      continue;
    }
    const StorageOption& choice = selection_.tensors[next++].choice();
    const std::string name = stored_name(job.spec.name, choice.kind);
    if (choice.kind == CandidateKind::low_rank) {
      copy_tensor(factors_->require(name + ".v"), writer, index++);
      copy_tensor(factors_->require(name + ".u"), writer, index++);
    } else {
      copy_tensor(whole_->require(name), writer, index++);
    }
  }
}

Verification CompressionSelector::verify(const Pack& pack, const std::function<void(double)>& progress) {
  return meter_->measure(PackSource(pack), VerifyLevel::selected, progress);
}

}  // namespace frugal
