#include "app/wiring/index_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "base/visible.h"
#include "measure/report/json.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kIndexSchemaVersion = 1;
constexpr size_t kMaxWarnings = 20;  // per list
constexpr size_t kMaxExtensions = 12;

ordered_json json_of(const std::vector<SkippedFile>& files, const char* reason_key) {
  ordered_json list = ordered_json::array();
  for (const SkippedFile& file : files) list.push_back({{"path", file.path}, {reason_key, file.reason}});
  return list;
}

ordered_json or_null(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

ordered_json rate(int64_t count, double seconds) {
  return count > 0 && seconds > 0 ? ordered_json(static_cast<double>(count) / seconds) : ordered_json(nullptr);
}

ordered_json json_of(const IndexReport& report) {
  return {{"schema_version", kIndexSchemaVersion},
          {"files_added", report.files_added},
          {"files_changed", report.files_changed},
          {"files_unchanged", report.files_unchanged},
          {"files_removed", report.files_removed},
          {"files_relocated", report.files_relocated},
          {"files_ignored", report.files_ignored},
          {"ignored", report.ignored},
          {"paths_excluded", report.paths_excluded},
          {"documents", report.documents},
          {"chunks", report.chunks},
          {"chunks_added", report.chunks_added},
          {"chunks_removed", report.chunks_removed},
          {"vectors_computed", report.vectors_computed},
          {"vectors_reused", report.vectors_reused},
          {"chunks_without_vector", report.chunks_without_vector},
          {"generation", report.generation},
          {"reading_ms", report.reading_seconds * 1e3},
          {"embedding_ms", report.embedding_seconds * 1e3},
          {"chunks_embedded_per_s", rate(report.vectors_computed, report.embedding_seconds)},
          {"images", report.images},
          {"images_embedded", report.images_embedded},
          {"captions_written", report.captions_written},
          {"image_embedding_ms", report.image_seconds * 1e3},
          {"skipped", json_of(report.skipped, "reason")},
          {"unread_roots", report.unread_roots},
          {"notes", json_of(report.notes, "note")}};
}

std::vector<std::string> root_paths(const Coverage& coverage) {
  std::vector<std::string> paths;
  for (const auto& [path, options] : coverage.roots) paths.push_back(path);
  return paths;
}

ordered_json json_of(const IndexStatus& status, const std::filesystem::path& folder) {
  const StoreInfo& info = status.info;
  const bool embedded = !status.embedder_fingerprint.empty();
  const bool weighted = info.token_weights > 0;
  return {{"schema_version", kIndexSchemaVersion},
          {"index", folder.native()},
          {"generation", status.generation},
          {"files", status.files},
          {"documents", info.documents},
          {"chunks", info.chunks},
          {"chunks_without_vector", status.chunks_without_vector},
          {"embedder", embedded ? ordered_json(status.embedder_fingerprint) : ordered_json(nullptr)},
          {"embedder_name", or_null(status.embedder_name)},
          {"dimension", embedded ? ordered_json(info.dimension) : ordered_json(nullptr)},
          {"images", info.images},
          {"image_embedder", or_null(status.image_embedder_fingerprint)},
          {"image_embedder_name", or_null(status.image_embedder_name)},
          {"database_bytes", status.database_bytes},
          {"vectors_bytes", status.vectors_bytes},
          {"vectors_server", or_null(status.vectors_server)},
          {"token_weights", weighted ? ordered_json(info.token_weights) : ordered_json(nullptr)},
          {"weights_bytes", status.weights_bytes},
          {"roots", root_paths(status.coverage)},
          {"excludes", status.coverage.excludes},
          {"removed", status.coverage.removed},
          {"skipped", json_of(status.skipped, "reason")}};
}

ordered_json json_of(const CheckReport& report) {
  return {{"schema_version", kIndexSchemaVersion},
          {"ok", report.problems.empty()},
          {"problems", report.problems},
          {"stale", json_of(report.stale, "reason")},
          {"chunks_checked", report.chunks_checked},
          {"vectors_checked", report.vectors_checked},
          {"token_weights_checked", report.token_weights_checked}};
}

void append_warnings(const std::vector<SkippedFile>& files, std::string_view label, std::vector<std::string>& lines) {
  for (size_t i = 0; i < std::min(files.size(), kMaxWarnings); ++i)
    lines.push_back(fmt::format("{}: {}: {}", label, files[i].path, files[i].reason));
  if (files.size() > kMaxWarnings) lines.push_back(fmt::format("{}: and {} more", label, files.size() - kMaxWarnings));
}

/// "12 .py, 3 without extension": the most frequent first.
std::string by_extension(const std::map<std::string, int64_t>& ignored) {
  std::vector<std::pair<int64_t, std::string>> counts;
  counts.reserve(ignored.size());
  for (const auto& [extension, count] : ignored)
    counts.emplace_back(-count, extension.empty() ? "without extension" : extension);
  std::sort(counts.begin(), counts.end());
  std::string text;
  for (size_t i = 0; i < std::min(counts.size(), kMaxExtensions); ++i)
    text += fmt::format("{}{} {}", i > 0 ? ", " : "", -counts[i].first, counts[i].second);
  return counts.size() > kMaxExtensions ? text + ", and others" : text;
}

std::string describe(const RootOptions& options) {
  return fmt::format("{}{}", options.hidden ? " (with hidden files)" : "",
                     options.ignore_files ? "" : " (ignore files not obeyed)");
}

}  // namespace

std::string render_report(const IndexReport& report, IndexFormat format) {
  if (format == IndexFormat::json) return json_document(json_of(report));
  std::string out;
  const auto line = std::back_inserter(out);
  fmt::format_to(line, "files: {} added, {} changed, {} unchanged, {} removed, {} skipped\n", report.files_added,
                 report.files_changed, report.files_unchanged, report.files_removed, report.skipped.size());
  if (report.files_relocated > 0) fmt::format_to(line, "files: {} relocated\n", report.files_relocated);
  fmt::format_to(line, "index: {} documents, {} chunks, generation {}\n", report.documents, report.chunks,
                 report.generation);
  if (report.vectors_computed > 0)
    fmt::format_to(line, "vectors: {} computed in {:.1f} s ({:.0f}/s), {} reused\n", report.vectors_computed,
                   report.embedding_seconds,
                   static_cast<double>(report.vectors_computed) / std::max(report.embedding_seconds, 1e-9),
                   report.vectors_reused);
  if (report.images > 0)
    fmt::format_to(line, "images: {}, {} embedded in {:.1f} s\n", report.images, report.images_embedded,
                   report.image_seconds);
  if (report.captions_written > 0) fmt::format_to(line, "captions: {} written\n", report.captions_written);
  if (report.chunks_without_vector > 0)
    fmt::format_to(line, "vectors: {} chunks have none; run rag-index add with an embedder\n",
                   report.chunks_without_vector);
  return out;
}

std::string render_status(const IndexStatus& status, const std::filesystem::path& folder, IndexFormat format) {
  if (format == IndexFormat::json) return json_document(json_of(status, folder));
  const StoreInfo& info = status.info;
  const bool embedded = !status.embedder_fingerprint.empty();
  std::string out;
  const auto line = std::back_inserter(out);
  fmt::format_to(line, "index:      {} (generation {})\n", visible_line(folder.native()), status.generation);
  fmt::format_to(line, "documents:  {} in {} files, {} chunks\n", info.documents, status.files, info.chunks);
  if (embedded)
    fmt::format_to(line, "vectors:    {} of {} dimensions, {} chunks have none\n", info.vectors, info.dimension,
                   status.chunks_without_vector);
  if (info.token_weights > 0)
    fmt::format_to(line, "weights:    {} of tokens (learned sparse), {}\n", info.token_weights,
                   format_bytes(status.weights_bytes));
  fmt::format_to(line, "embedder:   {}{}\n", status.embedder_name.empty() ? "" : status.embedder_name + ", ",
                 embedded ? status.embedder_fingerprint : "none");
  if (!status.image_embedder_fingerprint.empty())
    fmt::format_to(line, "images:     {} of {} dimensions, embedded by {}, {}\n", info.images, info.image_dimension,
                   visible_line(status.image_embedder_name), status.image_embedder_fingerprint);
  fmt::format_to(line, "disk:       {} database, {} vectors\n", format_bytes(status.database_bytes),
                 format_bytes(status.vectors_bytes));
  if (!status.vectors_server.empty())
    fmt::format_to(line, "server:     {} has the vectors\n", visible_line(status.vectors_server));
  for (const auto& [root, options] : status.coverage.roots)
    fmt::format_to(line, "root:       {}{}\n", visible_line(root), describe(options));
  for (const std::string& pattern : status.coverage.excludes)
    fmt::format_to(line, "exclude:    {}\n", visible_line(pattern));
  for (const std::string& path : status.coverage.removed) fmt::format_to(line, "removed:    {}\n", visible_line(path));
  for (const SkippedFile& file : status.skipped)
    fmt::format_to(line, "skipped:    {}\n", visible_line(file.path + ": " + file.reason));
  return out;
}

std::string render_check(const CheckReport& report, IndexFormat format) {
  if (format == IndexFormat::json) return json_document(json_of(report));
  std::string out;
  const auto line = std::back_inserter(out);
  for (const std::string& problem : report.problems) fmt::format_to(line, "problem: {}\n", visible_line(problem));
  for (const SkippedFile& file : report.stale)
    fmt::format_to(line, "stale: {}\n", visible_line(file.path + ": " + file.reason));
  const std::string weights =
      report.token_weights_checked > 0 ? fmt::format(", with {} token weights,", report.token_weights_checked) : "";
  fmt::format_to(line, "{} chunks and {} vectors{} checked\n", report.chunks_checked, report.vectors_checked, weights);
  return out;
}

std::vector<std::string> render_warnings(const IndexReport& report) {
  std::vector<std::string> lines;
  append_warnings(report.skipped, "skipped", lines);
  append_warnings(report.notes, "note", lines);
  if (!report.ignored.empty())
    lines.push_back(fmt::format("ignored: {}; name a file itself to read it as text", by_extension(report.ignored)));
  if (report.paths_excluded > 0)
    lines.push_back(fmt::format("excluded: {} files and folders, by --exclude, ignore files or rag-index remove",
                                report.paths_excluded));
  return lines;
}

}  // namespace frugal
