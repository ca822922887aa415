// Both sides of a store as plain maps in memory, simple enough to verify by reading. A generation is one value: the
// writer changes a copy of the newest generation and replaces it at commit(). A reader's generation thus never changes,
// and a batch that is not committed is never visible.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "rag/filter/field_value.h"
#include "rag/filter/path_filter.h"
#include "rag/index/provision_score.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal::testing {

struct MemoryDocument {
  int64_t file = 0;
  std::string name, title, sha256;
  DocumentFields fields = {};
};

struct MemoryChunk {
  Chunk chunk;
  int64_t document = 0;
  std::string vector_key;
  bool has_vector = false;
};

struct MemoryImage {
  NewImage image;
  int64_t document = 0;
};

struct MemoryGeneration {
  uint64_t number = 0;
  std::string embedder;
  int64_t dimension = 0;
  LawTable laws;
  Coverage coverage;
  std::map<std::string, std::string> skipped;
  std::map<std::string, IndexedFile> files;  // by path
  std::map<int64_t, MemoryDocument> documents;
  std::map<int64_t, MemoryChunk> chunks;
  std::map<std::string, std::vector<float>> vectors;  // by key; kept when their chunks are removed
  bool keeps_weights = false;
  std::map<std::string, std::map<TokenId, float>> weights;  // by the keys of vectors
  int64_t last_id = 0;
  std::string image_embedder, image_embedder_name;
  int64_t image_dimension = 0;
  std::map<int64_t, MemoryImage> images;
  std::map<std::string, std::vector<float>> image_vectors;  // by key
  std::map<std::string, std::string> captions;              // by key
};

/// A sparse score is the number of distinct words of the question that a chunk contains, without stemming.
class MemoryStore : public Store {
 public:
  explicit MemoryStore(std::shared_ptr<const MemoryGeneration> held) : held_(std::move(held)) {}

  StoreInfo info() const override {
    const auto has_vector = [](const auto& each) { return each.second.has_vector; };
    return {static_cast<int64_t>(held_->documents.size()),
            chunk_count(),
            std::count_if(held_->chunks.begin(), held_->chunks.end(), has_vector),
            held_->dimension,
            static_cast<int64_t>(held_->images.size()),
            held_->image_dimension};
  }
  uint64_t generation() const override { return held_->number; }
  int64_t chunk_count() const override { return static_cast<int64_t>(held_->chunks.size()); }
  const std::string& embedder_fingerprint() const override { return held_->embedder; }
  bool has_weights() const override { return held_->keeps_weights && !held_->vectors.empty(); }
  const LawTable& laws() const override { return held_->laws; }

  ChunkSet select(const ChunkFilter& filter) override {
    const PathFilter paths(filter.paths, held_->coverage.roots);
    std::vector<int64_t> ids;
    for (const auto& entry : held_->chunks) {
      const auto& each = entry.second;  // Clang 14 captures no structured binding
      std::string words = " ";
      for (const Word& word : split_words(each.chunk.text)) words += word.folded + " ";
      const auto has = [&](const std::string& phrase) { return words.find(" " + phrase + " ") != words.npos; };
      const auto passes = [&](const FieldCondition& condition) {
        return holds(condition, held_->documents.at(each.document).fields);
      };
      if (paths.selects(each.chunk.path) && std::all_of(filter.phrases.begin(), filter.phrases.end(), has) &&
          std::none_of(filter.excluded.begin(), filter.excluded.end(), has) &&
          std::all_of(filter.where.begin(), filter.where.end(), passes))
        ids.push_back(entry.first);
    }
    return ChunkSet(ids);
  }

  std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) override {
    const Language language = query.language == Language::unknown ? detect_language(query.text) : query.language;
    std::set<std::string> wanted;
    for (const Word& word : split_words(query.text))
      if (!is_stop_word(word.folded, language)) wanted.insert(word.folded);
    std::map<std::string, float> added;
    for (const WeightedWord& each : query.expansion) added[each.word] += each.weight;
    return best(limit, query.within, [&](const MemoryChunk& each) -> std::optional<float> {
      const bool in_law = std::any_of(each.chunk.references.begin(), each.chunk.references.end(),
                                      [&](const Provision& held) { return held.law == query.law; });
      if (!query.law.empty() && !in_law) return std::nullopt;
      std::set<std::string> held;
      for (const Word& word : split_words(each.chunk.title + " " + each.chunk.heading + " " + each.chunk.text))
        if (wanted.contains(word.folded) || added.contains(word.folded)) held.insert(word.folded);
      float score = 0;
      for (const std::string& word : held)
        score += (wanted.contains(word) ? 1.0f : 0.0f) + (added.contains(word) ? added.at(word) : 0.0f);
      return held.empty() ? std::nullopt : std::optional(score);
    });
  }

  std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit,
                                        const ChunkSet* within = nullptr) override {
    if (held_->vectors.empty() || limit <= 0) return {};
    if (static_cast<int64_t>(query.size()) != held_->dimension) throw Error(Code::mismatch, "another dimension");
    return best(limit, within, [&](const MemoryChunk& each) -> std::optional<float> {
      if (!each.has_vector) return std::nullopt;
      const std::vector<float>& vector = held_->vectors.at(each.vector_key);
      float dot = 0;
      for (size_t i = 0; i < query.size(); ++i) dot += vector[i] * query[i];
      return dot;
    });
  }

  std::vector<ScoredChunk> search_learned(std::span<const TokenWeight> query, int64_t limit,
                                          const ChunkSet* within = nullptr) override {
    return best(limit, within, [&](const MemoryChunk& each) -> std::optional<float> {
      const auto stored = held_->weights.find(each.vector_key);
      if (!each.has_vector || stored == held_->weights.end()) return std::nullopt;
      std::optional<float> score;
      for (const TokenWeight& asked : query)
        if (const auto held = stored->second.find(asked.token); held != stored->second.end())
          score = score.value_or(0) + asked.weight * held->second;
      return score;
    });
  }

  std::string image_embedder_fingerprint() const override { return held_->image_embedder; }
  std::string image_embedder_name() const override { return held_->image_embedder_name; }
  std::vector<ScoredImage> search_images(std::span<const float> query, int64_t limit,
                                         const ChunkFilter& filter) override {
    if (held_->images.empty() || limit <= 0 || !filter.phrases.empty()) return {};
    if (static_cast<int64_t>(query.size()) != held_->image_dimension) throw Error(Code::mismatch, "another dimension");
    const PathFilter paths(filter.paths, held_->coverage.roots);
    std::vector<ScoredImage> found;
    for (const auto& [id, each] : held_->images) {
      const MemoryDocument& document = held_->documents.at(each.document);
      const auto passes = [&](const FieldCondition& condition) { return holds(condition, document.fields); };
      const std::string path = path_of(document.file);
      if (!paths.selects(path) || !std::all_of(filter.where.begin(), filter.where.end(), passes)) continue;
      const std::vector<float>& vector = held_->image_vectors.at(each.image.vector_key);
      float dot = 0;
      for (size_t i = 0; i < query.size(); ++i) dot += vector[i] * query[i];
      found.push_back({{id, path, document.title, each.image.number, each.image.page, each.image.caption}, dot});
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    found.resize(std::min(found.size(), static_cast<size_t>(limit)));
    return found;
  }

  std::vector<ScoredChunk> search_provision(const Provision& asked, int64_t limit, const ChunkSet* within) override {
    std::vector<ScoredChunk> hits = best(chunk_count(), within, [&](const MemoryChunk& each) {
      std::optional<float> score;
      for (const Provision& held : each.chunk.references) {
        const bool answers =
            !asked.article.empty() && held.article == asked.article && (asked.law.empty() || held.law == asked.law);
        if (answers) score = std::max(score.value_or(0), provision_score(asked, held));
      }
      return score;
    });
    const auto place = [&](const ScoredChunk& hit) {
      const MemoryChunk& each = held_->chunks.at(hit.id);
      return std::tuple(-hit.score, each.document, each.chunk.start_byte, hit.id);
    };
    std::sort(hits.begin(), hits.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
    return first(std::move(hits), limit);
  }

  std::vector<Chunk> fetch(std::span<const int64_t> ids) override {
    std::vector<Chunk> found;
    for (const int64_t id : ids)
      if (const auto each = held_->chunks.find(id); each != held_->chunks.end()) found.push_back(each->second.chunk);
    return found;
  }

  std::vector<ChunkVector> fetch_vectors(std::span<const int64_t> ids) override {
    std::vector<ChunkVector> found;
    for (const int64_t id : ids)
      if (const auto each = held_->chunks.find(id); each != held_->chunks.end() && each->second.has_vector)
        found.push_back({id, held_->vectors.at(each->second.vector_key)});
    return found;
  }

  std::optional<StoredFile> find_file(const std::string& path) override {
    const auto found = held_->files.find(path);
    if (found == held_->files.end()) return std::nullopt;
    const IndexedFile& file = found->second;
    StoredFile stored{path, file.stamp.bytes, file.stamp.mtime_ns, file.sha256, {}};
    for (const auto& [id, each] : held_->chunks)
      if (held_->documents.at(each.document).file == file.id) stored.chunks.push_back(id);
    const auto place = [&](int64_t id) {
      const MemoryChunk& each = held_->chunks.at(id);
      return std::tuple(each.document, each.chunk.start_byte, id);
    };
    std::sort(stored.chunks.begin(), stored.chunks.end(), [&](int64_t a, int64_t b) { return place(a) < place(b); });
    return stored;
  }
  Coverage coverage() override { return held_->coverage; }

  std::vector<int64_t> count_chunks(std::span<const std::string> words, Language language) override {
    std::vector<int64_t> counts;
    for (const std::string& word : words)
      counts.push_back(static_cast<int64_t>(search_sparse({word, language}, chunk_count()).size()));
    return counts;
  }

 private:
  std::string path_of(int64_t file) const {
    for (const auto& [path, each] : held_->files)
      if (each.id == file) return path;
    return {};
  }
  static std::vector<ScoredChunk> first(std::vector<ScoredChunk> hits, int64_t limit) {
    hits.resize(std::min(hits.size(), static_cast<size_t>(std::max<int64_t>(limit, 0))));
    return hits;
  }
  std::vector<ScoredChunk> best(int64_t limit, const ChunkSet* within,
                                const std::function<std::optional<float>(const MemoryChunk&)>& score) const {
    std::vector<ScoredChunk> hits;
    for (const auto& [id, chunk] : held_->chunks)
      if (const auto value = within && !within->contains(id) ? std::nullopt : score(chunk))
        hits.push_back({id, *value});
    std::stable_sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    return first(std::move(hits), limit);
  }

  std::shared_ptr<const MemoryGeneration> held_;
};

/// The location of an index, like a folder for SQLite.
struct MemoryIndex {
  std::shared_ptr<const MemoryGeneration> newest;  // null: there is no index
  bool has_writer = false;
};

class MemoryStoreWriter : public StoreWriter {
 public:
  explicit MemoryStoreWriter(MemoryIndex& index) : index_(index) {
    if (index.has_writer) throw Error(Code::bad_input, "in use by another writer");
    index.has_writer = true;
    if (!index.newest) index.newest = std::make_shared<MemoryGeneration>();
    batch_ = *index.newest;
  }
  ~MemoryStoreWriter() override { index_.has_writer = false; }

  void commit() override {
    FRUGAL_CHECK(!file_);
    if (changed_) ++batch_.number;
    changed_ = false;
    index_.newest = std::make_shared<MemoryGeneration>(batch_);
  }

  Coverage coverage() override { return batch_.coverage; }
  void set_coverage(const Coverage& coverage) override { batch_.coverage = coverage; }
  std::vector<SkippedFile> skipped_under(const std::string& path) override {
    std::vector<SkippedFile> skipped;
    for (const auto& [each, reason] : batch_.skipped)
      if (is_under(each, path)) skipped.push_back({each, reason});
    return skipped;
  }
  void add_skipped(const std::string& path, const std::string& reason) override { batch_.skipped[path] = reason; }
  void forget_skipped(const std::string& path) override { batch_.skipped.erase(path); }

  std::optional<IndexedFile> find_file(const std::string& path) override {
    const auto found = batch_.files.find(path);
    return found == batch_.files.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<int64_t> files_under(const std::string& path) override {
    std::vector<int64_t> ids;
    for (const auto& [name, file] : batch_.files)
      if (is_under(name, path)) ids.push_back(file.id);
    return ids;
  }
  void relocate(const std::string& from, const std::string& to) override {
    std::map<std::string, IndexedFile> files;
    for (const auto& [path, file] : batch_.files) {
      IndexedFile& moved = files[relocated(path, from, to)] = file;
      if (!is_under(path, from)) continue;
      if (path == from && std::filesystem::path(from).filename() != std::filesystem::path(to).filename())
        moved.recipe.clear();
      for (auto& [id, document] : batch_.documents)
        if (document.file == file.id) document.name = to + document.name.substr(from.size());
    }
    batch_.files = std::move(files);
    std::map<std::string, std::string> skipped;
    for (const auto& [path, reason] : batch_.skipped) skipped[relocated(path, from, to)] = reason;
    batch_.skipped = std::move(skipped);
    for (auto& [id, each] : batch_.chunks) {
      each.chunk.path = relocated(each.chunk.path, from, to);
      each.chunk.document = batch_.documents.at(each.document).name;
    }
    changed_ = true;
  }
  void remove_file(int64_t id) override {
    remove_documents(id, {});
    std::erase_if(batch_.files, [&](const auto& each) { return each.second.id == id; });
    changed_ = true;
  }

  int64_t begin_file(const std::string& path, const std::string& recipe) override {
    FRUGAL_CHECK(!file_);
    file_ = OpenFile{path, recipe, false, {}, 0, batch_, counts_};
    IndexedFile& file = batch_.files[path];
    if (file.id == 0) file.id = ++batch_.last_id;
    file_->chunks_are_stale = file.recipe != recipe;
    return file.id;
  }

  bool put_document(const std::string& name, const Document& document,
                    const std::function<std::vector<NewChunk>()>& chunk) override {
    if (!file_->put.insert(name).second) return false;
    const int64_t file = batch_.files.at(file_->path).id;
    const std::string sha256 = sha256_hex(document.text);
    const int64_t id = file_->last_document = document_id(file, name);
    MemoryDocument& stored = batch_.documents[id];
    const bool same_title = stored.file == file && stored.title == document.title;
    const bool unchanged = same_title && stored.sha256 == sha256 && !file_->chunks_are_stale;
    stored = {file, name, document.title, sha256, document.fields};
    if (!unchanged) {
      put_chunks(id, document, same_title, chunk());
    } else if (document.is_record) {
      for (auto& [ignored, each] : batch_.chunks)
        if (each.document == id) each.chunk.line = document.line;
    }
    return true;
  }

  void end_file(const IndexedFile::Stamp& stamp, const std::string& sha256, const std::string&) override {
    IndexedFile& file = batch_.files.at(file_->path);
    remove_documents(file.id, file_->put);
    changed_ |= file.sha256 != sha256 || file.recipe != file_->recipe;
    file = {file.id, stamp, sha256, file_->recipe};
    file_.reset();
  }

  void abandon_file() override {
    batch_ = file_->batch_before;
    counts_ = file_->counts_before;
    file_.reset();
  }

  void set_laws(const LawTable& laws) override { batch_.laws = laws; }

  void use_embedder(const std::string& fingerprint, int64_t dimension, bool replace, bool has_weights) override {
    if (batch_.embedder == fingerprint && !replace) return;
    if (!batch_.embedder.empty() && !replace) throw Error(Code::mismatch, "made with another embedder");
    batch_.embedder = fingerprint;
    batch_.dimension = dimension;
    batch_.vectors.clear();
    batch_.keeps_weights = has_weights;
    batch_.weights.clear();
    for (auto& [id, chunk] : batch_.chunks) chunk.has_vector = false;
    changed_ = true;
  }
  bool keeps_weights() override { return batch_.keeps_weights; }
  void set_embedder_name(const std::string&) override {}
  std::vector<PendingChunk> pending_chunks(int64_t after, int64_t limit) override {
    std::vector<PendingChunk> pending;
    for (const auto& [id, each] : batch_.chunks)
      if (id > after && !each.has_vector && static_cast<int64_t>(pending.size()) < limit)
        pending.push_back({id, each.vector_key, each.chunk.title, each.chunk.text});
    return pending;
  }
  bool has_vector(std::string_view key) override { return batch_.vectors.contains(std::string(key)); }
  void put_vector(std::string_view key, std::span<const float> vector, std::span<const TokenWeight> weights) override {
    if (batch_.keeps_weights)
      for (const TokenWeight& each : weights) batch_.weights[std::string(key)][each.token] = each.weight;
    FRUGAL_CHECK(static_cast<int64_t>(vector.size()) == batch_.dimension);
    FRUGAL_CHECK(batch_.vectors.emplace(key, std::vector<float>(vector.begin(), vector.end())).second);
    changed_ = true;
  }
  void attach_vector(int64_t chunk) override {
    MemoryChunk& each = batch_.chunks.at(chunk);
    FRUGAL_CHECK(has_vector(each.vector_key));
    each.has_vector = true;
    changed_ = true;
  }

  void use_image_embedder(const std::string& fingerprint, int64_t dimension, bool replace) override {
    if (batch_.image_embedder == fingerprint && !replace) return;
    if (!batch_.image_embedder.empty() && !replace) throw Error(Code::mismatch, "made with another image embedder");
    batch_.image_embedder = fingerprint;
    batch_.image_dimension = dimension;
    for (const auto& [id, each] : batch_.images)
      for (auto& [path, file] : batch_.files)
        if (file.id == batch_.documents.at(each.document).file) file.recipe.clear();
    batch_.images.clear();
    batch_.image_vectors.clear();
    changed_ = true;
  }
  void set_image_embedder_name(const std::string& name) override { batch_.image_embedder_name = name; }
  bool has_image_vector(std::string_view key) override { return batch_.image_vectors.contains(std::string(key)); }
  void put_image_vector(std::string_view key, std::span<const float> vector) override {
    FRUGAL_CHECK(static_cast<int64_t>(vector.size()) == batch_.image_dimension);
    FRUGAL_CHECK(batch_.image_vectors.emplace(key, std::vector<float>(vector.begin(), vector.end())).second);
    changed_ = true;
  }
  std::optional<std::string> find_caption(std::string_view key) override {
    const auto found = batch_.captions.find(std::string(key));
    return found == batch_.captions.end() ? std::nullopt : std::optional(found->second);
  }
  void put_caption(std::string_view key, const std::string& caption) override {
    FRUGAL_CHECK(batch_.captions.emplace(key, caption).second);
  }
  void put_images(std::span<const NewImage> images) override {
    const auto fields = [](const NewImage& each) {
      return std::tuple(each.number, each.page, each.caption, each.vector_key);
    };
    std::vector<NewImage> old;
    for (const auto& [id, each] : batch_.images)
      if (each.document == file_->last_document) old.push_back(each.image);
    if (std::equal(old.begin(), old.end(), images.begin(), images.end(),
                   [&](const NewImage& a, const NewImage& b) { return fields(a) == fields(b); }))
      return;
    std::erase_if(batch_.images, [&](const auto& each) { return each.second.document == file_->last_document; });
    for (const NewImage& image : images) {
      FRUGAL_CHECK(has_image_vector(image.vector_key));
      batch_.images[++batch_.last_id] = {image, file_->last_document};
    }
  }

  void finish() override { commit(); }
  Totals totals() override {
    const auto waits = [](const auto& each) { return !each.second.has_vector; };
    return {static_cast<int64_t>(batch_.documents.size()), static_cast<int64_t>(batch_.chunks.size()),
            std::count_if(batch_.chunks.begin(), batch_.chunks.end(), waits), batch_.number,
            static_cast<int64_t>(batch_.images.size())};
  }
  Counts counts() const override { return counts_; }

 private:
  struct OpenFile {
    std::string path, recipe;
    bool chunks_are_stale = false;
    std::set<std::string> put;  // names of documents
    int64_t last_document = 0;
    MemoryGeneration batch_before;
    Counts counts_before;
  };

  int64_t document_id(int64_t file, const std::string& name) {
    for (const auto& [id, document] : batch_.documents)
      if (document.file == file && document.name == name) return id;
    return ++batch_.last_id;
  }

  void put_chunks(int64_t document_id, const Document& document, bool same_title, const std::vector<NewChunk>& chunks) {
    std::map<int64_t, MemoryChunk> old;
    for (const auto& [id, each] : batch_.chunks)
      if (each.document == document_id) old.emplace(id, each);
    for (const auto& [id, each] : old) batch_.chunks.erase(id);
    for (const NewChunk& chunk : chunks) {
      const auto same = std::find_if(old.begin(), old.end(), [&](const auto& each) {
        const Chunk& stored = each.second.chunk;
        return same_title && stored.start_byte == chunk.begin && stored.end_byte == chunk.end &&
               stored.heading == chunk.heading && stored.language == chunk.language &&
               each.second.vector_key == chunk.vector_key;
      });
      MemoryChunk each;
      each.document = document_id;
      each.vector_key = chunk.vector_key;
      each.chunk = chunk_of(document_id, document, chunk);
      if (same != old.end()) {
        each.chunk.id = same->first;
        each.has_vector = same->second.has_vector;
        old.erase(same);
      } else {
        each.chunk.id = ++batch_.last_id;
        each.has_vector = has_vector(chunk.vector_key);
        ++counts_.chunks_added;
        counts_.vectors_reused += each.has_vector;
      }
      batch_.chunks[each.chunk.id] = each;
    }
    counts_.chunks_removed += static_cast<int64_t>(old.size());
  }

  Chunk chunk_of(int64_t document_id, const Document& document, const NewChunk& chunk) const {
    const MemoryDocument& stored = batch_.documents.at(document_id);
    const std::set<Provision> references(chunk.references.begin(), chunk.references.end());
    Chunk result;
    result.document = stored.name;
    result.external_id = document.external_id;
    result.path = file_->path;
    result.title = document.title;
    result.heading = chunk.heading;
    result.text = document.text.substr(chunk.begin, chunk.end - chunk.begin);
    result.start_byte = chunk.begin;
    result.end_byte = chunk.end;
    result.line = chunk.line;
    if (document.source)
      result.source = document.source->slice(chunk.begin, chunk.end)
                          .moved(document.source->source_begin(), document.source->line());
    result.sha256 = stored.sha256;
    result.language = chunk.language;
    result.references.assign(references.begin(), references.end());
    result.generated = is_caption_name(result.document, result.path);
    return result;
  }

  void remove_documents(int64_t file, const std::set<std::string>& but) {
    std::set<int64_t> gone;
    for (const auto& [id, document] : batch_.documents)
      if (document.file == file && !but.contains(document.name)) gone.insert(id);
    counts_.chunks_removed += static_cast<int64_t>(
        std::erase_if(batch_.chunks, [&](const auto& each) { return gone.contains(each.second.document); }));
    std::erase_if(batch_.images, [&](const auto& each) { return gone.contains(each.second.document); });
    std::erase_if(batch_.documents, [&](const auto& each) { return gone.contains(each.first); });
  }

  MemoryIndex& index_;
  MemoryGeneration batch_;  // the newest generation with the changes of the batch
  std::optional<OpenFile> file_;
  Counts counts_;
  bool changed_ = false;
};

}  // namespace frugal::testing
