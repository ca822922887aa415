// Changes only the rows that differ, so that an unchanged chunk keeps its id, its words and its vector.
//
// A pass is the writing or removal of one file; passes are numbered over the life of the index. put() stores the
// current pass with each document, and end_file() then removes the documents of the file that still have an earlier
// one. A document that already has the current pass was put twice, which put() refuses.
//
// put() compares a document with the stored one:
// - Same title, text and recipe: its chunks stay. A record may have moved to another line.
// - Same title, another text or recipe: the document is chunked again. A chunk with the same range, vector key, heading
//   and language keeps its row; others are removed or inserted.
// - Another title: all chunks are removed and inserted, because each has the title among its terms.
//
// The word index has no content of its own (FTS5, content=''): to delete a row, SQLite needs the terms that were
// inserted. They are made again from the chunk's text, title, heading and language. This requires the same TermMaker,
// so the writer rebuilds the index first if the fingerprint differs.
#include "rag/index/document_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "rag/index/schema.h"

namespace frugal {
namespace {

std::string title_and_heading(std::string_view title, std::string_view heading) {
  // In Markdown the first heading is often the title, which is then not repeated.
  if (heading.starts_with(title)) return std::string(heading);
  return fmt::format("{}\n{}", title, heading);
}

std::string_view text_of(const Document& document, const TextChunk& chunk) {
  return std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin);
}

}  // namespace

DocumentWriter::DocumentWriter(Database& database)
    : database_(database),
      places_(database),
      pass_(database.integer("SELECT max(pass) FROM documents").value_or(0)),
      find_file_(database.prepare("SELECT id, sha256, recipe FROM files WHERE path=?1")),
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
      title_of_document_(database.prepare("SELECT title FROM documents WHERE id=?1")),
      chunks_of_document_(
          database.prepare("SELECT id, start_byte, end_byte, vector_key, heading, text, language FROM chunks "
                           "WHERE document_id=?1 ORDER BY start_byte, id")),
      insert_chunk_(database.prepare("INSERT INTO chunks VALUES(NULL, ?1, ?2, ?3, ?4, ?10, ?5, ?6, ?7, ?8, ?9)")),
      move_chunk_(database.prepare("UPDATE chunks SET line=?2, page=?3 WHERE id=?1")),
      move_record_(database.prepare("UPDATE chunks SET line=?2 WHERE document_id=?1 AND line<>?2")),
      delete_chunk_(database.prepare("DELETE FROM chunks WHERE id=?1")),
      find_vector_(database.prepare("SELECT row FROM vectors WHERE key=?1")),
      insert_terms_(database.prepare("INSERT INTO terms(rowid, stems, words, title) VALUES(?1, ?2, ?3, ?4)")),
      delete_terms_(
          database.prepare("INSERT INTO terms(terms, rowid, stems, words, title) VALUES('delete', ?1, ?2, ?3, ?4)")),
      insert_reference_(database.prepare("INSERT OR IGNORE INTO chunk_references VALUES(?1, ?2, ?3, ?4, ?5, ?6)")),
      delete_references_(database.prepare("DELETE FROM chunk_references WHERE chunk_id=?1")),
      put_fields_(database.prepare("INSERT OR REPLACE INTO document_fields VALUES(?1, ?2)")),
      delete_fields_(database.prepare("DELETE FROM document_fields WHERE document_id=?1")),
      delete_images_(database.prepare("DELETE FROM images WHERE document_id=?1")) {}

int64_t DocumentWriter::begin_file(const std::string& path, const std::string& recipe) {
  ++pass_;
  file_ = {};
  file_.recipe = recipe;
  file_.counts_before = counts_;
  if (find_file_.bind(path).step()) {
    file_.id = find_file_.integer(0);
    file_.old_sha256 = find_file_.string(1);
    file_.chunks_are_stale = find_file_.text(2) != recipe;
    find_file_.reset();
  } else {
    insert_file_.run(path);
    file_.id = database_.last_rowid();
  }
  return file_.id;
}

bool DocumentWriter::end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string& note) {
  remove_stale_documents(file_.id, pass_);
  update_file_.run(file_.id, stamp.bytes, stamp.mtime_ns, stamp.ctime_ns, sha256, file_.recipe, note);
  return file_.chunks_are_stale || file_.old_sha256 != sha256;
}

void DocumentWriter::abandon_file() {
  counts_ = file_.counts_before;
}

void DocumentWriter::remove_file(int64_t file_id) {
  remove_stale_documents(file_id, ++pass_);
  delete_file_.run(file_id);
}

void DocumentWriter::remove_stale_documents(int64_t file_id, int64_t pass) {
  for (bool more = true; more;) {
    std::vector<int64_t> some;
    stale_documents_.bind(file_id, pass);
    while (stale_documents_.step()) some.push_back(stale_documents_.integer(0));
    for (const int64_t id : some) remove_document(id);
    more = !some.empty();
  }
}

bool DocumentWriter::put(const std::string& name, const Document& document,
                         const std::function<std::vector<NewChunk>()>& chunk) {
  const std::optional<StoredDocument> stored = find_document(name);
  if (stored && stored->pass == pass_) return false;
  const std::string sha256 = sha256_hex(document.text);
  if (!stored) {
    const int64_t id = file_.last_document = insert_document(name, document, sha256);
    put_chunks(id, document, chunk());
    places_.put(id, document, false);
    put_fields(id, document.fields);
    return true;
  }
  file_.last_document = stored->id;
  const bool same_title = stored->title == document.title;
  if (!same_title)
    for (const StoredChunk& each : stored_chunks(stored->id)) remove_chunk(each, stored->title);
  update_document_.run(stored->id, document.title, sha256, pass_);
  const bool chunks_stay = same_title && stored->sha256 == sha256 && !file_.chunks_are_stale;
  if (!chunks_stay) put_chunks(stored->id, document, chunk());
  if (chunks_stay && document.is_record) move_record_.run(stored->id, document.line);
  places_.put(stored->id, document, chunks_stay);
  put_fields(stored->id, document.fields);
  return true;
}

void DocumentWriter::put_images(std::span<const NewImage> images) {
  FRUGAL_CHECK(file_.last_document != 0);
  Statement row = database_.prepare(
      "SELECT number, page, caption, vector_key FROM images WHERE document_id=?1 ORDER BY number", false);
  row.bind(file_.last_document);
  bool same = true;
  size_t count = 0;
  for (; same && row.step(); ++count)
    same = count < images.size() && images[count].number == row.integer(0) && images[count].page == row.integer(1) &&
           images[count].caption == row.text(2) && images[count].vector_key == row.text(3);
  row.reset();
  if (same && count == images.size()) return;
  delete_images_.run(file_.last_document);
  Statement insert = database_.prepare(
      "INSERT INTO images VALUES(NULL, ?1, ?2, ?3, ?4, ?5, (SELECT row FROM image_vectors WHERE key=?5))", false);
  for (const NewImage& image : images)
    insert.run(file_.last_document, image.number, image.page, image.caption, Blob{image.vector_key});
}

void DocumentWriter::put_fields(int64_t document_id, const DocumentFields& fields) {
  if (fields.empty()) return delete_fields_.run(document_id);
  put_fields_.run(document_id, Blob{fields.serialise()});
}

std::optional<DocumentWriter::StoredDocument> DocumentWriter::find_document(const std::string& name) {
  Statement& row = find_document_;
  if (!row.bind(file_.id, name).step()) return std::nullopt;
  StoredDocument document{row.integer(0), row.string(1), row.string(2), row.integer(3)};
  row.reset();
  return document;
}

int64_t DocumentWriter::insert_document(const std::string& name, const Document& document, const std::string& sha256) {
  insert_document_.run(file_.id, name, document.external_id, document.title, sha256, pass_);
  return database_.last_rowid();
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

/// Unchanged chunks keep their row, and with it their id, words and vector.
void DocumentWriter::put_chunks(int64_t document_id, const Document& document, const std::vector<NewChunk>& chunks) {
  std::vector<StoredChunk> old = stored_chunks(document_id);
  std::vector<const NewChunk*> fresh;
  for (const NewChunk& chunk : chunks) {
    const auto same = std::find_if(old.begin(), old.end(), [&](const StoredChunk& stored) {
      return stored.begin == chunk.begin && stored.end == chunk.end && stored.key == chunk.vector_key &&
             stored.heading == chunk.heading && stored.language == chunk.language;
    });
    if (same == old.end()) {
      fresh.push_back(&chunk);
      continue;
    }
    move_chunk_.run(same->id, chunk.line, chunk.page);
    put_references(same->id, chunk.references);
    old.erase(same);
  }
  for (const StoredChunk& chunk : old) remove_chunk(chunk, document.title);
  for (const NewChunk* chunk : fresh) insert_chunk(document_id, document, *chunk);
}

void DocumentWriter::insert_chunk(int64_t document_id, const Document& document, const NewChunk& chunk) {
  const std::string_view text = text_of(document, chunk);
  const std::optional<int64_t> row = vector_of(chunk.vector_key);
  insert_chunk_.run(document_id, chunk.begin, chunk.end, chunk.line, static_cast<int64_t>(chunk.language), row,
                    Blob{chunk.vector_key}, chunk.heading, text, chunk.page);
  const int64_t id = database_.last_rowid();
  const IndexTerms terms = terms_.index_terms(text, title_and_heading(document.title, chunk.heading), chunk.language);
  insert_terms_.run(id, terms.stems, terms.words, terms.title);
  put_references(id, chunk.references);
  ++counts_.chunks_added;
  counts_.vectors_reused += row.has_value();
}

std::optional<int64_t> DocumentWriter::vector_of(const std::string& key) {
  if (!find_vector_.bind(Blob{key}).step()) return std::nullopt;
  const int64_t row = find_vector_.integer(0);
  find_vector_.reset();
  return row;
}

void DocumentWriter::put_references(int64_t chunk_id, const std::vector<Provision>& references) {
  delete_references_.run(chunk_id);
  for (const Provision& each : references)
    insert_reference_.run(each.article, each.law, each.paragraph, each.item, each.letter, chunk_id);
}

void DocumentWriter::remove_chunk(const StoredChunk& chunk, std::string_view title) {
  const IndexTerms terms = terms_.index_terms(chunk.text, title_and_heading(title, chunk.heading), chunk.language);
  delete_terms_.run(chunk.id, terms.stems, terms.words, terms.title);
  delete_references_.run(chunk.id);
  places_.remove_chunk(chunk.id);
  delete_chunk_.run(chunk.id);
  ++counts_.chunks_removed;
}

void DocumentWriter::remove_document(int64_t document_id) {
  title_of_document_.bind(document_id).step();
  const std::string title = title_of_document_.string(0);
  title_of_document_.reset();
  for (const StoredChunk& chunk : stored_chunks(document_id)) remove_chunk(chunk, title);
  places_.remove_document(document_id);
  delete_fields_.run(document_id);
  delete_images_.run(document_id);
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
