// Rows of vectors on a Milvus server, compared with the same rows in a file.
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "base/error.h"
#include "rag/vectors/milvus_rows.h"
#include "rag/vectors/milvus_server.h"
#include "rag/vectors/vectors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr int64_t kRows = 500;

std::vector<float> unit_vector(std::mt19937& random, int64_t dimension) {
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> vector(static_cast<size_t>(dimension));
  double squares = 0;
  for (float& value : vector) squares += std::pow(value = normal(random), 2);
  for (float& value : vector) value /= static_cast<float>(std::sqrt(squares));
  return vector;
}

/// Vectors of which every fifth equals the one before.
std::vector<std::vector<float>> vectors_with_ties(int64_t dimension) {
  std::mt19937 random(3);
  std::vector<std::vector<float>> vectors;
  vectors.reserve(kRows);
  for (int64_t row = 0; row < kRows; ++row)
    vectors.push_back(row % 5 == 4 ? vectors.back() : unit_vector(random, dimension));
  return vectors;
}

/// The best `limit`, of a search for more: at its end a server may prefer others of equal rows.
std::vector<std::pair<int64_t, float>> best(const VectorRows& rows, const std::vector<float>& query, int64_t limit,
                                            const std::vector<bool>* only = nullptr) {
  std::vector<ScoredRow> found = rows.search(query, limit + 2, only);
  if (static_cast<int64_t>(found.size()) > limit) found.resize(static_cast<size_t>(limit));
  std::vector<std::pair<int64_t, float>> pairs;
  pairs.reserve(found.size());
  for (const ScoredRow& each : found) pairs.emplace_back(each.row, each.score);
  return pairs;
}

std::shared_ptr<MilvusClient> client(const MilvusServer& server, VectorOptions options) {
  return std::make_shared<MilvusClient>(server.address(), options);
}
std::shared_ptr<MilvusClient> client(const MilvusServer& server) {
  return client(server, server.options());
}

Code code_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::negative;
}

}  // namespace

TEST_CASE("the address of a server is parsed, and an address that is none is refused") {
  CHECK(parse_milvus_address("milvus://host") == MilvusAddress{"host", 19530, "", false});
  CHECK(parse_milvus_address("milvus+tls://[::1]:7/db_1") == MilvusAddress{"::1", 7, "db_1", true});
  CHECK(parse_milvus_address("milvus+tls://[::1]:7/db_1").text() == "milvus+tls://[::1]:7/db_1");
  CHECK(parse_milvus_address("milvus://a.b:19530").text() == "milvus://a.b:19530");
  CHECK(is_milvus_place("milvus://host"));
  CHECK_FALSE(is_milvus_place("file"));
  CHECK_FALSE(is_milvus_place(""));
  for (const char* url :
       {"files", "http://host", "milvus://", "milvus://host:0", "milvus://host:99999", "milvus://h:1x",
        "milvus://user:secret@host", "milvus://h/d b", "milvus://[::1", "milvus://h\n", "milvus://h:1/a/b"}) {
    CAPTURE(url);
    CHECK(code_of([&] { is_milvus_place(url); }) == Code::usage);
  }
}

TEST_CASE("rows on a server are found as in a file: the same rows, the same scores, ties by row") {
  for (const int64_t dimension : {32, 384}) {
    const VectorLayout layout{dimension, 0x1234'5678'9abc'def0};
    const auto vectors = vectors_with_ties(dimension);
    const TempFolder folder;
    VectorAppender appender(folder / "v", layout, 0);
    for (const auto& vector : vectors) appender.append(vector);
    appender.sync();
    const VectorFile file(folder / "v", layout, kRows, Budget::unlimited());
    std::vector<bool> only(kRows);
    for (size_t row = 0; row < kRows; row += 3) only[row] = true;
    for (const MilvusProgram& program : kMilvusPrograms) {
      const MilvusServer* server = milvus_server(program);
      if (!server) continue;
      CAPTURE(std::string(program.name));
      CAPTURE(dimension);
      const MilvusPartition place{"test_rows_" + std::to_string(dimension), "rows"};
      MilvusRowWriter writer(client(*server), place, layout, 0);
      for (const auto& vector : vectors) writer.append(vector);
      writer.sync();
      const MilvusRows rows(client(*server), place, layout, kRows, writer.stamp());
      for (const int64_t limit : {int64_t(1), int64_t(20), kRows, int64_t(20'000)})
        for (const size_t of : {size_t(0), size_t(4), size_t(77)}) {
          CAPTURE(limit);
          CHECK(best(rows, vectors[of], limit) == best(file, vectors[of], limit));
          CHECK(best(rows, vectors[of], limit, &only) == best(file, vectors[of], limit, &only));
        }
      const std::vector<int64_t> some = {499, 0, 250};
      const std::vector<VectorRow> read = rows.read(some), expected = file.read(some);
      for (size_t i = 0; i < some.size(); ++i) {
        CHECK(read[i].codes == expected[i].codes);
        CHECK(read[i].scale == expected[i].scale);
        CHECK(read[i].intact);
      }
      CHECK(rows.read(std::vector<int64_t>{kRows + 7}).at(0).codes.empty());
      CHECK(code_of([&] { rows.search(std::vector<float>(7), 1); }) == Code::mismatch);
    }
  }
}

TEST_CASE("rows that a killed writer left are not found, and the next writer overwrites them") {
  const VectorLayout layout{32, 77};
  std::mt19937 random(5);
  const std::vector<float> counted = unit_vector(random, 32), left = unit_vector(random, 32),
                           later = unit_vector(random, 32);
  for (const MilvusProgram& program : kMilvusPrograms) {
    const MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    const MilvusPartition place{"test_left_32", "rows"};
    MilvusRowWriter first(client(*server), place, layout, 0);
    first.append(counted);
    first.append(left);
    first.append(left);
    first.sync();
    CHECK(MilvusRows(client(*server), place, layout, 1, first.stamp()).search(left, 1).at(0).row == 0);
    MilvusRowWriter second(client(*server), place, layout, 1);
    second.append(later);
    second.sync();
    const MilvusRows rows(client(*server), place, layout, 2, second.stamp());
    const auto found = rows.search(later, 2);
    REQUIRE(found.size() == 2);
    CHECK(found[0].row == 1);
    CHECK(found[1].row == 0);
    CHECK(rows.read(std::vector<int64_t>{1, 2}).at(0).intact);
    CHECK(rows.read(std::vector<int64_t>{1, 2}).at(1).codes.empty());
  }
}

TEST_CASE("every index of a server finds what is nearest, and has its own collection") {
  const VectorLayout layout{32, 99};
  const auto vectors = vectors_with_ties(32);
  for (const MilvusProgram& program : kMilvusPrograms) {
    const MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    for (const auto& [kind, name] : names_of(VectorIndexKind{})) {
      const std::string shown(name);
      CAPTURE(shown);
      VectorOptions options = server->options();
      options.lists = 8;
      options.probes = 8;
      const MilvusPartition place{"test_index_" + shown, "rows", kind};
      MilvusRowWriter writer(client(*server, options), place, layout, 0);
      for (const auto& vector : vectors) writer.append(vector);
      writer.sync();
      client(*server)->flush(place);
      const MilvusRows rows(client(*server, options), place, layout, kRows, writer.stamp());
      for (const size_t of : {size_t(0), size_t(77)}) CHECK(rows.search(vectors[of], 5).at(0).row == int64_t(of));
    }
  }
}

TEST_CASE("a server that is killed is an error in time, and what it had is there when it is started again") {
  const VectorLayout layout{32, 55};
  const auto vectors = vectors_with_ties(32);
  for (const MilvusProgram& program : kMilvusPrograms) {
    MilvusServer* server = milvus_server(program);
    if (!server) continue;
    CAPTURE(std::string(program.name));
    const MilvusPartition place{"test_killed_32", "rows"};
    MilvusRowWriter writer(client(*server), place, layout, 0);
    for (const auto& vector : vectors) writer.append(vector);
    writer.sync();
    const MilvusRows rows(client(*server), place, layout, kRows, writer.stamp());
    const auto expected = best(rows, vectors[9], 50);
    server->kill();
    CHECK(code_of([&] { rows.search(vectors[9], 50); }) == Code::remote);
    CHECK(code_of([&] { rows.read(std::vector<int64_t>{1}); }) == Code::remote);
    writer.append(vectors[0]);
    CHECK(code_of([&] { writer.sync(); }) == Code::remote);
    server->start();
    CHECK(best(MilvusRows(client(*server), place, layout, kRows, writer.stamp()), vectors[9], 50) == expected);
  }
}

TEST_CASE("a port where nobody listens, and one that never answers, are errors in time") {
#ifdef FRUGAL_TEST_MILVUS
  ::setenv("FRUGAL_PLUGINS", FRUGAL_TEST_MILVUS, 1);
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(silent, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(silent, 8) == 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  VectorOptions options;
  options.timeout_ms = 200;
  options.write_timeout_ms = 200;
  for (const int port : {free_port(), int(ntohs(address.sin_port))}) {
    const auto away = std::make_shared<MilvusClient>(MilvusAddress{"127.0.0.1", port, "", false}, options);
    const MilvusPartition place{"c", "p"};
    CHECK(code_of([&] {
            MilvusRows(away, place, {32, 1}, 4, 0).search(std::vector<float>(32, 0.1F), 1);
          }) == Code::remote);
    MilvusRowWriter writer(away, place, {32, 1}, 0);
    writer.append(std::vector<float>(32, 0.1F));
    CHECK(code_of([&] { writer.sync(); }) == Code::remote);
    CHECK(code_of([&] { away->list(place); }) == Code::remote);
  }
  ::close(silent);
#else
  MESSAGE("SKIP: the milvus plugin is not built");
#endif
}
