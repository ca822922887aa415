#include "rag/index/document_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "rag/index/schema.h"
#include "rag/text/language.h"

namespace frugal {
namespace {

constexpr size_t kKeyBytes = 16;  // of SHA-256: what is equal here is equal

std::string vector_key(std::string_view text) {
  Sha256 hash;
  const auto digest = hash.update(text).digest();
  return std::string(reinterpret_cast<const char*>(digest.data()), kKeyBytes);
}

std::string title_and_heading(std::string_view title, std::string_view heading) {
  // In Markdown the first heading is the title: once is enough.
  if (heading.starts_with(title)) return std::string(heading);
  return fmt::format("{}\n{}", title, heading);
}

}  // namespace

std::string embedding_text(std::string_view title, std::string_view text) {
  return title.empty() || text.starts_with(title) ? std::string(text) : fmt::format("{}\n{}", title, text);
}

DocumentWriter::DocumentWriter(Database& database, const ChunkOptions& options, const LawTable& laws)
    : database_(database),
      options_(options),
      laws_(laws),
      pass_(database.integer("SELECT max(pass) FROM documents").value_or(0)),
      find_file_(database.prepare("SELECT id FROM files WHERE path=?1")),
      insert_file_(database.prepare("INSERT INTO files VALUES(NULL, ?1, -1, 0, 0, '', '', '')")),
      update_file_(
          database.prepare("UPDATE files SET bytes=?2, mtime_ns=?3, ctime_ns=?4, sha256=?5, recipe=?6, note=?7 "
                           "WHERE id=?1")),
      delete_file_(database.prepare("DELETE FROM files WHERE id=?1")),
      find_document_(database.prepare("SELECT id, title, sha256, pass FROM documents WHERE file_id=?1 AND name=?2")),
      insert_document_(database.prepare("INSERT INTO documents VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6)")),
      update_document_(database.prepare("UPDATE documents SET title=?2, sha256=?3, pass=?4 WHERE id=?1")),
      delete_document_(database.prepare("DELETE FROM documents WHERE id=?1")),
      stale_documents_(database.prepare("SELECT id FROM documents WHERE file_id=?1 AND pass<>?2 LIMIT 256")),
      documents_of_file_(database.prepare("SELECT id FROM documents WHERE file_id=?1 LIMIT 256")),
      chunks_of_document_(
          database.prepare("SELECT id, start_byte, end_byte, vector_key, heading, text, language FROM chunks "
                           "WHERE document_id=?1 ORDER BY start_byte, id")),
      insert_chunk_(database.prepare("INSERT INTO chunks VALUES(NULL, ?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9)")),
      move_chunk_(database.prepare("UPDATE chunks SET line=?2 WHERE id=?1")),
      move_record_(database.prepare("UPDATE chunks SET line=?2 WHERE document_id=?1 AND line<>?2")),
      delete_chunk_(database.prepare("DELETE FROM chunks WHERE id=?1")),
      find_vector_(database.prepare("SELECT row FROM vectors WHERE key=?1")),
      insert_terms_(database.prepare("INSERT INTO terms(rowid, stems, words, title) VALUES(?1, ?2, ?3, ?4)")),
      delete_terms_(
          database.prepare("INSERT INTO terms(terms, rowid, stems, words, title) VALUES('delete', ?1, ?2, ?3, ?4)")),
      insert_reference_(database.prepare("INSERT OR IGNORE INTO chunk_references VALUES(?1, ?2, ?3, ?4, ?5, ?6)")),
      delete_references_(database.prepare("DELETE FROM chunk_references WHERE chunk_id=?1")) {}

int64_t DocumentWriter::begin_file(const std::string& path) {
  path_ = path;
  ++pass_;
  if (find_file_.bind(path).step()) {
    file_id_ = find_file_.integer(0);
    find_file_.reset();
  } else {
    insert_file_.run(path);
    file_id_ = database_.last_rowid();
  }
  return file_id_;
}

void DocumentWriter::end_file(const FileStamp& stamp, const std::string& sha256, const std::string& recipe,
                              const std::string& note) {
  for (bool more = true; more;) {
    std::vector<int64_t> vanished;
    stale_documents_.bind(file_id_, pass_);
    while (stale_documents_.step()) vanished.push_back(stale_documents_.integer(0));
    for (const int64_t id : vanished) remove_document(id);
    more = !vanished.empty();
  }
  update_file_.run(file_id_, stamp.bytes, stamp.mtime_ns, stamp.ctime_ns, sha256, recipe, note);
}

void DocumentWriter::remove_file(int64_t file_id) {
  for (bool more = true; more;) {
    std::vector<int64_t> documents;
    documents_of_file_.bind(file_id);
    while (documents_of_file_.step()) documents.push_back(documents_of_file_.integer(0));
    for (const int64_t id : documents) remove_document(id);
    more = !documents.empty();
  }
  delete_file_.run(file_id);
}

void DocumentWriter::put(Document document, bool chunks_are_stale) {
  const std::string name = unique_name(document);
  const std::string sha256 = sha256_hex(document.text);
  bool is_unchanged = false;
  const int64_t id = put_document(document, name, sha256, is_unchanged);
  if (is_unchanged && !chunks_are_stale) {
    if (document.is_record) move_record_.run(id, document.line);
    return;
  }
  ++counts_.documents_written;
  put_chunks(id, document);
}

/// The path, and the id of a record; a record whose id was there before in the file gets a number behind it.
std::string DocumentWriter::unique_name(const Document& document) {
  if (!document.is_record) return path_;
  const std::string base = path_ + "#" + document.external_id;
  std::string name = base;
  for (int64_t copy = 2; find_document_.bind(file_id_, name).step() && find_document_.integer(3) == pass_; ++copy)
    name = fmt::format("{}~{}", base, copy);
  find_document_.reset();
  return name;
}

int64_t DocumentWriter::put_document(const Document& document, const std::string& name, const std::string& sha256,
                                     bool& is_unchanged) {
  if (!find_document_.bind(file_id_, name).step()) {
    insert_document_.run(file_id_, name, document.external_id, document.title, sha256, pass_);
    return database_.last_rowid();
  }
  const int64_t id = find_document_.integer(0);
  const std::string old_title = find_document_.string(1);
  is_unchanged = old_title == document.title && find_document_.text(2) == sha256;
  find_document_.reset();
  // The title is among the terms of every chunk, so none can stay.
  if (old_title != document.title)
    for (const StoredChunk& chunk : stored_chunks(id)) remove_chunk(chunk, old_title);
  update_document_.run(id, document.title, sha256, pass_);
  return id;
}

std::vector<DocumentWriter::StoredChunk> DocumentWriter::stored_chunks(int64_t document_id) {
  std::vector<StoredChunk> chunks;
  Statement& row = chunks_of_document_;
  row.bind(document_id);
  while (row.step())
    chunks.push_back({row.integer(0), static_cast<uint32_t>(row.integer(1)), static_cast<uint32_t>(row.integer(2)),
                      row.string(3), row.string(4), row.string(5), static_cast<Language>(row.integer(6))});
  return chunks;
}

/// Chunks that are as they were keep their row, and so their id, words and vector.
void DocumentWriter::put_chunks(int64_t document_id, const Document& document) {
  std::vector<StoredChunk> old = stored_chunks(document_id);
  const std::string stem = std::filesystem::path(path_).stem().native();
  std::vector<std::pair<const TextChunk*, std::string>> fresh;
  const std::vector<TextChunk> chunks = chunk_document(document, stem, options_, laws_);
  for (const TextChunk& chunk : chunks) {
    const std::string_view text = std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin);
    std::string key = vector_key(embedding_text(document.title, text));
    const auto same = std::find_if(old.begin(), old.end(), [&](const StoredChunk& stored) {
      return stored.begin == chunk.begin && stored.end == chunk.end && stored.key == key &&
             stored.heading == chunk.heading && stored.language == chunk.language;
    });
    if (same == old.end()) {
      fresh.emplace_back(&chunk, std::move(key));
      continue;
    }
    move_chunk_.run(same->id, chunk.line);
    put_references(same->id, chunk.references);
    old.erase(same);
  }
  for (const StoredChunk& chunk : old) remove_chunk(chunk, document.title);
  for (const auto& [chunk, key] : fresh) insert_chunk(document_id, document, *chunk, key);
}

void DocumentWriter::insert_chunk(int64_t document_id, const Document& document, const TextChunk& chunk,
                                  const std::string& key) {
  const std::string_view text = std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin);
  std::optional<int64_t> row;
  if (find_vector_.bind(Blob{key}).step()) {
    row = find_vector_.integer(0);
    ++counts_.vectors_reused;
  }
  find_vector_.reset();
  insert_chunk_.run(document_id, chunk.begin, chunk.end, chunk.line, static_cast<int64_t>(chunk.language), row,
                    Blob{key}, chunk.heading, text);
  const int64_t id = database_.last_rowid();
  const IndexTerms terms = terms_.index_terms(text, title_and_heading(document.title, chunk.heading), chunk.language);
  insert_terms_.run(id, terms.stems, terms.words, terms.title);
  put_references(id, chunk.references);
  ++counts_.chunks_added;
}

void DocumentWriter::put_references(int64_t chunk_id, const std::vector<Provision>& references) {
  delete_references_.run(chunk_id);
  for (const Provision& each : references)
    insert_reference_.run(each.article, each.law, each.paragraph, each.item, each.letter, chunk_id);
}

void DocumentWriter::remove_chunk(const StoredChunk& chunk, std::string_view title) {
  // A word index without content must be told which terms go: they are made again from what the chunk holds.
  const IndexTerms terms = terms_.index_terms(chunk.text, title_and_heading(title, chunk.heading), chunk.language);
  delete_terms_.run(chunk.id, terms.stems, terms.words, terms.title);
  delete_references_.run(chunk.id);
  delete_chunk_.run(chunk.id);
  ++counts_.chunks_removed;
}

void DocumentWriter::remove_document(int64_t document_id) {
  Statement title = database_.prepare("SELECT title FROM documents WHERE id=?1", false);
  title.bind(document_id).step();
  for (const StoredChunk& chunk : stored_chunks(document_id)) remove_chunk(chunk, title.text(0));
  title.reset();
  delete_document_.run(document_id);
}

void DocumentWriter::rebuild_terms() {
  database_.execute("INSERT INTO terms(terms) VALUES('delete-all')");
  Statement row = database_.prepare(
      "SELECT c.id, c.text, d.title, c.heading, c.language FROM chunks c "
      "JOIN documents d ON d.id=c.document_id");
  while (row.step()) {
    const IndexTerms terms = terms_.index_terms(row.text(1), title_and_heading(row.text(2), row.text(3)),
                                                static_cast<Language>(row.integer(4)));
    insert_terms_.run(row.integer(0), terms.stems, terms.words, terms.title);
  }
  schema::set_meta(database_, schema::kTerms, TermMaker::fingerprint());
}

}  // namespace frugal
