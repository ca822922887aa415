#include "rag/index/vector_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "base/log.h"
#include "rag/index/document_writer.h"
#include "rag/index/schema.h"

namespace frugal {
namespace {

// Chunks are sorted by length within a window, so that a batch wastes little on padding; a window is what is in memory.
constexpr int64_t kWindowChunks = 1024;
// A batch is committed when it is done: what a kill can lose is about two seconds of work.
constexpr size_t kBatchChunks = 128;
// Fewer unused rows than this are kept whatever their share: they may come back with a rename or an undo.
constexpr int64_t kMinUnusedRows = 1024;

int64_t random_id() {
  std::random_device device;
  return static_cast<int64_t>((static_cast<uint64_t>(device()) << 32 | device()) & INT64_MAX);
}

void count_generation(Database& database) {
  schema::set_meta(database, schema::kGeneration, schema::meta_integer(database, schema::kGeneration) + 1);
}

}  // namespace

VectorKeeper::VectorKeeper(const std::filesystem::path& folder, Database& database)
    : folder_(folder), database_(database) {}

int64_t VectorKeeper::file_number() const {
  return schema::meta_integer(database_, schema::kVectorsFile);
}

void VectorKeeper::use(const Embedder& embedder, bool replace) {
  const std::string wanted = embedder.fingerprint();
  const std::optional<std::string> present = schema::meta_text(database_, schema::kEmbedder);
  if (present == wanted && !replace) return;
  if (present && !replace)
    throw Error(Code::mismatch, fmt::format("the index at '{}' was made with another embedder (index: {}; now: {})",
                                            folder_.native(), *present, wanted))
        .hint(fmt::format("run rag-index add --re-embed --index {}, or name the index's embedder with --embedder",
                          folder_.native()));
  Transaction transaction(database_, Transaction::Kind::write);
  database_.execute("DELETE FROM vectors; UPDATE chunks SET vector_row=NULL WHERE vector_row IS NOT NULL;");
  schema::set_meta(database_, schema::kEmbedder, wanted);
  start_file(file_number() + 1, embedder.dimension());
  count_generation(database_);
  transaction.commit();
  appender_.reset();
}

/// A new, empty vectors file is named; it is created when its first row is written.
void VectorKeeper::start_file(int64_t number, int64_t dimension) {
  schema::set_meta(database_, schema::kVectorsFile, number);
  schema::set_meta(database_, schema::kVectorsId, random_id());
  schema::set_meta(database_, schema::kDimension, dimension);
  schema::set_meta(database_, schema::kVectorRows, 0);
}

int64_t VectorKeeper::chunks_without_vector() const {
  return database_.integer("SELECT count(*) FROM chunks WHERE vector_row IS NULL").value_or(0);
}

int64_t VectorKeeper::embed_missing(Embedder& embedder, const std::function<void(int64_t)>& progress) {
  int64_t done = 0, computed = 0, last = 0;
  for (std::vector<Pending> window = next_window(last); !window.empty(); window = next_window(last)) {
    last = window.back().chunk;
    std::sort(window.begin(), window.end(),
              [](const Pending& a, const Pending& b) { return a.text.size() > b.text.size(); });
    for (size_t begin = 0; begin < window.size(); begin += kBatchChunks) {
      const auto batch = std::span(window).subspan(begin, std::min(kBatchChunks, window.size() - begin));
      computed += embed_batch(embedder, batch);
      done += static_cast<int64_t>(batch.size());
      if (progress) progress(done);
    }
  }
  return computed;
}

std::vector<VectorKeeper::Pending> VectorKeeper::next_window(int64_t after) const {
  Statement row = database_.prepare(
      "SELECT c.id, c.vector_key, d.title, c.text FROM chunks c JOIN documents d ON d.id=c.document_id "
      "WHERE c.vector_row IS NULL AND c.id>?1 ORDER BY c.id LIMIT ?2",
      false);
  row.bind(after, kWindowChunks);
  std::vector<Pending> window;
  while (row.step()) window.push_back({row.integer(0), row.string(1), embedding_text(row.text(2), row.text(3))});
  return window;
}

int64_t VectorKeeper::embed_batch(Embedder& embedder, std::span<const Pending> batch) {
  // Equal texts are embedded once, in this batch or an earlier one.
  Statement find = database_.prepare("SELECT row FROM vectors WHERE key=?1", false);
  std::map<std::string_view, int64_t> row_of;  // −1: to be computed
  std::vector<std::string_view> keys, texts;
  for (const Pending& chunk : batch) {
    if (row_of.contains(chunk.key)) continue;
    const bool known = find.bind(Blob{chunk.key}).step();
    row_of[chunk.key] = known ? find.integer(0) : -1;
    if (known) continue;
    keys.push_back(chunk.key);
    texts.push_back(chunk.text);
  }
  find.reset();
  const auto dimension = static_cast<size_t>(embedder.dimension());
  std::vector<float> vectors(texts.size() * dimension);
  if (!texts.empty()) embedder.embed(texts, vectors);

  if (!appender_)
    appender_.emplace(schema::vectors_path(folder_, file_number()), schema::vector_layout(database_),
                      schema::meta_integer(database_, schema::kVectorRows));
  for (size_t i = 0; i < keys.size(); ++i)
    row_of[keys[i]] = appender_->append(std::span(vectors).subspan(i * dimension, dimension));
  if (!keys.empty()) appender_->sync();

  Transaction transaction(database_, Transaction::Kind::write);
  Statement keep = database_.prepare("INSERT INTO vectors VALUES(?1, ?2)", false);
  for (const std::string_view key : keys) keep.run(Blob{key}, row_of[key]);
  Statement give = database_.prepare("UPDATE chunks SET vector_row=?2 WHERE id=?1", false);
  for (const Pending& chunk : batch) give.run(chunk.chunk, row_of[chunk.key]);
  schema::set_meta(database_, schema::kVectorRows, appender_->rows());
  count_generation(database_);
  transaction.commit();
  return static_cast<int64_t>(keys.size());
}

void VectorKeeper::compact_if_worthwhile() {
  const int64_t rows = schema::meta_integer(database_, schema::kVectorRows);
  const int64_t used =
      database_.integer("SELECT count(DISTINCT vector_row) FROM chunks WHERE vector_row IS NOT NULL").value_or(0);
  if (rows - used < kMinUnusedRows || used * 2 > rows) return;
  appender_.reset();
  const VectorFile old(schema::vectors_path(folder_, file_number()), schema::vector_layout(database_), rows);
  Transaction transaction(database_, Transaction::Kind::write);
  start_file(file_number() + 1, schema::vector_layout(database_).dimension);
  VectorAppender compacted(schema::vectors_path(folder_, file_number()), schema::vector_layout(database_), 0);
  Statement each = database_.prepare(
      "SELECT DISTINCT vector_row FROM chunks WHERE vector_row IS NOT NULL AND vector_row>?1 ORDER BY vector_row LIMIT "
      "1");
  Statement move_chunks = database_.prepare("UPDATE chunks SET vector_row=?2 WHERE vector_row=?1");
  database_.execute("CREATE TEMP TABLE IF NOT EXISTS moved(old INTEGER PRIMARY KEY, new INTEGER); DELETE FROM moved;");
  Statement note = database_.prepare("INSERT INTO moved VALUES(?1, ?2)");
  // New rows never pass the old ones they come from, so going upwards no row is taken for one that was moved already.
  for (int64_t last = -1; each.bind(last).step();) {
    last = each.integer(0);
    each.reset();
    const int64_t row = compacted.append_codes(old.codes(last), old.scale(last));
    move_chunks.run(last, row);
    note.run(last, row);
  }
  database_.execute(
      "DELETE FROM vectors WHERE row NOT IN (SELECT old FROM moved); "
      "UPDATE vectors SET row=(SELECT new FROM moved WHERE old=row);");
  compacted.sync();
  schema::set_meta(database_, schema::kVectorRows, compacted.rows());
  count_generation(database_);
  transaction.commit();
  log(LogLevel::info, "vectors: {} unused of {} dropped", rows - used, rows);
}

void VectorKeeper::remove_old_files() const {
  const std::filesystem::path current = schema::vectors_path(folder_, file_number());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().native();
    const bool is_vectors = name.starts_with("vectors-") && name.ends_with(".i8");
    if (is_vectors && entry.path() != current) std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace frugal
