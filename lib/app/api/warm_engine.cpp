// What is open is one QuerySession, or models alone where there is no index. Its files are stamped when it is opened; a
// request that finds other stamps (rag-index has committed, a pack was replaced) opens everything again, which is cheap
// because packs and vectors are mapped. So a request always sees the newest generation, as a new process would.
#include "app/api/warm_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <system_error>

#include "app/config/paths.h"
#include "app/config/setting_list.h"
#include "app/wiring/decode_image.h"
#include "app/wiring/image_captioner.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/naming.h"
#include "model/nn/reader.h"
#include "telemetry/process_memory.h"

namespace frugal::api {
namespace {

namespace fs = std::filesystem;

// Bytes of texts in one pass over the embedder or the reader: about 8,000 tokens.
constexpr size_t kBatchBytes = 32'768;
constexpr int64_t kLongestKeepMs = int64_t(1) << 42;  // over a century
// Free heap goes back to the system in the first quiet second, and while requests keep coming, this often. The working
// memory of the models goes back in a quiet second alone.
constexpr int64_t kQuietMs = 1000, kTrimEveryMs = 1000;
// Questions whose times are kept for quantiles.
constexpr size_t kRecent = 256;
// Pairs that a reader sees in one pass.
constexpr size_t kPairsPerPass = 4;
// Of an image to be described: 48 MiB. Larger ones are made smaller before they come here.
constexpr uint64_t kMaxPixels = uint64_t(16) << 20;

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Identifies the content of a file without reading it.
struct Stamp {
  fs::path path;
  uint64_t bytes = 0;
  fs::file_time_type changed{};
  bool operator==(const Stamp&) const = default;
};

void add_stamp(std::vector<Stamp>& stamps, const fs::path& path) {
  std::error_code gone;
  const uint64_t bytes = fs::file_size(path, gone);
  const fs::file_time_type changed = fs::last_write_time(path, gone);
  if (!gone) stamps.push_back({path, bytes, changed});
}

// The files that SQLite keeps for its readers change while nothing is written.
bool is_for_readers(const fs::path& file) {
  return file.native().ends_with("-shm") || file.extension() == ".lock";
}

std::vector<Stamp> stamps_of(const Settings& settings) {
  std::vector<Stamp> stamps;
  try {
    for (const fs::path& file : folder_entries(find_index(settings.index)))
      if (!is_for_readers(file)) add_stamp(stamps, file);
  } catch (const Error&) {
    // No index: the models alone.
  }
  std::sort(stamps.begin(), stamps.end(), [](const Stamp& a, const Stamp& b) { return a.path < b.path; });
  for (const fs::path& pack : existing_packs(settings.models)) add_stamp(stamps, pack);
  for (const std::string& name : {settings.models.summarizer, settings.models.captioner}) {
    if (name.empty()) continue;
    try {
      add_stamp(stamps, find_model(name));
    } catch (const Error&) {
      // It is missing, which a request for it will say.
    }
  }
  return stamps;
}

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

size_t bytes_of(const std::vector<std::string>& texts) {
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  return bytes;
}

int64_t count_tokens(const Embedder& embedder, const std::string& text, TextRole role) {
  return static_cast<int64_t>(embedder.tokenizer().encode(text, false).size()) + embedder.added_tokens(role);
}

}  // namespace

/// An index with its models, or models alone.
struct WarmEngine::Opened {
  struct Captions {
    Captions(const cli::Tool& tool, const Settings& settings)
        : budget(tool.budget_limits()), captioner(tool, settings, budget) {}
    Budget budget;
    ImageCaptioner captioner;
  };

  std::vector<Stamp> stamps;
  std::unique_ptr<QuerySession> session = nullptr;  // null: no question has been asked
  std::unique_ptr<Budget> budget = nullptr;         // of `models`
  std::unique_ptr<Models> models = nullptr;         // null where a session has them
  // Null: none was asked for. For the thread that holds writing_.
  std::unique_ptr<SummarySession> summaries = nullptr;
  std::unique_ptr<Captions> captions = nullptr;

  Models& all_models() const { return session ? session->models() : *models; }
};

size_t WarmEngine::EmbedJob::weight() const {
  return bytes_of(request->texts);
}

size_t WarmEngine::RerankJob::weight() const {
  return bytes_of(request->texts) + request->query.size() * request->texts.size();
}

WarmEngine::WarmEngine(const cli::Tool& tool, const Settings& settings, std::chrono::milliseconds keep_alive)
    : tool_(tool),
      settings_(settings),
      keep_alive_ms_(keep_alive.count()),
      embeds_(turn_, kBatchBytes, [this](std::span<EmbedJob* const> jobs) { embed_batch(jobs); }),
      reranks_(turn_, kBatchBytes, [this](std::span<RerankJob* const> jobs) { rerank_batch(jobs); }) {
  try {
    index_ = find_index(settings.index).native();
  } catch (const Error&) {
    // A server without an index embeds, ranks and generates.
  }
}

WarmEngine::~WarmEngine() = default;

WarmEngine::InUse::InUse(WarmEngine& engine) : engine_(engine) {
  engine_.note_use();
}

WarmEngine::InUse::~InUse() {
  engine_.note_use();
}

void WarmEngine::note_use() {
  last_use_ms_ = now_ms();
  has_used_heap_ = true;
  has_working_memory_ = true;
}

void WarmEngine::note_times(const Reply& reply) {
  const Timings& t = reply.timings;
  const std::pair<const char*, double> stages[] = {
      {"startup", t.startup_ms},   {"cache", t.cache_ms},   {"hyde", t.hyde_ms},     {"embed", t.embed_ms},
      {"retrieve", t.retrieve_ms}, {"rerank", t.rerank_ms}, {"answer", t.answer_ms}, {"other", t.other_ms}};
  const std::lock_guard guard(status_mutex_);
  times_.stage_ms.resize(std::size(stages));
  for (size_t i = 0; i < std::size(stages); ++i) {
    times_.stage_ms[i].first = stages[i].first;
    times_.stage_ms[i].second += stages[i].second;
  }
  times_.cache_hits += reply.cache == CacheStatus::exact || reply.cache == CacheStatus::semantic;
  if (times_.recent_ms.size() < kRecent)
    times_.recent_ms.push_back(t.total_ms);
  else
    times_.recent_ms[next_recent_++ % kRecent] = t.total_ms;
}

Models& WarmEngine::models() {
  std::vector<Stamp> stamps = stamps_of(settings_);
  if (opened_ && opened_->stamps != stamps) close();
  if (!opened_) {
    auto opened = std::make_shared<Opened>(Opened{std::move(stamps)});
    opened->budget = std::make_unique<Budget>(tool_.budget_limits());
    opened->models = question_models(tool_, settings_, *opened->budget, true);
    publish(std::move(opened));
  }
  return opened_->all_models();
}

QuerySession& WarmEngine::session() {
  std::vector<Stamp> stamps = stamps_of(settings_);
  if (opened_ && (opened_->stamps != stamps || !opened_->session)) close();
  if (!opened_) {
    auto opened = std::make_shared<Opened>(Opened{std::move(stamps)});
    QuerySession::Use use;
    use.many_questions = true;
    opened->session = std::make_unique<QuerySession>(tool_, settings_, use);
    publish(std::move(opened));
  }
  return *opened_->session;
}

void WarmEngine::close() {
  publish(nullptr);
}

void WarmEngine::publish(std::shared_ptr<Opened> opened) {
  opened_ = std::move(opened);
  std::shared_ptr<const Opened> before = opened_;
  const std::lock_guard guard(status_mutex_);
  std::swap(published_, before);
}

Reply WarmEngine::ask(const AskRequest& request, const TokenSink& stream) {
  PipelineOptions options = pipeline_options(settings_);
  const SettingList fields(options);
  for (const auto& [key, value] : request.settings) {
    const SettingField* field = fields.find(key);
    if (!field) throw Error(Code::bad_input, "'settings': '" + key + "' is not a setting of questions");
    field->set(value, "'settings'");
  }
  const std::lock_guard turn(turn_);
  const InUse use(*this);
  QuerySession& open = session();
  Reply reply = open.make_pipeline(std::move(options))->ask(request.query, stream);
  ++asked_;
  note_times(reply);
  return reply;
}

Embedded WarmEngine::embed(const EmbedRequest& request) {
  EmbedJob job{&request, {}};
  if (!request.texts.empty()) embeds_.run(job);
  return std::move(job.result);
}

void WarmEngine::embed_batch(std::span<EmbedJob* const> jobs) {
  const InUse use(*this);
  const std::shared_ptr<Embedder> embedder = models().embedder();
  const auto dimension = static_cast<size_t>(embedder->dimension());
  for (const TextRole role : {TextRole::query, TextRole::passage})
    for (const bool with_weights : {false, true}) {
      std::vector<std::string_view> texts;
      for (const EmbedJob* job : jobs)
        if (job->request->role == role && job->request->with_weights == with_weights) {
          const auto some = views(job->request->texts);
          texts.insert(texts.end(), some.begin(), some.end());
        }
      if (texts.empty()) continue;
      if (with_weights && !embedder->has_sparse())
        throw Error(Code::bad_input, "the embedder has no weights of tokens (learned sparse), as BGE-M3 has");
      std::vector<TextEmbedding> all;
      if (with_weights) {
        all = embedder->embed_all(texts, role, TokenOutputs::weights);
      } else {
        std::vector<float> out(texts.size() * dimension);
        embedder->embed(texts, role, out);
        for (size_t i = 0; i < texts.size(); ++i)
          all.push_back(
              {{out.begin() + std::ptrdiff_t(i * dimension), out.begin() + std::ptrdiff_t((i + 1) * dimension)},
               {},
               {}});
      }
      size_t next = 0;
      for (EmbedJob* job : jobs) {
        if (job->request->role != role || job->request->with_weights != with_weights) continue;
        Embedded result;
        result.max_tokens = embedder->max_tokens();
        for (const std::string& text : job->request->texts) {
          TextEmbedding& one = all[next++];
          result.vectors.push_back(std::move(one.dense));
          if (with_weights) result.weights.push_back(std::move(one.sparse));
          result.tokens.push_back(count_tokens(*embedder, text, role));
        }
        embedded_ += int64_t(job->request->texts.size());
        job->result = std::move(result);
      }
    }
  ++batches_;
}

Reranked WarmEngine::rerank(const RerankRequest& request) {
  RerankJob job{&request, {}};
  if (!request.texts.empty()) reranks_.run(job);
  return std::move(job.result);
}

void WarmEngine::rerank_batch(std::span<RerankJob* const> jobs) {
  const InUse use(*this);
  Models& open = models();
  if (!open.has_reader())
    throw Error(Code::missing, "no reader is configured, which ranks").hint("name its pack with --reader");
  const std::shared_ptr<Reader> reader = open.reader();
  std::vector<ReaderPair> pairs;
  for (const RerankJob* job : jobs)
    for (size_t i = 0; i < job->request->texts.size(); ++i) {
      pairs.push_back(reader->pair(job->request->query, job->request->texts[i]));
      if (pairs.back().ids.empty())
        throw Error(Code::bad_input, fmt::format("neither the query nor text {} has a word to rank by", i));
    }
  std::vector<float> logits;
  logits.reserve(pairs.size());
  for (size_t begin = 0; begin < pairs.size(); begin += kPairsPerPass) {
    const std::vector<HalfRead> halves =
        reader->read_half(std::span(pairs).subspan(begin, std::min(kPairsPerPass, pairs.size() - begin)));
    std::vector<const HalfRead*> all;
    all.reserve(halves.size());
    for (const HalfRead& half : halves) all.push_back(&half);
    for (const Reading& reading : reader->read_rest(all)) logits.push_back(reading.relevance);
  }
  size_t next = 0;
  for (RerankJob* job : jobs) {
    Reranked result;
    for (size_t i = 0; i < job->request->texts.size(); ++i, ++next) {
      result.logits.push_back(logits[next]);
      result.tokens.push_back(static_cast<int64_t>(pairs[next].ids.size()));
    }
    reranked_ += int64_t(result.logits.size());
    job->result = std::move(result);
  }
  ++batches_;
}

void WarmEngine::let_others_compute() {
  if (turn_.is_wanted()) {
    turn_.unlock();
    turn_.lock();
  }
  note_use();
}

Generation WarmEngine::generate(std::span<const ChatMessage> messages, const GenerateOptions& options,
                                const TokenSink& stream) {
  turn_.lock();
  const auto unlock = [](FairMutex* turn) { turn->unlock(); };
  const std::unique_ptr<FairMutex, decltype(unlock)> held(&turn_, unlock);
  const InUse use(*this);
  Models& open = models();
  const std::shared_ptr<Opened> in_use = opened_;  // another thread may close it meanwhile
  const std::shared_ptr<Generator> generator = open.generator();
  // A long text lets others compute between its tokens. The generator stays loaded: it is in use.
  const auto pass = [&](std::string_view text) {
    const bool goes_on = !stream || stream(text);
    let_others_compute();
    return goes_on;
  };
  Generation generation = generator->chat(messages, options, pass);
  ++generated_;
  return generation;
}

GenerateOptions WarmEngine::generate_defaults() const {
  return settings_.pipeline.generate;
}

SummarySession::Result WarmEngine::summarise(const SummariseRequest& request, const SummarySink& sink) {
  const std::lock_guard writing(writing_);
  const std::lock_guard turn(turn_);
  const InUse use(*this);
  models();
  const std::shared_ptr<Opened> in_use = opened_;  // another thread may close it meanwhile
  if (!in_use->summaries) in_use->summaries = std::make_unique<SummarySession>(tool_, settings_);
  SummaryOptions options = settings_.summary;
  options.style = request.style.value_or(options.style);
  options.max_words = request.max_words.value_or(options.max_words);
  const auto pass = [&](const SummaryStatement* statement) {
    if (!sink(statement)) throw Error(Code::negative, "the client has left");
    let_others_compute();
  };
  SummaryHooks hooks;
  hooks.progress = [&](int64_t, int64_t) { pass(nullptr); };
  hooks.statement = [&](const SummaryStatement& statement) { pass(&statement); };
  SummarySession::Result result = in_use->summaries->summarise_text(request.text, "text", options, std::move(hooks));
  if (result.summary.statements.empty())
    throw Error(Code::negative, "'text' has no sentence to summarise")
        .hint("tables, lists of links and headings alone are not summarised");
  return result;
}

Captioned WarmEngine::describe(const CaptionRequest& request, const TokenSink& sink) {
  if (settings_.models.captioner.empty())
    throw Error(Code::missing, "no captioner is configured, which describes images")
        .hint("name its pack with --captioner (models.captioner)");
  const std::lock_guard writing(writing_);
  Budget budget(tool_.budget_limits());
  const RgbImage image =
      naming_file("image", [&] { return decode_image_elsewhere(request.image, kMaxPixels, budget); });
  const std::lock_guard turn(turn_);
  const InUse use(*this);
  models();
  const std::shared_ptr<Opened> in_use = opened_;  // another thread may close it meanwhile
  if (!in_use->captions) in_use->captions = std::make_unique<Opened::Captions>(tool_, settings_);
  ImageCaptioner& captioner = in_use->captions->captioner;
  const auto pass = [&](std::string_view text) {
    const bool goes_on = !sink || sink(text);
    let_others_compute();
    return goes_on;
  };
  return {{"image", image.width(), image.height(), captioner.describe(image, request.prompt, pass)},
          captioner.pack().filename().native()};
}

std::vector<Tokenizer::Piece> WarmEngine::tokenize(const std::string& text) {
  const std::lock_guard turn(turn_);
  const InUse use(*this);
  return models().embedder()->tokenizer().encode_pieces(text, false);
}

Passage WarmEngine::read(const std::string& place) {
  const std::lock_guard turn(turn_);
  const InUse use(*this);
  QuerySession& open = session();
  return read_passage(open.store(), place, PassageTime::indexed, open.budget());
}

void WarmEngine::preload() {
  const std::lock_guard turn(turn_);
  const InUse use(*this);
  try {
    session().models().embedder();
  } catch (const Error& error) {
    if (error.code() != Code::missing) throw;
    models().embedder();
  }
}

void WarmEngine::set_keep_alive(std::chrono::milliseconds duration) {
  keep_alive_ms_ = duration.count();
}

void WarmEngine::unload_if_idle() {
  // Whoever computes is in use, however long, and is not waited for.
  const std::unique_lock turn(turn_, std::try_to_lock);
  const int64_t now = now_ms(), idle_ms = turn ? now - last_use_ms_ : 0;
  if (idle_ms >= kQuietMs && has_working_memory_.exchange(false) && opened_)
    opened_->all_models().release_working_memory();
  // What the requests of a busy moment took from the heap goes back to the system.
  const bool is_due = idle_ms >= kQuietMs || now - last_trim_ms_ >= kTrimEveryMs;
  if (is_due && has_used_heap_.exchange(false)) {
    last_trim_ms_ = now;
    release_free_heap();
  }
  const int64_t keep = keep_alive_ms_;
  if (!turn || keep < 0 || idle_ms < keep || !opened_) return;
  close();
  release_free_heap();
}

uint64_t WarmEngine::unload() {
  const std::lock_guard turn(turn_);
  const uint64_t before = read_memory().anon_bytes;
  close();
  release_free_heap();
  const uint64_t after = read_memory().anon_bytes;
  return before > after ? before - after : 0;
}

namespace {

std::vector<EngineModel> configured_models(const ModelNames& names) {
  std::vector<EngineModel> models;
  for (const auto& [role, name] : {std::pair<const char*, const std::string&>{"embedder", names.embedder},
                                   {"reader", names.reader},
                                   {"generator", names.generator}}) {
    if (name.empty()) continue;
    EngineModel model{role, name, {}, 0, false, 0, 0};
    try {
      const fs::path file = find_model(name);
      std::error_code ignored;
      model.file_bytes = fs::file_size(file, ignored);
      model.file = file.native();
    } catch (const Error&) {
      // It is listed as missing: a request for it says how to make it.
    }
    models.push_back(std::move(model));
  }
  return models;
}

void add_loads(std::vector<EngineModel>& models, const Manager& manager) {
  for (const ManagerStats::Model& loaded : manager.counts().models)
    for (EngineModel& model : models)
      if (model.role == loaded.name) {
        model.is_loaded = loaded.loaded;
        model.loads = loaded.loads;
        model.uses = loaded.loads + loaded.hits;
      }
}

}  // namespace

EngineStatus WarmEngine::status() const {
  EngineStatus status;
  status.index = index_;
  status.models = configured_models(settings_.models);
  std::shared_ptr<const Opened> opened;
  {
    const std::lock_guard guard(status_mutex_);
    opened = published_;
    status.times = times_;
  }
  status.is_awake = opened != nullptr;
  if (const int64_t keep = keep_alive_ms_; keep >= 0)
    status.closes_at = std::chrono::system_clock::now() +
                       std::chrono::milliseconds(last_use_ms_ + std::min(keep, kLongestKeepMs) - now_ms());
  if (opened && opened->session) status.generation = opened->session->store().generation();
  if (opened)
    if (const Manager* manager = opened->all_models().manager()) add_loads(status.models, *manager);
  status.asked = asked_;
  status.embedded = embedded_;
  status.reranked = reranked_;
  status.generated = generated_;
  status.batches = batches_;
  return status;
}

}  // namespace frugal::api
