// An index whose vectors are on a Milvus server: how they get there, and what becomes of them.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/error.h"
#include "rag/index/index_status.h"
#include "rag/index/store.h"
#include "rag/index/store_writer.h"
#include "rag/vectors/milvus_server.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

namespace fs = std::filesystem;

constexpr size_t kDimension = 32;

std::vector<float> vector_of(size_t axis) {
  std::vector<float> vector(kDimension, 0.01F);
  vector[axis] = 1;
  return vector;
}

/// Chunk i of the file has the word "wordI" and the vector of axis i.
void add_chunks(const fs::path& index, const VectorOptions& options, const std::string& path, size_t first,
                size_t count) {
  const auto writer = open_store_writer(index, options);
  writer->use_embedder("model", kDimension, false);
  writer->begin_file(path, "recipe");
  Document document;
  std::vector<NewChunk> chunks;
  for (size_t i = first; i < first + count; ++i) {
    const auto begin = static_cast<uint32_t>(document.text.size());
    document.text += "word" + std::to_string(i);
    NewChunk chunk;
    chunk.begin = begin;
    chunk.end = static_cast<uint32_t>(document.text.size());
    chunk.vector_key = "key" + std::to_string(i);
    chunks.push_back(chunk);
  }
  writer->put_document(path, document, [&] { return chunks; });
  writer->end_file({}, "hash", "");
  for (const PendingChunk& chunk : writer->pending_chunks(0, 1000)) {
    if (!writer->has_vector(chunk.vector_key))
      writer->put_vector(chunk.vector_key, vector_of(std::stoul(chunk.vector_key.substr(3))));
    writer->attach_vector(chunk.id);
  }
  writer->finish();
}

std::string nearest(const fs::path& index, const VectorOptions& options, size_t axis) {
  const auto store = open_store(index, Budget::unlimited(), options);
  const auto found = store->search_dense(vector_of(axis), 1);
  return found.empty() ? "" : store->fetch(std::vector{found[0].id}).at(0).text;
}

bool has_vectors_file(const fs::path& index) {
  for (const auto& entry : fs::directory_iterator(index))
    if (entry.path().extension() == ".i8") return true;
  return false;
}

Error error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code::negative, "no error");
}

}  // namespace

TEST_CASE("vectors move from a file to a server, and back, without an embedder") {
  for (const MilvusProgram& program : kMilvusPrograms) {
    const MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    const TempFolder folder;
    const fs::path index = folder / "index";
    add_chunks(index, {}, "/a", 0, 3);
    CHECK(has_vectors_file(index));
    CHECK(read_status(index).vectors_server.empty());
    add_chunks(index, server->options(), "/b", 3, 2);
    CHECK_FALSE(has_vectors_file(index));
    CHECK(read_status(index).vectors_server.starts_with(server->address().text()));
    for (size_t axis = 0; axis < 5; ++axis)
      CHECK(nearest(index, server->options(), axis) == "word" + std::to_string(axis));
    CHECK(check_index(index, server->options()).vectors_checked == 5);
    CHECK(check_index(index, server->options()).problems.empty());
    VectorOptions other = server->options();
    other.index = VectorIndexKind::hnsw;
    open_store_writer(index, other)->finish();
    CHECK(read_status(index).vectors_server.find("hnsw") != std::string::npos);
    CHECK(nearest(index, other, 4) == "word4");
    VectorOptions file;
    file.place = "file";
    open_store_writer(index, file)->finish();
    CHECK(has_vectors_file(index));
    for (size_t axis = 0; axis < 5; ++axis) CHECK(nearest(index, {}, axis) == "word" + std::to_string(axis));
    CHECK(check_index(index).vectors_checked == 5);
  }
}

TEST_CASE("the copy of an index writes to a partition of its own") {
  for (const MilvusProgram& program : kMilvusPrograms) {
    const MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    const TempFolder folder;
    const fs::path index = folder / "index", copy = folder / "copy";
    add_chunks(index, server->options(), "/a", 0, 2);
    fs::copy(index, copy);
    CHECK(nearest(copy, server->options(), 1) == "word1");
    add_chunks(copy, server->options(), "/b", 2, 1);
    add_chunks(index, server->options(), "/c", 3, 1);
    CHECK(nearest(copy, server->options(), 1) == "word1");
    CHECK(nearest(copy, server->options(), 2) == "word2");
    CHECK(nearest(index, server->options(), 3) == "word3");
    CHECK(check_index(index, server->options()).problems.empty());
    CHECK(check_index(copy, server->options()).problems.empty());
  }
}

TEST_CASE("an index whose rows were deleted at the server embeds its chunks again") {
  for (const MilvusProgram& program : kMilvusPrograms) {
    const MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    const TempFolder folder;
    const fs::path index = folder / "index";
    VectorOptions options = server->options();
    options.collection = "deleted";
    add_chunks(index, options, "/a", 0, 2);
    MilvusClient client(server->address(), options);
    const std::string collection = "deleted_32_flat";
    for (const std::string& partition : client.list({collection, "x"}))
      if (partition != "_default") client.drop({collection, partition});
    CHECK(error_of([&] { nearest(index, options, 0); }).code() == Code::remote);
    CHECK(open_store_writer(index, options)->totals().chunks_without_vector == 2);
    add_chunks(index, options, "/a", 0, 2);
    CHECK(nearest(index, options, 1) == "word1");
  }
}

TEST_CASE("without its server an index answers by words, and a writer says which server is away") {
  for (const MilvusProgram& program : kMilvusPrograms) {
    MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    const TempFolder folder;
    const fs::path index = folder / "index";
    add_chunks(index, server->options(), "/a", 0, 2);
    server->kill();
    VectorOptions options = server->options();
    options.timeout_ms = 500;
    options.write_timeout_ms = 500;
    const auto store = open_store(index, Budget::unlimited(), options);
    CHECK(store->search_sparse({.text = "word1"}, 5).size() == 1);
    CHECK(store->info().vectors == 2);
    const Error of_search = error_of([&] { store->search_dense(vector_of(0), 1); });
    CHECK(of_search.code() == Code::remote);
    CHECK(of_search.message().find(server->address().text()) != std::string::npos);
    CHECK(error_of([&] { add_chunks(index, options, "/b", 2, 1); }).code() == Code::remote);
    server->start();
    add_chunks(index, server->options(), "/b", 2, 1);
    for (size_t axis = 0; axis < 3; ++axis)
      CHECK(nearest(index, server->options(), axis) == "word" + std::to_string(axis));
  }
}
