// Ids. The id of a row is its number plus a base, which has 31 bits of the file id: ids are unique in the collection
// without asking the server, which Milvus Lite needs: it has one version of an id in all partitions.
//
// Nothing half. A search is restricted to the ids below the number that the database has counted. What a killed writer
// sent beyond it is never found, and the next writer deletes it before it sends rows of its own.
//
// Scores. The query is quantised as for a file and sent as codes · scale, like the rows, so that a score is an integer,
// the product of the codes, times both scales, but for the rounding of a sum of floats. That differs from row to row
// within the server, so that equal vectors may differ in the last bits, which would break ties by row. The integer is
// therefore recovered from the score, and the score computed from it as a file does: both are the same to the bit.
#include "rag/vectors/milvus_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.h"

namespace frugal {
namespace {

constexpr int64_t kMaxRows = int64_t(1) << 32;
constexpr int64_t kMaxTopK = 16'384;     // a limit of Milvus
constexpr int64_t kMaxListedIds = 4096;  // in an expression, which the server parses
constexpr size_t kBatchBytes = 4 << 20;  // of an insertion; a server refuses 64 MiB
constexpr size_t kReadBytes = 8 << 20;   // of a reply

int64_t base_of(const VectorLayout& layout) {
  return static_cast<int64_t>(layout.file_id & 0x7fff'ffff) << 32;
}

std::string range(const VectorLayout& layout, int64_t begin, int64_t end) {
  return fmt::format("id >= {} && id < {}", base_of(layout) + begin, base_of(layout) + end);
}

std::string listed(const VectorLayout& layout, std::span<const int64_t> rows) {
  std::string text = "id in [";
  for (const int64_t row : rows) text += fmt::format("{}{}", text.back() == '[' ? "" : ",", base_of(layout) + row);
  return text + "]";
}

size_t rows_within(size_t bytes, const VectorLayout& layout) {
  return std::max<size_t>(1, bytes / (static_cast<size_t>(layout.dimension) * sizeof(float) + 32));
}

[[noreturn]] void refuse(const MilvusClient& client, const char* why) {
  throw Error(Code::remote, fmt::format("the vectors at '{}': {}", client.address().text(), why));
}

}  // namespace

/// A search that the server takes at once.
struct MilvusRows::Part {
  std::string filter;
  int64_t rows = 0;
};

MilvusRows::MilvusRows(std::shared_ptr<MilvusClient> client, MilvusPartition place, const VectorLayout& layout,
                       int64_t rows, uint64_t stamp)
    : client_(std::move(client)), place_(std::move(place)), layout_(layout), rows_(rows), stamp_(stamp) {}

std::vector<MilvusRows::Part> MilvusRows::parts(int64_t limit, const std::vector<bool>* only) const {
  std::vector<Part> parts;
  if (!only) {
    const int64_t step = limit <= kMaxTopK ? rows_ : kMaxTopK;
    for (int64_t begin = 0; begin < rows_; begin += step) {
      const int64_t end = std::min(rows_, begin + step);
      parts.push_back({range(layout_, begin, end), end - begin});
    }
    return parts;
  }
  FRUGAL_CHECK(static_cast<int64_t>(only->size()) == rows_);
  std::vector<int64_t> ids;
  for (int64_t row = 0; row < rows_; ++row)
    if ((*only)[static_cast<size_t>(row)]) ids.push_back(row);
  for (size_t begin = 0; begin < ids.size(); begin += kMaxListedIds) {
    const auto some = std::span(ids).subspan(begin, std::min<size_t>(kMaxListedIds, ids.size() - begin));
    parts.push_back({listed(layout_, some), static_cast<int64_t>(some.size())});
  }
  return parts;
}

std::vector<ScoredRow> MilvusRows::search(std::span<const float> query, int64_t limit,
                                          const std::vector<bool>* only) const {
  const QuantisedQuery quantised = quantise_query(query, layout_);
  if (limit <= 0) return {};
  const VectorRow sent{{quantised.codes.begin(), quantised.codes.begin() + layout_.dimension}, quantised.scale, true};
  const std::vector<float> values = sent.values();
  BestRows best(limit);
  for (const Part& part : parts(limit, only)) {
    const int64_t wanted = std::min(limit, part.rows);
    const std::vector<MilvusHit> found = client_->search(place_, values, wanted, part.filter, stamp_);
    // A flat index finds as many as there are.
    if (place_.index == VectorIndexKind::flat && static_cast<int64_t>(found.size()) < wanted)
      refuse(*client_, "the server has lost rows of the index");
    for (const MilvusHit& each : found) {
      const int64_t row = each.id - base_of(layout_);
      if (row < 0 || row >= rows_) refuse(*client_, "the server returned rows of another index");
      const float unit = quantised.scale * each.scale;
      const float score = unit > 0 ? std::round(each.score / unit) * quantised.scale * each.scale : 0;
      if (std::isfinite(score)) best.offer({row, score});
    }
  }
  return best.take();
}

std::vector<VectorRow> MilvusRows::read(std::span<const int64_t> rows) const {
  std::vector<VectorRow> found(rows.size());
  const size_t step = std::min<size_t>(rows_within(kReadBytes, layout_), kMaxListedIds);
  const auto dimension = static_cast<size_t>(layout_.dimension);
  for (size_t begin = 0; begin < rows.size(); begin += step) {
    const auto some = rows.subspan(begin, std::min(step, rows.size() - begin));
    const MilvusRowBatch batch = client_->read(place_, listed(layout_, some), layout_.dimension, stamp_);
    std::unordered_map<int64_t, size_t> place_of;  // in the batch
    for (size_t i = 0; i < batch.ids.size(); ++i) place_of[batch.ids[i] - base_of(layout_)] = i;
    for (size_t i = 0; i < some.size(); ++i) {
      const auto at = place_of.find(some[i]);
      if (at == place_of.end()) continue;
      VectorRow& row = found[begin + i];
      row.scale = batch.scales[at->second];
      row.codes.reserve(dimension);
      for (const float value : std::span(batch.vectors).subspan(at->second * dimension, dimension)) {
        const float code = row.scale != 0 ? std::round(value / row.scale) : 0;
        row.codes.push_back(static_cast<int8_t>(std::isfinite(code) ? std::clamp(code, -127.0F, 127.0F) : 0));
      }
      row.intact = batch.checksums[at->second] == row_checksum(layout_, some[i], row.codes, row.scale);
    }
  }
  return found;
}

MilvusRowWriter::MilvusRowWriter(std::shared_ptr<MilvusClient> client, MilvusPartition place,
                                 const VectorLayout& layout, int64_t rows)
    : client_(std::move(client)), place_(std::move(place)), layout_(layout), rows_(rows) {}

int64_t MilvusRowWriter::append_codes(std::span<const int8_t> codes, float scale) {
  if (rows_ >= kMaxRows) throw Error(Code::bad_input, fmt::format("an index has at most {} vectors", kMaxRows));
  batch_.ids.push_back(base_of(layout_) + rows_);
  batch_.scales.push_back(scale);
  batch_.checksums.push_back(row_checksum(layout_, rows_, codes, scale));
  const std::vector<float> values = VectorRow{{codes.begin(), codes.end()}, scale, true}.values();
  batch_.vectors.insert(batch_.vectors.end(), values.begin(), values.end());
  ++rows_;
  if (batch_.ids.size() >= rows_within(kBatchBytes, layout_)) sync();
  return rows_ - 1;
}

void MilvusRowWriter::sync() {
  if (batch_.ids.empty()) return;
  if (!is_prepared_) {
    client_->prepare(place_, layout_.dimension);
    client_->erase(place_, fmt::format("id >= {} && id <= {}", batch_.ids.front(), base_of(layout_) + kMaxRows - 1));
    is_prepared_ = true;
  }
  stamp_ = std::max(stamp_, client_->insert(place_, batch_));
  batch_ = {};
}

}  // namespace frugal
