// The words between a tool and frugal-extract, the program that reads PDF and office files for it. A request is its
// header and the bytes of the file; a reply is its header, and the bytes of title, note and text. Numbers are those of
// this machine: both ends are of one build, and `version` tells if they are not.
#pragma once

#include <cstdint>

namespace frugal {

constexpr uint64_t kExtractionVersion = 0x6672'7567'616c'0001;

struct ExtractionRequest {
  uint64_t version = kExtractionVersion;
  uint64_t kind = 0;            // FileKind
  uint64_t memory_bytes = 0;    // that the program may use beside its libraries, the file included
  uint64_t cpu_seconds = 0;     // for this file
  uint64_t max_text_bytes = 0;  // of the reply's text
  uint64_t file_bytes = 0;      // they follow
};

struct ExtractionReply {
  uint64_t version = kExtractionVersion;
  uint64_t failed = 0;  // 1: `note` is the message, and there is no text
  uint64_t first_page = 0;
  uint64_t is_markdown = 0;
  uint64_t title_bytes = 0, note_bytes = 0, text_bytes = 0;  // they follow
};

/// Exit code of a program that was given less memory than the file itself needs.
constexpr int kExtractionOutOfMemory = 3;

}  // namespace frugal
