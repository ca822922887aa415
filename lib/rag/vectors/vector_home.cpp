// Names. A collection is named by what all its rows share: the dimension and the index with its parameters. Partitions
// begin with the owner, a random number of the set of one index, so that an index finds what it left behind: a killed
// writer may have created a partition that no commit named.
//
// Copies. The folder of an index may be copied, and both copies name the same partition; if both appended rows to it,
// each would overwrite the other's. `meta` therefore holds the identity of the database file, and a writer that finds
// another one copies the rows to a partition of its own before anything else. The old ones are left to the original.
//
// Former homes. A reader searches the partition of its generation as long as it lives, so that a partition that is left
// is listed in `meta`, and dropped by a writer that comes an hour later.
#include "rag/vectors/vector_home.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/folder.h"
#include "base/log.h"
#include "rag/database/meta.h"
#include "rag/vectors/milvus_rows.h"
#include "rag/vectors/vectors.h"

namespace frugal {
namespace {

using schema::VectorSet;
namespace fs = std::filesystem;

// Keys of `meta`, each behind the prefix of its set. They are absent if the rows have always been in files.
constexpr std::string_view kServer = "vectors_server";          // MilvusAddress::text(); empty: a file
constexpr std::string_view kCollection = "vectors_collection";  // its name
constexpr std::string_view kPartition = "vectors_partition";
constexpr std::string_view kOwner = "vectors_owner";    // beginning of the names of partitions
constexpr std::string_view kHolder = "vectors_holder";  // identity of the database file that appends to them

constexpr std::string_view kFormer = "vectors_former";  // a line for each FormerHome

constexpr int64_t kRowsLookedFor = 16;
constexpr int64_t kKeptSeconds = 3600, kTriedSeconds = 86'400;

std::string text(const Database& database, const VectorSet& set, std::string_view key) {
  return schema::meta_text(database, set.key(key)).value_or("");
}

/// Inode and time of birth: a copy has another, a file that was moved keeps both.
std::string holder_of(const Database& database) {
  struct statx info {};
  if (::statx(AT_FDCWD, database.path().c_str(), 0, STATX_INO | STATX_BTIME, &info) != 0) return {};
  return fmt::format("{}:{}.{}", info.stx_ino, info.stx_btime.tv_sec, info.stx_btime.tv_nsec);
}

std::string collection_name(const VectorOptions& options, int64_t dimension) {
  std::string name = fmt::format("{}_{}_{}", options.collection, dimension, to_string(options.index));
  if (options.index == VectorIndexKind::ivf_flat) name += fmt::format("_{}", options.lists);
  if (options.index == VectorIndexKind::hnsw) name += fmt::format("_{}_{}", options.links, options.build_effort);
  return name;
}

/// The index of a collection by its name.
VectorIndexKind index_of(const std::string& collection) {
  for (const auto& [kind, name] : names_of(VectorIndexKind{}))
    if (kind != VectorIndexKind::flat && collection.find(fmt::format("_{}_", name)) != collection.npos) return kind;
  return VectorIndexKind::flat;
}

/// A partition with rows of an earlier generation.
struct FormerHome {
  std::string server, collection, partition;
  int64_t left = 0;  // when, in seconds of the system's clock

  int64_t age() const { return std::abs(static_cast<int64_t>(std::time(nullptr)) - left); }
};

std::vector<FormerHome> former_homes(const Database& database, const VectorSet& set) {
  std::vector<FormerHome> homes;
  std::istringstream lines(text(database, set, kFormer));
  for (FormerHome home; lines >> home.server >> home.collection >> home.partition >> home.left;) homes.push_back(home);
  return homes;
}

void set_former_homes(Database& database, const VectorSet& set, const std::vector<FormerHome>& homes) {
  std::string lines;
  for (const FormerHome& home : homes)
    lines += fmt::format("{} {} {} {}\n", home.server, home.collection, home.partition, home.left);
  if (lines != text(database, set, kFormer)) schema::set_meta(database, set.key(kFormer), lines);
}

struct HomeContents {
  fs::path folder, database;
  const VectorSet& set;
  VectorLayout layout;
  int64_t number = 0, rows = 0;
};

/// False, without an error, if a server does not do it: what is left undone costs space or time only, and the next
/// writer tries again.
template <typename Task>
bool try_remote(const Task& task) {
  try {
    task();
    return true;
  } catch (const Error& error) {
    if (error.code() != Code::remote) throw;
    log(LogLevel::info, "{}", error.message());
    return false;
  }
}

class FileHome final : public VectorHome {
 public:
  explicit FileHome(HomeContents contents)
      : home_(std::move(contents)), path_(schema::vectors_path(home_.folder, home_.number, home_.set)) {}

  std::unique_ptr<VectorRows> open(Budget& budget) const override {
    return std::make_unique<VectorFile>(path_, home_.layout, home_.rows, budget);
  }

  std::unique_ptr<VectorRowWriter> append() const override {
    auto appender = std::make_unique<VectorAppender>(path_, home_.layout, home_.rows);
    // A database that the user has opened to others stays of use to them.
    std::error_code ignored;
    fs::permissions(path_, fs::status(home_.database, ignored).permissions(), ignored);
    return appender;
  }

  void check() const override {
    try {
      open(Budget::unlimited());
    } catch (const Error& error) {
      // Neither a full table of open files nor a refused permission says anything about the rows.
      if (fs::exists(path_)) throw;
      throw Error(Code::corrupt_file, error.message());
    }
  }

  void settle() const override {}
  std::string location() const override { return {}; }

 private:
  HomeContents home_;
  fs::path path_;
};

class MilvusHome final : public VectorHome {
 public:
  MilvusHome(HomeContents contents, std::shared_ptr<MilvusClient> client, MilvusPartition place, uint64_t stamp)
      : home_(std::move(contents)), client_(std::move(client)), place_(std::move(place)), stamp_(stamp) {}

  std::unique_ptr<VectorRows> open(Budget&) const override {
    return std::make_unique<MilvusRows>(client_, place_, home_.layout, home_.rows, stamp_);
  }

  std::unique_ptr<VectorRowWriter> append() const override {
    return std::make_unique<MilvusRowWriter>(client_, place_, home_.layout, home_.rows);
  }

  void check() const override {
    if (home_.rows == 0) return;
    const std::vector<std::string> partitions = client_->list(place_);
    if (std::find(partitions.begin(), partitions.end(), place_.partition) == partitions.end())
      throw lost(fmt::format("there is no partition '{}'", place_.partition));
    std::vector<int64_t> some;
    const int64_t step = std::max<int64_t>(1, home_.rows / kRowsLookedFor);
    for (int64_t row = home_.rows - 1; row >= 0; row -= step) some.push_back(row);
    const std::vector<VectorRow> found = open(Budget::unlimited())->read(some);
    for (size_t i = 0; i < some.size(); ++i)
      if (!found[i].intact) throw lost(fmt::format("row {} is missing or damaged", some[i]));
  }

  void settle() const override {
    try_remote([this] { client_->flush(place_); });
  }

  std::string location() const override {
    return fmt::format("{}, collection {}", client_->address().text(), place_.collection);
  }

 private:
  Error lost(const std::string& why) const {
    return Error(Code::corrupt_file, fmt::format("the vectors at '{}': {}", client_->address().text(), why))
        .hint("run rag-index add with --re-embed to write the vectors again");
  }

  HomeContents home_;
  std::shared_ptr<MilvusClient> client_;
  MilvusPartition place_;
  uint64_t stamp_;
};

void remove_files(const fs::path& folder, const VectorSet& set, const fs::path& kept) {
  std::error_code ignored;
  for (const fs::path& entry : folder_entries(folder))
    if (schema::is_vectors_path(entry, set) && entry != kept) fs::remove(entry, ignored);
}

/// Drops those that no reader should use any more. Returns the others.
std::vector<FormerHome> drop_former(const std::vector<FormerHome>& homes, const VectorOptions& options) {
  std::vector<FormerHome> kept;
  for (const FormerHome& home : homes) {
    bool is_gone = false;
    if (home.age() >= kKeptSeconds)
      is_gone = try_remote([&] {
        MilvusClient(parse_milvus_address(home.server), options).drop({home.collection, home.partition});
      });
    if (!is_gone && home.age() < kTriedSeconds) kept.push_back(home);
  }
  return kept;
}

}  // namespace

std::unique_ptr<VectorHome> vector_home(const fs::path& folder, const Database& database, const VectorSet& set,
                                        const VectorOptions& options) {
  HomeContents contents{folder,
                        database.path(),
                        set,
                        schema::vector_layout(database, set),
                        schema::meta_integer(database, set.key(schema::kVectorsFile)),
                        schema::meta_integer(database, set.key(schema::kVectorRows))};
  const std::string server = text(database, set, kServer);
  if (server.empty()) return std::make_unique<FileHome>(std::move(contents));
  const std::string collection = text(database, set, kCollection);
  try {
    auto client = std::make_shared<MilvusClient>(parse_milvus_address(server), options);
    return std::make_unique<MilvusHome>(
        std::move(contents), std::move(client),
        MilvusPartition{collection, text(database, set, kPartition), index_of(collection)},
        static_cast<uint64_t>(schema::meta_integer(database, set.key(schema::kVectorsStamp))));
  } catch (const Error& error) {
    if (error.code() != Code::usage) throw;
    throw Error(Code::corrupt_file,
                fmt::format("'{}' names no server that vectors can be on (table meta)", database.path().native()))
        .hint("delete the index folder and run rag-index add again");
  }
}

namespace {

/// Notes the partition that is left. That of a copy belongs to the original.
void leave_home(Database& database, const VectorSet& set) {
  const bool is_owner = !text(database, set, kServer).empty() && !is_copied(database, set);
  if (!is_owner || schema::meta_integer(database, set.key(schema::kVectorRows)) == 0) return;
  std::vector<FormerHome> homes = former_homes(database, set);
  homes.push_back({text(database, set, kServer), text(database, set, kCollection), text(database, set, kPartition),
                   static_cast<int64_t>(std::time(nullptr))});
  set_former_homes(database, set, homes);
}

}  // namespace

void start_vector_home(Database& database, const VectorSet& set, const VectorOptions& options, int64_t dimension) {
  leave_home(database, set);
  const int64_t number = schema::meta_integer(database, set.key(schema::kVectorsFile)) + 1;
  const int64_t id = schema::random_file_id();
  schema::set_meta(database, set.key(schema::kVectorsFile), number);
  schema::set_meta(database, set.key(schema::kVectorsId), id);
  schema::set_meta(database, set.key(schema::kDimension), dimension);
  schema::set_meta(database, set.key(schema::kVectorRows), 0);
  const std::string before = text(database, set, kServer);
  const std::string server = options.place.empty()            ? before
                             : is_milvus_place(options.place) ? parse_milvus_address(options.place).text()
                                                              : "";
  if (server.empty() && before.empty()) return;
  schema::set_meta(database, set.key(kServer), server);
  if (server.empty()) return;
  const std::string holder = holder_of(database);
  if (text(database, set, kHolder) != holder) {
    set_former_homes(database, set, {});
    schema::set_meta(database, set.key(kOwner),
                     fmt::format("f{:016x}", static_cast<uint64_t>(schema::random_file_id())));
    schema::set_meta(database, set.key(kHolder), holder);
  }
  schema::set_meta(database, set.key(kCollection), collection_name(options, dimension));
  schema::set_meta(database, set.key(kPartition),
                   fmt::format("{}_{}_{}_{:08x}", text(database, set, kOwner), set.file_stem, number,
                               static_cast<uint64_t>(id) & 0xffff'ffff));
  schema::set_meta(database, set.key(schema::kVectorsStamp), 0);
}

bool is_copied(const Database& database, const VectorSet& set) {
  return !text(database, set, kServer).empty() && text(database, set, kHolder) != holder_of(database);
}

bool must_move(const Database& database, const VectorSet& set, const VectorOptions& options) {
  if (text(database, set, schema::kEmbedder).empty()) return false;
  if (is_copied(database, set)) return true;
  const std::string server = text(database, set, kServer);
  if (options.place.empty()) return false;
  if (!is_milvus_place(options.place)) return !server.empty();
  const int64_t dimension = schema::meta_integer(database, set.key(schema::kDimension));
  return server != parse_milvus_address(options.place).text() ||
         text(database, set, kCollection) != collection_name(options, dimension);
}

void remove_old_homes(const fs::path& folder, Database& database, const VectorSet& set, const VectorOptions& options) {
  const std::string server = text(database, set, kServer);
  const int64_t number = schema::meta_integer(database, set.key(schema::kVectorsFile));
  remove_files(folder, set, server.empty() ? schema::vectors_path(folder, number, set) : fs::path());
  const std::vector<FormerHome> former = drop_former(former_homes(database, set), options);
  set_former_homes(database, set, former);
  if (server.empty()) return;
  const std::string owner = text(database, set, kOwner), current = text(database, set, kPartition);
  const std::string collection = text(database, set, kCollection);
  const auto is_known = [&](const std::string& name) {
    return name == current ||
           std::any_of(former.begin(), former.end(), [&](const FormerHome& home) { return home.partition == name; });
  };
  try_remote([&] {
    MilvusClient client(parse_milvus_address(server), options);
    for (const std::string& name : client.list({collection, current}))
      if (name.starts_with(owner + "_") && !is_known(name)) client.drop({collection, name});
  });
}

}  // namespace frugal
