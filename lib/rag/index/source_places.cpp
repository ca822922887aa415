#include "rag/index/source_places.h"

#include <span>

#include "base/hash.h"
#include "rag/index/schema.h"

namespace frugal {
namespace {

/// Changes with the map, but not with the place in the file where it begins.
int64_t digest_of(const SourceMap& map) {
  const std::string bytes = map.slice(0, map.text_bytes()).serialise();
  return static_cast<int64_t>(checksum64(std::as_bytes(std::span(bytes))));
}

}  // namespace

SourcePlaces::SourcePlaces(Database& database)
    : find_document_(database.prepare("SELECT start_byte, line, digest FROM document_places WHERE document_id=?1")),
      put_document_(database.prepare("INSERT OR REPLACE INTO document_places VALUES(?1, ?2, ?3, ?4)")),
      move_document_(database.prepare("UPDATE document_places SET start_byte=?2, line=?3 WHERE document_id=?1")),
      delete_document_(database.prepare("DELETE FROM document_places WHERE document_id=?1")),
      chunks_(database.prepare("SELECT id, start_byte, end_byte FROM chunks WHERE document_id=?1")),
      put_chunk_(database.prepare("INSERT OR REPLACE INTO chunk_places VALUES(?1, ?2)")),
      delete_chunk_(database.prepare("DELETE FROM chunk_places WHERE chunk_id=?1")),
      delete_chunks_(
          database.prepare("DELETE FROM chunk_places WHERE chunk_id IN (SELECT id FROM chunks WHERE document_id=?1)")) {
}

void SourcePlaces::put(int64_t document_id, const Document& document, bool chunks_stay) {
  const bool stored = find_document_.bind(document_id).step();
  const int64_t old_begin = stored ? find_document_.integer(0) : 0, old_line = stored ? find_document_.integer(1) : 0;
  const int64_t old_digest = stored ? find_document_.integer(2) : 0;
  find_document_.reset();
  if (!document.source) {
    if (stored) delete_chunks_.run(document_id);
    if (stored) delete_document_.run(document_id);
    return;
  }
  const SourceMap& map = *document.source;
  const auto begin = static_cast<int64_t>(map.source_begin());
  const int64_t digest = digest_of(map);
  if (stored && chunks_stay && digest == old_digest) {
    if (begin != old_begin || map.line() != old_line) move_document_.run(document_id, begin, map.line());
    return;
  }
  put_document_.run(document_id, begin, map.line(), digest);
  chunks_.bind(document_id);
  while (chunks_.step())
    put_chunk_.run(chunks_.integer(0),
                   Blob{map.slice(static_cast<uint64_t>(chunks_.integer(1)), static_cast<uint64_t>(chunks_.integer(2)))
                            .serialise()});
}

void SourcePlaces::remove_chunk(int64_t chunk_id) {
  delete_chunk_.run(chunk_id);
}

void SourcePlaces::remove_document(int64_t document_id) {
  delete_document_.run(document_id);
}

SourcePlaceReader::SourcePlaceReader(const Database& database) {
  constexpr std::string_view kFind =
      "SELECT p.map, d.start_byte, d.line FROM chunk_places p JOIN chunks c ON c.id=p.chunk_id "
      "JOIN document_places d ON d.document_id=c.document_id WHERE p.chunk_id=?1";
  if (schema::has_table(database, "chunk_places")) find_.emplace(database.prepare(kFind));
}

std::optional<SourceMap> SourcePlaceReader::find(int64_t chunk_id) {
  if (!find_ || !find_->bind(chunk_id).step()) return std::nullopt;
  const SourceMap map =
      SourceMap::parse(find_->text(0)).moved(static_cast<uint64_t>(find_->integer(1)), find_->integer(2));
  find_->reset();
  return map;
}

}  // namespace frugal
