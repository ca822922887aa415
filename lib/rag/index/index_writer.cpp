// A run of add() has two phases. First it reads files; FileIndexer commits documents in batches of a few hundred
// chunks. Then it embeds every chunk without a vector (embed_chunks.h), those of an earlier killed run included. It
// needs no journal: the store itself shows what remains to be done.
//
// What is read follows from the coverage that the index keeps (rag/scan/coverage.h), which the arguments only extend.
// A run is about some paths: its arguments, or all roots. After the files at or under such a path are listed, indexed
// files there that were not among them are removed, except below a path that cannot be looked at: a root that is
// absent, a folder without permission. That an absent root was deleted on purpose, the user says with remove(). An
// argument that neither exists nor is in the index is an error. Standard input is not a root, because it cannot be read
// again; its document stays until it is removed by name.
//
// Files that were skipped stay on record while their bytes are the same, although they are not read again.
#include "rag/index/index_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/error.h"
#include "rag/index/embed_chunks.h"
#include "rag/index/file_indexer.h"
#include "rag/index/store_writer.h"
#include "rag/scan/coverage.h"
#include "rag/scan/sources.h"

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
        store_(open_store_writer(folder, options_.vectors)),
        coverage_(store_->coverage()),
        files_(*store_, options_, report_) {
    if (options_.embedder) {
      store_->use_embedder(options_.embedder->fingerprint(), options_.embedder->dimension(), options_.re_embed,
                           options_.embedder->has_sparse());
      if (!options_.embedder_name.empty()) store_->set_embedder_name(options_.embedder_name);
    }
    if (ImageEmbedder* images = options_.image_embedder) {
      store_->use_image_embedder(images->fingerprint(), images->dimension(), options_.re_embed);
      store_->set_image_embedder_name(options_.image_embedder_name);
    }
    store_->set_laws(options_.laws);
    store_->commit();
  }

  IndexReport add(const std::vector<std::string>& arguments) {
    const Stopwatch watch;
    report_progress({IndexProgress::Stage::reading, 0, 0});
    const std::vector<std::string> paths = select(arguments);
    const std::set<std::string> all(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      if (path == kStdin) {
        add_stdin();
      } else if (std::ranges::none_of(folders_above(path), [&](const auto& folder) { return all.contains(folder); })) {
        add_path(path);
      }
    }
    files_.commit();
    report_.reading_seconds = watch.seconds();
    embed();
    return finish();
  }

  IndexReport remove(const std::vector<std::string>& arguments) {
    const Stopwatch watch;
    for (const std::string& argument : arguments) {
      const std::string path = is_stdin_name(argument) ? argument : normal_path(argument).native();
      const std::vector<int64_t> files = store_->files_under(path);
      const std::vector<SkippedFile> skipped = store_->skipped_under(path);
      if (files.empty() && skipped.empty() && coverage_.roots_under(path).empty())
        throw Error(Code::bad_input, fmt::format("the index holds nothing at '{}'", path))
            .hint("run rag-index status to list the paths that were added");
      for (const int64_t file : files) store_->remove_file(file);
      for (const SkippedFile& file : skipped) store_->forget_skipped(file.path);
      coverage_.remove(path);
      report_.files_removed += static_cast<int64_t>(files.size());
    }
    store_->set_coverage(coverage_);
    store_->commit();
    report_.reading_seconds = watch.seconds();
    return finish();
  }

  IndexReport relocate(const std::string& from, const std::string& to) {
    const std::string old_path = normal_path(from).native(), new_path = normal_path(to).native();
    std::vector<int64_t> files = store_->files_under(old_path);
    std::sort(files.begin(), files.end());
    if (files.empty() && coverage_.roots_under(old_path).empty())
      throw Error(Code::bad_input, fmt::format("the index holds nothing at '{}'", old_path))
          .hint("run rag-index status to list the paths that were added");
    if (!fs::exists(new_path))
      throw Error(Code::bad_input, fmt::format("no file or folder '{}'", new_path)).hint("move the files first");
    for (const int64_t file : store_->files_under(new_path))
      if (!std::binary_search(files.begin(), files.end(), file))
        throw Error(Code::bad_input, fmt::format("the index holds other files at '{}'", new_path))
            .hint("run rag-index remove for one of the two");
    store_->relocate(old_path, new_path);
    coverage_.relocate(old_path, new_path);
    store_->set_coverage(coverage_);
    report_.files_relocated = static_cast<int64_t>(files.size());
    return finish();
  }

 private:
  static constexpr std::string_view kStdin = "-";

  bool is_stdin_name(const std::string& argument) const {
    return argument == options_.stdin_name && !fs::exists(argument);
  }

  void report_progress(const IndexProgress& progress) const {
    if (options_.progress) options_.progress(progress);
  }

  /// Extends the coverage by the arguments. Returns the paths that the run is about.
  std::vector<std::string> select(const std::vector<std::string>& arguments) {
    std::vector<std::string> paths;
    std::set<std::string> known;
    const auto append = [&](const std::string& path) {
      if (known.insert(path).second) paths.push_back(path);
    };
    for (const std::string& argument : arguments)
      for (const std::string& path : paths_of(argument)) append(path);
    const bool other_excludes = change_excludes();
    if (arguments.empty()) {
      for (auto& [root, options] : coverage_.roots) {
        options.hidden |= options_.scan.hidden;
        options.ignore_files &= options_.scan.ignore_files;
      }
    }
    if (arguments.empty() || other_excludes)
      for (const auto& [root, options] : coverage_.roots) append(root);
    store_->set_coverage(coverage_);
    return paths;
  }

  std::vector<std::string> paths_of(const std::string& argument) {
    if (argument == kStdin) return {std::string(kStdin)};
    std::vector<std::string> paths;
    for (const fs::path& each : expand_argument(argument)) {
      coverage_.add(each.native(), options_.scan);
      paths.push_back(each.native());
    }
    if (!paths.empty()) return paths;
    // A path that no longer exists is valid if the index has it.
    const std::string path = normal_path(argument).native();
    if (coverage_.roots_under(path).empty() && store_->files_under(path).empty())
      throw Error(Code::bad_input, fmt::format("no file or folder '{}'", argument))
          .hint("check the path; a pattern must match a file or folder");
    return {path};
  }

  bool change_excludes() {
    std::vector<std::string>& excludes = coverage_.excludes;
    const std::vector<std::string> before = excludes;
    for (const std::string& pattern : options_.no_exclude)
      if (std::erase(excludes, pattern) == 0)
        throw Error(Code::bad_input, fmt::format("the index does not exclude '{}'", pattern))
            .hint("run rag-index status to list what it excludes");
    for (const std::string& pattern : options_.exclude)
      if (std::ranges::find(excludes, pattern) == excludes.end()) excludes.push_back(pattern);
    return excludes != before;
  }

  void add_stdin() {
    files_.remember_skipped(store_->skipped_under(options_.stdin_name));
    files_.add_stdin();
    files_.take_added();
    files_.take_remembered();
  }

  void add_path(const std::string& path) {
    files_.remember_skipped(store_->skipped_under(path));
    std::vector<std::string> kept;  // paths whose files stay, whatever was found
    const auto keep = [&](const fs::path& each, const std::string& reason) {
      kept.push_back(each.native());
      files_.skip_unread(each, reason + "; its documents are kept until rag-index remove");
    };
    SourceSink sink;
    sink.file = [&](const fs::path& file, bool named) { files_.add(file, named); };
    sink.skipped = [&](const fs::path& each, const std::string& reason) { files_.skip_unread(each, reason); };
    sink.unreachable = keep;
    sink.empty_root = [&](const fs::path& root) {
      if (!store_->files_under(root.native()).empty()) keep(root, "empty, as a drive that is not mounted");
    };
    sink.excluded = [&](const fs::path&) { ++report_.paths_excluded; };
    scan(coverage_, path, normal_path(folder_), sink);
    remove_vanished(path, kept);
  }

  /// Removes the indexed files at or under `path` that were neither added nor kept, and the reasons of files that were
  /// not skipped again.
  void remove_vanished(const std::string& path, const std::vector<std::string>& kept) {
    std::vector<int64_t> present = files_.take_added();
    for (const std::string& each : kept)
      for (const int64_t file : store_->files_under(each)) present.push_back(file);
    std::sort(present.begin(), present.end());
    for (const int64_t file : store_->files_under(path))
      if (!std::binary_search(present.begin(), present.end(), file)) files_.remove(file);
    for (const std::string& mended : files_.take_remembered())
      if (std::ranges::none_of(kept, [&](const std::string& each) { return is_under(mended, each); }))
        store_->forget_skipped(mended);
  }

  void embed() {
    if (!options_.embedder) return;
    const Stopwatch watch;
    const int64_t total = store_->totals().chunks_without_vector;
    // The stage begins before its first batch: a rate over the batches that follow would leave the first one out.
    if (total > 0) report_progress({IndexProgress::Stage::embedding, 0, total});
    report_.vectors_computed = embed_chunks(*store_, *options_.embedder, [&](int64_t done) {
      report_progress({IndexProgress::Stage::embedding, done, total});
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
    report_.images = totals.images;
    report_.chunks_added = counts.chunks_added;
    report_.chunks_removed = counts.chunks_removed;
    report_.vectors_reused = counts.vectors_reused;
    std::vector<std::string>& unread = report_.unread_roots;
    std::sort(unread.begin(), unread.end());
    unread.erase(std::unique(unread.begin(), unread.end()), unread.end());
    std::erase_if(unread, [&](const std::string& path) {
      return !coverage_.roots.contains(path) && path != options_.stdin_name;
    });
    return std::move(report_);
  }

  fs::path folder_;
  IndexOptions options_;
  IndexReport report_;
  std::unique_ptr<StoreWriter> store_;
  Coverage coverage_;
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
IndexReport IndexWriter::relocate(const std::string& from, const std::string& to) {
  return run_->relocate(from, to);
}

}  // namespace frugal
