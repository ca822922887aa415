// The run of `add` and `remove`: files to documents in transactions of a few hundred chunks, then vectors in batches.
#include "rag/index/index_writer.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "rag/extract/sources.h"
#include "rag/index/chunk.h"
#include "rag/index/document_writer.h"
#include "rag/index/schema.h"
#include "rag/index/vector_keeper.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// A transaction ends with the file that takes it past this many chunks: large enough that its cost is shared, small
// enough that a kill loses little and the log stays short.
constexpr int64_t kChunksPerCommit = 512;
constexpr int64_t kFilesPerCommit = 256;
// Below this many changed chunks the word index is left as its own merging has it.
constexpr int64_t kChunksWorthOptimising = 256;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

int64_t nanoseconds(const timespec& time) {
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

fs::path created(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder))
    throw Error(Code::io, fmt::format("cannot create the index folder '{}'{}{}", folder.native(), error ? ": " : "",
                                      error ? error.message() : ""));
  return folder;
}

/// Reads under a prefix of paths: the folder's files lie between "folder/" and "folder0", as '0' follows '/'.
constexpr std::string_view kFilesUnder =
    "SELECT id, path FROM files WHERE path=?1 OR (path>=?2 AND path<?3) ORDER BY path";

}  // namespace

class IndexWriter::Run {
 public:
  Run(const fs::path& folder, IndexOptions options)
      : folder_(created(folder)),
        options_(std::move(options)),
        lock_(lock(folder_)),
        database_(schema::database_path(folder_), Database::Mode::write),
        vectors_(folder_, database_) {
    schema::create(database_);
    if (options_.embedder) vectors_.use(*options_.embedder, options_.re_embed);
    vectors_.remove_old_files();
    chunking_ = chunk_options();
    const std::string laws = options_.laws.serialise();
    recipe_ = fmt::format("{} laws={}", chunking_.recipe(), sha256_hex(laws).substr(0, 16));
    documents_.emplace(database_, chunking_, options_.laws);
    Transaction transaction(database_, Transaction::Kind::write);
    if (schema::meta_text(database_, schema::kTerms) != TermMaker::fingerprint()) documents_->rebuild_terms();
    if (schema::meta_text(database_, schema::kLaws) != laws) schema::set_meta(database_, schema::kLaws, laws);
    transaction.commit();
  }

  IndexReport add(const std::vector<std::string>& arguments) {
    const Stopwatch watch;
    if (arguments.empty()) {
      for (const std::string& root : roots()) add_root(root);
    } else {
      for (const std::string& argument : arguments) add_argument(argument);
    }
    commit();
    report_.reading_seconds = watch.seconds();
    embed();
    return finish();
  }

  IndexReport remove(const std::vector<std::string>& arguments) {
    const Stopwatch watch;
    for (const std::string& argument : arguments) {
      const fs::path path = is_stdin_name(argument) ? fs::path(argument) : normal_path(argument);
      if (remove_files(path, {}) == 0)
        throw Error(Code::bad_input, fmt::format("the index holds nothing at '{}'", path.native()))
            .hint("rag-index status lists what was added");
      forget_root(path);
    }
    commit();
    report_.reading_seconds = watch.seconds();
    return finish();
  }

 private:
  static FileLock lock(const fs::path& folder) {
    try {
      return FileLock(schema::lock_path(folder));
    } catch (Error& error) {
      if (error.code() == Code::bad_input)
        throw Error(Code::bad_input, fmt::format("the index at '{}' is in use by another writer", folder.native()))
            .hint("wait for it to finish; readers are not affected");
      throw;
    }
  }

  ChunkOptions chunk_options() const {
    ChunkOptions chunking;
    chunking.max_tokens = options_.chunk_tokens;
    chunking.overlap_tokens = options_.overlap_tokens;
    if (options_.embedder) {
      const Tokenizer& tokenizer = options_.embedder->tokenizer();
      const auto template_tokens = static_cast<int64_t>(tokenizer.prefix().size() + tokenizer.suffix().size());
      chunking.tokenizer = &tokenizer;
      chunking.max_tokens = std::min(chunking.max_tokens, options_.embedder->max_tokens() - template_tokens);
    }
    chunking.max_tokens = std::max<int64_t>(chunking.max_tokens, 8);
    chunking.overlap_tokens = std::clamp<int64_t>(chunking.overlap_tokens, 0, chunking.max_tokens / 2);
    return chunking;
  }

  // --- transactions
  // ------------------------------------------------------------------------------------------------------

  void begin() {
    if (!transaction_) transaction_.emplace(database_, Transaction::Kind::write);
  }

  void commit() {
    if (!transaction_) return;
    if (changed_)
      schema::set_meta(database_, schema::kGeneration, schema::meta_integer(database_, schema::kGeneration) + 1);
    transaction_->commit();
    transaction_.reset();
    files_in_transaction_ = 0;
    chunks_at_commit_ = chunks_touched();
    changed_ = false;
  }

  void commit_if_large() {
    if (chunks_touched() - chunks_at_commit_ >= kChunksPerCommit || files_in_transaction_ >= kFilesPerCommit) commit();
  }

  int64_t chunks_touched() const { return documents_->counts().chunks_added + documents_->counts().chunks_removed; }

  // --- roots
  // -------------------------------------------------------------------------------------------------------------

  std::vector<std::string> roots() const {
    std::vector<std::string> roots;
    Statement row = database_.prepare("SELECT path FROM roots ORDER BY path", false);
    while (row.step()) roots.push_back(row.string(0));
    return roots;
  }

  bool is_stdin_name(const std::string& argument) const {
    return argument == options_.stdin_name && !fs::exists(argument);
  }

  void add_argument(const std::string& argument) {
    if (argument == "-") return add_stdin();
    std::vector<fs::path> paths = expand_argument(argument);
    // A root that is gone is not a mistake: its files are to vanish from the index.
    const fs::path path = normal_path(argument);
    if (paths.empty() && holds(path)) paths = {path};
    if (paths.empty())
      throw Error(Code::bad_input, fmt::format("no file or folder '{}'", argument))
          .hint("check the path; patterns must match something");
    for (const fs::path& each : paths) {
      begin();
      database_.prepare("INSERT OR IGNORE INTO roots VALUES(?1)", false).run(each.native());
      add_root(each);
    }
  }

  void add_root(const fs::path& root) {
    begin();
    database_.prepare("DELETE FROM skipped WHERE path=?1 OR (path>=?2 AND path<?3)", false)
        .run(root.native(), root.native() + "/", root.native() + "0");
    std::vector<int64_t> seen;
    std::error_code ignored;
    if (fs::exists(root, ignored)) {
      SourceSink sink;
      sink.file = [&](const fs::path& file, bool named) { read_file(file, named, seen); };
      sink.skipped = [&](const fs::path& path, const std::string& reason) { skip(path, reason); };
      list_files(root, {options_.hidden, normal_path(folder_)}, sink);
    } else {
      forget_root(root);
    }
    remove_files(root, std::move(seen));
  }

  bool holds(const fs::path& path) const {
    Statement row = database_.prepare(kFilesUnder, false);
    return row.bind(path.native(), path.native() + "/", path.native() + "0").step();
  }

  /// Removes the files at or under `root` that are not among `kept`. Returns how many.
  int64_t remove_files(const fs::path& root, std::vector<int64_t> kept) {
    begin();
    std::sort(kept.begin(), kept.end());
    std::vector<int64_t> gone;
    Statement row = database_.prepare(kFilesUnder, false);
    row.bind(root.native(), root.native() + "/", root.native() + "0");
    while (row.step())
      if (!std::binary_search(kept.begin(), kept.end(), row.integer(0))) gone.push_back(row.integer(0));
    row.reset();
    for (const int64_t id : gone) {
      begin();
      documents_->remove_file(id);
      changed_ = true;
      commit_if_large();
    }
    report_.files_removed += static_cast<int64_t>(gone.size());
    return static_cast<int64_t>(gone.size());
  }

  void forget_root(const fs::path& path) {
    begin();
    for (const char* table : {"roots", "skipped"})
      database_.prepare(fmt::format("DELETE FROM {} WHERE path=?1 OR (path>=?2 AND path<?3)", table), false)
          .run(path.native(), path.native() + "/", path.native() + "0");
  }

  // --- files
  // -------------------------------------------------------------------------------------------------------------

  void skip(const fs::path& path, const std::string& reason) {
    begin();
    report_.skipped.push_back({path.native(), reason});
    database_.prepare("INSERT OR REPLACE INTO skipped VALUES(?1, ?2)", false).run(path.native(), reason);
  }

  void read_file(const fs::path& path, bool named, std::vector<int64_t>& seen) {
    const std::optional<FileKind> kind = file_kind(path);
    if (!kind && why_unread(path) == Unread::not_built_in) return skip(path, refusal(path));
    if (!kind && !named) return void(++report_.files_ignored);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return skip(path, "vanished while the folder was read");
    const DocumentWriter::FileStamp stamp{info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
    if (const auto known = unchanged_file(path, stamp)) {
      seen.push_back(*known);
      ++report_.files_unchanged;
    } else {
      std::ifstream input(path, std::ios::binary);
      if (!input) return skip(path, "cannot be opened: permission denied or vanished");
      if (const auto id = index_stream(input, kind.value_or(FileKind::text), path, stamp)) seen.push_back(*id);
    }
    report_progress();
  }

  void report_progress() {
    ++files_read_;
    if (options_.progress) options_.progress({IndexProgress::Stage::reading, files_read_, 0});
  }

  /// The file's row if it is as it was when it was indexed, and was chunked as it would be now.
  std::optional<int64_t> unchanged_file(const fs::path& path, const DocumentWriter::FileStamp& stamp) {
    Statement row = database_.prepare("SELECT id, bytes, mtime_ns, ctime_ns, recipe FROM files WHERE path=?1", false);
    if (!row.bind(path.native()).step()) return std::nullopt;
    const DocumentWriter::FileStamp stored{row.integer(1), row.integer(2), row.integer(3)};
    return stored == stamp && row.text(4) == recipe_ ? std::optional(row.integer(0)) : std::nullopt;
  }

  void add_stdin() {
    const fs::path name = options_.stdin_name;
    if (!options_.stdin_stream) throw Error(Code::bad_input, "no standard input to read");
    index_stream(*options_.stdin_stream, file_kind(name).value_or(FileKind::text), name, {});
    report_progress();
  }

  /// Indexes one file inside the open transaction; a file that cannot be read leaves nothing behind. Its row if it was
  /// read.
  std::optional<int64_t> index_stream(std::istream& input, FileKind kind, const fs::path& path,
                                      const DocumentWriter::FileStamp& stamp) {
    begin();
    Statement known = database_.prepare("SELECT sha256, recipe FROM files WHERE path=?1", false);
    const bool is_known = known.bind(path.native()).step();
    const std::string old_sha256 = is_known ? known.string(0) : "";
    const bool chunks_are_stale = is_known && known.text(1) != recipe_;
    known.reset();
    database_.execute("SAVEPOINT file");
    try {
      const int64_t id = documents_->begin_file(path.native());
      const Extracted extracted = extract(input, kind, path, options_.extract, [&](Document document) {
        documents_->put(std::move(document), chunks_are_stale);
      });
      documents_->end_file(stamp, extracted.sha256, recipe_, extracted.note);
      database_.execute("RELEASE file");
      count_file(path, is_known, is_known && old_sha256 == extracted.sha256 && !chunks_are_stale, extracted);
      commit_if_large();
      return id;
    } catch (const Error& error) {
      const bool files_fault = error.code() == Code::bad_input || (error.code() == Code::io && input.bad());
      if (!files_fault) throw;
      database_.execute("ROLLBACK TO file; RELEASE file");
      skip(path, error.message());
      return std::nullopt;
    }
  }

  void count_file(const fs::path& path, bool is_known, bool same_bytes, const Extracted& extracted) {
    ++files_in_transaction_;
    ++(!is_known ? report_.files_added : same_bytes ? report_.files_unchanged : report_.files_changed);
    changed_ |= !same_bytes;
    if (!extracted.note.empty()) report_.notes.push_back({path.native(), extracted.note});
    if (!extracted.left_out.empty()) skip(path, extracted.left_out);
  }

  // --- after the files
  // ---------------------------------------------------------------------------------------------------

  void embed() {
    if (!options_.embedder) return;
    const Stopwatch watch;
    const int64_t total = vectors_.chunks_without_vector();
    report_.vectors_computed = vectors_.embed_missing(*options_.embedder, [&](int64_t done) {
      if (options_.progress) options_.progress({IndexProgress::Stage::embedding, done, total});
    });
    report_.embedding_seconds = watch.seconds();
  }

  IndexReport finish() {
    if (chunks_touched() >= kChunksWorthOptimising) database_.execute("INSERT INTO terms(terms) VALUES('optimize')");
    vectors_.compact_if_worthwhile();
    vectors_.remove_old_files();
    // Readers of older generations may hold the log open; then it is folded in by a later run.
    database_.integer("PRAGMA wal_checkpoint(TRUNCATE)");
    report_.documents = database_.integer("SELECT count(*) FROM documents").value_or(0);
    report_.chunks = database_.integer("SELECT count(*) FROM chunks").value_or(0);
    report_.chunks_added = documents_->counts().chunks_added;
    report_.chunks_removed = documents_->counts().chunks_removed;
    report_.vectors_reused = documents_->counts().vectors_reused;
    report_.chunks_without_vector = vectors_.chunks_without_vector();
    report_.generation = static_cast<uint64_t>(schema::meta_integer(database_, schema::kGeneration));
    return std::move(report_);
  }

  fs::path folder_;
  IndexOptions options_;
  FileLock lock_;
  Database database_;
  VectorKeeper vectors_;
  ChunkOptions chunking_;
  std::string recipe_;
  std::optional<DocumentWriter> documents_;
  std::optional<Transaction> transaction_;
  int64_t files_in_transaction_ = 0, chunks_at_commit_ = 0, files_read_ = 0;
  bool changed_ = false;
  IndexReport report_;
};

IndexWriter::IndexWriter(const fs::path& folder, IndexOptions options)
    : run_(std::make_unique<Run>(folder, std::move(options))) {}
IndexWriter::~IndexWriter() = default;

IndexReport IndexWriter::add(const std::vector<std::string>& arguments) {
  return run_->add(arguments);
}
IndexReport IndexWriter::remove(const std::vector<std::string>& arguments) {
  return run_->remove(arguments);
}

}  // namespace frugal
