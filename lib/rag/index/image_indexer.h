// Embeds the images of one file after the other, as they are read, and stores them with their document. Equal images
// are embedded once, in all files and for good. Part of IndexWriter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rag/extract/extract.h"
#include "rag/index/index_writer.h"
#include "rag/index/store_writer.h"

namespace frugal {

class ImageIndexer {
 public:
  /// Borrows all three. Counts are added to `report`.
  ImageIndexer(StoreWriter& store, const IndexOptions& options, IndexReport& report);

  /// False: this run has no image embedder. Image files are then ignored, except that those of the index stay while
  /// they are unchanged.
  bool is_on() const { return options_.image_embedder != nullptr; }
  /// The part of a file's recipe that says how its images were made; empty if this run makes none.
  const std::string& recipe() const { return recipe_; }
  /// `recipe` of a file of the index without that part, if this run makes no images: they stay as they are.
  std::string comparable(const std::string& recipe) const;

  /// For extract(); null if this run makes no images.
  const ImageReading* reading() const { return is_on() ? &reading_ : nullptr; }
  /// Before the file's documents are put.
  void begin_file() { images_.clear(); }
  /// Stores the images that were read, for the document that was put last, and their captions as documents of the file
  /// at `path`; `title` is theirs.
  void end_file(const std::string& path, const std::string& title);

 private:
  void add(const DocumentImage& image);
  std::string caption_of(const DocumentImage& image);
  std::string caption_key(const std::string& image_key) const;
  void put_caption(const std::string& path, const std::string& title, const NewImage& image);

  StoreWriter& store_;
  const IndexOptions& options_;
  IndexReport& report_;
  std::string recipe_, captioner_;
  ImageReading reading_;
  std::vector<NewImage> images_;  // of the file
  std::vector<float> vector_;
};

}  // namespace frugal
