#include "app/wiring/summary_session.h"

#include <chrono>
#include <filesystem>
#include <sstream>
#include <utility>

#include "app/cli/input.h"
#include "app/cli/progress.h"
#include "app/config/paths.h"
#include "app/wiring/known_laws.h"
#include "app/wiring/open_models.h"
#include "base/naming.h"
#include "base/thread_pool.h"
#include "model/hub/loaded_model.h"
#include "model/remote/model_list.h"
#include "rag/answer/memory_peak.h"
#include "rag/prompt/boundary.h"
#include "rag/reply/cite.h"
#include "rag/scan/sources.h"

namespace frugal {

namespace fs = std::filesystem;

// A pack with the writer over it.
class SummaryModel {
 public:
  SummaryModel(const fs::path& pack, const cli::Tool& tool, const Settings& settings, Budget& budget)
      : pack_(pack),
        threads_(tool.threads()),
        model_(pack, threads_, budget, tool.backend(), LoadMode::mmap, settings.common.memory.paging) {
    if (auto* seq2seq = model_.find<Seq2Seq>()) {
      writer_ = make_seq2seq_writer(*seq2seq, budget, settings.generator.kv_type);
      return;
    }
    generator_ = naming_file(pack, [&] {
      return make_local_generator(model_.decoder(), budget, settings.chat_family, nullptr, settings.generator.kv_type);
    });
    const auto cache = cache_home();
    auto key = std::make_shared<BoundaryKey>(cache ? BoundaryKey(*cache / "boundary.key") : BoundaryKey());
    writer_ = make_chat_writer(*generator_, settings.pipeline.generate,
                               [key](std::string_view text) { return key->boundary(text); });
  }

  SummaryWriter& writer() { return *writer_; }
  std::string name() const { return pack_.filename().native(); }

 private:
  fs::path pack_;
  ThreadPool threads_;
  LoadedModel model_;
  std::unique_ptr<Generator> generator_;  // null for an encoder-decoder
  std::unique_ptr<SummaryWriter> writer_;
};

namespace {

// Why no model is used; empty if one is. Opens no pack that is not needed.
std::string why_quoted(const cli::Tool& tool, const Settings& settings, Budget& budget) {
  const SummaryMode mode = settings.summary.mode;
  if (mode == SummaryMode::generate || (mode == SummaryMode::automatic && !settings.models.summarizer.empty()))
    return {};
  if (mode == SummaryMode::extract) return "extract was asked for";
  if (is_remote_list(parse_model_list(settings.models.generator)))
    return "auto: summaries use no remote generator, so sentences are quoted";
  const auto models = open_models(settings, model_options(tool, settings, budget, Manager::Mode::aggressive));
  switch (models->generator_size(settings.pipeline.min_generator_parameters)) {
    case GeneratorSize::sufficient:
      return {};
    case GeneratorSize::none:
      return "auto: no generator, so sentences are quoted";
    case GeneratorSize::unreadable:
      return "auto: the generator's pack cannot be read, so sentences are quoted";
    case GeneratorSize::small:
      break;
  }
  return "auto: the generator is too small, so sentences are quoted";
}

// One bar for each level of the summary.
class LevelProgress {
 public:
  void show(int64_t done, int64_t parts) {
    if (done == 0) bar_.emplace("summarising", "parts", static_cast<uint64_t>(parts));
    if (bar_) bar_->update(static_cast<uint64_t>(done));
    if (done == parts) bar_.reset();
  }

 private:
  std::optional<cli::Progress> bar_;
};

}  // namespace

SummarySession::SummarySession(const cli::Tool& tool, const Settings& settings)
    : settings_(settings), budget_(tool.budget_limits()), laws_(known_laws(settings)) {
  why_quoted_ = why_quoted(tool, settings, budget_);
  if (!why_quoted_.empty()) return;
  if (const auto cache = cache_home(); cache && settings.cache.enabled)
    cache_.emplace(*cache / "summaries", settings.cache.max_bytes / 4, "1");
  const ModelNames& names = settings.models;
  model_ = std::make_unique<SummaryModel>(find_model(names.summarizer.empty() ? names.generator : names.summarizer),
                                          tool, settings, budget_);
}

SummarySession::~SummarySession() = default;

SummarySession::Result SummarySession::summarise_file(const std::string& file, const std::string& stdin_name,
                                                      const std::function<void(const SummaryStatement&)>& statement) {
  const bool is_stdin = file == "-";
  const fs::path path = is_stdin ? fs::path(stdin_name) : normal_path(file);
  Trace trace(true);
  SummarySource source;
  trace.stage("read", [&] {
    cli::read_input(file,
                    [&](std::istream& input) { source = read_summary_source(input, path, !is_stdin, laws_, budget_); });
  });
  LevelProgress progress;
  SummaryHooks hooks;
  hooks.progress = [&](int64_t done, int64_t parts) { progress.show(done, parts); };
  hooks.statement = statement;
  return summarise_source(std::move(source), path.native(), settings_.summary, std::move(hooks), trace);
}

SummarySession::Result SummarySession::summarise_text(const std::string& text, const std::string& name,
                                                      const SummaryOptions& options, SummaryHooks hooks) {
  Trace trace(true);
  SummarySource source;
  trace.stage("read", [&] {
    std::istringstream input(text);
    source = read_summary_source(input, name, false, laws_, budget_);
  });
  return summarise_source(std::move(source), name, options, std::move(hooks), trace);
}

SummarySession::Result SummarySession::summarise_source(SummarySource source, const std::string& path,
                                                        const SummaryOptions& options, SummaryHooks hooks,
                                                        Trace& trace) {
  hooks.cache = cache_ ? &*cache_ : nullptr;
  hooks.laws = &laws_;
  Result result;
  trace.stage("summarise",
              [&] { result.summary = summarise(source.chunks, model_ ? &model_->writer() : nullptr, options, hooks); });
  look_at_sources(result.summary.citations);
  result.frame = {
      .path = path,
      .model = model_ ? model_->name() : "",
      .note = source.note.empty() || why_quoted_.empty() ? source.note + why_quoted_ : source.note + "; " + why_quoted_,
      .elapsed_ms = double(trace.total_ns()) / 1e6,
      .peak_anon_bytes = memory_peak(trace, false).anon_bytes};
  return result;
}

}  // namespace frugal
