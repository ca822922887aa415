#include "rag/index/file_indexer.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "rag/index/chunk_selector.h"
#include "rag/index/embed_chunks.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// A commit follows the file that reaches either limit. They are large enough to spread the cost of a commit, and small
// enough that a kill loses little and the write-ahead log stays short.
constexpr int64_t kChunksPerCommit = 512;
constexpr int64_t kFilesPerCommit = 256;
constexpr int64_t kImagesPerCommit = 32;  // embedded: a few seconds of work
constexpr int64_t kMinChunkTokens = 8;
// Peak memory of splitting and storing a text, in multiples of its bytes: blocks, tokens, sentences, chunks, and the
// chunks that were stored before. An upper bound over texts of single letters and signs; prose needs a third of it.
constexpr uint64_t kSplitCopies = 6;

// A word about a request that cannot be granted; the defaults fit themselves to any embedder without one.
void warn_of_limits(const ChunkOptions& requested, const ChunkOptions& used) {
  const ChunkOptions defaults;
  if (requested.max_tokens != defaults.max_tokens && used.max_tokens < requested.max_tokens)
    log(LogLevel::warn, "chunks have at most {} tokens, not {}: the embedder reads no more", used.max_tokens,
        requested.max_tokens);
  if (requested.overlap_tokens != defaults.overlap_tokens && used.overlap_tokens < requested.overlap_tokens)
    log(LogLevel::warn, "chunks overlap by at most {} tokens, not {}: half of a chunk", used.overlap_tokens,
        requested.overlap_tokens);
}

ChunkOptions chunking_of(const IndexOptions& options) {
  ChunkOptions chunking = options.chunks;
  if (options.embedder) {
    chunking.tokenizer = &options.embedder->tokenizer();
    chunking.max_tokens = std::min(chunking.max_tokens,
                                   options.embedder->max_tokens() - options.embedder->added_tokens(TextRole::passage));
  }
  chunking.max_tokens = std::max(chunking.max_tokens, kMinChunkTokens);
  chunking.overlap_tokens = std::clamp<int64_t>(chunking.overlap_tokens, 0, chunking.max_tokens / 2);
  warn_of_limits(options.chunks, chunking);
  return chunking;
}

}  // namespace

FileIndexer::FileIndexer(StoreWriter& store, const IndexOptions& options, IndexReport& report)
    : store_(store),
      options_(options),
      report_(report),
      chunking_(chunking_of(options)),
      recipe_(fmt::format("{} laws={}", chunking_.recipe(), sha256_hex(options.laws.serialise()).substr(0, 16))),
      images_(store, options, report) {}

/// Files whose text is not their bytes, or that have fields, are read again if the index was made before these were
/// stored, or by an earlier reader of their format.
std::string FileIndexer::recipe(FileKind kind) const {
  std::string recipe = recipe_;
  if (kind == FileKind::image) recipe.clear();  // it has no chunks
  if (may_have_images(kind)) recipe += images_.recipe();
  if (needs_child(kind))
    recipe += " office-1";
  else if (kind == FileKind::eml || kind == FileKind::mbox)
    recipe += " mail-1";
  else if (kind != FileKind::text && kind != FileKind::markdown && kind != FileKind::image)
    recipe += " places-1";
  if (has_fields(kind)) recipe += kFieldsRecipe;
  return recipe;
}

bool FileIndexer::is_unchanged(const IndexedFile& known, const IndexedFile::Stamp& stamp, FileKind kind) const {
  return known.stamp == stamp && images_.comparable(known.recipe) == recipe(kind);
}

void FileIndexer::add(const fs::path& path, bool named) {
  std::optional<FileKind> kind = file_kind(path);
  if (!kind && unsupported_reason(path) == Unsupported::old_office) return skip_unread(path, unsupported_message(path));
  if (!kind && !named) return ignore(path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return skip_unread(path, "vanished while the folder was read");
  const IndexedFile::Stamp stamp{info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
  const std::optional<IndexedFile> known = store_.find_file(path.native());
  const bool is_current = known && is_unchanged(*known, stamp, kind.value_or(FileKind::text));
  if (kind == FileKind::image && !images_.is_on() && !is_current) {
    if (!named) return ignore(path);
    kind.reset();  // as a text, which it is not
  }
  const FileKind read_as = kind.value_or(FileKind::text);
  if (is_current) {
    added_.push_back(known->id);
    ++report_.files_unchanged;
    if (const auto skipped = remembered_.find(path.native()); skipped != remembered_.end())
      skip(path, std::string(skipped->second));
  } else {
    std::ifstream input(path, std::ios::binary);
    if (!input) {
      if (known) added_.push_back(known->id);  // it is still there: its documents stay
      return skip_unread(path, "cannot be opened: permission denied or vanished");
    }
    add_changed({input, read_as, path, stamp}, known);
  }
  count_read();
}

void FileIndexer::add_stdin() {
  const fs::path name = options_.stdin_name;
  if (!options_.stdin_stream) throw Error(Code::bad_input, "no standard input to read");
  FileKind kind = file_kind(name).value_or(FileKind::text);
  if (kind == FileKind::image && !images_.is_on()) kind = FileKind::text;
  add_changed({*options_.stdin_stream, kind, name, {}}, store_.find_file(name.native()));
  count_read();
}

void FileIndexer::add_changed(const Source& source, const std::optional<IndexedFile>& known) {
  const int64_t id = store_.begin_file(source.path.native(), recipe(source.kind));
  copies_.clear();
  images_.begin_file();
  const std::optional<Extracted> extracted = put_documents(source);
  if (!extracted) return;
  store_.end_file(source.stamp, extracted->sha256, extracted->note);
  count_added(source, known, *extracted);
  commit_if_large();
  added_.push_back(id);
}

/// Puts the documents of the file that was begun. If the file cannot be read, abandons it and returns nullopt.
std::optional<Extracted> FileIndexer::put_documents(const Source& source) {
  try {
    ExtractOptions options = options_.extract;
    options.sink_copies = kSplitCopies;
    options.child = &child_;
    if (may_have_images(source.kind)) options.images = images_.reading();
    std::string title;
    Extracted extracted = extract(source.input, source.kind, source.path, options, [&](const Document& document) {
      title = document.title;
      put_document(source.path, document);
    });
    if (options.images) images_.end_file(source.path.native(), title);
    return extracted;
  } catch (const Error& error) {
    const bool too_large = error.code() == Code::over_budget;
    const bool files_fault = error.code() == Code::bad_input || (error.code() == Code::io && source.input.bad());
    if (!files_fault && !too_large) throw;
    store_.abandon_file();
    skip_unread(source.path, too_large ? fmt::format("{}; {}", error.message(), error.hint()) : error.message());
    return std::nullopt;
  }
}

/// A document is named by its path, a record by "path#id". A repeated id gets a number: "path#id~2".
void FileIndexer::put_document(const fs::path& path, const Document& document) {
  const std::string base = document.is_record ? path.native() + "#" + document.external_id : path.native();
  const auto chunk = [&] { return chunks_of(path, document); };
  if (store_.put_document(base, document, chunk)) return;
  int64_t& copy = copies_.try_emplace(base, 1).first->second;
  do ++copy;
  while (!store_.put_document(fmt::format("{}~{}", base, copy), document, chunk));
}

std::vector<NewChunk> FileIndexer::chunks_of(const fs::path& path, const Document& document) const {
  std::vector<NewChunk> chunks;
  for (TextChunk& chunk : chunk_document(document, path.stem().native(), chunking_, options_.laws)) {
    const std::string_view text = std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin);
    chunks.push_back({std::move(chunk), vector_key(embedding_text(document.title, text))});
  }
  return chunks;
}

void FileIndexer::count_added(const Source& source, const std::optional<IndexedFile>& known,
                              const Extracted& extracted) {
  ++files_in_batch_;
  const bool unchanged =
      known && known->sha256 == extracted.sha256 && images_.comparable(known->recipe) == recipe(source.kind);
  ++(!known ? report_.files_added : unchanged ? report_.files_unchanged : report_.files_changed);
  if (!extracted.note.empty()) report_.notes.push_back({source.path.native(), extracted.note});
  if (!extracted.skipped_records.empty()) return skip(source.path, extracted.skipped_records);
  // In the batch of the file itself: a run that is killed must not leave the reason with a file that has been mended.
  if (remembered_.erase(source.path.native()) > 0) store_.forget_skipped(source.path.native());
}

void FileIndexer::count_read() {
  ++files_read_;
  if (options_.progress) options_.progress({IndexProgress::Stage::reading, files_read_, 0});
}

void FileIndexer::remove(int64_t file) {
  store_.remove_file(file);
  ++report_.files_removed;
  commit_if_large();
}

void FileIndexer::ignore(const fs::path& path) {
  std::string extension = path.extension().native();
  for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  ++report_.ignored[extension];
  ++report_.files_ignored;
}

void FileIndexer::skip(const fs::path& path, const std::string& reason) {
  remembered_.erase(path.native());
  report_.skipped.push_back({path.native(), reason});
  store_.add_skipped(path.native(), reason);
}

void FileIndexer::skip_unread(const fs::path& path, const std::string& reason) {
  skip(path, reason);
  report_.unread_roots.push_back(path.native());  // those that are no roots are taken out at the end of the run
}

void FileIndexer::remember_skipped(const std::vector<SkippedFile>& skipped) {
  for (const SkippedFile& file : skipped) remembered_[file.path] = file.reason;
}

std::vector<std::string> FileIndexer::take_remembered() {
  std::vector<std::string> paths;
  for (const auto& [path, reason] : std::exchange(remembered_, {})) paths.push_back(path);
  return paths;
}

void FileIndexer::commit() {
  store_.commit();
  files_in_batch_ = 0;
  chunks_at_commit_ = chunks_touched();
  images_at_commit_ = report_.images_embedded + report_.captions_written;
}

void FileIndexer::commit_if_large() {
  if (chunks_touched() - chunks_at_commit_ >= kChunksPerCommit || files_in_batch_ >= kFilesPerCommit ||
      report_.images_embedded + report_.captions_written - images_at_commit_ >= kImagesPerCommit)
    commit();
}

int64_t FileIndexer::chunks_touched() const {
  return store_.counts().chunks_added + store_.counts().chunks_removed;
}

std::vector<int64_t> FileIndexer::take_added() {
  return std::exchange(added_, {});
}

}  // namespace frugal
