#include "model/quant/storage_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace frugal {
namespace {

constexpr std::array<std::string_view, 7> kKindNames{"int8", "int8_grouped", "int4",        "fp16",
                                                     "fp32", "low_rank",     "block_sparse"};

struct Form {
  CandidateKind kind;
  Precision precision;  // decides whether the form requantises a quantised source
  DType dtype;
};

// Coarsest first. fp32 is the reference. Only a rule can choose it, since fp16 is as accurate in half the bytes.
constexpr std::array<Form, 5> kLinearForms{{{CandidateKind::int4, Precision::int4, DType::linear_i4},
                                            {CandidateKind::int8, Precision::int8, DType::linear_i8},
                                            {CandidateKind::int8_grouped, Precision::int8, DType::linear_i8g},
                                            {CandidateKind::fp16, Precision::fp16, DType::linear_f16},
                                            {CandidateKind::fp32, Precision::fp32, DType::linear_f32}}};
// Tables that are looked up by row.
constexpr std::array<Form, 4> kTableForms{{{CandidateKind::int4, Precision::int4, DType::linear_i4},
                                           {CandidateKind::int8, Precision::int8, DType::i8},
                                           {CandidateKind::fp16, Precision::fp16, DType::f16},
                                           {CandidateKind::fp32, Precision::fp32, DType::f32}}};

std::span<const Form> forms_of(TensorRole role) {
  if (role == TensorRole::embedding) return kTableForms;
  return kLinearForms;
}

StorageOption make_candidate(const TensorJob& job, const Form& form, bool allow_requantize) {
  StorageOption candidate;
  candidate.kind = form.kind;
  candidate.dtype = form.dtype;
  candidate.bytes = job.bytes;
  candidate.eligible = form.kind != CandidateKind::fp32;
  if (!candidate.eligible) candidate.verdict = "full precision, the reference for the others";
  if (!allow_requantize && requantizes_to_fewer_bits(job, form.precision)) {
    candidate.eligible = false;
    candidate.verdict = fmt::format("the source is {} already; quantising it again needs --allow-requantize",
                                    to_string(job.source->type));
  }
  return candidate;
}

// Leaves only the candidate that a rule of the recipe names, if there is such a rule.
void apply_rule(TensorCandidates& tensor, const Recipe& recipe) {
  if (recipe.is_automatic(tensor.spec.name)) return;
  const DType dtype = type_of(tensor.spec.role, tensor.source->type, recipe.for_tensor(tensor.spec.name),
                              recipe.has_rule_for(tensor.spec.name));
  for (StorageOption& candidate : tensor.candidates) {
    candidate.eligible = candidate.dtype == dtype;
    candidate.verdict = candidate.eligible ? "requested by --tensor-type" : "--tensor-type requests another type";
  }
}

}  // namespace

std::string_view to_string(CandidateKind kind) {
  return kKindNames[static_cast<size_t>(kind)];
}

const StorageOption* TensorCandidates::find(CandidateKind kind) const {
  const auto at = std::find_if(candidates.begin(), candidates.end(), [&](const auto& c) { return c.kind == kind; });
  return at == candidates.end() ? nullptr : &*at;
}

std::vector<TensorCandidates> list_candidates(const Checkpoint& checkpoint, const ModelPlan& model,
                                              const Recipe& recipe, bool allow_requantize) {
  std::vector<TensorCandidates> tensors;
  for (const TensorSpec& spec : model.tensors) {
    if (spec.role == TensorRole::vector) continue;
    TensorCandidates tensor{spec, nullptr, {}, 0, {}, {}};
    for (const Form& form : forms_of(spec.role)) {
      const auto job = plan_tensor(checkpoint, spec, form.dtype);
      if (!job) break;
      tensor.source = job->source;
      tensor.candidates.push_back(make_candidate(*job, form, allow_requantize));
    }
    if (!tensor.source) continue;
    apply_rule(tensor, recipe);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::string stored_name(std::string_view tensor, CandidateKind kind) {
  return kind == CandidateKind::low_rank ? std::string(tensor) : fmt::format("{}:{}", tensor, to_string(kind));
}

TensorPlan candidate_jobs(const Checkpoint& checkpoint, const ModelPlan& model,
                          std::span<const TensorCandidates> tensors) {
  TensorPlan plan;
  for (const TensorCandidates& tensor : tensors)
    for (const StorageOption& candidate : tensor.candidates) {
      TensorJob job = *plan_tensor(checkpoint, tensor.spec, candidate.dtype);
      job.spec.name = stored_name(tensor.spec.name, candidate.kind);
      plan.jobs.push_back(std::move(job));
    }
  for (const TensorSpec& spec : model.tensors)
    if (spec.role == TensorRole::vector)
      if (auto job = plan_tensor(checkpoint, spec, DType::f32)) plan.jobs.push_back(std::move(*job));
  return plan;
}

AssembledSource::AssembledSource(const Pack& whole, const Pack* factors, std::span<const TensorCandidates> tensors,
                                 std::vector<CandidateKind> kinds, bool grouped)
    : whole_(whole), tensors_(tensors), kinds_(std::move(kinds)), config_(whole, grouped) {
  FRUGAL_CHECK(kinds_.size() == tensors_.size());
  if (factors) factors_.emplace(*factors);
}

std::optional<CandidateKind> AssembledSource::kind_of(std::string_view tensor) const {
  for (size_t i = 0; i < tensors_.size(); ++i)
    if (tensors_[i].spec.name == tensor) return kinds_[i];
  return std::nullopt;
}

Weight AssembledSource::linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const {
  const auto kind = kind_of(tensor);
  if (!kind && factors_) return factors_->linear(tensor, outputs, inputs, ops);  // "….u" and "….v"
  return whole_.linear(stored_name(tensor, kind.value()), outputs, inputs, ops);
}

EmbeddingTable AssembledSource::embedding(std::string_view tensor, int64_t rows, int64_t features, Ops& ops) const {
  const auto kind = kind_of(tensor);
  if (!kind) return whole_.embedding(tensor, rows, features, ops);  // a table that stays in fp32 has no candidates
  return whole_.embedding(stored_name(tensor, *kind), rows, features, ops);
}

int64_t AssembledSource::rank(std::string_view tensor) const {
  return kind_of(tensor) == CandidateKind::low_rank ? factors_.value().rank(tensor) : 0;
}

}  // namespace frugal
