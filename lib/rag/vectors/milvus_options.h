// Where the vectors of an index are, beside its database: in files, or on a Milvus server; and how it is asked.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/setting.h"

namespace frugal {

/// Of Milvus' indexes: flat compares with every row, ivf_flat with the rows of the nearest lists, hnsw walks a graph.
enum class VectorIndexKind { flat, ivf_flat, hnsw };
constexpr auto names_of(VectorIndexKind) {
  using enum VectorIndexKind;
  using Each = Named<VectorIndexKind>;
  return std::array{Each{flat, "flat"}, Each{ivf_flat, "ivf_flat"}, Each{hnsw, "hnsw"}};
}

/// What a search sees of rows that were written just before: everything, everything that the index counts, everything
/// of some seconds ago, or what is at hand.
enum class VectorConsistency { strong, session, bounded, eventually };
constexpr auto names_of(VectorConsistency) {
  using enum VectorConsistency;
  using Each = Named<VectorConsistency>;
  return std::array{Each{strong, "strong"}, Each{session, "session"}, Each{bounded, "bounded"},
                    Each{eventually, "eventually"}};
}

struct VectorOptions {
  std::string place, collection = "frugal", token_file, ca_file;
  VectorIndexKind index = VectorIndexKind::flat;
  int64_t lists = 1024, probes = 32;
  int64_t links = 16, build_effort = 200, search_effort = 200;
  VectorConsistency consistency = VectorConsistency::session;
  int64_t timeout_ms = 2000, write_timeout_ms = 60'000;
  std::string token;  // of the server at `place` and no other; from that file or the environment

  template <typename F>
  void visit(F&& f) {
    f("vectors.place", place,
      {"where vectors are written: file, or a Milvus server: milvus://host[:port][/database], with TLS "
       "milvus+tls://…; those of an index that has them elsewhere move there; empty: where they are, at first in files",
       {},
       {},
       true});
    f("vectors.collection", collection,
      {"beginning of the names of collections on that server; indexes share them, with a partition for each",
       {},
       {},
       true});
    f("vectors.token_file", token_file,
      {"file with user:password or the key of that server; empty: $FRUGAL_MILVUS_TOKEN, or none", {}, {}, true});
    f("vectors.ca_file", ca_file,
      {"certificates (PEM) of the authorities that a server with TLS is trusted by; empty: the system's",
       {},
       {},
       true});
    f("vectors.index", index,
      {"index of a Milvus server: flat (exact), ivf_flat, hnsw; vectors with another move to a new one"});
    f("vectors.lists", lists, {"lists of ivf_flat (nlist)", Range{1, 65'536}});
    f("vectors.probes", probes, {"lists of ivf_flat that a search reads (nprobe)", Range{1, 65'536}});
    f("vectors.links", links, {"links of a row in hnsw (M)", Range{4, 64}});
    f("vectors.build_effort", build_effort, {"rows that hnsw compares to link one (efConstruction)", Range{8, 512}});
    f("vectors.search_effort", search_effort,
      {"rows that a search in hnsw keeps at least (ef); no fewer than it is to find", Range{1, 32'768}});
    f("vectors.consistency", consistency,
      {"what a search on a server sees: strong, session (all rows of the index), bounded, eventually"});
    f("vectors.timeout_ms", timeout_ms,
      {"milliseconds that a search on a server may take; then words alone answer", Range{1, 600'000}});
    f("vectors.write_timeout_ms", write_timeout_ms,
      {"milliseconds that a server may take to write a batch of vectors", Range{1, 3'600'000}});
  }
};

/// The address of a server, as vectors.place and the database of an index name it.
struct MilvusAddress {
  std::string host;
  int port = 19530;
  std::string database;  // empty: the server's default
  bool tls = false;

  std::string text() const;    // the URL
  std::string target() const;  // host:port, for a connection
  bool operator==(const MilvusAddress&) const = default;
};
/// Throws Error(usage).
MilvusAddress parse_milvus_address(std::string_view url);
/// True if `place` names a server and no files. Throws Error(usage) if it names neither.
bool is_milvus_place(std::string_view place);

}  // namespace frugal
