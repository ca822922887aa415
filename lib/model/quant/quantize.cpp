// One run of quantize-model, in order:
//
// 1. Plan (the constructor). Headers and configuration give the architecture's table of tensors, the recipe and a type
//    for each tensor. No weight is read.
// 2. Hash. The SHA-256 of the source comes from the stamp if the files are unchanged, else it is computed.
// 3. Look for the pack. It is up to date if its identity and tokenizer match and every checksum holds. Then it is at
//    most verified and its errors measured, and the run ends.
// 4. Lock. The hidden file beside the output is locked, so that a second writer fails, and the temporary files of
//    killed runs are removed.
// 5. Write. Weights stream through small buffers to a temporary file (tensor_writer.h, PackWriter). With an automatic
//    precision, the selector first chooses the types.
// 6. Verify. The sealed but unpublished file is compared with full precision, and the errors of its tensors are
// measured,
//    if that is asked for.
// 7. Publish. The temporary file is renamed to the output, then the stamp is written. An error or a kill before the
//    rename leaves the old pack as it was; a kill after it costs the next run one hash of the source.
//
// Identity. It hashes everything that decides the bytes of the pack, and nothing else: source, recipe, configuration,
// names, types and shapes, and the revision of this program. Threads, memory limit, paths and times are not part of it.
// Types chosen by the selector follow from the rest and are not known in step 3, so "auto" stands for them.
#include "model/quant/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstring>
#include <numeric>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/naming.h"
#include "base/units.h"
#include "model/arch/registry.h"
#include "model/format/pack.h"
#include "model/format/pack_layout.h"
#include "model/nn/blocks.h"
#include "model/quant/structure.h"
#include "model/tokenize/tokenizer.h"
#include "model/vocabulary/build_tokenizer.h"
#include "telemetry/metrics.h"
#include "telemetry/process_memory.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

// Increased when the same source and recipe give other bytes than before. Packs of older programs are then out of date.
constexpr int kQuantizerRevision = 1;
// The same for a change of the selector's choice.
constexpr int kSelectorRevision = 2;

// The part of the limit that is not used for buffers: unused heap pages, stacks, tables of the writer.
constexpr uint64_t kHeadroomBytes = 4 * kMiB;
// Larger buffers gain nothing (see kChunkBytes of tensor_writer.cpp).
constexpr uint64_t kUsefulBytesPerThread = 2 * kMiB;
constexpr uint64_t kDefaultBeyondLargest = 64 * kMiB;

std::vector<std::string_view> texts_or(const std::vector<std::string>& own, std::vector<std::string_view> built_in) {
  return own.empty() ? std::move(built_in) : std::vector<std::string_view>(own.begin(), own.end());
}

std::string digest(std::span<const std::string_view> texts) {
  Sha256 hash;
  for (const std::string_view text : texts) hash.update(fmt::format("{}\n{}", text.size(), text));
  return hash.hex().substr(0, 16);
}

// Everything that decides the selector's choice besides source and target. The instruction set is part of it, since the
// last bits of the compared errors depend on it.
std::string selector_text(const QuantizeOptions& options) {
  return fmt::format("selector={}; calibration={}; verified={}; isa={}", kSelectorRevision,
                     digest(texts_or(options.calibration_texts, calibration_texts())),
                     digest(texts_or(options.verify_texts, verification_texts())), to_string(choose_isa()));
}

Recipe resolve(const Checkpoint& checkpoint, const ModelPlan& model, QuantizeOptions& options) {
  const Precision precision =
      options.precision.value_or(is_quantized(checkpoint, model) ? Precision::keep : Precision::int8);
  Recipe recipe;
  recipe.precision = precision;
  recipe.rules = std::move(options.rules);
  if (precision != Precision::automatic) return recipe;
  recipe.target = options.auto_target;
  recipe.selector = selector_text(options);
  return recipe;
}

void check_output(const QuantizeOptions& options) {
  OutputFile(options.output).check();
  std::error_code status;
  if (std::filesystem::equivalent(options.input, options.output, status))
    throw Error(Code::bad_input, "input and output are the same file").hint("choose another name for -o");
}

// True for a pack of which no more than the start is damaged.
bool ends_like_pack(const std::filesystem::path& path) {
  const MappedFile file(path);
  constexpr size_t kLength = sizeof pack_layout::kFooterMagic;
  return file.bytes().size() > kLength &&
         std::memcmp(file.bytes().last(kLength).data(), pack_layout::kFooterMagic, kLength) == 0;
}

// A file that is neither a pack nor named like one may be valuable: it is replaced only with --force.
void refuse_foreign_file(const QuantizeOptions& options) {
  std::error_code status;
  const std::filesystem::path& output = options.output;
  if (options.force || !std::filesystem::exists(output, status) || std::filesystem::is_empty(output, status)) return;
  try {
    Pack pack(output);
  } catch (const Error& error) {
    if (error.code() != Code::bad_input || ends_like_pack(output)) return;
    throw Error(Code::bad_input, fmt::format("'{}' exists and is not a pack", output.native()))
        .hint("choose another name for -o, or pass --force to replace it");
  }
}

// True for a file that AtomicFile writes until it is published: PREFIX.tmp. and six letters or digits.
bool is_temporary_of(std::string_view prefix, const std::filesystem::directory_entry& entry) {
  constexpr size_t kRandom = 6;
  const std::string name = entry.path().filename().native();
  const std::string start = fmt::format("{}.tmp.", prefix);
  std::error_code status;
  return name.starts_with(start) && name.size() == start.size() + kRandom &&
         std::all_of(name.end() - kRandom, name.end(), [](unsigned char c) { return std::isalnum(c); }) &&
         entry.symlink_status(status).type() == std::filesystem::file_type::regular;
}

// Removes the temporary files of killed runs. The caller holds the lock, so no other run uses them.
void remove_leftovers(const std::filesystem::path& output) {
  const std::filesystem::path folder = output.has_parent_path() ? output.parent_path() : ".";
  const std::string name = output.filename().native();
  std::error_code status;
  for (const auto& entry : std::filesystem::directory_iterator(folder, status)) {
    constexpr std::array<std::string_view, 4> kSuffixes{"", ".full", ".candidates", ".factors"};
    const bool ours = std::any_of(kSuffixes.begin(), kSuffixes.end(), [&](std::string_view suffix) {
      return is_temporary_of(name + std::string(suffix), entry);
    });
    if (!ours) continue;
    log(LogLevel::info, "removing '{}', left by a run that was killed", entry.path().native());
    std::filesystem::remove(entry.path(), status);
  }
}

// The coarsest weights decide. 4-bit groups that are copied from the source count as int8, since their codes are not
// rounded again.
VerifyLevel verify_level(const TensorPlan& plan) {
  VerifyLevel level = VerifyLevel::fp16;
  for (const TensorJob& job : plan.jobs) {
    if (job.dtype == DType::linear_i4 && !job.keeps_groups) return VerifyLevel::int4;
    if (job.dtype != DType::linear_f16 && is_linear(job.dtype) && job.dtype != DType::linear_f32)
      level = VerifyLevel::int8;
  }
  return level;
}

}  // namespace

std::filesystem::path lock_path(const std::filesystem::path& output) {
  return output.parent_path() / ("." + output.filename().native() + ".lock");
}

Quantizer::Quantizer(QuantizeOptions options)
    : options_(std::move(options)),
      checkpoint_(open_checkpoint(options_.input)),
      sources_(list_sources(*checkpoint_)),
      model_(naming_file(options_.input, [&] { return plan_model(*checkpoint_, options_.plan); })) {
  recipe_ = resolve(*checkpoint_, model_, options_);
  tensors_ = naming_file(options_.input,
                         [&] { return plan_tensors(*checkpoint_, model_, recipe_, options_.allow_requantize); });
}

Quantizer::~Quantizer() = default;

uint64_t Quantizer::source_bytes() const {
  uint64_t sum = 0;
  for (const TensorJob& job : tensors_.jobs) sum += job.source->data.size();
  return sum;
}

uint64_t Quantizer::tensor_bytes() const {
  uint64_t sum = 0;
  for (const TensorJob& job : tensors_.jobs) sum += job.bytes;
  return sum;
}

uint64_t Quantizer::max_ram_bytes() const {
  if (options_.max_ram_bytes > 0) return options_.max_ram_bytes;
  uint64_t largest = 0;
  for (const TensorJob& job : tensors_.jobs)
    largest = std::max(largest, static_cast<uint64_t>(job.spec.shape.elements()) * sizeof(float));
  return largest + kDefaultBeyondLargest;
}

uint64_t Quantizer::predicted_peak_bytes() const {
  const auto threads = static_cast<uint64_t>(options_.threads);
  const uint64_t buffers = threads * std::max(min_work_bytes(tensors_), kUsefulBytesPerThread);
  const std::string blob = make_tokenizer_blob();  // in memory while the tensors stream
  return std::min(read_memory().anon_bytes + buffers + kHeadroomBytes, max_ram_bytes());
}

std::string Quantizer::make_tokenizer_blob() const {
  return naming_file(options_.input, [&] { return build_tokenizer_blob(checkpoint_->tokenizer()); });
}

// One attempt to make the pack.
class Quantizer::Run {
 public:
  explicit Run(Quantizer& quantizer)
      : q_(quantizer), options_(quantizer.options_), hash_(hash_sources(q_.sources_, lock_path(options_.output))) {
    result_.source_hashed = !hash_.from_stamp;
    result_.identity = identity();
    end_stage("hash");
  }

  QuantizeResult make() {
    if (is_up_to_date()) {
      result_.up_to_date = true;
      if (automatic()) read_chosen_types();
      if (options_.verify)
        verify_existing();
      else if (!hash_.from_stamp)
        try_write_stamp();
      if (options_.measure_error) measure_tensors(Pack(options_.output));
      return finish();
    }
    FileLock lock(lock_path(options_.output));
    remove_leftovers(options_.output);
    PackWriter writer =
        automatic() ? select_and_write() : write_pack(options_.output, q_.tensors_, result_.identity, "quantising");
    end_stage("quantise");
    if (options_.verify && !automatic()) verify(Pack(writer.seal()));
    if (options_.measure_error) measure_tensors(Pack(writer.seal()));
    require_unchanged(hash_.files);
    writer.finish();
    end_stage("publish");
    write_stamp(hash_, lock);
    return finish();
  }

 private:
  std::string identity() const {
    Sha256 hash;
    hash.update(fmt::format("frugal pack 1, quantizer {}\n{}\n{}\n", kQuantizerRevision, hash_.sha256(),
                            q_.recipe_.to_string()));
    for (const auto& [key, value] : q_.model_.config) hash.update(fmt::format("{}={}\n", key, value));
    for (const TensorJob& job : q_.tensors_.jobs)
      hash.update(fmt::format("{} {} {}\n", job.spec.name, automatic() ? "auto" : to_string(job.dtype),
                              job.spec.shape.to_string()));
    return hash.hex();
  }

  bool automatic() const { return q_.recipe_.precision == Precision::automatic; }

  // Sets the types in the plan to those that the selector chose for the existing pack.
  void read_chosen_types() {
    const Pack pack(options_.output);
    for (TensorJob& job : q_.tensors_.jobs) {
      const auto factor = pack.find(job.spec.name + ".v");
      job.rank = factor ? factor->shape[0] : 0;
      job.dtype = (factor ? *factor : pack.require(job.spec.name)).dtype;
      job.bytes = factor ? factor_bytes(job.spec.shape, job.rank) : pack_tensor_bytes(job.dtype, job.spec.shape);
    }
  }

  PackWriter select_and_write() {
    CompressionSelector selector(*q_.checkpoint_, q_.model_, q_.recipe_, selector_options());
    selector.select();
    q_.tensors_ = selector.plan();
    result_.selection = selector.selection();
    end_stage("select");
    PackWriter writer(options_.output, writer_plan(q_.tensors_), config(result_.identity),
                      {{"tokenizer", tokenizer_blob()}});
    selector.copy_to(writer);
    result_.pack_bytes = writer.file_bytes();
    const Pack pack(writer.seal());
    result_.verification = selector.verify(pack, [this](double share) { report("verifying", share); });
    end_stage("verify");
    require_passed();
    return writer;
  }

  void measure_tensors(const Pack& pack) {
    const uint64_t total = q_.source_bytes();
    result_.errors = measure_errors(*q_.checkpoint_, q_.tensors_, pack, options_.threads, [&](uint64_t done) {
      note_memory();
      if (options_.progress) options_.progress("measuring errors", done, total);
    });
    end_stage("measure errors");
  }

  SelectorOptions selector_options() {
    SelectorOptions selector;
    selector.input = options_.input;
    selector.output = options_.output;
    selector.allow_requantize = options_.allow_requantize;
    selector.threads = options_.threads;
    selector.blobs = {{"tokenizer", tokenizer_blob()}};
    selector.config = config(result_.identity);
    selector.work_bytes = work_bytes();
    const uint64_t held = read_memory().anon_bytes + kHeadroomBytes;
    selector.structure_work_bytes = q_.max_ram_bytes() - std::min(held, q_.max_ram_bytes());
    selector.calibration_texts = texts_or(options_.calibration_texts, calibration_texts());
    selector.verify_texts = texts_or(options_.verify_texts, verification_texts());
    selector.verify_backend = options_.verify_backend;
    selector.progress = [this](std::string_view stage, double share) { report(stage, share); };
    return selector;
  }

  bool is_up_to_date() {
    std::error_code status;
    if (options_.force) return set_reason("--force", false);
    if (!std::filesystem::exists(options_.output, status)) return set_reason("new", false);
    const std::string& tokenizer = tokenizer_blob();  // outside the try block: its errors do not concern the old pack
    try {
      const Pack pack(options_.output);
      if (pack.identity() != result_.identity) return set_reason(what_changed(pack), false);
      if (!std::ranges::equal(pack.blob("tokenizer"), std::as_bytes(std::span(tokenizer))))
        return set_reason("an older version made it", false);
      pack.verify();
      result_.pack_bytes = pack.file_bytes();
      return set_reason("same source and recipe", true);
    } catch (const Error& error) {
      log(LogLevel::warn, "the existing pack cannot be used and is made again: {}", error.message());
      return set_reason("the old pack cannot be used: " + error.message(), false);
    }
  }

  // Returns `up_to_date`.
  bool set_reason(std::string text, bool up_to_date) {
    result_.reason = std::move(text);
    return up_to_date;
  }

  std::string what_changed(const Pack& pack) const {
    if (pack.text("provenance.source_sha256") != hash_.sha256()) return "the source changed";
    if (pack.text("provenance.recipe") != q_.recipe_.to_string()) return "the recipe changed";
    return "an older version made it";
  }

  std::map<std::string, std::string> config(const std::string& identity) const {
    std::map<std::string, std::string> config = q_.model_.config;
    config["provenance.identity"] = identity;
    config["provenance.source_format"] = q_.checkpoint_->format();
    config["provenance.source_sha256"] = hash_.sha256();
    config["provenance.sources"] = hash_.listing();
    config["provenance.recipe"] = q_.recipe_.to_string();
    if (result_.selection && result_.selection->grouped_activations)
      config[std::string(kActivationScalesKey)] = "grouped";
    config["provenance.quantizer_revision"] = std::to_string(kQuantizerRevision);
    return config;
  }

  PackWriter write_pack(const std::filesystem::path& path, const TensorPlan& plan, const std::string& identity,
                        std::string_view stage) {
    std::map<std::string, std::string> blobs{{"tokenizer", tokenizer_blob()}};
    PackWriter writer(path, writer_plan(plan), config(identity), std::move(blobs));
    naming_file(options_.input, [&] { write_tensors(*q_.checkpoint_, plan, writer, write_options(stage)); });
    result_.pack_bytes = writer.file_bytes();
    return writer;
  }

  // Built once in a run. Construction holds the vocabulary in several forms at once, and its peak counts too.
  const std::string& tokenizer_blob() {
    if (!tokenizer_blob_.empty()) return tokenizer_blob_;
    tokenizer_blob_ = q_.make_tokenizer_blob();
    note_memory();
    require_within_limit(result_.peak_anon_bytes);
    release_free_heap();  // so that the buffers can use the whole rest of the limit
    return tokenizer_blob_;
  }

  void require_within_limit(uint64_t needed_bytes) const {
    if (needed_bytes <= q_.max_ram_bytes()) return;
    throw Error(Code::over_budget, fmt::format("quantising needs {} of memory, the limit is {}",
                                               format_bytes(needed_bytes), format_bytes(q_.max_ram_bytes())))
        .hint("raise --max-ram");
  }

  WriteOptions write_options(std::string_view stage) {
    const uint64_t total = q_.source_bytes();
    WriteOptions write;
    write.threads = options_.threads;
    write.work_bytes = work_bytes();
    write.progress = [this, total, stage](uint64_t done) {
      note_memory();
      if (options_.progress) options_.progress(stage, done, total);
    };
    return write;
  }

  uint64_t work_bytes() {
    note_memory();
    const uint64_t limit = q_.max_ram_bytes();
    const uint64_t held = read_memory().anon_bytes + kHeadroomBytes;
    const uint64_t least = min_work_bytes(q_.tensors_);
    require_within_limit(held + least);
    return std::min(limit - held, static_cast<uint64_t>(options_.threads) * std::max(least, kUsefulBytesPerThread));
  }

  // Writes a temporary fp32 pack of the checkpoint beside the output. It is removed with the returned writer.
  PackWriter write_full_precision() {
    Recipe full;
    full.precision = Precision::fp32;
    const TensorPlan plan = plan_tensors(*q_.checkpoint_, q_.model_, full, true);
    const std::filesystem::path path = options_.output.native() + ".full";
    const uint64_t pack_bytes = result_.pack_bytes;
    PackWriter writer = write_pack(path, plan, result_.identity + " in full precision", "writing fp32 to compare with");
    result_.pack_bytes = pack_bytes;
    return writer;
  }

  void verify(const Pack& pack) {
    PackWriter full_writer = write_full_precision();
    const Pack full(full_writer.seal());
    const auto progress = [this](double share) { report("verifying", share); };
    const std::vector<std::string_view> texts = texts_or(options_.verify_texts, verification_texts());
    const VerifyLevel level = automatic() ? VerifyLevel::selected : verify_level(q_.tensors_);
    result_.verification =
        verify_against(pack, full, q_.model_.kind, level, texts, options_.threads, options_.verify_backend, progress);
    end_stage("verify");
    require_passed();
  }

  void require_passed() const {
    if (result_.verification->passed()) return;
    throw Error(Code::verify_failed, fmt::format("'{}' is too far from full precision: {}", options_.output.native(),
                                                 result_.verification->summary()))
        .hint("use --dtype int8, or --tensor-type REGEX=fp16 for sensitive tensors; nothing was published");
  }

  void verify_existing() {
    FileLock lock(lock_path(options_.output));
    remove_leftovers(options_.output);
    verify(Pack(options_.output));
    require_unchanged(hash_.files);
    write_stamp(hash_, lock);
  }

  // The stamp only saves time, so a folder without write permission or a lock held by a writer is not an error.
  void try_write_stamp() const {
    try {
      FileLock lock(lock_path(options_.output));
      write_stamp(hash_, lock);
    } catch (const Error& error) {
      log(LogLevel::debug, "cannot write the stamp, so the next run hashes the source again: {}", error.message());
    }
  }

  void report(std::string_view stage, double share) {
    note_memory();
    const uint64_t total = q_.source_bytes();
    if (options_.progress) options_.progress(stage, static_cast<uint64_t>(share * double(total)), total);
  }

  void note_memory() { result_.peak_anon_bytes = std::max(result_.peak_anon_bytes, read_memory().anon_bytes); }

  void end_stage(const std::string& name) {
    const auto now = std::chrono::steady_clock::now();
    result_.seconds[name] += std::chrono::duration<double>(now - stage_begin_).count();
    stage_begin_ = now;
  }

  QuantizeResult finish() {
    note_memory();
    return std::move(result_);
  }

  Quantizer& q_;
  const QuantizeOptions& options_;
  std::chrono::steady_clock::time_point stage_begin_ = std::chrono::steady_clock::now();
  QuantizeResult result_;
  SourceHash hash_;
  std::string tokenizer_blob_;
};

namespace {

// Reports a run's figures. The registry keeps ratios and peaks after their source is removed.
class QuantizeFigures final : public MetricSource {
 public:
  QuantizeFigures(uint64_t source_bytes, const QuantizeResult& result) : source_bytes_(source_bytes), result_(result) {
    metric_registry().add(*this);
  }
  ~QuantizeFigures() override { metric_registry().remove(*this); }
  QuantizeFigures(const QuantizeFigures&) = delete;
  QuantizeFigures& operator=(const QuantizeFigures&) = delete;

  void report(MetricSink& sink) const override {
    sink.ratio("frugal_compression_ratio", "Bytes of packs divided by the bytes of their sources",
               static_cast<double>(result_.pack_bytes), static_cast<double>(source_bytes_));
    double worst = 0;
    for (const TensorError& error : result_.errors) worst = std::max(worst, error.relative_rms);
    if (!result_.errors.empty()) sink.peak("frugal_compression_error", "Largest relative RMS error of a tensor", worst);
    if (result_.verification)
      sink.peak("frugal_compression_loss",
                "Largest loss against full precision: 1 - mean cosine, or mean KL divergence in nats",
                result_.verification->loss);
  }

 private:
  uint64_t source_bytes_;
  const QuantizeResult& result_;
};

}  // namespace

QuantizeResult Quantizer::run() {
  check_output(options_);
  const OutputFile output(options_.output);
  if (output.is_stream()) return run_into(output);
  options_.output = output.path();
  return run_beside_output();
}

// A pack is written out of order and read back, which needs a file: the stream gets a copy of that.
QuantizeResult Quantizer::run_into(const OutputFile& stream) {
  const ScratchFolder scratch;
  options_.output = scratch.path() / "model.pack";
  QuantizeResult result = run_beside_output();
  stream.write(MappedFile(options_.output).bytes());
  return result;
}

QuantizeResult Quantizer::run_beside_output() {
  refuse_foreign_file(options_);
  QuantizeResult result = Run(*this).make();
  const QuantizeFigures figures(source_bytes(), result);
  return result;
}

}  // namespace frugal
