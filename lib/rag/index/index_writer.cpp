// A run of add() has two phases. First it reads the files of all roots; FileIndexer commits documents in batches of a
// few hundred chunks. Then it embeds every chunk without a vector (embed_chunks.h), those of an earlier killed run
// included. It needs no journal: the store itself shows what remains to be done.
//
// After the files of a root are listed, indexed files under it that were not among them are removed. A root that no
// longer exists thus loses all its files, and is forgotten. Standard input is not a root: it cannot be read again.
#include "rag/index/index_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "rag/extract/sources.h"
#include "rag/index/embed_chunks.h"
#include "rag/index/file_indexer.h"
#include "rag/index/store_writer.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

class IndexWriter::Run {
 public:
  Run(const fs::path& folder, IndexOptions options)
      : folder_(folder),
        options_(std::move(options)),
        store_(open_store_writer(folder)),
        files_(*store_, options_, report_) {
    if (options_.embedder)
      store_->use_embedder(options_.embedder->fingerprint(), options_.embedder->dimension(), options_.re_embed);
    store_->set_laws(options_.laws);
    store_->commit();
  }

  IndexReport add(const std::vector<std::string>& arguments) {
    const Stopwatch watch;
    if (arguments.empty()) {
      for (const std::string& root : store_->roots()) add_root(root);
    } else {
      for (const std::string& argument : arguments) add_argument(argument);
    }
    files_.commit();
    report_.reading_seconds = watch.seconds();
    embed();
    return finish();
  }

  IndexReport remove(const std::vector<std::string>& arguments) {
    const Stopwatch watch;
    for (const std::string& argument : arguments) {
      const fs::path path = is_stdin_name(argument) ? fs::path(argument) : normal_path(argument);
      if (remove_files_except({}, path) == 0)
        throw Error(Code::bad_input, fmt::format("the index holds nothing at '{}'", path.native()))
            .hint("run rag-index status to list the paths that were added");
      forget_root(path);
    }
    files_.commit();
    report_.reading_seconds = watch.seconds();
    return finish();
  }

 private:
  bool is_stdin_name(const std::string& argument) const {
    return argument == options_.stdin_name && !fs::exists(argument);
  }

  void add_argument(const std::string& argument) {
    if (argument == "-") return add_stdin();
    std::vector<fs::path> paths = expand_argument(argument);
    // A path that no longer exists is valid if it has indexed files: they are removed.
    const fs::path path = normal_path(argument);
    if (paths.empty() && !store_->files_under(path.native()).empty()) paths = {path};
    if (paths.empty())
      throw Error(Code::bad_input, fmt::format("no file or folder '{}'", argument))
          .hint("check the path; a pattern must match a file or folder");
    for (const fs::path& each : paths) {
      store_->add_root(each.native());
      add_root(each);
    }
  }

  void add_stdin() {
    files_.add_stdin();
    files_.take_added();
  }

  void add_root(const fs::path& root) {
    store_->forget_skipped_under(root.native());
    std::error_code ignored;
    if (fs::exists(root, ignored)) {
      SourceSink sink;
      sink.file = [&](const fs::path& file, bool named) { files_.add(file, named); };
      sink.skipped = [&](const fs::path& path, const std::string& reason) { files_.skip(path, reason); };
      list_files(root, {options_.hidden, normal_path(folder_)}, sink);
    } else {
      forget_root(root);
    }
    remove_files_except(files_.take_added(), root);
  }

  /// Removes the indexed files at or under `root` that are not in `kept`. Returns their number.
  int64_t remove_files_except(std::vector<int64_t> kept, const fs::path& root) {
    std::sort(kept.begin(), kept.end());
    std::vector<int64_t> gone = store_->files_under(root.native());
    std::erase_if(gone, [&](int64_t id) { return std::binary_search(kept.begin(), kept.end(), id); });
    for (const int64_t id : gone) files_.remove(id);
    return static_cast<int64_t>(gone.size());
  }

  void forget_root(const fs::path& path) {
    store_->forget_roots_under(path.native());
    store_->forget_skipped_under(path.native());
  }

  void embed() {
    if (!options_.embedder) return;
    const Stopwatch watch;
    const int64_t total = store_->totals().chunks_without_vector;
    report_.vectors_computed = embed_chunks(*store_, *options_.embedder, [&](int64_t done) {
      if (options_.progress) options_.progress({IndexProgress::Stage::embedding, done, total});
    });
    report_.embedding_seconds = watch.seconds();
  }

  IndexReport finish() {
    store_->finish();
    const StoreWriter::Totals totals = store_->totals();
    const StoreWriter::Counts counts = store_->counts();
    report_.documents = totals.documents;
    report_.chunks = totals.chunks;
    report_.chunks_without_vector = totals.chunks_without_vector;
    report_.generation = totals.generation;
    report_.chunks_added = counts.chunks_added;
    report_.chunks_removed = counts.chunks_removed;
    report_.vectors_reused = counts.vectors_reused;
    return std::move(report_);
  }

  fs::path folder_;
  IndexOptions options_;
  IndexReport report_;
  std::unique_ptr<StoreWriter> store_;
  FileIndexer files_;
};

IndexWriter::IndexWriter(const fs::path& folder, IndexOptions options)
    : run_(std::make_unique<Run>(folder, std::move(options))) {}
IndexWriter::~IndexWriter() = default;

IndexReport IndexWriter::add(const std::vector<std::string>& arguments) {
  return run_->add(arguments);
}
IndexReport IndexWriter::remove(const std::vector<std::string>& arguments) {
  return run_->remove(arguments);
}

}  // namespace frugal
