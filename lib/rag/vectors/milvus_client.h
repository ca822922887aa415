// A Milvus server, through the plugin frugal_milvus.so, which is opened with the first call. Every call ends within its
// time. A failure is Error(remote), whatever the server did: its replies are checked before they are used.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rag/vectors/milvus_options.h"

namespace frugal {

/// A partition of a collection: the rows of one set of vectors.
struct MilvusPartition {
  std::string collection, partition;
  VectorIndexKind index = VectorIndexKind::flat;
};

struct MilvusHit {
  int64_t id = 0;
  float score = 0;  // inner product
  float scale = 0;  // of the row
};

/// Rows with the ids that they have at the server.
struct MilvusRowBatch {
  std::vector<int64_t> ids;
  std::vector<float> vectors;  // [rows][dimension]
  std::vector<float> scales;
  std::vector<int64_t> checksums;
};

/// Used by one thread.
class MilvusClient {
 public:
  MilvusClient(MilvusAddress address, const VectorOptions& options);
  ~MilvusClient();
  MilvusClient(const MilvusClient&) = delete;
  MilvusClient& operator=(const MilvusClient&) = delete;

  const MilvusAddress& address() const { return address_; }

  /// Creates what is missing of database, collection, index and partition.
  void prepare(const MilvusPartition& place, int64_t dimension);
  /// Returns the stamp of these rows; 0 if the server has none.
  uint64_t insert(const MilvusPartition& place, const MilvusRowBatch& rows);
  /// The rows of greatest inner product with `query` that pass the expression. stamp: what was inserted up to it is
  /// seen.
  std::vector<MilvusHit> search(const MilvusPartition& place, std::span<const float> query, int64_t limit,
                                const std::string& filter, uint64_t stamp);
  /// The rows that pass the expression, in any order.
  MilvusRowBatch read(const MilvusPartition& place, const std::string& filter, int64_t dimension, uint64_t stamp);
  void erase(const MilvusPartition& place, const std::string& filter);
  /// The partitions of its collection.
  std::vector<std::string> list(const MilvusPartition& place);
  void drop(const MilvusPartition& place);
  void flush(const MilvusPartition& place);

 private:
  struct Connection;
  Connection& connection();
  void require(int32_t status);
  std::string index_parameters(VectorIndexKind kind) const;
  std::string search_parameters(VectorIndexKind kind, int64_t limit) const;

  const MilvusAddress address_;
  const VectorOptions options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace frugal
