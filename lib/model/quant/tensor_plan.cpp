#include "model/quant/tensor_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "model/format/pack.h"

namespace frugal {
namespace {

bool is_weight(TensorRole role) {
  return role != TensorRole::vector;
}

int bits_of(SourceType type) {
  const SourceBlock block = source_block(type);
  return static_cast<int>(block.bytes * 8 / block.elements);
}

// The nominal bits of a weight, to be compared with those of the source.
int bits_of(Precision precision) {
  switch (precision) {
    case Precision::int4:
      return 4;
    case Precision::int8:
      return 8;
    case Precision::fp16:
      return 16;
    default:
      return 32;
  }
}

const SourceTensor* find_source(const Checkpoint& checkpoint, const TensorSpec& spec) {
  for (const std::string& name : spec.source_names)
    if (const SourceTensor* found = checkpoint.find(name)) return found;
  return nullptr;
}

const SourceTensor* require_source(const Checkpoint& checkpoint, const TensorSpec& spec) {
  const SourceTensor* source = find_source(checkpoint, spec);
  if (!source && !spec.optional)
    throw Error(Code::bad_input,
                fmt::format("the checkpoint has no tensor '{}'", fmt::join(spec.source_names, "' or '")))
        .hint("check that the checkpoint is complete; its configuration needs this tensor");
  if (source && !has_planned_shape(*source, spec))
    throw Error(Code::bad_input, fmt::format("tensor '{}' is {}, the configuration says {}", source->name,
                                             source->shape.to_string(), spec.shape.to_string()))
        .hint("use the configuration that was published with these weights");
  return source;
}

DType linear_type_kept(SourceType source) {
  switch (source) {
    case SourceType::q4_0:
    case SourceType::q4_1:
    case SourceType::q4_k:
      return DType::linear_i4;
    case SourceType::q5_0:
    case SourceType::q5_1:
    case SourceType::q5_k:
    case SourceType::q6_k:
    case SourceType::q8_0:
      return DType::linear_i8g;
    case SourceType::f16:
      return DType::linear_f16;
    default:
      return DType::linear_f32;
  }
}

DType linear_type(SourceType source, Precision precision) {
  switch (precision) {
    case Precision::keep:
      return linear_type_kept(source);
    // Groups of 8 bits are int8 already. One scale for each channel would round them again.
    case Precision::int8:
      return source == SourceType::q8_0 ? DType::linear_i8g : DType::linear_i8;
    case Precision::int4:
      return DType::linear_i4;
    case Precision::fp16:
      return DType::linear_f16;
    default:
      return DType::linear_f32;
  }
  return DType::linear_f32;
}

// Never below int8, unless the source has 4 bits or a rule names the table: rows are only looked up, so 4 bits would
// save little time.
DType embedding_type(SourceType source, Precision precision, bool named) {
  if (named && precision == Precision::int4) return DType::linear_i4;
  if (precision == Precision::keep) {
    if (linear_type_kept(source) == DType::linear_i4) return DType::linear_i4;
    if (is_quantized(source)) return DType::i8;
    return source == SourceType::f16 ? DType::f16 : DType::f32;
  }
  if (precision == Precision::fp16) return DType::f16;
  return precision == Precision::fp32 ? DType::f32 : DType::i8;
}

bool can_keep_groups(SourceType source, DType dtype) {
  if (!has_source_groups(source)) return false;
  return dtype == (source == SourceType::q8_0 ? DType::linear_i8g : DType::linear_i4);
}

void refuse_requantization(const TensorJob& job, Precision precision) {
  if (!requantizes_to_fewer_bits(job, precision)) return;
  const SourceType type = job.source->type;
  throw Error(Code::bad_input, fmt::format("tensor '{}' is {} already; quantising it again to {} would round it twice",
                                           job.source->name, to_string(type), to_string(precision)))
      .hint("start from the full-precision checkpoint, or pass --allow-requantize");
}

// Collects the notes on quantised sources, one for each pair of types.
class Notes {
 public:
  void add(const TensorJob& job) {
    const SourceType type = job.source->type;
    if (!is_weight(job.spec.role) || !is_quantized(type)) return;
    const bool exact = job.keeps_groups && type != SourceType::q4_k;
    std::string note = exact ? fmt::format("{} is stored as {} without loss", to_string(type), to_string(job.dtype))
                             : fmt::format("{} is rounded again, to {}", to_string(type), to_string(job.dtype));
    if (type == SourceType::q4_k && job.keeps_groups)
      note = "Q4_K keeps its codes as linear_i4; its group scales are rounded to fp16";
    if (job.dtype == DType::linear_f16 || job.dtype == DType::linear_f32 || job.dtype == DType::f16 ||
        job.dtype == DType::f32)
      note = fmt::format("{} is widened to {}, which restores no accuracy", to_string(type), to_string(job.dtype));
    if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) notes_.push_back(std::move(note));
  }
  std::vector<std::string> take() { return std::move(notes_); }

 private:
  std::vector<std::string> notes_;
};

void require_rules_to_match(const Recipe& recipe, const std::vector<TensorJob>& jobs) {
  for (const auto& [pattern, precision] : recipe.rules) {
    const bool used = std::any_of(jobs.begin(), jobs.end(), [&pattern = pattern](const TensorJob& job) {
      return is_weight(job.spec.role) && pattern.matches(job.spec.name);
    });
    if (!used)
      throw Error(Code::usage, fmt::format("--tensor-type '{}' matches no weight of this model", pattern.text()))
          .hint("match names of the pack, as --dry-run lists them");
  }
}

}  // namespace

SourceMatrix source_matrix(const TensorSpec& spec) {
  if (spec.shape.rank() == 1 && spec.unpermute_heads > 0) return {spec.shape[0], 1};
  return {spec.shape.rows(), spec.shape.cols()};
}

bool is_quantized(const Checkpoint& checkpoint, const ModelPlan& model) {
  return std::any_of(model.tensors.begin(), model.tensors.end(), [&](const TensorSpec& spec) {
    const SourceTensor* source = find_source(checkpoint, spec);
    return is_weight(spec.role) && source && is_quantized(source->type);
  });
}

DType type_of(TensorRole role, SourceType source, Precision precision, bool named) {
  switch (role) {
    case TensorRole::vector:
      return DType::f32;
    case TensorRole::embedding:
      return embedding_type(source, precision, named);
    case TensorRole::linear:
    case TensorRole::tied:
      return linear_type(source, precision);
  }
  return DType::f32;
}

std::optional<TensorJob> plan_tensor(const Checkpoint& checkpoint, const TensorSpec& spec, DType dtype) {
  const SourceTensor* source = require_source(checkpoint, spec);
  if (!source) return std::nullopt;
  return TensorJob{spec, source, dtype, pack_tensor_bytes(dtype, spec.shape), can_keep_groups(source->type, dtype)};
}

bool requantizes_to_fewer_bits(const TensorJob& job, Precision precision) {
  const SourceType type = job.source->type;
  // Repacked groups keep their codes. A table that is only looked up goes below 8 bits only by a rule (embedding_type).
  if (job.keeps_groups || precision == Precision::keep || !is_quantized(type)) return false;
  const int bits = is_linear(job.dtype) ? bits_of(precision) : std::max(8, bits_of(precision));
  return bits < bits_of(type);
}

TensorPlan plan_tensors(const Checkpoint& checkpoint, const ModelPlan& model, const Recipe& recipe,
                        bool allow_requantize) {
  TensorPlan plan;
  Notes notes;
  const Precision start = is_quantized(checkpoint, model) ? Precision::keep : Precision::int8;
  for (const TensorSpec& spec : model.tensors) {
    const SourceTensor* source = require_source(checkpoint, spec);
    if (!source) continue;
    const bool open = recipe.is_automatic(spec.name);
    const Precision precision = open ? start : recipe.for_tensor(spec.name);
    TensorJob job =
        *plan_tensor(checkpoint, spec, type_of(spec.role, source->type, precision, recipe.has_rule_for(spec.name)));
    if (!allow_requantize && is_weight(spec.role)) refuse_requantization(job, precision);
    if (!open) notes.add(job);
    plan.jobs.push_back(std::move(job));
  }
  require_rules_to_match(recipe, plan.jobs);
  plan.notes = notes.take();
  return plan;
}

}  // namespace frugal
