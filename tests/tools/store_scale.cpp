// What an index of many chunks costs, to build and to search, without a model. Not installed.
//
//   store_scale FOLDER CHUNKS [QUESTIONS [PLACE [INDEX]]]
//
// Writes an index of CHUNKS chunks of 60 made-up words (by Zipf's law) with vectors of 384 values in clusters, then
// asks QUESTIONS (300) near chunks of it, by vectors and by five words, none of the hundred most frequent. Prints one
// JSON object: seconds of texts and of vectors, bytes, milliseconds to open, to search (median and 99th percentile),
// recall of the first ten and fifty against the vectors before they were rounded, and memory. FOLDER must not exist.
// PLACE and INDEX: vectors.place, such as milvus://127.0.0.1, and vectors.index.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "base/statistics.h"
#include "memory/budget.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"
#include "telemetry/process_memory.h"

namespace {

using namespace frugal;
namespace fs = std::filesystem;

constexpr size_t kDimension = 384;
constexpr int64_t kChunksPerFile = 100, kFilesPerCommit = 100;
constexpr size_t kClusters = 1000, kWords = 50'000, kWordsPerChunk = 60, kFound = 50, kFirst = 10;
constexpr const char* kFingerprint = "store_scale";
using Vector = std::vector<float>;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void normalise(Vector& vector) {
  double squares = 0;
  for (const float value : vector) squares += double(value) * value;
  for (float& value : vector) value /= static_cast<float>(std::sqrt(squares));
}

/// A centre and as much noise, so that a vector has near neighbours, and not only one.
Vector vector_near(uint64_t cluster, uint64_t seed) {
  std::normal_distribution<float> normal(0, 1);
  std::mt19937_64 centre(cluster), noise(seed + (uint64_t(1) << 40));
  Vector vector(kDimension);
  for (float& value : vector) value = normal(centre);
  for (float& value : vector) value += normal(noise);
  normalise(vector);
  return vector;
}

Vector vector_of_chunk(int64_t number) {
  const auto seed = static_cast<uint64_t>(number);
  return vector_near(seed * 0x9E3779B97F4A7C15u % kClusters, seed);
}

std::string word(size_t rank) {
  constexpr std::string_view kSyllables[] = {"ba", "co", "di", "fu", "ga", "le", "mi", "no", "pu", "ra"};
  std::string text;
  for (size_t rest = rank + 10; rest > 0; rest /= 10) text += kSyllables[rest % 10];
  return text;
}

// Log-uniform ranks are Zipf's law with the exponent 1.
std::string random_word(Random& random, size_t most_frequent = 1) {
  const double uniform = double(random.below(1'000'000)) / 1e6;
  const double first = double(most_frequent);
  return word(static_cast<size_t>(first * std::pow(double(kWords) / first, uniform)) - 1);
}

std::string text_of_chunk(int64_t number) {
  Random random(static_cast<uint64_t>(number) + 1);
  std::string text;
  for (size_t i = 0; i < kWordsPerChunk; ++i) text += random_word(random) + (i % 12 == 11 ? ". " : " ");
  return text + "\n";
}

std::string key_of_chunk(int64_t number) {
  return fmt::format("{:016x}", number);
}

void put_file(StoreWriter& writer, int64_t first, int64_t count) {
  Document document;
  document.title = fmt::format("file {}", first / kChunksPerFile);
  std::vector<NewChunk> chunks;
  chunks.reserve(static_cast<size_t>(count));
  for (int64_t i = first; i < first + count; ++i) {
    NewChunk chunk;
    chunk.begin = static_cast<uint32_t>(document.text.size());
    document.text += text_of_chunk(i);
    chunk.end = static_cast<uint32_t>(document.text.size());
    chunk.line = i - first + 1;
    chunk.language = Language::english;
    chunk.vector_key = key_of_chunk(i);
    chunks.push_back(std::move(chunk));
  }
  const std::string path = fmt::format("/made-up/{:07}.txt", first / kChunksPerFile);
  writer.begin_file(path, "recipe");
  writer.put_document(path, document, [&] { return chunks; });
  writer.end_file({static_cast<int64_t>(document.text.size()), 1, 1}, sha256_hex(document.text), "");
}

struct Built {
  double texts_s = 0, vectors_s = 0;
};

Built build(const fs::path& folder, int64_t chunks, const VectorOptions& vectors) {
  const auto writer = open_store_writer(folder, vectors);
  Built built;
  auto begin = std::chrono::steady_clock::now();
  for (int64_t first = 0; first < chunks; first += kChunksPerFile) {
    put_file(*writer, first, std::min(kChunksPerFile, chunks - first));
    if (first / kChunksPerFile % kFilesPerCommit == kFilesPerCommit - 1) writer->commit();
  }
  writer->commit();
  built.texts_s = seconds_since(begin);
  begin = std::chrono::steady_clock::now();
  writer->use_embedder(kFingerprint, kDimension, false);
  constexpr int64_t kBatch = 5000;
  for (int64_t after = 0;;) {
    const std::vector<PendingChunk> pending = writer->pending_chunks(after, kBatch);
    if (pending.empty()) break;
    for (const PendingChunk& chunk : pending) {
      const auto number = static_cast<int64_t>(std::strtoll(chunk.vector_key.c_str(), nullptr, 16));
      writer->put_vector(chunk.vector_key, vector_of_chunk(number), {});
      writer->attach_vector(chunk.id);
    }
    after = pending.back().id;
    writer->commit();
  }
  writer->finish();
  built.vectors_s = seconds_since(begin);
  return built;
}

uint64_t bytes_of(const fs::path& folder) {
  uint64_t bytes = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

/// The texts of the nearest chunks, exactly, for each question. One pass over all vectors.
std::vector<std::vector<int64_t>> nearest(const std::vector<Vector>& questions, int64_t chunks) {
  std::vector<std::vector<std::pair<float, int64_t>>> best(questions.size());
  for (int64_t i = 0; i < chunks; ++i) {
    const Vector vector = vector_of_chunk(i);
    for (size_t q = 0; q < questions.size(); ++q) {
      float product = 0;
      for (size_t d = 0; d < kDimension; ++d) product += questions[q][d] * vector[d];
      best[q].emplace_back(-product, i);
      if (best[q].size() < 8 * kFound) continue;
      std::nth_element(best[q].begin(), best[q].begin() + kFound, best[q].end());
      best[q].resize(kFound);
    }
  }
  std::vector<std::vector<int64_t>> numbers(questions.size());
  for (size_t q = 0; q < questions.size(); ++q) {
    std::sort(best[q].begin(), best[q].end());
    best[q].resize(std::min(best[q].size(), kFound));
    for (const auto& [score, number] : best[q]) numbers[q].push_back(number);
  }
  return numbers;
}

/// Chunks are numbered by their place: /made-up/FILE.txt, line.
int64_t number_of(const Chunk& chunk) {
  const int64_t file = std::strtoll(fs::path(chunk.path).stem().c_str(), nullptr, 10);
  return file * kChunksPerFile + chunk.line - 1;
}

double recall(Store& store, std::span<const ScoredChunk> found, std::span<const int64_t> expected) {
  std::vector<int64_t> ids;
  ids.reserve(expected.size());
  for (const ScoredChunk& chunk : found.first(std::min(expected.size(), found.size()))) ids.push_back(chunk.id);
  double right = 0;
  for (const Chunk& chunk : store.fetch(ids))
    right += std::count(expected.begin(), expected.end(), number_of(chunk)) > 0 ? 1 : 0;
  return right / double(expected.size());
}

// The hundred most frequent words are left out, as stop words are.
std::string five_words(Random& random) {
  constexpr size_t kStopWords = 100;
  std::string text;
  for (int i = 0; i < 5; ++i) text += random_word(random, kStopWords) + " ";
  return text;
}

std::string times(std::vector<double>& milliseconds) {
  return fmt::format("[{:.2f}, {:.2f}]", percentile(milliseconds, 50), percentile(milliseconds, 99));
}

void measure(const fs::path& folder, int64_t chunks, int64_t count, const VectorOptions& vectors) {
  constexpr size_t kJudged = 50;
  const Built built = build(folder, chunks, vectors);
  auto begin = std::chrono::steady_clock::now();
  const auto store = open_store(folder, Budget::unlimited(), vectors);
  const double open_ms = seconds_since(begin) * 1e3;
  std::vector<Vector> questions;
  Random random(7);
  for (int64_t i = 0; i < count; ++i) {
    Vector question = vector_of_chunk(static_cast<int64_t>(random.below(static_cast<size_t>(chunks))));
    const Vector noise = vector_near(kClusters, static_cast<uint64_t>(-i - 2));
    for (size_t d = 0; d < kDimension; ++d) question[d] += 0.5f * noise[d];
    normalise(question);
    questions.push_back(std::move(question));
  }
  std::vector<double> dense, sparse;
  std::vector<std::vector<ScoredChunk>> found;
  for (size_t q = 0; q < questions.size(); ++q) {
    begin = std::chrono::steady_clock::now();
    found.push_back(store->search_dense(questions[q], kFound));
    dense.push_back(seconds_since(begin) * 1e3);
    begin = std::chrono::steady_clock::now();
    store->search_sparse({.text = five_words(random), .language = Language::english}, kFound);
    sparse.push_back(seconds_since(begin) * 1e3);
  }
  const MemoryReading memory = read_memory();
  questions.resize(std::min(questions.size(), kJudged));
  const std::vector<std::vector<int64_t>> exact = nearest(questions, chunks);
  double of_first = 0, of_all = 0;
  for (size_t q = 0; q < exact.size(); ++q) {
    of_first += recall(*store, found[q], std::span(exact[q]).first(std::min(kFirst, exact[q].size())));
    of_all += recall(*store, found[q], exact[q]);
  }
  fmt::print(
      "{{\"chunks\": {}, \"texts_s\": {:.1f}, \"vectors_s\": {:.1f}, \"bytes\": {}, \"open_ms\": {:.2f}, "
      "\"dense_ms\": {}, \"sparse_ms\": {}, \"recall_at_10\": {:.4f}, \"recall_at_50\": {:.4f}, \"anon_bytes\": {}, "
      "\"file_bytes\": {}}}\n",
      chunks, built.texts_s, built.vectors_s, bytes_of(folder), open_ms, times(dense), times(sparse),
      of_first / double(exact.size()), of_all / double(exact.size()), memory.anon_bytes, memory.file_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || fs::exists(argv[1])) {
    std::fputs("usage: store_scale FOLDER CHUNKS [QUESTIONS [PLACE [INDEX]]], in a new folder\n", stderr);
    return 2;
  }
  try {
    VectorOptions vectors;
    vectors.timeout_ms = 60'000;  // a server indexes what was written while it is asked
    if (argc > 4) vectors.place = argv[4];
    if (argc > 5) {
      const auto index = find_named<VectorIndexKind>(argv[5]);
      if (!index) throw_unknown_name("index", argv[5], all_names<VectorIndexKind>());
      vectors.index = *index;
    }
    measure(argv[1], std::max(1LL, std::atoll(argv[2])), argc > 3 ? std::max(1LL, std::atoll(argv[3])) : 300, vectors);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
