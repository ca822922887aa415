// The words between a tool and frugal-extract, the program that reads PDF, office and image files for it. A request is
// its header and the bytes of the file; a reply is its header, and the bytes of title, note and text. If images were
// asked for and the reply has not failed, they follow: for each a header and its pixels, then a header that is the
// last. Numbers are those of this machine: both ends are of one build, and `version` tells if they are not.
#pragma once

#include <cstdint>

namespace frugal {

constexpr uint64_t kExtractionVersion = 0x6672'7567'616c'0002;

struct ExtractionRequest {
  uint64_t version = kExtractionVersion;
  uint64_t kind = 0;              // FileKind
  uint64_t memory_bytes = 0;      // that the program may use beside its libraries, the file included
  uint64_t cpu_seconds = 0;       // for this file
  uint64_t max_text_bytes = 0;    // of the reply's text
  uint64_t max_image_pixels = 0;  // an image that has more is made smaller; 0: no images
  uint64_t file_bytes = 0;        // they follow
};

struct ExtractionReply {
  uint64_t version = kExtractionVersion;
  uint64_t failed = 0;  // 1: `note` is the message, and there is no text
  uint64_t first_page = 0;
  uint64_t is_markdown = 0;
  uint64_t title_bytes = 0, note_bytes = 0, text_bytes = 0;  // they follow
};

struct ExtractionImage {
  uint64_t is_last = 0;            // 1: there is none
  uint64_t page = 0;               // from 1; 0 if the format has none
  uint64_t width = 0, height = 0;  // 3 · width · height bytes follow: 8-bit RGB by rows
};

/// A file has so many images; what is behind them is left out.
constexpr uint64_t kMaxExtractedImages = 1000;
/// A side of a figure has as many pixels: smaller ones are icons, bullets and rules.
constexpr int64_t kMinFigureSide = 64;
/// The longest side of one.
constexpr uint64_t kMaxExtractedSide = 65'535;

/// Exit code of a program that was given less memory than the file itself needs.
constexpr int kExtractionOutOfMemory = 3;

}  // namespace frugal
