// The rows of a set of vectors in a partition of a Milvus server (docs/design/0045-milvus.md), read and appended in the
// place of a file (vectors.h). SQLite says which rows are valid; the id of a row has its number and a part of the
// random file id, so that indexes that share a collection share no ids.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rag/vectors/milvus_client.h"
#include "rag/vectors/vector_rows.h"

namespace frugal {

/// Searches one generation of the rows. With an index other than flat, a search may miss rows.
class MilvusRows final : public VectorRows {
 public:
  /// stamp: of the newest row; a search with the consistency "session" waits until the server has got there. Sends
  /// nothing yet.
  MilvusRows(std::shared_ptr<MilvusClient> client, MilvusPartition place, const VectorLayout& layout, int64_t rows,
             uint64_t stamp);

  int64_t rows() const override { return rows_; }
  std::vector<ScoredRow> search(std::span<const float> query, int64_t limit,
                                const std::vector<bool>* only = nullptr) const override;
  std::vector<VectorRow> read(std::span<const int64_t> rows) const override;

 private:
  struct Part;
  std::vector<Part> parts(int64_t limit, const std::vector<bool>* only) const;

  std::shared_ptr<MilvusClient> client_;
  MilvusPartition place_;
  VectorLayout layout_;
  int64_t rows_;
  uint64_t stamp_;
};

/// Sends rows in batches. The first one creates the partition, and deletes the rows that a killed writer left.
class MilvusRowWriter final : public VectorRowWriter {
 public:
  MilvusRowWriter(std::shared_ptr<MilvusClient> client, MilvusPartition place, const VectorLayout& layout,
                  int64_t rows);

  int64_t rows() const override { return rows_; }
  int64_t append_codes(std::span<const int8_t> codes, float scale) override;
  void sync() override;
  uint64_t stamp() const override { return stamp_; }

 private:
  std::shared_ptr<MilvusClient> client_;
  MilvusPartition place_;
  VectorLayout layout_;
  int64_t rows_;
  uint64_t stamp_ = 0;
  MilvusRowBatch batch_;
  bool is_prepared_ = false;
};

}  // namespace frugal
