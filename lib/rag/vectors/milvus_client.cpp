#include "rag/vectors/milvus_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/plugin_library.h"
#include "base/visible.h"
#include "rag/vectors/milvus_abi.h"

namespace frugal {
namespace {

constexpr const char* kPluginHint =
    "run scripts/setup to install libgrpc++-dev, then build again (docs/plugins.md); --no-dense does without vectors";
constexpr uint64_t kMaxReplyBytes = 64 << 20;
constexpr uint64_t kMaxCertificateBytes = 16 << 20;
// Of Debian and its relatives, of Red Hat's, of SUSE's.
constexpr std::array kSystemCertificates = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                            "/etc/ssl/ca-bundle.pem"};

std::string certificates(const VectorOptions& options) {
  if (!options.ca_file.empty()) return read_file(options.ca_file, kMaxCertificateBytes);
  for (const char* path : kSystemCertificates)
    if (std::error_code ignored; std::filesystem::exists(path, ignored)) return read_file(path, kMaxCertificateBytes);
  throw Error(Code::missing, "no certificates of authorities are installed on this machine")
      .hint("name a file of them with vectors.ca_file");
}

// An index may name any server, but a token is for the one that the user named.
std::string token_for(const MilvusAddress& address, const VectorOptions& options) {
  if (options.token.empty() || !is_milvus_place(options.place)) return {};
  const MilvusAddress named = parse_milvus_address(options.place);
  const bool is_it = named.host == address.host && named.port == address.port && named.tls == address.tls;
  return is_it ? options.token : "";
}

const char* type_of(VectorIndexKind kind) {
  constexpr std::array kTypes = {"FLAT", "IVF_FLAT", "HNSW"};
  return kTypes[static_cast<size_t>(kind)];
}

frugal_milvus_view view_of(const VectorOptions& options, uint64_t stamp) {
  // VectorConsistency has the order of the protocol.
  return {static_cast<int32_t>(options.consistency), stamp};
}

int32_t milliseconds(int64_t timeout_ms) {
  return static_cast<int32_t>(std::clamp<int64_t>(timeout_ms, 1, 1 << 30));
}

}  // namespace

struct MilvusClient::Connection {
  PluginTable<frugal_milvus_table> table{find_plugin("milvus", kPluginHint), FRUGAL_MILVUS_SYMBOL, FRUGAL_MILVUS_ABI,
                                         kPluginHint};
  frugal_milvus_connection* handle = nullptr;

  Connection() = default;
  ~Connection() {
    if (handle) table->close(handle);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
};

namespace {

frugal_milvus_place place_of(const MilvusAddress& address, const MilvusPartition& place) {
  return {address.database.c_str(), place.collection.c_str(), place.partition.c_str()};
}

}  // namespace

MilvusClient::MilvusClient(MilvusAddress address, const VectorOptions& options)
    : address_(std::move(address)), options_(options) {}

MilvusClient::~MilvusClient() = default;

MilvusClient::Connection& MilvusClient::connection() {
  if (connection_) return *connection_;
  auto made = std::make_unique<Connection>();
  const std::string target = address_.target(), token = token_for(address_, options_);
  const std::string authorities = address_.tls ? certificates(options_) : "";
  const frugal_milvus_server server{target.c_str(), token.empty() ? nullptr : token.c_str(),
                                    address_.tls ? authorities.c_str() : nullptr, kMaxReplyBytes};
  connection_ = std::move(made);
  require(connection_->table->connect(&server, &connection_->handle));
  return *connection_;
}

void MilvusClient::require(int32_t status) {
  if (status == FRUGAL_MILVUS_OK) return;
  Error error(Code::remote,
              fmt::format("the vectors at '{}': {}", address_.text(), visible_line(connection_->table->error_text())));
  if (status == FRUGAL_MILVUS_NO_PARTITION)
    error.hint("its rows were deleted there: run rag-index add to write them again");
  else if (status == FRUGAL_MILVUS_REFUSED)
    error.hint(
        "verify that vectors.token_file has what the server asks for, or ask with --no-dense: words need no server");
  else
    error.hint("start the server and run the command again, or ask with --no-dense: words need no server");
  throw error;
}

// JSON.
std::string MilvusClient::index_parameters(VectorIndexKind kind) const {
  if (kind == VectorIndexKind::ivf_flat) return fmt::format(R"({{"nlist":{}}})", options_.lists);
  if (kind == VectorIndexKind::hnsw)
    return fmt::format(R"({{"M":{},"efConstruction":{}}})", options_.links, options_.build_effort);
  return "{}";
}

std::string MilvusClient::search_parameters(VectorIndexKind kind, int64_t limit) const {
  if (kind == VectorIndexKind::ivf_flat) return fmt::format(R"({{"nprobe":{}}})", options_.probes);
  if (kind == VectorIndexKind::hnsw) return fmt::format(R"({{"ef":{}}})", std::max(options_.search_effort, limit));
  return "{}";
}

void MilvusClient::prepare(const MilvusPartition& place, int64_t dimension) {
  Connection& open = connection();
  const std::string parameters = index_parameters(place.index);
  const frugal_milvus_place at = place_of(address_, place);
  const frugal_milvus_layout layout{dimension, type_of(place.index), parameters.c_str()};
  require(open.table->prepare(open.handle, &at, &layout, milliseconds(options_.write_timeout_ms)));
}

uint64_t MilvusClient::insert(const MilvusPartition& place, const MilvusRowBatch& rows) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  const uint64_t count = rows.ids.size();
  if (count == 0) return 0;
  const frugal_milvus_rows sent{rows.ids.data(),
                                rows.vectors.data(),
                                rows.scales.data(),
                                rows.checksums.data(),
                                count,
                                static_cast<int64_t>(rows.vectors.size() / count)};
  uint64_t stamp = 0;
  require(open.table->insert(open.handle, &at, &sent, milliseconds(options_.write_timeout_ms), &stamp));
  return stamp;
}

std::vector<MilvusHit> MilvusClient::search(const MilvusPartition& place, std::span<const float> query, int64_t limit,
                                            const std::string& filter, uint64_t stamp) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  const frugal_milvus_view view = view_of(options_, stamp);
  const std::string parameters = search_parameters(place.index, limit);
  const frugal_milvus_search wanted{query.data(), static_cast<int64_t>(query.size()), limit, filter.c_str(),
                                    parameters.c_str()};
  frugal_milvus_hits hits{};
  require(open.table->search(open.handle, &at, &view, &wanted, milliseconds(options_.timeout_ms), &hits));
  std::vector<MilvusHit> found;
  found.reserve(hits.count);
  for (uint64_t i = 0; i < hits.count; ++i) found.push_back({hits.ids[i], hits.scores[i], hits.scales[i]});
  return found;
}

MilvusRowBatch MilvusClient::read(const MilvusPartition& place, const std::string& filter, int64_t dimension,
                                  uint64_t stamp) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  const frugal_milvus_view view = view_of(options_, stamp);
  frugal_milvus_rows rows{};
  require(
      open.table->read(open.handle, &at, &view, filter.c_str(), dimension, milliseconds(options_.timeout_ms), &rows));
  const uint64_t values = rows.count * static_cast<uint64_t>(dimension);
  return {{rows.ids, rows.ids + rows.count},
          {rows.vectors, rows.vectors + values},
          {rows.scales, rows.scales + rows.count},
          {rows.checksums, rows.checksums + rows.count}};
}

void MilvusClient::erase(const MilvusPartition& place, const std::string& filter) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  require(open.table->erase(open.handle, &at, filter.c_str(), milliseconds(options_.write_timeout_ms)));
}

std::vector<std::string> MilvusClient::list(const MilvusPartition& place) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  frugal_milvus_names names{};
  require(open.table->list(open.handle, &at, milliseconds(options_.write_timeout_ms), &names));
  return {names.names, names.names + names.count};
}

void MilvusClient::drop(const MilvusPartition& place) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  require(open.table->drop(open.handle, &at, milliseconds(options_.write_timeout_ms)));
}

void MilvusClient::flush(const MilvusPartition& place) {
  Connection& open = connection();
  const frugal_milvus_place at = place_of(address_, place);
  require(open.table->flush(open.handle, &at, milliseconds(options_.write_timeout_ms)));
}

}  // namespace frugal
